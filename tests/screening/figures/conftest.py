"""Campaigns whose candidates are drawn, computed once."""

from view_fixtures import electrode, package_database, silicon, silicon_document

__all__ = ["electrode", "package_database", "silicon", "silicon_document"]
