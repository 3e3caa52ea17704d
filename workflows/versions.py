"""Versions of what shaped a number."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def package_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution, leaving out what is not there."""
    versions = {}
    for distribution in distributions:
        try:
            versions[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    return versions
