"""Text files as people have them: packed or not, with a byte-order mark, of any system.

Every file of the user is read here, so that no other code has to handle byte-order marks or the
line ends of other systems.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from screening.messages.errors import ScreenError

LARGEST_TEXT = 2**29
"""Bytes of a file, unpacked: a small archive may unpack to more than the memory."""
LARGEST_LINE = 2**26
"""Bytes of a line."""
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")

_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""First bytes of packed files; names are no help, as browsers unpack files and keep the name."""
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
_MARKS = [  # The longer first: UTF-32's begins as UTF-16's does.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_PLAIN = str.maketrans(
    {"\ufeff": "", **dict.fromkeys("\u00a0\u2007\u202f", " "), "\u2212": "-", "\u2010": "-"}
)
_SAMPLED_BYTES = 4096
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x19\x1b-\x1f]")
"""Bytes that are rare in texts; a text holds no zeros at all."""


class NoTextError(Exception):
    """A file that cannot be read as text; the message says why, as half a sentence."""


def unpacked(raw: IO[bytes]) -> Any:
    """Return the content of an open file that may be packed, even twice; it can be peeked at.

    Nothing is buffered in between, so that the part before the damage of a cut file is not lost.
    """
    content: Any = raw
    for _ in range(2):
        start = content.peek(8)[:8]
        opened = next((way for mark, way in _PACKED.items() if start.startswith(mark)), None)
        if opened is None:
            break
        content = opened(content)
    return content


def decoded(content: bytes, *, strict: bool = False) -> str:
    r"""Return bytes as text with ``\n`` at the ends of lines and no byte-order mark.

    UTF-8, or UTF-16 and UTF-32 where a byte-order mark or zeros show it.

    Parameters
    ----------
    strict
        Refuse bytes that are no UTF-8; else they become replacement characters, which does no harm
        in names and comments of old files.

    Raises
    ------
    NoTextError
        When it is no text.
    """
    encoding = _encoding(content[:_SAMPLED_BYTES])
    try:
        text = content.decode(encoding, "strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise NoTextError(
            f"it is not text in UTF-8 (byte {error.start + 1} is 0x{content[error.start]:02x}); "
            "save it as UTF-8"
        ) from None
    return plain_lines(text)


def plain_lines(text: str) -> str:
    r"""Return a text with ``\n`` at the ends of lines and without byte-order marks.

    Joined files have byte-order marks within, too.  DOS ends a text with control-Z.  Typographic
    spaces and minus signs, as in text copied from a page, become plain ones.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a")
    return text if text.isascii() else text.translate(_PLAIN)


def _encoding(start: bytes) -> str:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    zeros = (start[0::2].count(0), start[1::2].count(0))
    half = len(start) // 2
    if zeros[1] > 0.8 * half and not zeros[0]:
        return "utf-16-le"
    if zeros[0] > 0.8 * half and not zeros[1] and half:
        return "utf-16-be"
    if 0 in start or len(_CONTROL.findall(start)) > len(start) / 20:
        raise NoTextError(f"it is no text{_what_it_is(start)}")
    return "utf-8"


def _what_it_is(start: bytes) -> str:
    kinds = {
        b"PK\x03\x04": "a zip archive",
        b"\x89HDF": "HDF5",
        b"%PDF": "PDF",
        b"\x89PNG": "a picture",
        b"\x1f\x9d": "packed by compress",
        b"\x28\xb5\x2f\xfd": "packed by zstd",
        b"7z\xbc\xaf": "a 7z archive",
    }
    kind = next((kind for mark, kind in kinds.items() if start.startswith(mark)), "binary")
    return f" but {kind}"


def read_text(raw: IO[bytes], *, strict: bool = False) -> str:
    """Return the text of an open file; see `decoded`.

    Raises
    ------
    NoTextError
        When it is no text, too large or damaged.
    OSError
        When it cannot be read.
    """
    try:
        content = unpacked(raw).read(LARGEST_TEXT + 1)
    except _DAMAGE as error:
        raise NoTextError(f"it is packed, and damaged or cut off ({error})") from None
    if len(content) > LARGEST_TEXT:
        raise NoTextError(f"it has more than {LARGEST_TEXT} bytes, unpacked")
    return decoded(content, strict=strict)


def lines_of(raw: IO[bytes]) -> Iterator[str | NoTextError]:
    """Stream the lines of an open file, without their ends.

    A line that is no UTF-8 is yielded as an error; for a file that is no text it is raised.
    """
    try:
        yield from _lines_of(raw)
    except _DAMAGE as error:
        raise NoTextError(f"it is packed, and damaged or cut off ({error})") from None


def _lines_of(raw: IO[bytes]) -> Iterator[str | NoTextError]:
    content = unpacked(raw)
    encoding = _encoding(content.peek(_SAMPLED_BYTES)[:_SAMPLED_BYTES])
    # Bytes that cannot be decoded become surrogates, which are found in their line below.
    text = io.TextIOWrapper(content, encoding, errors="surrogateescape")
    while line := text.readline(LARGEST_LINE + 1):
        if len(line) > LARGEST_LINE:
            raise NoTextError(f"a line has more than {LARGEST_LINE} characters")
        line = plain_lines(line.rstrip("\n"))
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            # JSON may hold surrogates as escapes only.
            yield NoTextError("the line is not text in UTF-8; save the file as UTF-8")
        else:
            yield line


def user_path(text: str | os.PathLike[str], what: str) -> Path:
    """Return a path with ``~`` and ``$NAME`` expanded as by a shell.

    Settings, YAMLs and quoted arguments do not pass through a shell.

    Parameters
    ----------
    what
        Where the path is stated, for messages.

    Raises
    ------
    ScreenError
        When there is no such user or variable.
    """
    expanded = os.path.expandvars(os.path.expanduser(text))
    # A file may have a dollar in its name.
    if not os.path.lexists(expanded):
        if unset := re.search(r"\$(\w+|\{\w+\})", expanded):
            raise ScreenError(f"{what}: ${unset[1]} in its path is not set")
        if expanded.startswith("~"):
            user = expanded.partition("/")[0]
            raise ScreenError(f"{what}: '{user}' names no user of this machine")
    return Path(expanded)
