"""Files that hold a password: read only when nobody else can, written so that nobody else could."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from pathlib import Path

from screening.messages.errors import ScreenError

LARGEST_BYTES = 16_384


def read_secret(path: Path, what: str) -> str:
    """Return the one line that a file of the user's holds.

    A symbolic link is followed; what is checked is the file that was opened, so that nobody can
    exchange it between the check and the reading.

    Parameters
    ----------
    path
        The file: a regular one, owned by the user, mode 600 or stricter.
    what
        What names it, for messages, which never quote its content.

    Raises
    ------
    ScreenError
        When it cannot be read, belongs or is open to others, or does not hold one line.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ScreenError(f"{what}: file {path} cannot be read ({error.strerror})") from None
    try:
        _refuse_open(os.fstat(handle), path, what)
        content = os.read(handle, LARGEST_BYTES + 1)
    except OSError as error:
        raise ScreenError(f"{what}: file {path} cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ScreenError(f"{what}: file {path} is no text in UTF-8") from None
    if not text:
        raise ScreenError(f"{what}: file {path} is empty")
    if len(content) > LARGEST_BYTES or not text.isprintable():
        raise ScreenError(f"{what}: file {path} must hold one line and nothing else")
    return text


def _refuse_open(found: os.stat_result, path: Path, what: str) -> None:
    """Raise `ScreenError` unless the file opened is the user's own and nobody else's to read."""
    if not stat.S_ISREG(found.st_mode):
        raise ScreenError(f"{what}: {path} is no regular file")
    if found.st_uid != os.geteuid():
        raise ScreenError(
            f"{what}: file {path} belongs to another user; copy it to a file of your own"
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(found.st_mode)
        raise ScreenError(
            f"{what}: file {path} is open to other users (mode {mode:03o}); "
            f"run: chmod 600 {shlex.quote(str(path))}"
        )


def write_secret(path: Path, text: str) -> None:
    """Write a file that only the user can read, whole or not at all.

    Only one program at a time may write the same file.
    """
    unfinished = path.with_name(f"{path.name}.new")
    # What a killed program left; O_EXCL then makes sure that the file is ours from its first byte.
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
