"""Contracts of the extension points as test suites, for this package and for others."""
