"""What every source must do, as tests that its author inherits."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator

import pytest

from screening.candidates.candidate import Origin
from screening.candidates.kinds import candidate_kind
from screening.messages.refusal import Refusal, RefusedError
from screening.sources import open_source
from screening.sources.record import (
    Source,
    SourceRecord,
    UnparsedEntry,
    entries_of,
    kind_of,
    remarks_of,
)

LOOKED_AT = 12
"""Entries that are looked at, of however many."""


class SourceContract:
    """Tests of a source; subclasses give it as the fixture `source`."""

    @pytest.fixture
    def source(self) -> Source:
        """Return a source with at least one entry that becomes a candidate."""
        raise NotImplementedError

    def test_records_say_what_they_are(self, source: Source) -> None:
        """Each has a name, a place, and either content or a reason that ends no sentence."""
        stream = source.records()
        assert isinstance(stream, Iterator), "entries are streamed, not collected"
        records = list(itertools.islice(stream, LOOKED_AT))
        assert records
        for record in records:
            assert record.material_id
            assert record.location
            assert (record.content is None) != (record.refusal is None)
            if record.refusal is not None:
                assert isinstance(record.refusal, Refusal)
                reason = str(record.refusal)
                assert reason == reason.strip()
                assert "\n" not in reason
                assert not reason.endswith(".")
            json.dumps([record.properties, record.inputs], allow_nan=False)

    def test_entries_are_the_records_and_can_be_kept(self, source: Source) -> None:
        """Unparsed entries travel to other processes, and have the same fingerprint again."""
        records = list(itertools.islice(source.records(), LOOKED_AT))
        entries = list(itertools.islice(entries_of(source), LOOKED_AT))
        again = list(itertools.islice(entries_of(source), LOOKED_AT))
        assert all(pickle.dumps(entry) for entry in entries)
        parsed = list(map(_parsed, entries))
        assert list(map(_stated, parsed)) == list(map(_stated, records))
        fingerprints = [e.fingerprint for e in entries if isinstance(e, UnparsedEntry)]
        assert fingerprints == [e.fingerprint for e in again if isinstance(e, UnparsedEntry)]
        assert len(set(fingerprints)) == len(fingerprints)

    def test_an_entry_becomes_a_candidate(self, source: Source) -> None:
        """One of the first entries is of the kind that the source says it gives."""
        kind = candidate_kind(kind_of(source))
        for record in itertools.islice(source.records(), LOOKED_AT):
            if record.content is None:
                continue
            origin = Origin(
                source=source.spec, material_id=record.material_id, properties=record.properties
            )
            try:
                candidate = kind.read(record.content, origin)
            except RefusedError:
                continue
            assert candidate.kind == kind.name
            assert [place.material_id for place in candidate.origins] == [record.material_id]
            return
        raise AssertionError("no entry can become a candidate")

    def test_its_name_opens_it_again(self, source: Source) -> None:
        """`spec` is what a person can give."""
        opened = open_source(source.spec)
        assert opened.spec == source.spec
        first, same = (next(iter(opening.records())) for opening in (source, opened))
        assert _stated(first) == _stated(same)

    def test_what_it_left_out_is_said_in_sentences(self, source: Source) -> None:
        """Remarks are for people, and there once the stream has ended."""
        for _ in entries_of(source):
            pass
        assert all(remark.startswith(f"source '{source.spec}': ") for remark in remarks_of(source))


def _parsed(entry: SourceRecord | UnparsedEntry) -> SourceRecord:
    return entry() if isinstance(entry, UnparsedEntry) else entry


def _stated(record: SourceRecord) -> tuple[object, ...]:
    properties = json.dumps([record.properties, record.inputs], sort_keys=True)
    return record.material_id, record.location, record.refusal, properties
