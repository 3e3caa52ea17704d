"""Tests for plug-ins of other packages: suites that every plug-in of a kind must pass."""
