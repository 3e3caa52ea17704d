"""From an entry of a source to a candidate with features, once for each entry, by all cores.

Parsing, standardising and describing a crystal takes some 50 ms.  What came of an entry is kept in
``parsed_entries`` under a fingerprint of the entry's text, so that an interrupted ingest goes on
where it was, and the next campaign on the same library has it at once.
"""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.kinds import AnyCandidate, CandidateKind, candidate_kind
from screening.machine.process_pool import processes
from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal, RefusedError
from screening.sources.record import (
    NOTE,
    Source,
    SourceRecord,
    UnparsedEntry,
    entries_of,
    same_entry,
)
from screening.store.cache import Cache

if TYPE_CHECKING:
    from screening.store.database import Database

PARSED_ENTRIES_VERSION = 6
"""Raise it whenever `ParsedEntry` or how it is stored changes: entries are then read again."""
CHUNK = 40
"""Entries that one process reads at a time."""
LOOKED_UP = 1000
"""Entries that the database is asked about at a time."""
AT_ONCE = 100_000
"""Parsed entries that are fetched at once, instead of by name, for a source of more than
`LOOKED_UP` entries: the embedded server goes through all it has for each question."""
ALONE = 3 * CHUNK
"""With no more new entries than this, starting processes takes longer than reading."""


class EarlyRefusal(Protocol):
    """Says why a candidate stays out whatever its features.

    One that is `JudgesElements` is asked about the elements of an entry before it is read: of a
    library that covers the periodic table a campaign often wants a few chemical systems.
    """

    def __call__(self, candidate: Candidate, /) -> Refusal | None:
        """Return the reason; None lets it in."""


@runtime_checkable
class JudgesElements(Protocol):
    """What can tell from the elements alone that an entry stays out."""

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return why whatever consists of these elements stays out; None lets it in so far."""


def refused_by_elements(refuse: EarlyRefusal, elements: frozenset[str]) -> Refusal | None:
    """Return why what consists of these elements stays out, None where they do not tell."""
    return refuse.of_elements(elements) if isinstance(refuse, JudgesElements) else None


class ParsedEntry(BaseModel):
    """What came of an entry: a candidate with one origin, or the reason why not.

    Attributes
    ----------
    location, material_id : str
    candidate : Candidate, optional
        None where the entry cannot become one.  Without features where it was refused before they
        were computed.
    refusal : Refusal, optional
        Why the entry cannot become a candidate, or why the candidate stays out of this campaign.
    more : list of ParsedEntry
        Further candidates of the same entry, as approximants of a disordered crystal.
    elements : list of str, optional
        Where they are known without reading it, as `CandidateKind.elements_of` tells.
    unread : bool
        Whether it was refused for these and nothing else of it is known.
    """

    location: str
    material_id: str
    candidate: AnyCandidate | None = None
    refusal: Refusal | None = None
    more: list[ParsedEntry] = []
    elements: list[str] | None = None
    unread: bool = False

    def parts(self) -> list[ParsedEntry]:
        """Return all candidates of the entry, this one first."""
        return [self, *self.more]


Entry = SourceRecord | UnparsedEntry


@dataclass(frozen=True)
class _Parser:
    """How entries of one source become candidates; processes that parse them are sent it.

    Parameters
    ----------
    spec
        Name of the source, for the origin.
    kind
        Name of the kind of candidates.
    refuse
        Asked before features are computed; picklable.
    """

    spec: str
    kind_name: str
    refuse: EarlyRefusal

    @property
    def kind(self) -> CandidateKind:
        return candidate_kind(self.kind_name)

    def parse_all(self, entries: list[Entry]) -> list[ParsedEntry]:
        return [self.parse(entry) for entry in entries]

    def parse(self, entry: Entry) -> ParsedEntry:
        record = entry() if isinstance(entry, UnparsedEntry) else entry
        parsed = ParsedEntry(location=record.location, material_id=record.material_id)
        if record.content is None:
            reason = record.refusal or Refusal.of("it holds no structure")
            return parsed.model_copy(update={"refusal": reason})
        elements = self.kind.elements_of and self.kind.elements_of(record.content)
        if elements is not None:
            parsed.elements = sorted(elements)
        if refusal := self._of_elements(parsed):
            return parsed.model_copy(update={"refusal": refusal, "unread": True})
        contents: Sequence[tuple[Any, dict[str, Any]]] = [(record.content, {})]
        try:
            if self.kind.split is not None:
                contents = self.kind.split(record.content, record.properties)
        except RefusedError as error:
            return parsed.model_copy(update={"refusal": error.refusal})
        parts = [self._part(record, parsed, content, facts) for content, facts in contents]
        return parts[0].model_copy(update={"more": parts[1:]})

    def _of_elements(self, parsed: ParsedEntry) -> Refusal | None:
        """Return why an entry stays out for its elements, None where they do not tell."""
        if parsed.elements is None:
            return None
        return refused_by_elements(self.refuse, frozenset(parsed.elements))

    def _part(
        self, record: SourceRecord, parsed: ParsedEntry, content: Any, facts: dict[str, Any]
    ) -> ParsedEntry:
        """Return one candidate of a record, of which these facts are known besides."""
        stated = {**record.properties, **facts}
        origin = Origin(
            source=self.spec,
            material_id=record.material_id,
            properties={name: fact for name, fact in stated.items() if name != NOTE},
            inputs=record.inputs,
            note=str(stated.get(NOTE) or ""),
        )
        try:
            candidate = self.kind.read(content, origin)
        except RefusedError as error:
            return parsed.model_copy(update={"refusal": error.refusal})
        refusal = self.refuse(candidate)
        if refusal is None:
            candidate = self.kind.with_features(candidate)
        return parsed.model_copy(update={"candidate": candidate, "refusal": refusal})

    def key(self, entry: Entry) -> str:
        """Return the name under which a parsed entry is kept, empty where it is not."""
        if not isinstance(entry, UnparsedEntry):
            return ""
        version = f"{PARSED_ENTRIES_VERSION}-{self.kind.name}-{self.kind.features_version}"
        return f"{version}-{entry.fingerprint}"

    def judged(self, content: bytes) -> ParsedEntry | None:
        """Return an entry that was kept as this campaign sees it, None where it has to be read.

        It has where another campaign refused it before it was read or its features were computed.
        """
        kept = ParsedEntry.model_validate_json(zlib.decompress(content))
        # First, as of entries that are new: what is said of one does not depend on who came before.
        if refusal := self._of_elements(kept):
            return kept.model_copy(update={"candidate": None, "refusal": refusal, "more": []})
        if kept.unread:
            return None
        parts = [self._judged_part(part) for part in kept.parts()]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            return None
        return whole[0].model_copy(update={"more": whole[1:]})

    def _judged_part(self, parsed: ParsedEntry) -> ParsedEntry | None:
        candidate = parsed.candidate
        if candidate is None:
            return parsed
        refusal = self.refuse(candidate)
        if refusal is None and candidate.features_version != self.kind.features_version:
            return None
        if candidate.origins[0].source != self.spec:
            # The source's present name.
            origin = candidate.origins[0].model_copy(update={"source": self.spec})
            candidate = candidate.model_copy(update={"origins": [origin]})
        return parsed.model_copy(update={"candidate": candidate, "refusal": refusal})


def parsed_entries(
    source: Source,
    kind: CandidateKind,
    database: Database,
    refuse: EarlyRefusal,
    workers: int,
) -> Iterator[ParsedEntry]:
    """Parse the entries of a source, in their order.

    Parameters
    ----------
    kind
        What they become.
    refuse
        Asked before features are computed; picklable.
    workers
        Processes.
    """
    parser = _Parser(source.spec, kind.name, refuse)
    with ExitStack() as stack:
        executor: ProcessPoolExecutor | None = None
        waiting: deque[tuple[list[Entry], dict[str, ParsedEntry], Any]] = deque()
        n_new = 0
        seen: dict[str, str] = {}
        for chunk, known in _looked_up(entries_of(source), database, parser):
            new = [entry for entry in chunk if parser.key(entry) not in known]
            n_new += len(new)
            future: Any = new
            if workers > 1 and n_new > ALONE and new:
                executor = executor or stack.enter_context(processes(workers))
                future = executor.submit(parser.parse_all, new)
            waiting.append((chunk, known, future))
            # Enough ahead for all processes; what is further ahead would only take memory.
            while len(waiting) > 3 * workers:
                yield from _finished(*waiting.popleft(), parser, database, seen)
        while waiting:
            yield from _finished(*waiting.popleft(), parser, database, seen)


def _looked_up(
    entries: Iterable[Entry], database: Database, parser: _Parser
) -> Iterator[tuple[list[Entry], dict[str, ParsedEntry]]]:
    """Cut entries into chunks, each with what is known of its entries."""
    entries = iter(entries)
    fetched: dict[str, bytes] | None = None
    while block := list(itertools.islice(entries, LOOKED_UP)):
        if fetched is None and len(block) == LOOKED_UP:
            small = database.parsed_entries.estimated_document_count() <= AT_ONCE
            fetched = Cache(database.parsed_entries).read_compressed() if small else {}
        keys = [parser.key(entry) for entry in block if isinstance(entry, UnparsedEntry)]
        packed = fetched or {}
        if not fetched and keys:
            packed = Cache(database.parsed_entries).read_compressed(keys)
        judged = {key: parser.judged(packed[key]) for key in keys if key in packed}
        known = {key: parsed for key, parsed in judged.items() if parsed is not None}
        for first in range(0, len(block), CHUNK):
            yield block[first : first + CHUNK], known


def _finished(
    chunk: list[Entry],
    known: dict[str, ParsedEntry],
    future: Future[list[ParsedEntry]] | list[Entry],
    parser: _Parser,
    database: Database,
    seen: dict[str, str],
) -> Iterator[ParsedEntry]:
    try:
        new = parser.parse_all(future) if isinstance(future, list) else future.result()
    except BrokenProcessPool:
        raise ScreenError(
            f"a process that read entries near {chunk[0].location} was killed, perhaps for its "
            "memory; run the command again, what was read is kept"
        ) from None
    fresh = [entry for entry in chunk if parser.key(entry) not in known]
    _keep(database, {parser.key(e): p for e, p in zip(fresh, new, strict=True)})
    in_turn = iter(new)
    for entry in chunk:
        parsed = known.get(parser.key(entry)) or next(in_turn)
        identity = entry.identity if isinstance(entry, UnparsedEntry) else ""
        if identity in seen:
            again: dict[str, Any] = {
                "candidate": None,
                "refusal": same_entry(seen[identity]),
                "more": [],
            }
            parsed = parsed.model_copy(update=again)
        elif identity and parsed.candidate is not None:
            seen[identity] = parsed.location
        yield parsed


def _keep(database: Database, parsed: dict[str, ParsedEntry]) -> None:
    """Store parsed entries by key; those without a key are not kept."""
    texts = {}
    for key, entry in parsed.items():
        if not key:
            continue
        # Why a candidate stays out of one campaign says nothing to the next.
        parts = [
            part.model_copy(update={"refusal": None})
            if part.unread or part.candidate is not None
            else part
            for part in entry.parts()
        ]
        texts[key] = parts[0].model_copy(update={"more": parts[1:]}).model_dump_json()
    Cache(database.parsed_entries).write(texts)
