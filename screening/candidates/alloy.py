"""Random alloys of two crystals at given compositions as a kind of candidates."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import bare_structure, crystal_from_structure
from screening.candidates.crystal_features import FEATURES_VERSION, feature_names, features
from screening.candidates.elements import ElementSymbol, elements_refusal
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind
from screening.messages.quantities import Quantity
from screening.messages.refusal import Refusal, RefusedError
from workflows.alloy_composition import AlloyComposition

if TYPE_CHECKING:
    from pymatgen.core import Structure

SAME_SITE = 0.02
"""Difference of fractional coordinates, and of lattice vectors over their length, with which two
cells are described alike without further ado."""
ALLOY_FEATURES = (
    "mass_disorder",  # √(x (1 − x)) |Δm| / m̄ on the shared sites
    "lattice_mismatch",  # x (1 − x) times that of the end members
)
"""Beside the features of both crystals, linear in the composition."""


class Alloy(Candidate):
    """A random alloy of two isostructural crystals that differ in one element.

    Attributes
    ----------
    candidate_id : str
        ``formula-space group-fingerprint``; the fingerprint is of the ids of both crystals and the
        fraction.
    formula : str
        Reduced, with the fractions of both elements, as ``Si0.7Ge0.3``.
    system : str
        Formulas of both crystals, as ``Si-Ge``; the lighter of the two elements first.
    fraction : float
        Of the second crystal.
    space_group_number : int
        Of both crystals.
    n_sites : int
        Atoms in the primitive cell.
    lattice_mismatch_fraction : float
        Difference of the cube roots of the volumes of both, as their source has them, over the
        mean.
    first, second : dict
        pymatgen ``Structure.as_dict`` of the primitive cells, sites in one order.
    """

    kind: Literal["alloy"] = "alloy"
    formula: str
    system: str
    fraction: float
    space_group_number: int
    n_sites: int
    lattice_mismatch_fraction: float
    first: dict[str, Any] = Field(repr=False)
    second: dict[str, Any] = Field(repr=False)

    @property
    def label(self) -> str:
        """Formula with the fractions."""
        return self.formula

    @property
    def summary(self) -> str:
        """Formula, and which crystals it is between."""
        first, _, second = self.system.partition("-")
        return f"{self.formula}, random alloy of {first} and {second}"

    def details(self) -> list[tuple[str, str]]:
        """Return how unlike the lattices of both crystals are."""
        return [("lattice mismatch", f"{self.lattice_mismatch_fraction:.1%}")]

    def content(self) -> AlloyComposition:
        """Return both crystals and the fraction."""
        return AlloyComposition(
            bare_structure(self.first), bare_structure(self.second), self.fraction
        )


def read_alloy(stated: AlloyComposition, origin: Origin) -> Alloy:
    """Return the alloy of two crystals, the one with the lighter element first.

    Raises
    ------
    RefusedError
        When the two are not isostructural crystals that differ in one element, or the fraction is
        none.
    """
    if not 0 < stated.fraction < 1:
        raise RefusedError(f"its fraction {stated.fraction:g} is not between 0 and 1")
    one, other = (
        json.dumps(each.as_dict(verbosity=0), default=float, sort_keys=True)
        for each in (stated.first, stated.second)
    )
    pair, turned = _standard_pair(one, other)
    fraction = round(1 - stated.fraction if turned else stated.fraction, 6)
    first, second = (bare_structure(each) for each in (pair["first"], pair["second"]))
    alloy = AlloyComposition(first, second, fraction)
    content = json.dumps([*pair["ids"], fraction])
    digits = hashlib.sha256(content.encode()).hexdigest()[:8]
    number = pair["space_group_number"]
    return Alloy(
        candidate_id=f"{alloy.formula}-{number}-{digits}",
        formula=alloy.formula,
        system=alloy.system,
        fraction=fraction,
        space_group_number=number,
        n_sites=len(first),
        lattice_mismatch_fraction=_mismatch(first, second),
        first=pair["first"],
        second=pair["second"],
        elements=sorted({site.specie.symbol for each in (first, second) for site in each}),
        origins=[origin],
    )


@lru_cache(maxsize=64)
def _standard_pair(one: str, other: str) -> tuple[dict[str, Any], bool]:
    """Return what an alloy needs of two crystals, and whether they were exchanged.

    Kept, since all compositions of a system ask for the same.
    """
    from pymatgen.core.periodic_table import Element

    nowhere = Origin(source="", material_id="")
    crystals = [
        crystal_from_structure(bare_structure(json.loads(text)), nowhere) for text in (one, other)
    ]
    if crystals[0].space_group_number != crystals[1].space_group_number:
        raise RefusedError("its two crystals have different space groups")
    symbols = [set(crystal.elements) for crystal in crystals]
    own = [sorted(symbols[0] - symbols[1]), sorted(symbols[1] - symbols[0])]
    if len(own[0]) != 1 or len(own[1]) != 1:
        raise RefusedError("its two crystals do not differ in one element")
    masses = [float(Element(names[0]).atomic_mass) for names in own]
    turned = masses[0] > masses[1]
    if turned:
        crystals.reverse()
        own.reverse()
    first = crystals[0].content()
    second = _described_alike(first, crystals[1].content(), own[0][0], own[1][0])
    return {
        "ids": [crystal.candidate_id for crystal in crystals],
        "space_group_number": crystals[0].space_group_number,
        "first": first.as_dict(verbosity=0),
        "second": second.as_dict(verbosity=0),
    }, turned


def _described_alike(first: Structure, second: Structure, before: str, after: str) -> Structure:
    """Return the second crystal with lattice vectors and sites in the order of the first."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    exchanged = first.copy()
    exchanged.replace_species({before: after})
    if exchanged.reduced_formula == second.reduced_formula and len(first) == len(second):
        if _is_described_alike(exchanged, second):
            return second
        matcher = StructureMatcher(primitive_cell=False, scale=True, attempt_supercell=False)
        found = matcher.get_s2_like_s1(exchanged, second)
        if found is not None:
            ordered: Structure = found
            return ordered
    raise RefusedError(f"its two crystals are not isostructural, {before} in the place of {after}")


def _is_described_alike(one: Structure, other: Structure) -> bool:
    """Whether two cells have the same sites in one order and lattice vectors of one shape."""
    scale = (one.volume / other.volume) ** (1 / 3)
    vectors = one.lattice.matrix - scale * other.lattice.matrix
    steps = one.frac_coords - other.frac_coords
    return (
        [site.specie for site in one] == [site.specie for site in other]
        and float(np.abs(vectors).max()) < SAME_SITE * min(one.lattice.abc)
        and float(np.abs(steps - np.round(steps)).max()) < SAME_SITE
    )


def _mismatch(first: Structure, second: Structure) -> float:
    edges = [each.volume ** (1 / 3) for each in (first, second)]
    return round(float(abs(edges[1] - edges[0]) / np.mean(edges)), 6)


def alloy_feature_names() -> list[str]:
    """Return the names of the features."""
    return [*feature_names(), *ALLOY_FEATURES]


def describe_alloy(candidate: Candidate) -> list[float]:
    """Return features of both crystals, linear in the composition, and those of disorder."""
    from pymatgen.core.periodic_table import Element

    assert isinstance(candidate, Alloy)
    x = candidate.fraction
    ends = [
        np.array(_features_of(json.dumps(each, sort_keys=True)))
        for each in (candidate.first, candidate.second)
    ]
    light, heavy = (float(Element(name).atomic_mass) for name in candidate.content().exchanged)
    mean = (1 - x) * light + x * heavy
    disorder = float(np.sqrt(x * (1 - x))) * (heavy - light) / mean
    mismatch = x * (1 - x) * candidate.lattice_mismatch_fraction
    return [*((1 - x) * ends[0] + x * ends[1]).tolist(), disorder, mismatch]


@lru_cache(maxsize=256)
def _features_of(structure: str) -> tuple[float, ...]:
    return tuple(features(bare_structure(json.loads(structure))))


class AlloyFilters(CandidateFilters):
    """Which alloys a campaign looks at.

    Attributes
    ----------
    include_elements : list of str, optional
        The only elements allowed.
    max_sites : int
        Most atoms in the primitive cell.
    max_lattice_mismatch_fraction : float
        Largest difference of the lattices of both crystals: beyond 0.15 metals hardly mix (W.
        Hume-Rothery), and salts not even then.
    """

    include_elements: list[ElementSymbol] | None = None
    max_sites: int = Field(default=20, ge=1)
    max_lattice_mismatch_fraction: float = Field(default=0.15, gt=0)

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why an alloy stays out of the campaign; None lets it in."""
        assert isinstance(candidate, Alloy)
        if refused := elements_refusal(candidate.elements, self.include_elements, {}):
            return refused
        if candidate.n_sites > self.max_sites:
            text = f"it has {{sites}} atoms in the cell, more than max_sites = {self.max_sites}"
            return Refusal.of(text, sites=candidate.n_sites)
        if candidate.lattice_mismatch_fraction > self.max_lattice_mismatch_fraction:
            return Refusal.of(
                "the lattices of its two crystals differ by {mismatch}, more than "
                f"max_lattice_mismatch_fraction = {self.max_lattice_mismatch_fraction:g}",
                mismatch=f"{candidate.lattice_mismatch_fraction:.3f}",
            )
        return super().refusal(candidate)


ALLOY = CandidateKind(
    name="alloy",
    plural="alloys",
    help="Random alloys of two isostructural crystals that differ in one element.",
    model=Alloy,
    label_field="formula",
    facts=(
        Quantity("formula", "formula", ""),
        Quantity("system", "alloy of", ""),
        Quantity("fraction", "fraction of the second", ""),
        Quantity("space_group_number", "space group", ""),
        Quantity("lattice_mismatch_fraction", "lattice mismatch", ""),
    ),
    read=read_alloy,
    describe=describe_alloy,
    feature_names=alloy_feature_names,
    features_version=FEATURES_VERSION,
    filters=AlloyFilters,
    repeated=("system", "fraction", "elements", "n_sites"),
    chemical=True,
)
"""Random alloys as a kind of candidates."""
