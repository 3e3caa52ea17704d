"""A candidate: what a campaign needs to know of anything that can be computed."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, model_validator


class Origin(BaseModel):
    """Where a candidate was found, and what that place says about it.

    Attributes
    ----------
    source : str
        As the campaign names it.
    material_id : str
        Within the source.
    properties : dict
        Facts about it.
    inputs : dict
        What the source states that a flow can use, by the field of a Maker's `inputs_model`: Born
        charges (``dielectric``), the charged crystal of an electrode (``charged``), its
        ``working_ion``, the ``remaining_fraction`` of it.
    inputs_hash : str
        Fingerprint of `inputs`, empty without any: results computed with other inputs are others.
    note : str
        What reading it did or found not to fit, and what was done to its structure beyond choosing
        a cell, as symmetry that was looked for within noise; empty for nothing.
    """

    source: str
    material_id: str
    properties: dict[str, str | int | float | bool | None] = {}
    inputs: dict[str, Any] = {}
    inputs_hash: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _fingerprint_inputs(self) -> Self:
        if self.inputs and not self.inputs_hash:
            # Where in a file they stand is no part of what they say.
            said = {
                name: {k: v for k, v in value.items() if k != "source"}
                if isinstance(value, dict)
                else value
                for name, value in self.inputs.items()
            }
            content = json.dumps(said, sort_keys=True)
            self.inputs_hash = hashlib.sha256(content.encode()).hexdigest()[:12]
        return self


class LostInputsError(ValueError):
    """What a source stated for the flow of a candidate is no longer stored."""


class Candidate(BaseModel, ABC):
    """One member of a pool; each kind of candidates has a class of its own.

    Attributes
    ----------
    kind : str
        Name in `screening.candidates.kinds.KINDS`; documents without it are crystals.
    candidate_id : str
        The same wherever the candidate was found.
    elements : list of str
        Symbols, sorted, which engines are asked about; empty where the kind has none.
    origins : list of Origin
        Every place the candidate was found in, first one first.
    features : list of float, optional
        Numbers the surrogate sees, as computed by version `features_version` of the kind.
    """

    GROUPED_BY: ClassVar[tuple[str, ...]] = ("candidate_id",)
    """Stored fields that decide which candidates have to be compared; see `group_of`."""

    kind: str
    candidate_id: str
    elements: list[str] = []
    origins: list[Origin]
    features: list[float] | None = None
    features_version: int | None = None

    @property
    def label(self) -> str:
        """Name that people know the candidate by; the kind's stored ``label_field``."""
        return self.candidate_id

    @property
    def summary(self) -> str:
        """What it is in a few words: the label, unless the kind can say more."""
        return self.label

    def details(self) -> list[tuple[str, str]]:
        """Return what else people want to know of it, in order: each thing's name, and a text."""
        return []

    @abstractmethod
    def content(self) -> Any:
        """Return what the Maker of a target takes."""

    @classmethod
    def group_of(cls, stored: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the group of a candidate with these fields, those of `GROUPED_BY`."""
        return tuple(stored[name] for name in cls.GROUPED_BY)

    def group(self) -> tuple[Any, ...]:
        """Return the group: only candidates of one group can be the same."""
        return self.group_of({name: getattr(self, name) for name in self.GROUPED_BY})

    def is_same(self, other: Self) -> bool:
        """Whether two candidates of one kind are the same."""
        return self.candidate_id == other.candidate_id

    def finer_digits(self) -> str:
        """Return hexadecimal digits that even candidates of one id differ in, unless the same."""
        own = self.model_dump_json(exclude={"origins", "features", "features_version"})
        return hashlib.sha256(own.encode()).hexdigest()

    def inputs(self, inputs_hash: str) -> dict[str, Any]:
        """Return the inputs of flows that have this fingerprint.

        Raises
        ------
        LostInputsError
            When no origin states them any more.
        """
        for origin in self.origins:
            if origin.inputs_hash == inputs_hash:
                return origin.inputs
        if inputs_hash:
            raise LostInputsError(
                f"what a source stated for the flow of '{self.candidate_id}' is gone from the "
                "database; submit it again in a new campaign"
            )
        return {}


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def twin(candidate: AnyCandidate, others: Iterable[AnyCandidate]) -> AnyCandidate | None:
    """Return the first of other candidates that is the same."""
    return next((other for other in others if other.is_same(candidate)), None)


def with_free_id(candidate: AnyCandidate, taken: Container[str]) -> AnyCandidate:
    """Return a candidate whose id no other one has.

    Where ids do not tell two candidates apart, the one that comes later has four more digits in
    its id, or as many times four as it takes.
    """
    name = candidate.candidate_id
    if name not in taken:
        return candidate
    digits = candidate.finer_digits()
    lengths = range(4, len(digits) + 1, 4)
    longer = (f"{name}-{digits[:length]}" for length in lengths)
    return candidate.model_copy(
        update={"candidate_id": next(free for free in longer if free not in taken)}
    )


def merge(existing: AnyCandidate, incoming: AnyCandidate) -> AnyCandidate:
    """Join the origins of two candidates that are the same; all else stays as in `existing`."""
    origins = joined_origins(existing.origins, incoming.origins)
    return existing.model_copy(update={"origins": origins})


def joined_origins(existing: Iterable[Origin], incoming: Iterable[Origin]) -> list[Origin]:
    """Return the origins of both, each once.

    One known already is updated with the incoming properties, so importing a source twice changes
    nothing; one that states other inputs than before is a further origin.
    """

    def key_of(origin: Origin) -> tuple[str, str, str]:
        return origin.source, origin.material_id, origin.inputs_hash

    origins = {key_of(origin): origin for origin in existing}
    for origin in incoming:
        key = key_of(origin)
        known = origins[key].properties if key in origins else {}
        origins[key] = origin.model_copy(update={"properties": {**known, **origin.properties}})
    return list(origins.values())


SHOWN_FACTS = ("energy_above_hull_ev_per_atom", "band_gap_ev", "theoretical", "year")
"""Properties of an entry that a ranking of a library shows, where the source states them."""
