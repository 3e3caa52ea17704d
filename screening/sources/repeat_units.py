"""Files of repeat units: SMILES with two ``*``, one a line or in a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from screening.candidates.polymer import StatedPolymer
from screening.machine.text_files import PACKED_SUFFIXES, NoTextError, lines_of
from screening.messages.refusal import Refusal
from screening.sources.delimited import table_rows
from screening.sources.folders import Found, look_below
from screening.sources.rdkit_there import need_rdkit
from screening.sources.record import Scalar, SourceError, SourceRecord, first_line

LINES = (".smi", ".psmi")
TABLES = (".csv",)
COLUMNS = ("psmiles", "smiles")
"""Names of the column with the repeat unit; the first one that is there counts."""
REPEAT_UNIT_KINDS = ", ".join([*LINES, *TABLES])


class RepeatUnitFiles:
    """A file of repeat units, or every such file below a folder.

    Parameters
    ----------
    spec : str
        As the user wrote it.
    path : Path
        A file, packed or not, or a folder that is searched recursively in sorted order.
    """

    candidates = "polymer"

    def __init__(self, spec: str, path: Path) -> None:
        need_rdkit(f"source '{spec}'")
        self.spec = spec
        self._root = path if path.is_dir() else path.parent
        self._found = look_below(path) if path.is_dir() else Found()
        files = self._found.files if path.is_dir() else [path]
        self._files = [file for file in files if is_repeat_unit_file(file.name)]
        self._others = [file for file in files if not is_repeat_unit_file(file.name)]
        if not self._files:
            raise SourceError(
                f"source '{spec}': holds no file of repeat units; known: {REPEAT_UNIT_KINDS}"
            )

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries of each file in turn, named as their line does it, else by place."""
        for name, reason in self._found.unreadable.items():
            yield SourceRecord(name, None, reason, name)
        for path in self._files:
            yield from _file_records(path, path.relative_to(self._root).as_posix())

    def remarks(self) -> list[str]:
        """Say which files were not looked at."""
        names = [path.relative_to(self._root).as_posix() for path in self._others]
        return [f"not looked at, no files of repeat units: {', '.join(names)}"] if names else []


def is_repeat_unit_file(name: str) -> bool:
    """Whether a file of this name is read as one of repeat units, packed or not."""
    return _plain(name).endswith((*LINES, *TABLES))


def stated_in_file(path: Path) -> list[tuple[str, str]]:
    """Return the SMILES and name of each entry of a file, in order; molecules are taken too.

    A table is known by its ending; files of other endings have one SMILES a line.

    Raises
    ------
    SourceError
        When the file cannot be read or holds nothing.
    """
    read = _table_records if _plain(path.name).endswith(TABLES) else _line_records
    entries = []
    try:
        with path.open("rb") as raw:
            for record in read(raw, path.name):
                stated = record.content
                if isinstance(stated, StatedPolymer):
                    entries.append((stated.smiles, stated.name))
                else:
                    entries.append(("", record.location))
    except NoTextError as error:
        raise SourceError(f"{path}: {error}") from None
    except OSError as error:
        raise SourceError(f"{path}: it cannot be read ({first_line(error)})") from None
    if not entries:
        raise SourceError(f"{path}: it holds no SMILES")
    return entries


def _plain(name: str) -> str:
    return re.sub(rf"({'|'.join(map(re.escape, PACKED_SUFFIXES))})$", "", name.lower())


def _file_records(path: Path, name: str) -> Iterator[SourceRecord]:
    """Stream the entries of one file; what is wrong with it as a whole is an entry too."""
    read = _table_records if _plain(name).endswith(TABLES) else _line_records
    n_read = 0
    try:
        with path.open("rb") as raw:
            for record in read(raw, name):
                n_read += 1
                yield record
    except NoTextError as error:
        yield SourceRecord(name, None, str(error), name)
    except OSError as error:
        yield SourceRecord(name, None, f"it cannot be read ({first_line(error)})", name)
    else:
        if not n_read:
            yield SourceRecord(name, None, "it holds no repeat unit", name)


def _line_records(raw: IO[bytes], name: str) -> Iterator[SourceRecord]:
    """Read lines of a SMILES and, behind a blank or tab, a name; ``#`` begins a comment."""
    for number, line in enumerate(lines_of(raw), start=1):
        place = f"{name}:{number}"
        if isinstance(line, NoTextError):
            yield SourceRecord(place, None, str(line), place)
            continue
        smiles, *rest = line.split(maxsplit=1) or [""]
        # A first line may name the columns.
        if not smiles or smiles.startswith("#") or smiles.lower() in COLUMNS:
            continue
        label = rest[0].strip() if rest else ""
        yield SourceRecord(label or place, StatedPolymer(smiles, label), None, place)


def _table_records(raw: IO[bytes], name: str) -> Iterator[SourceRecord]:
    """Read a table with a column ``psmiles`` or ``smiles``, perhaps ``name``, and properties."""
    for number, row in table_rows(lines_of(raw)):
        place = f"{name}:{number}"
        refused = partial(SourceRecord, place, None, location=place)
        if isinstance(row, NoTextError):
            yield refused(refusal=str(row))
            continue
        column = next((known for known in COLUMNS if known in row), None)
        if column is None:
            columns = ", ".join(filter(None, row)) or "none"
            raise NoTextError(f"it has no column 'psmiles' or 'smiles'; its columns are: {columns}")
        if not row[column]:
            yield refused(refusal=Refusal.of(f"its field '{column}' is empty"))
            continue
        label = row.get("name", "")
        properties = {
            key: _value(text)
            for key, text in row.items()
            if key and text and key not in (column, "name")
        }
        content = StatedPolymer(row[column], label)
        yield SourceRecord(label or place, content, None, place, properties)


def _value(text: str) -> Scalar:
    """Return a field as a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text
