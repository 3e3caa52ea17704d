"""From sources to a campaign's pool: parse, standardise, filter, merge, compute features."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening.candidates.candidate import Candidate, merge, twin, with_free_id
from screening.candidates.crystal_standard import handless
from screening.intake.filters import refusal
from screening.intake.refusals import summed_up
from screening.sources import Source
from screening.sources.record import entries_of, remarks_of

if TYPE_CHECKING:
    from screening.intake.filters import FilterConfig
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig


@dataclass(frozen=True)
class Refused:
    """One entry that did not become a candidate: where it was and why."""

    location: str
    material_id: str
    reason: str
    unsupported: tuple[str, ...] = ()
    """Elements that the engine cannot compute, where these are the reason."""


class PackedCandidates(MutableMapping[str, Candidate]):
    """Candidates by id, compressed: tens of thousands of them fit into 100 MB."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> Candidate:
        """Return a copy."""
        return Candidate.model_validate_json(zlib.decompress(self._packed[key]))

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
        By ``candidate_id``; the same crystal from two entries is one candidate.
    refused
        Entries left out.
    duplicates
        Entries that were another entry's crystal.
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

    def refusal_counts(self) -> Counter[str]:
        """Return how often each reason was given, the engine's left out.

        Reasons of one kind are one: "it has 41 to 96 atoms, …".
        """
        own = ((entry.location, entry.reason) for entry in self.refused if not entry.unsupported)
        return Counter({each.reason: each.count for each in summed_up(own)})


@dataclass(frozen=True)
class _Worthless:
    """Filters and the engine's elements: what stays out whatever its features.

    A class, because processes that read entries are sent it.
    """

    filters: FilterConfig
    engine_name: str
    supported: frozenset[str] | None

    def __call__(self, candidate: Candidate) -> str | None:
        """Return the reason, as half a sentence."""
        unknown = self.unsupported(candidate)
        return refusal(candidate, self.filters) or (
            f"it contains {', '.join(unknown)}, which engine '{self.engine_name}' does not support"
            if unknown
            else None
        )

    def unsupported(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the elements that the engine cannot compute."""
        if self.supported is None:
            return ()
        return tuple(sorted(set(candidate.elements) - self.supported))


def ingest(
    sources: Iterable[Source],
    filters: FilterConfig,
    engine: EngineConfig,
    database: Database,
    on_entry: Callable[[], None] = lambda: None,
    unfit: Callable[[Candidate], str | None] = lambda candidate: None,
    workers: int = 1,
) -> Pool:
    """Read every source to its end; writes nothing but readings, which are a cache.

    Parameters
    ----------
    unfit
        Says why the objective's flow cannot take a candidate; None takes it.
    database
        Asked for crystals of the same formula, which an entry may be one of.
    on_entry
        Called after each entry, for a progress display.
    workers
        Processes that read entries.
    """
    from screening.intake.parsed_entries import readings

    pool = Pool(candidates=PackedCandidates())
    groups: dict[tuple[str, int], _Group] = {}
    in_database = {
        (each["formula"], handless(each["space_group_number"]))
        for each in database.candidates.find({}, {"formula": 1, "space_group_number": 1})
    }
    supported = engine.supported_elements()
    worthless = _Worthless(
        filters, engine.name, None if supported is None else frozenset(supported)
    )
    for source in sources:
        for reading in readings(entries_of(source), source.spec, database, worthless, workers):
            on_entry()
            candidate, reason = reading.candidate, reading.error
            unsupported: tuple[str, ...] = ()
            if candidate is not None:
                reason = worthless(candidate)
                if reason is not None and refusal(candidate, filters) is None:
                    unsupported = worthless.unsupported(candidate)
                reason = reason or unfit(candidate)
            if candidate is not None and reason is None:
                key = (candidate.formula, handless(candidate.space_group_number))
                if key not in groups:
                    groups[key] = _Group(_stored(database, *key) if key in in_database else [])
                if _take(candidate, groups[key], pool):
                    continue
                reason = (
                    "another entry has the same crystal and other inputs, as its charged crystal"
                )
            pool.refused.append(
                Refused(reading.location, reading.material_id, str(reason), unsupported)
            )
        pool.remarks += remarks_of(source)
    return pool


@dataclass
class _Group:
    """Crystals of one formula and space group: those of the database, and ids of the pool's."""

    stored: list[Candidate]
    taken: list[str] = field(default_factory=list)


def _stored(database: Database, formula: str, space_group_number: int) -> list[Candidate]:
    # Candidates of earlier versions may be in the other one of two groups that are mirror images.
    numbers = [each for each in range(1, 231) if handless(each) == space_group_number]
    query = {"formula": formula, "space_group_number": {"$in": numbers}}
    return [from_document(document) for document in database.candidates.find(query)]


def _take(candidate: Candidate, group: _Group, pool: Pool) -> bool:
    """Put a candidate into the pool; return False where its inputs contradict those taken."""
    from screening.candidates.crystal_features import with_features

    others = itertools.chain((pool.candidates[key] for key in group.taken), group.stored)
    known = twin(candidate, others)
    if known is None:
        stored_ids = [each.candidate_id for each in group.stored]
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
        merged = with_features(merged)
    if key not in pool.candidates:
        group.taken.append(key)
    pool.candidates[key] = merged
    note = candidate.origins[0].note
    if note:
        pool.noted.append((candidate.origins[0].material_id, note))
    return True


def to_document(candidate: Candidate) -> dict[str, object]:
    """Return a candidate as stored, without its campaigns."""
    document = candidate.model_dump(mode="json")
    document["_id"] = document["candidate_id"]
    return document


def from_document(document: dict[str, object]) -> Candidate:
    """Return a stored candidate."""
    fields = {key: document[key] for key in Candidate.model_fields if key in document}
    return Candidate.model_validate(fields)
