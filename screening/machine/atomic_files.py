"""Files that are there whole or not at all: written in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from screening.messages.errors import ScreenError
from screening.messages.terminal import FULL

MANIFEST = "export.json"
"""In each folder that an export wrote: only such folders are replaced."""


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that it is there whole or not at all, also when the machine goes down.

    Until it is whole, the same name with another ending is used.

    Parameters
    ----------
    mode
        Permissions from the first byte on, before the umask.

    Raises
    ------
    OSError
        When it cannot be written; nothing is left of it then.
    """
    unfinished = path.with_name(f"{path.stem}.{secrets.token_hex(8)}")
    # O_EXCL: nobody can have put a link or a file of their own there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(unfinished, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    # The name, too, has to survive.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def unpublished_files(names: Sequence[Path], *, force: bool) -> Iterator[Path]:
    """Yield an empty folder; files written into it are moved to their places in the end.

    Parameters
    ----------
    names
        Paths that the files of the same names are moved to, all in one folder; the most important
        one last.
    force
        Replace what is there.

    Raises
    ------
    ScreenError
        When a place is taken or there is no such folder.
    """
    _check_parent(names[-1])
    for path in reversed(names):
        if path.is_dir():
            raise ScreenError(f"-o {path}: is a folder; give the name of a file")
        # A device would be gone afterwards, and a file in its place.
        if path.exists() and not path.is_file():
            raise ScreenError(f"-o {path}: is no regular file; give another name")
        if path.exists() and not force:
            raise ScreenError(
                f"{path}: exists already; replace it with --force, or give another -o"
            )
    with _beside(names[-1]) as work:
        yield work
        for path in names:
            _rename(work / path.name, path)


@contextlib.contextmanager
def unpublished_folder(path: Path, *, force: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes the one at `path` in the end.

    Parameters
    ----------
    force
        Replace a folder that an earlier export wrote.

    Raises
    ------
    ScreenError
        When the place is taken or there is no folder to put it in.
    """
    _check_parent(path)
    if path.exists() and not path.is_dir():
        raise ScreenError(f"-o {path}: is a file; give the name of a folder")
    taken = path.exists() and any(path.iterdir())
    if taken and not force:
        raise ScreenError(f"{path}: exists already; replace it with --force, or give another -o")
    if taken and not (path / MANIFEST).is_file():
        raise ScreenError(
            f"{path}: holds files that no export wrote, and --force would remove them; give "
            "another -o"
        )
    with _beside(path) as work:
        made = work / "made"
        made.mkdir()
        yield made
        if path.exists():
            _rename(path, work / "replaced")
        _rename(made, path)


def write_manifest(folder: Path, content: dict[str, object]) -> None:
    """Write into a folder what it holds."""
    (folder / MANIFEST).write_text(
        json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise ScreenError(f"-o {path}: there is no folder '{path.parent}'; make it first")


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a new folder beside a path, on the same file system, gone afterwards."""
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise ScreenError(f"-o {path}: cannot write there: {error.strerror}") from None
    try:
        yield work
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ScreenError(f"-o {path}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _rename(old: Path, new: Path) -> None:
    try:
        os.replace(old, new)
    except OSError as error:
        raise ScreenError(f"-o {new}: cannot be written: {error.strerror}") from None
