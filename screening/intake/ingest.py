"""From sources to a campaign's pool: parse, standardise, filter, merge, compute features."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.candidates.candidate import Candidate, merge, twin, with_free_id
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind, from_document
from screening.intake.parsed_entries import (
    EarlyRefusal,
    ParsedEntry,
    parsed_entries,
    refused_by_elements,
)
from screening.messages.refusal import Refusal
from screening.messages.stderr import counted
from screening.sources.record import Source, check_kind, remarks_of

if TYPE_CHECKING:
    from screening.store.database import Database

UNLIKE = Refusal.of(
    "it is of another lattice or system than the first of the campaign; submit it to its own"
)
OTHER_INPUTS = Refusal.of(
    "another entry has the same crystal and other inputs, as its charged crystal"
)


@dataclass(frozen=True)
class Refused:
    """One entry that did not become a candidate: where it was and why."""

    location: str
    material_id: str
    refusal: Refusal

    @property
    def reason(self) -> str:
        """Half a sentence about the entry."""
        return str(self.refusal)


class PackedCandidates(MutableMapping[str, Candidate]):
    """Candidates by id, compressed: tens of thousands of them fit into 100 MB.

    Parameters
    ----------
    model
        Of the candidates.
    """

    def __init__(self, model: type[Candidate]) -> None:
        self._model = model
        self._packed: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> Candidate:
        """Return a copy."""
        return self._model.model_validate_json(zlib.decompress(self._packed[key]))

    def __setitem__(self, key: str, candidate: Candidate) -> None:
        """Keep a copy."""
        self._packed[key] = zlib.compress(candidate.model_dump_json().encode(), 1)

    def __delitem__(self, key: str) -> None:
        """Forget it."""
        del self._packed[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over ids, as they came."""
        return iter(self._packed)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._packed)


@dataclass
class Pool:
    """What ingesting found.

    Parameters
    ----------
    candidates
        By ``candidate_id``; the same thing from two entries is one candidate.
    refused
        Entries left out.
    duplicates
        Entries that were the same candidate as another entry.
    inputs
        By ``candidate_id``, the fingerprint of the inputs of flows that the sources state.
    remarks
        What the sources left out before it was an entry: files, pages.
    noted
        Name of each entry taken of which reading noted something, or whose structure was changed
        beyond the choice of its cell, and the note.
    """

    candidates: MutableMapping[str, Candidate] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    inputs: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    noted: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class FilteredOut:
    """What stays out whatever its features: by the filters, or for another reason.

    A class, because processes that parse entries are sent it.
    """

    filters: CandidateFilters
    refuse: EarlyRefusal

    def __call__(self, candidate: Candidate) -> Refusal | None:
        """Return why a candidate stays out; None lets it in."""
        return self.filters.refusal(candidate) or self.refuse(candidate)

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return why whatever consists of these elements stays out; None lets it in so far."""
        return self.filters.of_elements(elements) or refused_by_elements(self.refuse, elements)


def ingest(
    sources: Iterable[Source],
    kind: CandidateKind,
    filters: CandidateFilters,
    database: Database,
    refuse: EarlyRefusal,
    on_entry: Callable[[], None] = lambda: None,
    workers: int = 1,
) -> Pool:
    """Read every source to its end; writes nothing but parsed entries, which are a cache.

    Parameters
    ----------
    kind
        Of the candidates.
    database
        Asked for candidates that an entry may be the same as.
    refuse
        Returns why nothing can compute a candidate, None where something can; picklable, and asked
        after the filters.
    on_entry
        Called after each entry, for a progress display.
    workers
        Processes that read entries.

    Raises
    ------
    SourceError
        When a source gives another kind of candidates.
    """
    sources = list(sources)
    for source in sources:
        check_kind(source, kind, "the target computes")
    pool = Pool(candidates=PackedCandidates(kind.model))
    stored = _stored_groups(database, kind)
    groups: dict[tuple[Any, ...], _Group] = {}
    first: tuple[Any, ...] = ()
    filtered_out = FilteredOut(filters, refuse)
    for source in sources:
        split: Counter[str] = Counter()
        entries = parsed_entries(source, kind, database, filtered_out, workers)
        for entry in _each(entries, on_entry):
            candidate, refusal = entry.candidate, entry.refusal
            if candidate is not None and refusal is None:
                key = candidate.group()
                if key not in groups:
                    groups[key] = _Group(_read_back(database, stored.get(key, [])))
                common = tuple(getattr(candidate, name) for name in kind.alike)
                first = first or common
                refusal = OTHER_INPUTS if common == first else UNLIKE
                if refusal is OTHER_INPUTS and _take(candidate, kind, groups[key], pool):
                    if "disordered_from" in candidate.origins[0].properties:
                        split[entry.material_id] += 1
                    continue
            assert refusal is not None
            pool.refused.append(Refused(entry.location, entry.material_id, refusal))
        pool.remarks += remarks_of(source)
        if split:
            entries_said = counted(len(split), "disordered entry", "disordered entries")
            pool.remarks.append(
                f"source '{source.spec}': {entries_said} taken as "
                f"{counted(split.total(), 'ordered approximant')}"
            )
    return pool


def _each(entries: Iterable[ParsedEntry], on_entry: Callable[[], None]) -> Iterator[ParsedEntry]:
    """Yield every candidate of every entry."""
    for entry in entries:
        on_entry()
        yield from entry.parts()


def _stored_groups(database: Database, kind: CandidateKind) -> dict[tuple[Any, ...], list[str]]:
    """Return the ids of stored candidates by the group they are in."""
    fields = dict.fromkeys(kind.model.GROUPED_BY, 1)
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for document in database.candidates.find(kind.query(), fields):
        groups[kind.model.group_of(document)].append(document["_id"])
    return groups


def _read_back(database: Database, ids: list[str]) -> list[Candidate]:
    if not ids:
        return []
    documents = database.candidates.find({"_id": {"$in": ids}})
    by_id = {document["_id"]: from_document(document) for document in documents}
    return [by_id[key] for key in ids if key in by_id]


@dataclass
class _Group:
    """Candidates that may be the same: those of the database, and ids of the pool's."""

    stored: list[Candidate]
    taken: list[str] = field(default_factory=list)


def _take(candidate: Candidate, kind: CandidateKind, group: _Group, pool: Pool) -> bool:
    """Put a candidate into the pool; return False where its inputs contradict those taken."""
    others = itertools.chain((pool.candidates[key] for key in group.taken), group.stored)
    known = twin(candidate, others)
    if known is None:
        stored_ids = [stored.candidate_id for stored in group.stored]
        candidate = with_free_id(candidate, {*group.taken, *stored_ids})
    key = candidate.candidate_id if known is None else known.candidate_id
    stated = candidate.origins[0].inputs_hash
    if stated and pool.inputs.setdefault(key, stated) != stated:
        return False
    merged = candidate
    if known is not None:
        merged = merge(known, candidate)
        if key in pool.candidates:
            pool.duplicates += 1
        else:
            group.stored.remove(known)
        # Those stored may be of an older version, or missing.
        merged = kind.with_features(merged)
    if key not in pool.candidates:
        group.taken.append(key)
    pool.candidates[key] = merged
    note = candidate.origins[0].note
    if note:
        pool.noted.append((candidate.origins[0].material_id, note))
    return True
