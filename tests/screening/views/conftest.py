"""Campaigns that all views look at, computed once."""

from view_fixtures import computed, electrode, package_database, silicon, silicon_document

__all__ = ["computed", "electrode", "package_database", "silicon", "silicon_document"]
