"""Versions of what shaped a number."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def package_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution, leaving out what is not there."""
    versions = {distribution: _version(distribution) for distribution in distributions}
    return {distribution: found for distribution, found in versions.items() if found is not None}


@functools.cache
def _version(distribution: str) -> str | None:
    # Every relaxation of a strained cell asks, and the answer is in a file.
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
