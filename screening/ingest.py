"""From sources to a campaign's pool: parse, standardise, filter, merge, compute features."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening.candidate import Candidate, Origin, Refusal, candidate_from_structure, merge
from screening.candidate import same_crystal as is_same_crystal
from screening.filters import refusal
from screening.sources import Source, SourceRecord

if TYPE_CHECKING:
    from screening.engine_catalog import EngineConfig
    from screening.filters import FilterConfig
    from screening.store.database import Database


_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])")


def _in_one(reasons: list[str]) -> str:
    """Return reasons that differ in numbers alone as one, with the range of each number."""
    columns = zip(*(_NUMBER.findall(reason) for reason in reasons), strict=True)
    ranges = []
    for column in columns:
        low, high = min(column, key=float), max(column, key=float)
        ranges.append(low if float(low) == float(high) else f"{low} to {high}")
    found = iter(ranges)
    return _NUMBER.sub(lambda match: next(found), reasons[0])


@dataclass(frozen=True)
class Refused:
    """One entry that did not become a candidate: where it was and why."""

    location: str
    material_id: str
    reason: str
    unsupported: tuple[str, ...] = ()
    """Elements that the engine cannot compute, where these are the reason."""


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
    """

    candidates: dict[str, Candidate] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    inputs: dict[str, str] = field(default_factory=dict)

    def refusal_counts(self) -> Counter[str]:
        """Return how often each reason was given, the engine's left out.

        Reasons that differ in numbers alone are one: "it has 41 to 96 atoms, …".
        """
        alike: dict[str, list[str]] = defaultdict(list)
        for entry in self.refused:
            if not entry.unsupported:
                alike[_NUMBER.sub("#", entry.reason)].append(entry.reason)
        return Counter({_in_one(reasons): len(reasons) for reasons in alike.values()})


def ingest(
    sources: Iterable[Source],
    filters: FilterConfig,
    engine: EngineConfig,
    database: Database,
    on_entry: Callable[[], None] = lambda: None,
    unfit: Callable[[Candidate], str | None] = lambda candidate: None,
) -> Pool:
    """Read every source to its end; writes nothing.

    Parameters
    ----------
    unfit
        Says why the objective's flow cannot take a candidate; None takes it.
    database
        Asked for crystals of the same formula, which an entry may be one of.
    on_entry
        Called after each entry, for a progress display.
    """
    pool = Pool()
    groups: dict[tuple[str, int], list[Candidate]] = {}
    supported = engine.supported_elements()
    for source in sources:
        for record in source.records():
            on_entry()
            unknown: list[str] = []
            try:
                candidate = _candidate(record, source.spec)
                reason = refusal(candidate, filters)
                if reason is None and supported is not None:
                    unknown = sorted(set(candidate.elements) - supported)
                if unknown:
                    reason = (
                        f"it contains {', '.join(unknown)}, which engine '{engine.name}' does not "
                        "support"
                    )
                reason = reason or unfit(candidate)
                if reason is not None:
                    raise Refusal(reason)
            except Refusal as refused:
                pool.refused.append(
                    Refused(record.location, record.material_id, str(refused), tuple(unknown))
                )
                continue
            key = (candidate.formula, candidate.space_group_number)
            if key not in groups:
                groups[key] = _stored(database, *key)
            if not _take(candidate, groups[key], pool):
                reason = (
                    "another entry has the same crystal and other inputs, as its charged crystal"
                )
                pool.refused.append(Refused(record.location, record.material_id, reason))
    return pool


def _candidate(record: SourceRecord, spec: str) -> Candidate:
    if record.structure is None:
        raise Refusal(record.error or "it holds no structure")
    origin = Origin(
        source=spec,
        material_id=record.material_id,
        properties=record.properties,
        inputs=record.inputs,
    )
    return candidate_from_structure(record.structure, origin)


def _stored(database: Database, formula: str, space_group_number: int) -> list[Candidate]:
    query = {"formula": formula, "space_group_number": space_group_number}
    return [from_document(document) for document in database.candidates.find(query)]


def _take(candidate: Candidate, group: list[Candidate], pool: Pool) -> bool:
    """Put a candidate into the pool; return False where its inputs contradict those taken."""
    from screening.features import FEATURES_VERSION, features

    known = next((each for each in group if is_same_crystal(each, candidate)), None)
    key = candidate.candidate_id if known is None else known.candidate_id
    stated = candidate.origins[0].inputs_hash
    if stated and pool.inputs.setdefault(key, stated) != stated:
        return False
    if known is None:
        merged = candidate
    else:
        merged = merge(known, candidate)
        pool.duplicates += known.candidate_id in pool.candidates
        group.remove(known)
    if merged.features is None or merged.features_version != FEATURES_VERSION:
        merged = merged.model_copy(
            update={
                "features": features(merged.pymatgen_structure()),
                "features_version": FEATURES_VERSION,
            }
        )
    group.append(merged)
    pool.candidates[merged.candidate_id] = merged
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
