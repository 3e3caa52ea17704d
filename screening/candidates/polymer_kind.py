"""Polymers as a kind of candidates."""

from __future__ import annotations

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.kinds import CandidateKind
from screening.candidates.polymer import Polymer, StatedPolymer, read_polymer
from screening.candidates.polymer_filters import PolymerFilters
from screening.learned import glass_conductivity, polymer_classifier
from screening.learned.glass_conductivity import glass_facts
from screening.learned.polymer_classifier import learned_facts
from screening.messages.quantities import Quantity
from screening.molecules.polymer_features import FEATURES_VERSION, feature_names, features

VERSION = 100 * FEATURES_VERSION + 10 * glass_conductivity.VERSION + polymer_classifier.VERSION
"""Of features and of what is learned from them."""


def read_described(content: StatedPolymer | str, origin: Origin) -> Candidate:
    """Return the polymer of a repeat unit, with its features and what is learned from them."""
    polymer = read_polymer(content, origin)
    found = features(polymer.smiles)
    described = {"features": found, "features_version": VERSION}
    learned = learned_facts(found) | glass_facts(found)
    return polymer.model_copy(update=described | learned)


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
        Quantity("probability_liquid_crystalline", "P(liquid-crystalline)", ""),
        Quantity("liquid_crystal_set", "liquid-crystalline, 90 % set", ""),
        Quantity("nearest_known", "nearest labelled polymer", ""),
        Quantity("glass_kappa_300k_w_per_m_k", "κ of the glass, learned", "W/m/K"),
    ),
    read=read_described,
    describe=describe_polymer,
    feature_names=feature_names,
    features_version=VERSION,
    filters=PolymerFilters,
    repeated=(
        "formula",
        "smiles",
        "probability_liquid_crystalline",
        "glass_kappa_300k_w_per_m_k",
        "glass_kappa_300k_log10_std",
    ),
    indexes=(("name",),),
    drawing="screening.views.polymer:draw",
)
