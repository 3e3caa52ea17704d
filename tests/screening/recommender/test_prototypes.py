from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from screening.recommender.compositions import of_formulas
from screening.recommender.known import KnownList
from screening.recommender.likeness import learnt_likeness
from screening.recommender.prototypes import Library, prototype_of
from screening.recommender.volume import at_predicted_volume


def perovskite(a: str, b: str, x: str, edge: float) -> Structure:
    return Structure(
        Lattice.cubic(edge),
        [a, b, x, x, x],
        [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )


def rocksalt_order(a: str, b: str, x: str) -> Structure:
    """α-NaFeO2."""
    lattice = Lattice.hexagonal(3.0, 16.1)
    return Structure.from_spacegroup(
        "R-3m", lattice, [a, b, x], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.266]]
    )


@pytest.fixture(scope="module")
def library() -> Library:
    crystals = [
        perovskite("Sr", "Ti", "O", 3.9),
        perovskite("Cs", "Pb", "Br", 5.9),
        rocksalt_order("Na", "Fe", "O"),
        Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
        ),
    ]
    return Library(filter(None, map(prototype_of, crystals)))


@pytest.fixture(scope="module")
def likeness():
    formulas = [
        *({a: 1, b: 1, "O": 3} for a in ("Ca", "Sr", "Ba") for b in ("Ti", "Zr", "Hf")),
        *({a: 1, b: 1, "O": 2} for a in ("Li", "Na", "K") for b in ("Fe", "Cr", "Al")),
    ]
    return learnt_likeness(KnownList("made up", formulas, np.zeros(len(formulas), np.int16)))


def test_a_label_depends_on_neither_cell_nor_scale():
    crystal = perovskite("Sr", "Ti", "O", 3.9)
    larger = crystal.make_supercell([2, 1, 1], in_place=False)
    larger.scale_lattice(2.2 * larger.volume)
    shifted = crystal.copy().translate_sites([0, 1, 2, 3, 4], [0.1, 0.2, 0.3])
    labels = {prototype_of(each).label for each in (crystal, larger, shifted)}
    assert len(labels) == 1
    assert prototype_of(rocksalt_order("Na", "Fe", "O")).label not in labels


def test_the_large_cation_of_a_perovskite_keeps_its_place():
    for one in (perovskite("Sr", "Ti", "O", 3.9), perovskite("Ba", "Ag", "F", 4.4)):
        found = prototype_of(one)
        assert found.members[0][:2] == (str(one[0].specie), str(one[1].specie))


def test_a_substituted_crystal_is_of_its_prototype(library, likeness):
    asked, _ = of_formulas([{"Ba": 1, "Hf": 1, "O": 3}], 3)
    first = library.proposals(asked, likeness, 5)[0]
    assert first.parent == "O3SrTi"
    assert first.elements == ("Ba", "Hf", "O")
    made = at_predicted_volume(first)
    assert prototype_of(made).label == first.prototype.label
    assert StructureMatcher().fit(made, perovskite("Ba", "Hf", "O", 4.2))
    assert 50 < made.volume < 100


def test_nothing_is_proposed_where_nothing_has_the_coefficients(library, likeness):
    asked, _ = of_formulas([{"Ba": 2, "Hf": 5, "O": 12}], 3)
    assert library.proposals(asked, likeness, 5) == []


def test_members_that_are_not_known_do_not_vote(library, likeness):
    old = library.known_in({frozenset({("Na", 1), ("Fe", 1), ("O", 2)})})
    assert len(old) == 1
    asked, _ = of_formulas([{"K": 1, "Cr": 1, "O": 2}], 3)
    (proposal,) = old.proposals(asked, likeness, 5)[:1]
    takes = dict(zip(proposal.prototype.members[0], proposal.elements, strict=True))
    assert takes == {"Na": "K", "Fe": "Cr", "O": "O"}
