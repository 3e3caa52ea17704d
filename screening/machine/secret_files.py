"""Files that hold a password, which nobody but the user may be able to read."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from screening.machine.atomic_files import write_whole
from screening.messages.errors import ScreenError

LARGEST_BYTES = 16_384


def read_secret(path: Path, what: str) -> str:
    """Return the one line in a file of the user.

    A symbolic link is followed.  The open file is checked, so that nobody can exchange it between
    the check and the reading.

    Parameters
    ----------
    path
        The file: a regular one, owned by the user, mode 600 or stricter.
    what
        What names the file in messages, which never quote its content.

    Raises
    ------
    ScreenError
        When it cannot be read, belongs to another user, can be read by other users, or does not
        hold one line.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
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


def _refuse_open(opened: os.stat_result, path: Path, what: str) -> None:
    """Raise `ScreenError` unless an open file is the user's, and nobody else can read it."""
    if not stat.S_ISREG(opened.st_mode):
        raise ScreenError(f"{what}: {path} is no regular file")
    if opened.st_uid != os.geteuid():
        raise ScreenError(
            f"{what}: file {path} belongs to another user; copy it to a file of your own"
        )
    if opened.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(opened.st_mode)
        raise ScreenError(
            f"{what}: file {path} is open to other users (mode {mode:03o}); "
            f"run: chmod 600 {shlex.quote(str(path))}"
        )


def write_secret(path: Path, text: str) -> None:
    """Write a file that only the user can read, from its first byte on."""
    write_whole(path, f"{text}\n".encode(), mode=0o600)
