"""Crystals as a kind of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import SPACE_GROUP, Crystal, crystal_from_structure
from screening.candidates.crystal_features import FEATURES_VERSION, feature_names, features
from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.kinds import CandidateKind
from screening.candidates.stated_facts import contradiction, lost_symmetry
from screening.messages.quantities import Quantity
from screening.messages.refusal import RefusedError

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure


def read_crystal(structure: Structure, origin: Origin) -> Crystal:
    """Return the crystal of a structure that fits what its source states about it.

    Raises
    ------
    RefusedError
        When no calculation can start from it, or it is not what its source says.
    """
    crystal = crystal_from_structure(structure, origin)
    number = crystal.space_group_number
    refusal = lost_symmetry(structure.properties.get(SPACE_GROUP), number) or contradiction(
        structure, origin.properties, number
    )
    if refusal is not None:
        raise RefusedError(refusal)
    return crystal


def describe_crystal(candidate: Candidate) -> list[float]:
    """Return the features of a crystal."""
    return features(candidate.content())


CRYSTAL = CandidateKind(
    name="crystal",
    plural="crystals",
    help="Ordered crystals, given by their primitive cells.",
    model=Crystal,
    label_field="formula",
    facts=(
        Quantity("formula", "formula", ""),
        Quantity("space_group_number", "space group", ""),
    ),
    read=read_crystal,
    describe=describe_crystal,
    feature_names=feature_names,
    features_version=FEATURES_VERSION,
    filters=CrystalFilters,
    repeated=("space_group_number", "elements", "n_sites"),
    indexes=(("formula", "space_group_number"), ("elements",)),
    chemical=True,
    drawing="screening.views.crystal:draw",
)
