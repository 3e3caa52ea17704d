"""From an entry of a source to a crystal with features, once for each entry, by all cores.

Parsing, standardising and describing a crystal takes some 50 ms.  What came of an entry is kept in
``parsed_entries`` under a fingerprint of the entry's text, so that an interrupted ingest goes on
where it was, and the next campaign on the same library has it at once.
"""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from screening.candidates.candidate import Candidate, Origin, Refusal, candidate_from_structure
from screening.candidates.consistency import contradiction, lost_symmetry
from screening.candidates.crystal_features import FEATURES_VERSION, with_features
from screening.machine.process_pool import processes
from screening.messages.errors import ScreenError
from screening.sources import SourceRecord
from screening.sources.record import NOTE, UnparsedEntry, same_entry
from screening.store.cache import Cache

if TYPE_CHECKING:
    from screening.store.database import Database

READINGS_VERSION = 2
"""Raise it whenever parsing or standardising changes: entries are then read again."""
CHUNK = 40
"""Entries that one process reads at a time."""
LOOKED_UP = 1000
"""Entries that the database is asked about at a time."""
AT_ONCE = 100_000
"""Readings that are fetched at once, instead of by name, for a source of more than `LOOKED_UP`
entries: the embedded server goes through all it has for each question."""
ALONE = 3 * CHUNK
"""With no more new entries than this, starting processes takes longer than reading."""

EarlyRefusal = Callable[[Candidate], str | None]
"""Says why a crystal stays out whatever its features; None lets it in."""


class Reading(BaseModel):
    """What came of an entry: a candidate with one origin, or the reason why not.

    Attributes
    ----------
    location, material_id : str
    candidate : Candidate, optional
        Without features where it was refused before they were computed.
    error : str, optional
    """

    location: str
    material_id: str
    candidate: Candidate | None = None
    error: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether features are there, or not needed."""
        return self.candidate is None or self.candidate.features_version == FEATURES_VERSION


def readings(
    entries: Iterable[SourceRecord | UnparsedEntry],
    spec: str,
    database: Database,
    worthless: EarlyRefusal,
    workers: int,
) -> Iterator[Reading]:
    """Read the entries of a source, in their order.

    Parameters
    ----------
    spec
        Name of the source, for the origin.
    worthless
        Asked before features are computed; picklable.
    workers
        Processes.
    """
    with ExitStack() as stack:
        executor: ProcessPoolExecutor | None = None
        waiting: deque[tuple[list[SourceRecord | UnparsedEntry], dict[str, Reading], Any]] = deque()
        n_new = 0
        seen: dict[str, str] = {}
        for chunk, known in _looked_up(entries, database, worthless):
            new = [each for each in chunk if _key(each) not in known]
            n_new += len(new)
            future: Any = new
            if workers > 1 and n_new > ALONE and new:
                executor = executor or stack.enter_context(processes(workers))
                future = executor.submit(_read_all, new, spec, worthless)
            waiting.append((chunk, known, future))
            # Enough ahead for all processes; what is further ahead would only take memory.
            while len(waiting) > 3 * workers:
                yield from _finished(*waiting.popleft(), spec, worthless, database, seen)
        while waiting:
            yield from _finished(*waiting.popleft(), spec, worthless, database, seen)


def _looked_up(
    entries: Iterable[SourceRecord | UnparsedEntry], database: Database, worthless: EarlyRefusal
) -> Iterator[tuple[list[SourceRecord | UnparsedEntry], dict[str, Reading]]]:
    """Cut entries into chunks, each with what is known of its entries."""
    entries = iter(entries)
    fetched: dict[str, bytes] | None = None
    while block := list(itertools.islice(entries, LOOKED_UP)):
        if fetched is None and len(block) == LOOKED_UP:
            small = database.parsed_entries.estimated_document_count() <= AT_ONCE
            fetched = Cache(database.parsed_entries).read_compressed() if small else {}
        keys = [_key(each) for each in block if isinstance(each, UnparsedEntry)]
        packed = fetched or {}
        if not fetched and keys:
            packed = Cache(database.parsed_entries).read_compressed(keys)
        known = _kept({key: packed[key] for key in keys if key in packed}, worthless)
        for first in range(0, len(block), CHUNK):
            yield block[first : first + CHUNK], known


def _read_all(
    entries: list[SourceRecord | UnparsedEntry], spec: str, worthless: EarlyRefusal
) -> list[Reading]:
    return [_read(each, spec, worthless) for each in entries]


def _read(entry: SourceRecord | UnparsedEntry, spec: str, worthless: EarlyRefusal) -> Reading:
    record = entry() if isinstance(entry, UnparsedEntry) else entry
    found = Reading(location=record.location, material_id=record.material_id)
    if record.structure is None:
        return found.model_copy(update={"error": record.error or "it holds no structure"})
    origin = Origin(
        source=spec,
        material_id=record.material_id,
        properties={name: fact for name, fact in record.properties.items() if name != NOTE},
        inputs=record.inputs,
        note=str(record.properties.get(NOTE) or ""),
    )
    try:
        candidate = candidate_from_structure(record.structure, origin)
    except Refusal as refused:
        return found.model_copy(update={"error": str(refused)})
    number = candidate.space_group_number
    reason = lost_symmetry(record.space_group_number, number) or contradiction(
        record.structure, record.properties, number
    )
    if reason is not None:
        return found.model_copy(update={"error": reason})
    if not worthless(candidate):
        candidate = with_features(candidate)
    return found.model_copy(update={"candidate": candidate})


def _key(entry: SourceRecord | UnparsedEntry) -> str:
    if not isinstance(entry, UnparsedEntry):
        return ""
    return f"{READINGS_VERSION}-{FEATURES_VERSION}-{entry.fingerprint}"


def _kept(packed: dict[str, bytes], worthless: EarlyRefusal) -> dict[str, Reading]:
    found = {}
    for key, content in packed.items():
        reading = Reading.model_validate_json(zlib.decompress(content))
        # Refused by another campaign's filters before its features were computed.
        if not reading.is_complete and reading.candidate and not worthless(reading.candidate):
            continue
        found[key] = reading
    return found


def _finished(
    chunk: list[SourceRecord | UnparsedEntry],
    known: dict[str, Reading],
    future: Future[list[Reading]] | list[SourceRecord | UnparsedEntry],
    spec: str,
    worthless: EarlyRefusal,
    database: Database,
    seen: dict[str, str],
) -> Iterator[Reading]:
    try:
        new = _read_all(future, spec, worthless) if isinstance(future, list) else future.result()
    except BrokenProcessPool:
        raise ScreenError(
            f"a process that read entries near {chunk[0].location} was killed, perhaps for its "
            "memory; run the command again, what was read is kept"
        ) from None
    _keep(database, chunk, known, new)
    fresh = iter(new)
    for entry in chunk:
        kept = known.get(_key(entry))
        reading = next(fresh) if kept is None else _named(kept, spec)
        identity = entry.identity if isinstance(entry, UnparsedEntry) else ""
        if identity in seen:
            reason = same_entry(seen[identity])
            reading = reading.model_copy(update={"candidate": None, "error": reason})
        elif identity and reading.candidate is not None:
            seen[identity] = reading.location
        yield reading


def _named(reading: Reading, spec: str) -> Reading:
    """Return a reading that was kept with the source's present name."""
    if reading.candidate is None or reading.candidate.origins[0].source == spec:
        return reading
    origin = reading.candidate.origins[0].model_copy(update={"source": spec})
    candidate = reading.candidate.model_copy(update={"origins": [origin]})
    return reading.model_copy(update={"candidate": candidate})


def _keep(
    database: Database,
    chunk: list[SourceRecord | UnparsedEntry],
    known: dict[str, Reading],
    new: list[Reading],
) -> None:
    entries = [entry for entry in chunk if _key(entry) not in known]
    texts = {
        _key(entry): reading.model_dump_json()
        for entry, reading in zip(entries, new, strict=True)
        if isinstance(entry, UnparsedEntry)
    }
    Cache(database.parsed_entries).write(texts)
