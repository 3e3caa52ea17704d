"""Polymers as a kind of candidates."""

from __future__ import annotations

from screening.candidates.candidate import Candidate
from screening.candidates.kinds import CandidateKind
from screening.candidates.polymer import Polymer, read_polymer
from screening.candidates.polymer_filters import PolymerFilters
from screening.messages.quantities import Quantity
from screening.molecules.polymer_features import FEATURES_VERSION, feature_names, features


def describe_polymer(candidate: Candidate) -> list[float]:
    """Return the features of a polymer."""
    assert isinstance(candidate, Polymer)
    return features(candidate.smiles)


POLYMER = CandidateKind(
    name="polymer",
    plural="polymers",
    help="Chains of one repeat unit, with the monomers that they are made of where known.",
    model=Polymer,
    label_field="name",
    facts=(
        Quantity("name", "polymer", ""),
        Quantity("formula", "repeat unit", ""),
        Quantity("molar_mass_g_per_mol", "molar mass", "g/mol"),
        Quantity("synthesis_steps", "steps to the monomers", ""),
        Quantity("monomer_sa_score", "SA score of the monomers", ""),
    ),
    read=read_polymer,
    describe=describe_polymer,
    feature_names=feature_names,
    features_version=FEATURES_VERSION,
    filters=PolymerFilters,
    repeated=("formula", "smiles"),
    indexes=(("name",),),
    drawing="screening.views.polymer:draw",
)
