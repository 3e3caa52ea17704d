"""Structure files and folders of them."""

from __future__ import annotations

import gzip
import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from screening.candidate import bare_structure
from screening.sources.cif import CifBlock, crystal_blocks
from screening.sources.inputs import CHARGED, DISCHARGED, known_inputs
from screening.sources.record import (
    EntryError,
    SourceError,
    SourceRecord,
    Unread,
    first_line,
    parsed_record,
    scalar_properties,
)

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure


LARGEST_TEXT = 2**29
"""Characters of a JSON file, unpacked: a small archive may unpack to more than the memory."""
LARGEST_LINE = 2**26
"""Characters of a JSON line."""


class FileSource:
    """One structure file, or every structure file below a folder.

    Parameters
    ----------
    spec : str
        As the user wrote it.
    path : Path
        A file, or a folder that is searched recursively in sorted order, hidden names left out.

    Raises
    ------
    SourceError
        No structure file there, or a file of an unknown kind.
    """

    def __init__(self, spec: str, path: Path) -> None:
        self.spec = spec
        if path.is_dir():
            self._root, paths = path, _visible_files(path)
            problem = "the folder holds no structure file"
        else:
            self._root, paths = path.parent, [path]
            problem = "not a kind of structure file that can be read"
        self._files = [(file, read) for file in paths if (read := _reader(file)) is not None]
        if not self._files:
            raise SourceError(f"source '{spec}': {problem}; known: {FILE_KINDS}")

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries of each file in turn.

        An entry is named after its file, relative to the folder, and its place in a file that may
        hold several. A JSON line names itself with ``material_id``, a CIF from ICSD or COD with the
        code it has there.
        """
        for entry in self.entries():
            yield entry() if isinstance(entry, Unread) else entry

    def entries(self) -> Iterator[SourceRecord | Unread]:
        """Stream the entries, unread where a file holds many."""
        for path, read in self._files:
            name = path.relative_to(self._root).as_posix()
            try:
                yield from read(path, name)
            except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
                yield SourceRecord(name, None, f"it cannot be read ({first_line(error)})", name)


def jsonl_entries(lines: Iterable[str], location: str) -> Iterator[Unread]:
    """One entry a line: ``material_id`` and either ``cif`` or ``structure`` (pymatgen dictionary).

    What `screening.sources.inputs.known_inputs` knows becomes inputs of the flow; other scalar keys
    become properties.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Unread(_json_line, line, f"{location}:{number}")


def _json_line(line: str, place: str) -> SourceRecord:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        return SourceRecord(place, None, f"the line is not JSON ({first_line(error)})", place)
    return _json_record(entry, "the line", place)


def _json_record(entry: Any, what: str, place: str) -> SourceRecord:
    if not isinstance(entry, dict) or not any(entry.get(key) is not None for key in DISCHARGED):
        reason = f"{what} is not a JSON object with 'cif' or 'structure'"
        return SourceRecord(place, None, reason, place)
    entry = {key: value for key, value in entry.items() if value is not None}
    key = next(key for key in DISCHARGED if key in entry)
    name = str(entry.get("material_id", entry.get("battery_id", place)))
    crystals = {*DISCHARGED, *CHARGED, "material_id"}
    facts = {field: value for field, value in entry.items() if field not in crystals}
    record = parsed_record(
        name, place, partial(_parse_entry, key, entry[key]), scalar_properties(facts)
    )
    if record.structure is None:
        return record
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            inputs = known_inputs(entry, record.structure, place, _parse_entry)
        except (TypeError, ValueError) as error:
            return replace(record, structure=None, error=str(error))
        except EntryError as error:
            return replace(record, structure=None, error=f"of its charged crystal: {error}")
        except Exception as error:  # parsers raise anything; the text becomes the reason
            reason = f"its charged crystal cannot be parsed ({first_line(error)})"
            return replace(record, structure=None, error=reason)
    return replace(record, inputs=inputs)


def _parse_entry(key: str, value: Any) -> Structure:
    return _parse_cif(str(value)) if "cif" in key else bare_structure(value)


def _open_text(path: Path) -> IO[str]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return opener(path, "rt", encoding="utf-8")


def _read_json(path: Path, name: str) -> Iterator[SourceRecord]:
    """Read a list of the same objects, as web services return them."""
    with _open_text(path) as text:
        try:
            entries = json.loads(_bounded(text.read(LARGEST_TEXT + 1), LARGEST_TEXT, "the file"))
        except (ValueError, RecursionError) as error:
            reason = f"the file is not JSON ({first_line(error)})"
            yield SourceRecord(name, None, reason, name)
            return
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        yield _json_record(entry, "the entry", f"{name}#{number}")


def _read_jsonl(path: Path, name: str) -> Iterator[Unread]:
    with _open_text(path) as text:
        lines = iter(partial(text.readline, LARGEST_LINE + 1), "")
        yield from jsonl_entries((_bounded(line, LARGEST_LINE, "a line") for line in lines), name)


def _bounded(text: str, largest: int, what: str) -> str:
    """Return a text of which at most one character too many was read."""
    if len(text) > largest:
        raise OSError(f"{what} has more than {largest} characters")
    return text


def _read_cif(path: Path, name: str) -> Iterator[Unread]:
    # CIF is ASCII by definition; names and comments in the wild are not.
    texts = crystal_blocks(path.read_text(encoding="utf-8", errors="replace"))
    if len(texts) < 2:
        yield Unread(cif_record, texts[0] if texts else "", name)
        return
    for number, text in enumerate(texts, start=1):
        # Numbered, because block names repeat within a file.
        yield Unread(cif_record, text, f"{name}#{number}-{text.split(maxsplit=1)[0]}")


def cif_record(text: str, place: str) -> SourceRecord:
    """Read one block of a CIF."""
    block = CifBlock(text)
    name = block.material_id() or place
    return parsed_record(name, place, block.structure, block.facts())


def _read_poscar(path: Path, name: str) -> Iterator[SourceRecord]:
    yield parsed_record(name, name, partial(_parse_poscar, path))


def _read_xyz(path: Path, name: str) -> Iterator[SourceRecord]:
    from ase.io import iread

    frames = iread(path, index=":", format="extxyz")
    for number in count(1):
        place = f"{name}#{number}"
        try:
            atoms = next(frames)
        except StopIteration:
            return
        except Exception as error:  # the reader can raise anything, and the stream ends there
            reason = f"the frame cannot be read ({first_line(error)}); is the file truncated?"
            yield SourceRecord(place, None, reason, place)
            return
        properties = scalar_properties(atoms.info)
        material_id = str(properties.pop("material_id", place))
        yield parsed_record(material_id, place, partial(_parse_atoms, atoms), properties)


def _parse_cif(text: str) -> Structure:
    blocks = crystal_blocks(text)
    if len(blocks) > 1:
        raise EntryError(f"its CIF describes {len(blocks)} crystals; give each a line of its own")
    return CifBlock(blocks[0] if blocks else "").structure()


def _parse_poscar(path: Path) -> Structure:
    from pymatgen.io.vasp.inputs import Poscar

    poscar = Poscar.from_str(path.read_text(encoding="utf-8", errors="replace"))
    if not poscar.true_names:
        raise EntryError("it names no elements (VASP 4 format); add the line of element symbols")
    return poscar.structure


def _parse_atoms(atoms: Atoms) -> Structure:
    from pymatgen.io.ase import AseAtomsAdaptor

    if not atoms.pbc.all():
        raise EntryError("it is not periodic in three dimensions")
    return AseAtomsAdaptor.get_structure(atoms)


Reader = Callable[[Path, str], Iterator[SourceRecord] | Iterator[Unread]]

_READERS: dict[str, Reader] = {
    ".cif": _read_cif,
    ".vasp": _read_poscar,
    ".poscar": _read_poscar,
    ".jsonl": _read_jsonl,
    ".jsonl.gz": _read_jsonl,
    ".json": _read_json,
    ".json.gz": _read_json,
    ".extxyz": _read_xyz,
    ".xyz": _read_xyz,
}
#: What can be read, for messages.
FILE_KINDS = ", ".join([*_READERS, "POSCAR*", "CONTCAR*"])


def _reader(path: Path) -> Reader | None:
    name = path.name.lower()
    if name.startswith(("poscar", "contcar")):
        return _read_poscar
    return next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)


def _visible_files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
