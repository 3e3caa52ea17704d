"""What takes long to make, kept as files in the user's cache: plain data, never code."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from screening.machine.atomic_files import write_whole

Value = TypeVar("Value")


def kept(
    file_name: str,
    make: Callable[[], Value],
    *,
    write: Callable[[Value], bytes],
    read: Callable[[bytes], Value],
) -> Value:
    """Return a value from the user's cache, or make and keep it.

    A file that is damaged is made anew; a cache that cannot be written costs time and nothing else.

    Parameters
    ----------
    file_name : str
        With a digest of all that the value depends on.
    make : callable
        Returns the value.
    write, read : callable
        To the content of the file, and from it.
    """
    path = cache_folder() / file_name
    try:
        return read(path.read_bytes())
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError):
        pass
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write(made))
    except OSError:
        pass
    return made


def cache_folder() -> Path:
    """Return ``matscreen`` in the user's cache, ``XDG_CACHE_HOME`` or ``~/.cache``."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"
    return base / "matscreen"


def digest_of(*contents: bytes | str) -> str:
    """Return hexadecimal digits made from data and the versions of what is made of them."""
    found = hashlib.sha256()
    for content in contents:
        found.update(content if isinstance(content, bytes) else content.encode())
        found.update(b"\0")
    return found.hexdigest()[:16]
