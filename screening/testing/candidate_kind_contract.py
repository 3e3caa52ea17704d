"""What every kind of candidates must do, as tests that its author inherits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from screening.candidates.candidate import Candidate, Origin, merge, twin, with_free_id
from screening.candidates.kinds import CandidateKind, candidate_kind, from_document, to_document
from screening.messages.refusal import RefusedError


class CandidateKindContract:
    """Tests of a kind; subclasses give `kind`, `contents` and `unusable` as fixtures."""

    @pytest.fixture
    def kind(self) -> CandidateKind:
        """Return the kind."""
        raise NotImplementedError

    @pytest.fixture
    def contents(self) -> list[Any]:
        """Return what sources give of at least two different candidates."""
        raise NotImplementedError

    @pytest.fixture
    def unusable(self) -> Any:
        """Return what a source may give that can be no candidate."""
        raise NotImplementedError

    @pytest.fixture
    def candidates(self, kind: CandidateKind, contents: list[Any]) -> list[Candidate]:
        """Return the different candidates."""
        assert len(contents) > 1
        return [read(kind, content, f"entry-{n}") for n, content in enumerate(contents)]

    def test_its_name_leads_to_it(self, kind: CandidateKind, candidates: list[Candidate]) -> None:
        """Objectives and stored documents find it."""
        assert candidate_kind(kind.name) is kind
        assert kind.help.endswith(".")
        for candidate in candidates:
            assert isinstance(candidate, kind.model)
            assert candidate.kind == kind.name

    def test_it_is_stored_and_read_back(
        self, kind: CandidateKind, candidates: list[Candidate]
    ) -> None:
        """Documents hold all fields that others name, and are the candidates again."""
        named = [kind.label_field, *kind.repeated, *kind.model.GROUPED_BY]
        named += [fact.field for fact in kind.facts]
        named += [field for index in kind.indexes for field in index]
        for candidate in candidates:
            document = to_document(candidate)
            assert document["_id"] == candidate.candidate_id
            assert set(named) <= document.keys()
            assert document[kind.label_field] == candidate.label
            assert candidate.summary
            stored = json.loads(json.dumps(document, allow_nan=False))
            assert to_document(from_document({**stored, "campaigns": ["c"]})) == document

    def test_the_same_content_is_the_same_candidate(
        self, kind: CandidateKind, contents: list[Any]
    ) -> None:
        """Wherever it was found, and once it was read."""
        here, there = (read(kind, contents[0], place) for place in ("here", "there"))
        again = read(kind, here.content(), "again")
        for other in (there, again):
            assert other.candidate_id == here.candidate_id
            assert other.group() == here.group()
            assert twin(other, [here]) is here
            assert other.finer_digits() == here.finer_digits()
        assert [place.material_id for place in merge(here, there).origins] == ["here", "there"]

    def test_different_contents_are_different_candidates(self, candidates: list[Candidate]) -> None:
        """Also where they have one id, which the later one then makes longer."""
        first, *others = candidates
        assert not any(other.is_same(first) for other in others)
        longer = with_free_id(first, {first.candidate_id})
        assert longer.candidate_id.startswith(f"{first.candidate_id}-")
        assert len({candidate.finer_digits() for candidate in candidates}) == len(candidates)

    def test_features_are_finite_and_always_as_many(
        self, kind: CandidateKind, candidates: list[Candidate]
    ) -> None:
        """Whatever the candidate, and the same once more."""
        described = [kind.with_features(candidate) for candidate in candidates]
        rows = [candidate.features or [] for candidate in described]
        assert len({len(row) for row in rows}) == 1
        assert rows[0]
        assert all(math.isfinite(number) for row in rows for number in row)
        assert all(candidate.features_version == kind.features_version for candidate in described)
        assert [kind.describe(candidate) for candidate in candidates] == rows

    def test_filters_are_of_the_kind(
        self, kind: CandidateKind, candidates: list[Candidate]
    ) -> None:
        """None given, nothing is refused; what they do not know is an error."""
        assert [kind.filters().refusal(candidate) for candidate in candidates].count(None)
        refusal = kind.filters(experimental=True).refusal(candidates[0])
        assert str(refusal) == "whether it is experimental is not stated"
        with pytest.raises(ValidationError):
            kind.filters.model_validate({"no_such_filter": 1})

    def test_what_cannot_be_one_is_refused_with_a_reason(
        self, kind: CandidateKind, unusable: Any
    ) -> None:
        """Half a sentence."""
        with pytest.raises(RefusedError) as caught:
            read(kind, unusable, "bad")
        assert str(caught.value)
        assert not str(caught.value).endswith(".")


def read(kind: CandidateKind, content: Any, material_id: str) -> Candidate:
    """Return the candidate of a content that stands in a source under this name."""
    return kind.read(content, Origin(source="here", material_id=material_id))
