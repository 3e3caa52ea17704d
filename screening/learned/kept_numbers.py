"""Numbers that take long to make, kept in the user's cache: plain arrays, never code."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Numbers = dict[str, "NDArray[np.float64]"]


def kept_numbers(name: str, digest: str, make: Callable[[], Numbers]) -> Numbers:
    """Return arrays from the cache, or make and keep them.

    Parameters
    ----------
    name : str
        Of the file, without an ending.
    digest : str
        Of all that the numbers depend on; files of others are not read.
    make : callable
        Returns the arrays by name.
    """
    path = cache_folder() / f"{name}-{digest}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError):
        pass
    made = make()
    _keep(path, made)
    return made


def cache_folder() -> Path:
    """Return ``matscreen`` in the user's cache, ``XDG_CACHE_HOME`` or ``~/.cache``."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"
    return base / "matscreen"


def _keep(path: Path, numbers: Numbers) -> None:
    """Write a file in one step; a cache that cannot be written costs time and nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".npz", dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **numbers)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
