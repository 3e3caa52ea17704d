"""Kinds of candidates: what campaigns, rankings and pages need to know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.filters import CandidateFilters
from screening.machine.plugins import PlugIns
from screening.messages.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class CandidateKind:
    """One kind of candidate.

    Attributes
    ----------
    name : str
        As objectives and stored candidates name it: in `KINDS`, or its import path.
    plural : str
        Several of its candidates in messages, as "crystals".
    help : str
        One sentence for people.
    model : type
        Of its candidates, as they are stored; ``kind`` has the name as its default.
    label_field : str
        Stored field with the name that people know a candidate by, as the formula of a crystal.
    facts : tuple of Quantity
        Stored fields that rankings, tables and filters show of a candidate, in this order.
    read : callable
        Makes a candidate of what a source gives and the place where it was found; raises
        `screening.messages.refusal.RefusedError`, whose text is the reason.
    elements_of : callable, optional
        Returns the elements of what a source gives, much sooner than `read` would; None of what
        has to be read for them.
    describe : callable
        Returns the features of a candidate, finite numbers, always as many.
    feature_names : callable
        Returns the names of the features in their order, empty where they have none; tables of
        engines' errors refer to them.
    features_version : int
        Raised whenever `describe` or `read` changes: entries are then read again.
    filters : type
        What a campaign may ask of its candidates.
    repeated : tuple of str
        Stored fields that every result of a candidate has too.
    split : callable, optional
        Makes several contents, each with facts about it, of one that no single candidate stands
        for, as of a disordered crystal; of others that content alone.  Raises `RefusedError` where
        nothing stands for it.
    indexes : tuple of tuple of str
        Keys of each index that the database needs for their stored fields.
    alike : tuple of str
        Stored fields that all candidates of a campaign agree in, as their features are not to be
        compared otherwise; entries unlike the first are refused.
    chemical : bool
        Whether candidates consist of chemical elements and are known by their formulas: pages
        write these with their numbers below the line, and find them by their elements.
    drawing : str or None
        Import path, ``module:function``, of what pages show of a candidate, made from its stored
        document and that of its result, empty where there is none.
    """

    name: str
    plural: str
    help: str
    model: type[Candidate]
    label_field: str
    facts: tuple[Quantity, ...]
    read: Callable[[Any, Origin], Candidate]
    describe: Callable[[Any], list[float]]
    features_version: int
    filters: type[CandidateFilters]
    repeated: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    split: Callable[[Any, Mapping[str, Any]], Sequence[tuple[Any, dict[str, Any]]]] | None = None
    elements_of: Callable[[Any], frozenset[str] | None] | None = None
    alike: tuple[str, ...] = ()
    chemical: bool = False
    drawing: str | None = None
    feature_names: Callable[[], Sequence[str]] = list

    def with_features(self, candidate: Candidate) -> Candidate:
        """Return a candidate with features of the present version."""
        if candidate.features_version == self.features_version:
            return candidate
        found = {"features": self.describe(candidate), "features_version": self.features_version}
        return candidate.model_copy(update=found)

    def query(self) -> dict[str, Any]:
        """Return the MongoDB filter of its candidates."""
        # Crystals of earlier versions do not say what they are.
        return {"kind": {"$in": [self.name, None]} if self.name == "crystal" else self.name}


KINDS: PlugIns[CandidateKind] = PlugIns(
    "kind of candidates",
    "matscreen.candidate_kinds",
    {
        "crystal": "screening.candidates.crystal_kind:CRYSTAL",
        "polymer": "screening.candidates.polymer_kind:POLYMER",
        "family": "screening.candidates.family:FAMILY",
        "ordering": "screening.candidates.ordering_kind:ORDERING",
        "alloy": "screening.candidates.alloy:ALLOY",
    },
)


@cache
def candidate_kind(name: str) -> CandidateKind:
    """Return the kind of a name or import path."""
    return KINDS.load(name)


def to_document(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as stored, without its campaigns."""
    document = candidate.model_dump(mode="json")
    document["_id"] = document["candidate_id"]
    return document


def from_document(document: Mapping[str, Any]) -> Candidate:
    """Return a stored candidate, whatever its kind."""
    model = candidate_kind(document.get("kind", "crystal")).model
    return model.model_validate(
        {key: document[key] for key in model.model_fields if key in document}
    )


def _any_kind(value: Any) -> Any:
    return from_document(value) if isinstance(value, dict) else value


AnyCandidate = Annotated[SerializeAsAny[Candidate], BeforeValidator(_any_kind)]
"""Field of a model that holds a candidate of any kind."""
