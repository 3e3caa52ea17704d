"""The text of a CIF: its blocks, and what each tag of a block says, by gemmi's grammar.

Files of the wild break the grammar in a few ways that have one meaning only: operations and symbols
without quotes, characters beyond ASCII.  These are mended line by line before the grammar sees
them.  A line that it still does not take is left out where it is about something else than the
crystal, and refused by its number where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from screening.messages.refusal import Refusal
from screening.sources.record import EntryError

Tags = dict[str, list[str]]
"""What a block says: the values of each tag, in a list even where it is no loop.

Tags are in lower case, as they have none, with ``_`` for the ``.`` of newer dictionaries.
"""

_BLOCK = re.compile(r"[ \t]*data_", re.IGNORECASE)
#: What belongs to a crystal; lines about anything else may be broken.
_CRYSTAL = re.compile(
    r"_(?:cell|atom_site|atom_type|symmetry|space_group|chemical_formula|exptl_crystal_density)",
    re.IGNORECASE,
)
_TRIPLET_PART = r"[-+*/.\dxyz \t]*[xyz][-+*/.\dxyz \t]*"
#: ``x, y, z`` or ``1 x, y, z`` without quotes.  A number before it is its name or a translation by
#: whole cells, which makes no difference.
_BARE_OPERATION = re.compile(
    rf"[ \t]*([-+]?\d+[ \t]+)?({_TRIPLET_PART},{_TRIPLET_PART},{_TRIPLET_PART}?)(#.*)?",
    re.IGNORECASE,
)
#: ``_tag several words`` without quotes.
_BARE_WORDS = re.compile(
    r"[ \t]*(_\S+)[ \t]+([^\s'\"#;_]\S*(?:[ \t]+[^\s'\"#_]\S*)+)[ \t]*(?:#.*)?"
)
_BEYOND_ASCII = re.compile(r"[^\t\n\x20-\x7e]")
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_STATEMENT = re.compile(r"[ \t]*(?:_|loop_)", re.IGNORECASE)
_MENDABLE_LINES = 20


def crystal_blocks(text: str) -> list[str]:
    """Return every ``data_`` block that describes a crystal, from its name on.

    Journals and ICSD put text, symmetry tables and powder patterns in blocks of their own.  A
    ``data_`` within a text field begins none.
    """
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    return [
        block for block in _blocks(text) if re.search(r"_(atom_site|cell_?\.?length)", block, re.I)
    ]


def _blocks(text: str) -> list[str]:
    blocks: list[list[str]] = []
    within = False  # a text field
    for line in text.split("\n"):
        if line.startswith(";"):
            within = not within
        elif not within and (head := _BLOCK.match(line)):
            blocks.append([line[head.end() :]])
            continue
        if blocks:
            blocks[-1].append(line)
    return [block for lines in blocks for block in _unless_swallowed("\n".join(lines))]


def _unless_swallowed(block: str) -> list[str]:
    """Cut a block in which a text field has no end, and so has swallowed the blocks after it."""
    pieces = re.split(r"^[ \t]*data_", block, flags=re.MULTILINE | re.IGNORECASE)
    if len(pieces) == 1:
        return pieces
    try:
        tags_of(block)
    except EntryError:
        return pieces
    return [block]


def tags_of(block: str) -> Tags:
    """Read a block.

    Parameters
    ----------
    block : str
        From its name on, as `crystal_blocks` returns it.

    Raises
    ------
    EntryError
        When the grammar does not take a line about the crystal, or a tag says two things.
    """
    if "\0" in block:
        raise EntryError("its CIF holds NUL characters; save it as UTF-8, or is it damaged?")
    lines = _mended(f"data_{block}".split("\n"))
    escaped = not block.isascii()
    if escaped:
        lines = [line.encode("ascii", "backslashreplace").decode() for line in lines]
    tags: Tags = {}
    for tag, values in _parsed(lines):
        key = tag.lower().replace(".", "_")
        if escaped:
            values = [
                _ESCAPED.sub(lambda m: m[0].encode().decode("unicode_escape"), value)
                for value in values
            ]
        if key in tags and not _same(tags[key], values) and _CRYSTAL.match(key):
            raise EntryError("its CIF states {tag} twice, and not the same", tag=tag)
        tags.setdefault(key, values)
    return tags


def _same(first: list[str], second: list[str]) -> bool:
    """Whether two lists say the same, 5.64 and 5.6400 too."""
    return [_trimmed(text) for text in first] == [_trimmed(text) for text in second]


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d*", text) else text


def _mended(lines: list[str]) -> list[str]:
    """Quote operations and words that stand without quotes, text fields left as they are."""
    mended = []
    within = False
    for line in lines:
        if line.startswith(";"):
            within = not within
        elif not within:
            if "," in line and (match := _BARE_OPERATION.fullmatch(line)):
                if re.search(r"\s", match[2].strip()):
                    line = f"{match[1] or ''}'{match[2].strip()}'"
            elif "_" in line and (match := _BARE_WORDS.fullmatch(line)):
                quote = '"' if "'" in match[2] else "'"
                line = f"{match[1]} {quote}{match[2].strip()}{quote}"
        mended.append(_BEYOND_ASCII.sub(_printable, line))
    return mended


def _printable(match: re.Match[str]) -> str:
    # Control characters, as the end of a file in DOS.
    return match[0] if ord(match[0]) >= 0xA0 else " "


def _parsed(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return the tags of the only block, leaving out broken lines about something else."""
    from gemmi import cif

    for _ in range(_MENDABLE_LINES):
        try:
            document = cif.read_string("\n".join(lines), check_level=0)
        except (ValueError, RuntimeError) as error:
            _leave_out(lines, str(error))
            continue
        if len(document) > 1:
            raise EntryError("a line of its CIF holds two blocks; begin each on a line of its own")
        found = []
        for item in document[0]:
            pair: Any = item.pair
            if pair is not None:
                found.append((pair[0], _plain([pair[1]])))
            elif item.loop is not None:
                tags, values = item.loop.tags, _plain(item.loop.values)
                found += [(tag, values[k :: len(tags)]) for k, tag in enumerate(tags)]
        return found
    raise EntryError("its CIF breaks the grammar in too many lines; is it damaged?")


def _plain(values: Iterable[str]) -> list[str]:
    """Take the quotes off; ``?`` and ``.`` stay, and a tag without a value has none."""
    from gemmi import cif

    return [
        cif.as_string(value) if value.startswith(("'", '"', ";")) else value for value in values
    ]


def _leave_out(lines: list[str], error: str) -> None:
    """Blank the statement that gemmi complains about.

    Raises
    ------
    EntryError
        When it is, or may be, about the crystal.
    """
    match = re.match(r"\w+:(\d+)(?::\d+\(\d+\))?:? ?(.*)", error)
    if match is None:
        raise EntryError(Refusal.of_words(f"its CIF cannot be parsed ({error})"))
    number = min(int(match[1]), len(lines))
    what = re.sub(r"^in data_\S*:? *", "", match[2])
    first = number - 1
    # Back to the tag, or the loop, that the line belongs to.
    while first > 0 and not _STATEMENT.match(lines[first]):
        first -= 1
    start = first
    while start > 0 and re.fullmatch(r"[ \t]*_\S+[ \t]*", lines[start]):
        start -= 1
    if lines[start].strip().lower() == "loop_":
        first = start
    last = first
    if lines[first].strip().lower() == "loop_":
        while last + 1 < len(lines) and lines[last + 1].lstrip().startswith("_"):
            last += 1
    while last + 1 < len(lines) and not _STATEMENT.match(lines[last + 1]):
        last += 1
    statement = lines[first : last + 1]
    if first == 0 or any(_CRYSTAL.match(line.lstrip()) for line in statement):
        said = " ".join(lines[number - 1].split())[:60]
        raise EntryError(
            "its CIF breaks the grammar in line {number} of its block, '{said}' ({what}); is "
            "it truncated?",
            number=number,
            said=said,
            what=what,
        )
    lines[first : last + 1] = [""] * len(statement)
