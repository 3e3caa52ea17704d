"""Crystals as a kind of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.alloys.approximants import approximants
from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import SPACE_GROUP, Crystal, crystal_from_structure
from screening.candidates.crystal_features import FEATURES_VERSION, feature_names, features
from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.crystal_fingerprint import entry_digits
from screening.candidates.crystal_sanity import refuse_no_cell
from screening.candidates.kinds import CandidateKind
from screening.candidates.stated_facts import FACTS, contradiction, lost_symmetry
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
    if crystal.disordered_from is not None:
        # What is stated is about the disordered crystal, and was compared with that.
        return crystal
    number = crystal.space_group_number
    refusal = lost_symmetry(structure.properties.get(SPACE_GROUP), number) or contradiction(
        structure, origin.properties, number
    )
    if refusal is not None:
        raise RefusedError(refusal)
    return crystal


def elements_of(structure: Structure) -> frozenset[str] | None:
    """Return the elements of a structure, whatever their charges; None where reading has to tell.

    That is so of disordered crystals, whose approximants may lack a trace, and where something is
    no element.
    """
    from pymatgen.core.periodic_table import Element

    symbols = frozenset(species.symbol for species in structure.elements)
    plain = symbols and structure.is_ordered and all(map(Element.is_valid_symbol, symbols))
    return symbols if plain else None


def split_disordered(
    structure: Structure, facts: Mapping[str, Any]
) -> Sequence[tuple[Structure, dict[str, Any]]]:
    """Return the ordered approximants of a disordered crystal, or the ordered one as it is.

    Raises
    ------
    RefusedError
        When no approximant stands for it, or it is not what its source says.
    """
    if structure.is_ordered:
        return [(structure, {})]
    refuse_no_cell(structure)
    # An ordered approximant has less symmetry; what else is stated is about the whole crystal.
    stated = {key: fact for key, fact in facts.items() if key not in FACTS["space_group_number"]}
    if refusal := contradiction(structure, stated, 1):
        raise RefusedError(refusal)
    found = approximants(structure)
    digits = entry_digits(structure)
    name = structure.composition.element_composition.reduced_formula
    return [
        (
            approximant.structure,
            {
                "disordered_from": name,
                "disordered_id": digits,
                "approximant": number,
                "approximants": len(found),
                "approximant_method": approximant.method,
                "occupation_error": round(approximant.occupation_error, 6),
            },
        )
        for number, approximant in enumerate(found, start=1)
    ]


def describe_crystal(candidate: Candidate) -> list[float]:
    """Return the features of a crystal."""
    number = candidate.space_group_number if isinstance(candidate, Crystal) else None
    return features(candidate.content(), number)


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
    elements_of=elements_of,
    split=split_disordered,
    describe=describe_crystal,
    feature_names=feature_names,
    features_version=FEATURES_VERSION,
    filters=CrystalFilters,
    repeated=("space_group_number", "elements", "n_sites"),
    indexes=(("formula", "space_group_number"), ("elements",)),
    chemical=True,
    drawing="screening.views.crystal:draw",
)
