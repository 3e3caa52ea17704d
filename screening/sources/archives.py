"""Files in zip and tar archives, read without unpacking anything to the disk."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

ARCHIVE_KINDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

DAMAGED = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError),
    *(zipfile.BadZipFile, tarfile.TarError),
)
"""What reading a damaged or forbidden file raises, packed or not."""

Member = tuple[str, Callable[[], IO[bytes]]]


def is_archive(name: str) -> bool:
    """Return whether a file's name says that it is an archive."""
    return name.lower().endswith(ARCHIVE_KINDS)


def members(path: Path) -> Iterator[Member]:
    """Yield the name of each file in an archive, and what opens it, while the archive is open."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    yield info.filename, partial(_unzipped, zipped, info)
        return
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile() or member.islnk() or member.issym():
                yield member.name.removeprefix("./"), partial(_extracted, tar, member)


def _unzipped(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & 1:
        raise OSError("it has a password; unpack it first")
    try:
        return zipped.open(info)
    except NotImplementedError as error:
        raise OSError(f"{error}; unpack it first") from None


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    try:
        opened = tar.extractfile(member)
    except KeyError:
        raise OSError(f"it is a link to {member.linkname}, which is not in the archive") from None
    if opened is None:
        raise OSError("it is a link to a folder")
    return opened
