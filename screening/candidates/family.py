"""Families: crystals for which one potential is fitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.elements import ElementSymbol, elements_refusal
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind
from screening.messages.quantities import Quantity
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class StatedFamily:
    """What a source gives of a family.

    Attributes
    ----------
    crystals : sequence of Structure
        Primitive cells.
    frames : sequence of dict
        Cells that the label engine has computed already; see
        `workflows.potentials.frames.LabelledFrame`.
    wanted : sequence of dict
        Cells to label first; see `workflows.potentials.frames.Frame`.
    generation : int
        How many potentials came before, each from the labels of the one before it.
    """

    crystals: Sequence[Structure]
    frames: Sequence[dict[str, Any]] = ()
    wanted: Sequence[dict[str, Any]] = ()
    generation: int = 0


class CrystalFamily(Candidate):
    """Crystals for which one potential is fitted.

    Attributes
    ----------
    candidate_id : str
        Elements, number of crystals and digits made from all that it holds.
    name : str
        Elements, with a hyphen between.
    formulas : list of str
        Of the crystals, sorted, each once.
    n_crystals : int
    n_frames : int
        Labelled cells that it begins with.
    crystals, frames, wanted : list of dict
        As `StatedFamily` has them, in JSON's types.
    generation : int
    """

    kind: Literal["family"] = "family"
    name: str
    formulas: list[str]
    n_crystals: int
    n_frames: int = 0
    crystals: list[dict[str, Any]] = Field(repr=False)
    frames: list[dict[str, Any]] = Field(default_factory=list, repr=False)
    wanted: list[dict[str, Any]] = Field(default_factory=list, repr=False)
    generation: int = 0

    @property
    def label(self) -> str:
        """Elements."""
        return self.name

    @property
    def summary(self) -> str:
        """Elements and how many crystals."""
        return f"{self.name}: {', '.join(self.formulas)} ({self.n_crystals} crystals)"

    def content(self) -> Any:
        """Return the family as its Maker takes it."""
        from pymatgen.core import Structure

        from workflows.potentials.fitting import Family
        from workflows.potentials.frames import Frame, LabelledFrame

        return Family(
            [Structure.from_dict(crystal) for crystal in self.crystals],
            [LabelledFrame.model_validate(known) for known in self.frames],
            [Frame.model_validate(cell) for cell in self.wanted],
            self.generation,
        )

    def is_same(self, other: Self) -> bool:
        """Whether two families hold the same crystals and labels."""
        return all(
            getattr(self, name) == getattr(other, name) for name in ("crystals", "frames", "wanted")
        )


def read_family(stated: StatedFamily, origin: Origin) -> CrystalFamily:
    """Return the family of crystals."""
    crystals = [crystal.as_dict() for crystal in stated.crystals]
    frames = list(stated.frames)
    wanted = list(stated.wanted)
    content = json.dumps([crystals, frames, wanted], sort_keys=True, default=str)
    digits = hashlib.sha256(content.encode()).hexdigest()[:8]
    symbols = sorted({site.specie.symbol for crystal in stated.crystals for site in crystal})
    name = "-".join(symbols)
    return CrystalFamily(
        candidate_id=f"{name}-{len(crystals)}-{digits}",
        name=name,
        formulas=sorted({crystal.reduced_formula for crystal in stated.crystals}),
        n_crystals=len(crystals),
        n_frames=len(frames),
        crystals=crystals,
        frames=frames,
        wanted=wanted,
        generation=stated.generation,
        elements=symbols,
        origins=[origin],
        features=describe_family(None),
        features_version=FEATURES_VERSION,
    )


FEATURES_VERSION = 1


def describe_family(candidate: Candidate | None) -> list[float]:
    """Return no features: of a few families none is chosen, all are computed."""
    return [0.0]


class FamilyFilters(CandidateFilters):
    """Which families a campaign looks at.

    Attributes
    ----------
    include_elements : list of str, optional
        The only elements allowed.
    """

    include_elements: list[ElementSymbol] | None = None

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why a family stays out of the campaign; None lets it in."""
        refused = elements_refusal(candidate.elements, self.include_elements, {})
        return refused or super().refusal(candidate)


FAMILY = CandidateKind(
    name="family",
    plural="families of crystals",
    help="Crystals for which one potential is fitted.",
    model=CrystalFamily,
    label_field="name",
    facts=(
        Quantity("name", "elements", ""),
        Quantity("n_crystals", "crystals", ""),
        Quantity("n_frames", "labels before", ""),
    ),
    read=read_family,
    describe=describe_family,
    features_version=FEATURES_VERSION,
    filters=FamilyFilters,
    repeated=("name", "formulas"),
)
"""Families as a kind of candidates."""
