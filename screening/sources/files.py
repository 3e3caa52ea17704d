"""Structure files and folders of them."""

from __future__ import annotations

import gzip
import json
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from screening.sources.inputs import CHARGED, DISCHARGED, known_inputs
from screening.sources.record import (
    Scalar,
    SourceError,
    SourceRecord,
    Unread,
    first_line,
    scalar_properties,
)

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure

_CIF_TAGS = (
    *("_cell_length_a", "_cell_length_b", "_cell_length_c"),
    *("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"),
    *("_atom_site_label", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"),
)


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
        hold several; a JSON line names itself with ``material_id``.
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
    record = _record(name, place, partial(_parse_entry, key, entry[key]), scalar_properties(facts))
    if record.structure is None:
        return record
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            inputs = known_inputs(entry, record.structure, place, _parse_entry)
        except (TypeError, ValueError) as error:
            return replace(record, structure=None, error=str(error))
        except _EntryError as error:
            return replace(record, structure=None, error=f"of its charged crystal: {error}")
        except Exception as error:  # parsers raise anything; the text becomes the reason
            reason = f"its charged crystal cannot be parsed ({first_line(error)})"
            return replace(record, structure=None, error=reason)
    return replace(record, inputs=inputs)


def _parse_entry(key: str, value: Any) -> Structure:
    return _parse_cif(str(value)) if "cif" in key else _parse_dict(value)


def _open_text(path: Path) -> IO[str]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return opener(path, "rt", encoding="utf-8")


def _read_json(path: Path, name: str) -> Iterator[SourceRecord]:
    """Read a list of the same objects, as web services return them."""
    with _open_text(path) as text:
        try:
            entries = json.load(text)
        except (ValueError, RecursionError) as error:
            reason = f"the file is not JSON ({first_line(error)})"
            yield SourceRecord(name, None, reason, name)
            return
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        yield _json_record(entry, "the entry", f"{name}#{number}")


def _read_jsonl(path: Path, name: str) -> Iterator[Unread]:
    with _open_text(path) as lines:
        yield from jsonl_entries(lines, name)


def _read_cif(path: Path, name: str) -> Iterator[SourceRecord]:
    # CIF is ASCII by definition; names and comments in the wild are not.
    blocks = _crystal_blocks(path.read_text(encoding="utf-8", errors="replace"))
    if len(blocks) < 2:
        text = blocks[0] if blocks else ""
        yield _record(name, name, partial(_parse_cif_block, text))
        return
    for number, text in enumerate(blocks, start=1):
        # Numbered, because block names repeat within a file.
        place = f"{name}#{number}-{text.split(maxsplit=1)[0]}"
        yield _record(place, place, partial(_parse_cif_block, text))


def _read_poscar(path: Path, name: str) -> Iterator[SourceRecord]:
    yield _record(name, name, partial(_parse_poscar, path))


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
        yield _record(material_id, place, partial(_parse_atoms, atoms), properties)


def _record(
    material_id: str,
    location: str,
    parse: Callable[[], Structure],
    properties: dict[str, Scalar] | None = None,
) -> SourceRecord:
    """Turn whatever a parser does into a record."""
    structure, reason = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parse functions check what matters among them
        try:
            structure = parse()
        except _EntryError as error:
            reason = str(error)
        except Exception as error:  # parsers raise anything; the text becomes the reason
            reason = f"it cannot be parsed ({first_line(error)}); is it truncated or damaged?"
    return SourceRecord(material_id, structure, reason, location, properties or {})


class _EntryError(Exception):
    """An entry that parses, or nearly so, but must not be used; the message says why."""


def _crystal_blocks(text: str) -> list[str]:
    """Every ``data_`` block that describes a crystal, from its name on.

    Journals and ICSD put text, symmetry tables and powder patterns in blocks of their own.
    """
    blocks = re.split(r"^\s*data_", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    return [block for block in blocks if "_atom_site_" in block or "_cell_length_" in block]


def _parse_cif(text: str) -> Structure:
    blocks = _crystal_blocks(text)
    if len(blocks) > 1:
        raise _EntryError(f"its CIF describes {len(blocks)} crystals; give each a line of its own")
    return _parse_cif_block(blocks[0] if blocks else "")


def _parse_cif_block(text: str) -> Structure:
    """Parse a block, and refuse one whose atoms do not make the formula it states.

    That is how a file cut off within its list of atoms, or one without its hydrogens, is noticed:
    the parser itself accepts both.
    """
    from pymatgen.core.composition import Composition
    from pymatgen.io.cif import CifParser

    if not text:
        raise _EntryError("it is not a CIF: no 'data_' block describes a crystal")
    parser = CifParser.from_str(f"data_{text}", check_cif=False)
    block = next(iter(parser.as_dict().values()))
    if missing := [tag for tag in _CIF_TAGS if not block.get(tag)]:
        raise _EntryError(f"its CIF lacks {', '.join(missing)}; is it truncated?")
    structure = parser.parse_structures(primitive=False, on_error="raise")[0]
    stated = str(block.get("_chemical_formula_sum", "")).strip(" ?.")
    if stated and structure.is_ordered:
        atoms = structure.composition.remove_charges().reduced_formula
        formula = Composition(stated).remove_charges().reduced_formula
        if atoms != formula:
            raise _EntryError(
                f"its atoms make {atoms} where _chemical_formula_sum says {formula}; "
                "are atoms missing, or is it truncated?"
            )
    return structure


def _parse_poscar(path: Path) -> Structure:
    from pymatgen.io.vasp.inputs import Poscar

    poscar = Poscar.from_str(path.read_text(encoding="utf-8", errors="replace"))
    if not poscar.true_names:
        raise _EntryError("it names no elements (VASP 4 format); add the line of element symbols")
    return poscar.structure


def _parse_dict(description: Any) -> Structure:
    from pymatgen.core.structure import Structure

    # Site properties go first: pymatgen decodes them, and may import what they name.
    bare = {key: description[key] for key in ("lattice", "charge") if key in description}
    sites = [
        {key: value for key, value in site.items() if key != "properties"}
        for site in description["sites"]
    ]
    return Structure.from_dict({**bare, "sites": sites})


def _parse_atoms(atoms: Atoms) -> Structure:
    from pymatgen.io.ase import AseAtomsAdaptor

    if not atoms.pbc.all():
        raise _EntryError("it is not periodic in three dimensions")
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
