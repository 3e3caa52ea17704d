"""Structure files and folders of them."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from screening.candidates.crystal import bare_structure
from screening.machine.text_files import (
    PACKED_SUFFIXES,
    NoTextError,
    lines_of,
    plain_lines,
    read_text,
)
from screening.messages.refusal import Refusal
from screening.sources.archives import ARCHIVE_KINDS, DAMAGED, is_archive, members
from screening.sources.cif import CifBlock, crystal_blocks
from screening.sources.extended_xyz import frame_atoms, frames
from screening.sources.flow_inputs import CHARGED, DISCHARGED, known_inputs
from screening.sources.folders import Found, look_below
from screening.sources.poscar import poscar_structure
from screening.sources.pymatgen_json import described_badly
from screening.sources.record import (
    NOTE,
    EntryError,
    SourceError,
    SourceRecord,
    UnparsedEntry,
    first_line,
    parsed_record,
    plain_text,
    scalar_properties,
)

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure

CIF_FORMAT, JSON_FORMAT, POSCAR_FORMAT, XYZ_FORMAT = "cif-1", "json-1", "poscar-1", "extxyz-1"
"""What is read, of `UnparsedEntry`; raise the number whenever it is read differently."""
SHOWN_NAMES = 5
"""Names that a remark gives of what was not looked at."""


class FileSource:
    """One structure file, or every structure file below a folder.

    Parameters
    ----------
    spec : str
        As the user wrote it.
    path : Path
        A file, or a folder that is searched recursively in sorted order, hidden names left out.
        Archives are looked into like folders.

    Raises
    ------
    SourceError
        No structure file there, or a file of an unknown kind.
    """

    def __init__(self, spec: str, path: Path) -> None:
        self.spec = spec
        self._not_looked_at: list[str] = []
        self._hidden: list[str] = []
        if path.is_dir():
            found = look_below(path)
            self._root, paths = path, found.files
            problem = "the folder holds no structure file"
        elif path.is_file():
            found = Found()
            self._root, paths = path.parent, [path]
            problem = "not a kind of structure file that can be read"
        else:
            raise SourceError(f"source '{spec}': is neither a file nor a folder")
        self._found = found
        self._files = [file for file in paths if is_structure_file(file.name)]
        self._others = [self._name(file) for file in paths if not is_structure_file(file.name)]
        if not self._files:
            found_instead = self.remarks() if path.is_dir() else []
            unreadable = [f"{name}: {reason}" for name, reason in found.unreadable.items()]
            more = "".join(f"; {remark}" for remark in [*unreadable[:3], *found_instead])
            raise SourceError(f"source '{spec}': {problem}; known: {FILE_KINDS}{more}")

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries of each file in turn.

        An entry is named after its file, relative to the folder, and its place in a file that may
        hold several. A JSON line names itself with ``material_id``, a CIF from ICSD or COD with the
        code it has there.
        """
        for entry in self.entries():
            yield entry() if isinstance(entry, UnparsedEntry) else entry

    def entries(self) -> Iterator[SourceRecord | UnparsedEntry]:
        """Stream the entries, unread where a file holds many."""
        self._not_looked_at, self._hidden = list(self._others), list(self._found.hidden)
        for name, reason in self._found.unreadable.items():
            yield SourceRecord(name, None, reason, name)
        for path in self._files:
            name = self._name(path)
            if is_archive(path.name):
                yield from self._archive_entries(path, name)
            else:
                yield from _file_entries(partial(_opened, path), name)

    def _archive_entries(self, path: Path, name: str) -> Iterator[SourceRecord | UnparsedEntry]:
        n_known = 0
        try:
            for member, opened in members(path):
                inside = f"{name}/{member}"
                if any(map(_is_hidden, member.split("/"))):
                    self._hidden.append(inside)
                elif is_archive(member) or not is_structure_file(member.rpartition("/")[2]):
                    self._not_looked_at.append(inside)
                else:
                    n_known += 1
                    yield from _file_entries(opened, inside)
        except DAMAGED as error:
            yield SourceRecord(
                name,
                None,
                Refusal.of_words(f"the archive cannot be read ({first_line(error)})"),
                name,
            )
            return
        if not n_known:
            yield SourceRecord(name, None, "the archive holds no structure file", name)

    def remarks(self) -> list[str]:
        """Say what was not looked at, once the entries were streamed."""
        others = self._not_looked_at or self._others
        hidden = self._hidden or self._found.hidden
        remarks = []
        if others:
            remarks.append(
                f"{_files(len(others))} not looked at, of a kind that is not read: "
                f"{_some(others)}; what holds crystals is read as CIF, POSCAR or extended XYZ"
            )
        if hidden:
            remarks.append(f"{len(hidden)} hidden not looked at: {_some(hidden)}")
        if special := self._found.special:
            remarks.append(
                f"{_files(len(special))} not looked at, no regular ones: {_some(special)}"
            )
        if again := self._found.again:
            remarks.append(
                f"{len(again)} links to folders that were read under another name: {_some(again)}"
            )
        return remarks


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _why(error: Exception) -> str:
    """Return what the system or a reader of archives says, without its class."""
    said = getattr(error, "strerror", None) or str(error).partition("\n")[0].strip(" .")
    return said or type(error).__name__


def _is_hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _some(names: list[str]) -> str:
    shown = ", ".join(plain_text(name) for name in names[:SHOWN_NAMES])
    return shown + (", …" if len(names) > SHOWN_NAMES else "")


def _file_entries(
    opened: Callable[[], IO[bytes]], name: str
) -> Iterator[SourceRecord | UnparsedEntry]:
    """Stream the entries of one file; what is wrong with it as a whole is an entry too."""
    read = _reader(name.rpartition("/")[2])
    assert read is not None
    try:
        with opened() as raw:
            yield from read(raw, name)
    except NoTextError as error:
        yield SourceRecord(name, None, str(error), name)
    except DAMAGED as error:
        yield SourceRecord(name, None, Refusal.of_words(f"it cannot be read ({_why(error)})"), name)


def jsonl_entries(
    lines: Iterable[str | NoTextError], location: str
) -> Iterator[SourceRecord | UnparsedEntry]:
    """One entry a line: ``material_id`` and either ``cif`` or ``structure`` (pymatgen dictionary).

    What `screening.sources.flow_inputs.known_inputs` knows becomes inputs of the flow; other scalar
    keys become properties.
    """
    for number, line in enumerate(lines, start=1):
        place = f"{location}:{number}"
        if isinstance(line, NoTextError):
            yield SourceRecord(place, None, str(line), place)
        elif line.strip():
            yield UnparsedEntry(_json_line, JSON_FORMAT, line, place)


def _json_line(line: str, place: str) -> SourceRecord:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        cut_off = "; is the file truncated?" if line.lstrip().startswith("{") else ""
        reason = f"the line is not JSON ({first_line(error)}){cut_off}"
        return SourceRecord(place, None, reason, place)
    return _json_record(entry, "the line", place)


def _json_record(entry: Any, what: str, place: str) -> SourceRecord:
    if _is_structure(entry):
        entry = {"structure": entry}
    if not _is_entry(entry):
        reason = f"{what} is not a JSON object with 'cif' or 'structure'"
        if isinstance(entry, list | dict) and entry:
            reason += (
                f", but {'a list' if isinstance(entry, list) else 'an object'} of {len(entry)}"
            )
        return SourceRecord(place, None, reason, place)
    entry = {key: value for key, value in entry.items() if value is not None}
    key = next(key for key in DISCHARGED if key in entry)
    name = str(entry.get("material_id", entry.get("battery_id", place)))
    crystals = {*DISCHARGED, *CHARGED, "material_id"}
    facts = {field: value for field, value in entry.items() if field not in crystals}
    if isinstance(symmetry := facts.get("symmetry"), dict):
        # As the Materials Project states it.
        facts.setdefault("space_group_number", symmetry.get("number"))
    record = parsed_record(
        name, place, partial(_parse_entry, key, entry[key]), scalar_properties(facts)
    )
    if record.content is None:
        return record
    notes = [str(record.properties.get(NOTE, ""))]

    def charged_of(key: str, value: Any) -> Structure:
        charged = parsed_record(name, place, partial(_parse_entry, key, value))
        if charged.content is None:
            assert isinstance(charged.refusal, Refusal)
            raise EntryError(charged.refusal.preceded("of its charged crystal: "))
        if note := charged.properties.get(NOTE):
            notes.append(f"of its charged crystal: {note}")
        charged_crystal: Structure = charged.content
        return charged_crystal

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of crystals are kept, as `parsed_record` does
        try:
            inputs = known_inputs(entry, record.content, place, charged_of)
        except EntryError as error:
            return replace(record, content=None, refusal=error.refusal)
        except (TypeError, ValueError) as error:
            return replace(record, content=None, refusal=str(error))
        except Exception as error:  # parsers raise anything; the text becomes the reason
            reason = f"what it states beside its crystal cannot be read ({first_line(error)})"
            return replace(record, content=None, refusal=reason)
    properties = dict(record.properties)
    if note := "; ".join(filter(None, notes)):
        properties[NOTE] = note
    return replace(record, inputs=inputs, properties=properties)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and any(value.get(key) is not None for key in DISCHARGED)


def _is_structure(value: Any) -> bool:
    """Return whether this is a pymatgen dictionary by itself, as ``Structure.to`` writes it."""
    return isinstance(value, dict) and {"lattice", "sites"} <= value.keys()


def _holds_a_crystal(value: Any) -> bool:
    return _is_entry(value) or _is_structure(value)


def _parse_entry(key: str, value: Any) -> Structure:
    if "cif" not in key:
        if reason := described_badly(value):
            raise EntryError(Refusal.of_words(f"its '{key}' {reason}"))
        return bare_structure(value)
    if not isinstance(value, str):
        many = f" of {len(value)}" if isinstance(value, list | dict) else ""
        raise EntryError(
            "its '{key}' is no text but a {type}{many}; give each crystal an object of its own",
            key=key,
            type=type(value).__name__,
            many=many,
        )
    return _parse_cif(plain_lines(value))


def _text(raw: IO[bytes], *, strict: bool = False) -> str:
    text = read_text(raw, strict=strict)
    if not text.strip():
        raise NoTextError("it is empty")
    return text


def _read_json(raw: IO[bytes], name: str) -> Iterator[SourceRecord | UnparsedEntry]:
    """Read a list of the same objects, or an object that holds them, as web services do."""
    text = _text(raw, strict=True)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Many files of an object a line are named .json.
        lines = text.splitlines()
        if "Extra data" in str(error) and lines[0].strip().startswith("{"):
            yield from jsonl_entries(lines, name)
            return
        reason = f"the file is not JSON ({first_line(error)})"
        yield SourceRecord(name, None, reason, name)
        return
    if isinstance(content, dict) and not _holds_a_crystal(content):
        yield from _entries_within(content, name)
        return
    if content == []:
        raise NoTextError("it is an empty list")
    for number, entry in enumerate(content if isinstance(content, list) else [content], start=1):
        yield _json_record(entry, "the entry", f"{name}#{number}")


def _entries_within(content: dict[str, Any], name: str) -> Iterator[SourceRecord]:
    """Yield the entries that an object holds by name or in lists, and what it holds beside them."""
    found = False
    others: dict[str, Any] = {}
    for key, value in content.items():
        place = f"{name}#{key}"
        if _holds_a_crystal(value):
            found = True
            yield _json_record(value, "the entry", place)
        elif isinstance(value, list) and any(map(_holds_a_crystal, value)):
            found = True
            for number, entry in enumerate(value, start=1):
                yield _json_record(entry, "the entry", f"{place}/{number}")
        else:
            others[key] = value
    if not found:
        keys = ", ".join(list(others)[:SHOWN_NAMES]) + ", …" * (len(others) > SHOWN_NAMES)
        reason = (
            "the file is not a JSON object with 'cif' or 'structure', nor a list or an object of "
            f"such; it has: {keys or 'nothing'}"
        )
        yield SourceRecord(name, None, reason, name)
        return
    for key, value in others.items():
        if isinstance(value, list | dict):
            yield _json_record(value, "the entry", f"{name}#{key}")


def _read_jsonl(raw: IO[bytes], name: str) -> Iterator[SourceRecord | UnparsedEntry]:
    empty = True
    for entry in jsonl_entries(lines_of(raw), name):
        empty = False
        yield entry
    if empty:
        raise NoTextError("it is empty")


def _read_cif(raw: IO[bytes], name: str) -> Iterator[UnparsedEntry]:
    # CIF is ASCII by definition; names and comments in the wild are not.
    texts = crystal_blocks(_text(raw))
    if len(texts) < 2:
        yield UnparsedEntry(cif_record, CIF_FORMAT, texts[0] if texts else "", name)
        return
    for number, text in enumerate(texts, start=1):
        # Numbered, because block names repeat within a file.
        yield UnparsedEntry(
            cif_record, CIF_FORMAT, text, f"{name}#{number}-{text.split(maxsplit=1)[0]}"
        )


def cif_record(text: str, place: str) -> SourceRecord:
    """Read one block of a CIF."""
    block = CifBlock(text)
    name = block.material_id() or place
    return parsed_record(name, place, block.structure, block.facts())


def _parse_cif(text: str) -> Structure:
    blocks = crystal_blocks(text)
    if len(blocks) > 1:
        raise EntryError(
            "its CIF describes {n_blocks} crystals; give each a line of its own",
            n_blocks=len(blocks),
        )
    return CifBlock(blocks[0] if blocks else "").structure()


def _read_poscar(raw: IO[bytes], name: str) -> Iterator[UnparsedEntry]:
    yield UnparsedEntry(_poscar_record, POSCAR_FORMAT, _text(raw), name)


def _poscar_record(text: str, place: str) -> SourceRecord:
    return parsed_record(place, place, partial(poscar_structure, text))


def _read_xyz(raw: IO[bytes], name: str) -> Iterator[SourceRecord | UnparsedEntry]:
    for number, text in enumerate(frames(_text(raw)), start=1):
        yield UnparsedEntry(_xyz_record, XYZ_FORMAT, text, f"{name}#{number}")


def _xyz_record(text: str, place: str) -> SourceRecord:
    try:
        atoms = frame_atoms(text)
    except EntryError as error:
        return SourceRecord(place, None, error.refusal, place)
    except Exception as error:  # the reader can raise anything
        reason = f"the frame cannot be read ({first_line(error)}); is it truncated or damaged?"
        return SourceRecord(place, None, reason, place)
    properties = scalar_properties(atoms.info)
    material_id = str(properties.pop("material_id", place))
    return parsed_record(material_id, place, partial(_from_atoms, atoms), properties)


def _from_atoms(atoms: Atoms) -> Structure:
    from pymatgen.io.ase import AseAtomsAdaptor

    return AseAtomsAdaptor.get_structure(atoms)


Reader = Callable[[IO[bytes], str], Iterator[SourceRecord | UnparsedEntry]]

_READERS: dict[str, Reader] = {
    ".cif": _read_cif,
    ".mcif": _read_cif,
    ".vasp": _read_poscar,
    ".poscar": _read_poscar,
    ".contcar": _read_poscar,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".extxyz": _read_xyz,
    ".xyz": _read_xyz,
}
#: What can be read, for messages.
FILE_KINDS = (
    f"{', '.join([*_READERS, 'POSCAR*', 'CONTCAR*'])}, packed ({', '.join(PACKED_SUFFIXES)}) or "
    f"not, and these in {', '.join(ARCHIVE_KINDS[:3])}"
)


def _reader(name: str) -> Reader | None:
    """Return what reads a file of this name; whether it is packed, its first bytes say."""
    plain = re.sub(rf"({'|'.join(map(re.escape, PACKED_SUFFIXES))})$", "", name.lower())
    if plain.startswith(("poscar", "contcar")) or re.search(r"[-_](poscar|contcar)$", plain):
        return _read_poscar
    return next((read for suffix, read in _READERS.items() if plain.endswith(suffix)), None)


def is_structure_file(name: str) -> bool:
    """Whether a file of this name is read as one of crystals, or as an archive of such."""
    return is_archive(name) or _reader(name) is not None
