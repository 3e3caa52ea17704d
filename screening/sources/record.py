"""What a source gives: a stream of records, one for every entry, readable or not."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from screening.candidates.kinds import CandidateKind

Scalar = str | int | float | bool | None

NOTE = "read_note"
"""Property of a structure, and then of its record: what was done, or does not quite fit."""


class SourceError(ScreenError):
    """A source as a whole cannot be read: unknown, missing, or without any structure file."""


class EntryError(RefusedError):
    """An entry that parses, or nearly so, but must not be used."""


@dataclass(frozen=True)
class SourceRecord:
    """One entry of a source.

    Exactly one of `content` and `refusal` is set.

    Attributes
    ----------
    material_id : str
        The entry's name within its source.
    content : object or None
        As found there, of the kind that the source gives: of a crystal the structure, in any cell.
    refusal : Refusal or None
        Why the entry could not be read; a finished sentence becomes one.
    location : str
        File and place in it, for messages.
    properties : dict
        Extra scalar facts the source states about the entry.
    inputs : dict
        What the source knows that a flow can use, in JSON's types, by the field of the Makers'
        `inputs_model`.
    """

    material_id: str
    content: Any
    refusal: Refusal | str | None
    location: str
    properties: dict[str, Scalar] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take out what no database can hold, and make one form of the reason."""
        if isinstance(self.refusal, str):
            object.__setattr__(self, "refusal", Refusal.of_words(self.refusal))
        object.__setattr__(self, "material_id", plain_text(self.material_id))
        object.__setattr__(self, "location", plain_text(self.location))
        object.__setattr__(self, "properties", scalar_properties(self.properties))

    @property
    def error(self) -> str | None:
        """Why the entry could not be read, in one sentence."""
        return None if self.refusal is None else str(self.refusal)


@dataclass(frozen=True)
class UnparsedEntry:
    """An entry that is not parsed yet, which another process can do.

    Attributes
    ----------
    read : callable
        A function of a module; `content` and `location` make the record.
    format : str
        Name and version of the format that `read` reads, as ``cif-1``: another one whenever the
        same text gives another record.
    content : str
        The entry as its source has it.
    location : str
        File and place in it.
    identity : str
        What its database calls it, where a second entry of that name would be the same one.
    """

    read: Callable[[str, str], SourceRecord]
    format: str
    content: str
    location: str
    identity: str = ""

    def __call__(self) -> SourceRecord:
        """Parse the entry."""
        return self.read(self.content, self.location)

    @property
    def fingerprint(self) -> str:
        """What tells this entry from all others, and from itself once its text is another."""
        stated = (self.format, self.location, self.content)
        return hashlib.sha256("\0".join(stated).encode("utf-8", "replace")).hexdigest()


class Source(Protocol):
    """A place that candidates come from.

    A source of other candidates than crystals has an attribute ``candidates``, the name of their
    kind.  One whose entries take long to parse may have ``entries()`` too, which streams the same
    entries as `UnparsedEntry`: they are then parsed in parallel, and once.
    """

    @property
    def spec(self) -> str:
        """How the user named the source; `open_source(spec)` opens it again."""
        ...

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries; one that cannot be read gives a record with an error."""
        ...


def kind_of(source: Source) -> str:
    """Return the kind of candidates that a source gives."""
    return str(getattr(source, "candidates", "crystal"))


def check_kind(source: Source, kind: CandidateKind, why: str) -> None:
    """Raise `SourceError` where a source gives another kind of candidates than is wanted.

    Parameters
    ----------
    why
        What wants them, and how, as "the target computes".
    """
    if kind_of(source) != kind.name:
        raise SourceError(
            f"source '{source.spec}': gives candidates of the kind '{kind_of(source)}', and {why} "
            f"{kind.plural}; name a source of those"
        )


def same_entry(location: str) -> Refusal:
    """Return why a second entry of one name in its database is refused."""
    return Refusal.of("it is the same entry as {location}", location=location)


def entries_of(source: Source) -> Iterator[SourceRecord | UnparsedEntry]:
    """Stream the entries of a source, unread where it can give them so."""
    unread: Callable[[], Iterator[SourceRecord | UnparsedEntry]] | None
    unread = getattr(source, "entries", None)
    return source.records() if unread is None else unread()


def remarks_of(source: Source) -> list[str]:
    """Return what a source that was read to its end left out, each with the source's name."""
    remarks: Callable[[], list[str]] | None = getattr(source, "remarks", None)
    return [] if remarks is None else [f"source '{source.spec}': {remark}" for remark in remarks()]


def scalar_properties(entry: Mapping[str, Any]) -> dict[str, Scalar]:
    """Keep what is a single fact and survives JSON and BSON: no lists, no NaN, no huge integer."""
    return {
        plain_text(key): plain_text(value) if isinstance(value, str) else value
        for key, value in entry.items()
        if isinstance(value, str | int | float | bool | None)
        and not (isinstance(value, float) and not math.isfinite(value))
        and not (isinstance(value, int) and abs(value) >= 2**63)
    }


def plain_text(text: str) -> str:
    """Return a text without what UTF-8 or a key of a document cannot hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def first_line(error: Exception) -> str:
    """Put a parser's exception in half a sentence."""
    text = str(error).strip().partition("\n")[0].rstrip(".:")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def parsed_record(
    material_id: str,
    location: str,
    parse: Callable[[], Structure],
    properties: dict[str, Scalar] | None = None,
) -> SourceRecord:
    """Turn whatever a parser does into a record.

    What a parser warns of is kept with the record, under `NOTE`.
    """
    structure: Structure | None = None
    refusal: Refusal | None = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            structure = parse()
        except EntryError as error:
            refusal = error.refusal
        except (MemoryError, ImportError):  # of this machine, not of the entry
            raise
        except Exception as error:  # parsers raise anything; the text becomes the reason
            words = f"it cannot be parsed ({first_line(error)}); is it truncated or damaged?"
            refusal = Refusal.of_words(words)
    facts = dict(properties or {})
    if structure is not None:
        notes = [structure.properties.pop(NOTE, ""), *_said(warned)]
        if note := "; ".join(dict.fromkeys(filter(None, notes))):
            facts[NOTE] = note
    return SourceRecord(material_id, structure, refusal, location, facts)


def _said(warned: list[warnings.WarningMessage]) -> list[str]:
    """Return what warnings say about the entry; those about code are for programmers."""
    about_code = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning)
    return [
        " ".join(str(warning.message).split())
        for warning in warned
        if not issubclass(warning.category, about_code)
    ]
