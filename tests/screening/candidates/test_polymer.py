"""Polymers as candidates: what is stored of them, and what filters ask."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from pydantic import ValidationError

from screening.candidates.candidate import Origin
from screening.candidates.kinds import to_document
from screening.candidates.polymer import Monomer, StatedPolymer, read_polymer
from screening.candidates.polymer_filters import PolymerFilters
from screening.views.polymer import draw

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"


def polymer(smiles, name="", monomers=()):
    stated = StatedPolymer(smiles, name, monomers)
    return read_polymer(stated, Origin(source="here", material_id="a"))


def monomer(**facts):
    return Monomer(role="diamine", name="ODA", smiles="Nc1ccc(Oc2ccc(N)cc2)cc1", **facts)


def test_facts_are_those_of_the_repeat_unit():
    kapton = polymer(KAPTON, "Kapton")
    assert kapton.formula == "C22H10N2O5"
    assert kapton.candidate_id == f"C22H10N2O5-{kapton.fingerprint}"
    assert kapton.molar_mass_g_per_mol == pytest.approx(382.33, abs=0.01)
    assert kapton.n_heavy_atoms == 29
    assert kapton.elements == ["C", "H", "N", "O"]
    assert (kapton.label, kapton.content()) == ("Kapton", kapton.smiles)
    assert kapton.summary == "Kapton, C22H10N2O5, 382.3 g/mol in a repeat unit"
    assert polymer(KAPTON).label == "C22H10N2O5"
    # Of a multiple of the unit they are the same.
    assert polymer("*CCCC*").molar_mass_g_per_mol == polymer("*C*").molar_mass_g_per_mol


def test_tacticity_is_left_out_with_a_note():
    assert polymer("*O[C@@H](C)C(=O)*").origins[0].note == "its tacticity is left out"
    assert polymer("*OC(C)C(=O)*").origins[0].note == ""
    assert polymer("*O[C@H]1CC[C@H](CC1)C*").origins[0].note == ""


def test_synthesis_is_that_of_all_monomers():
    bought = monomer(n_steps=0, sa_score=1.5, buyable=True, symmetric=True)
    made = monomer(n_steps=2, sa_score=3.0, buyable=True, symmetric=False)
    both = polymer(KAPTON, "", (bought, made))
    assert (both.synthesis_steps, both.monomer_sa_score) == (2, 3.0)
    assert (both.buyable, both.regular) == (True, False)
    unknown = polymer(KAPTON, "", (bought, monomer()))
    assert (unknown.synthesis_steps, unknown.monomer_sa_score, unknown.buyable) == (0, None, None)
    assert polymer(KAPTON).synthesis_steps is None


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"include_elements": ["C", "H", "N"]}, "it contains O, not among include_elements"),
        ({"exclude_elements": ["N"]}, "it contains N, among exclude_elements"),
        ({"max_heavy_atoms": 20}, "it has 29 atoms besides hydrogen in the repeat unit, more than"),
        ({"min_heavy_atoms": 30}, "fewer than min_heavy_atoms = 30"),
        ({"max_molar_mass_g_per_mol": 300}, "weighs 382.3 g/mol, more than"),
        ({"require_groups": ["ester", "imide"]}, "it lacks ester of require_groups"),
        ({"exclude_groups": ["ether", "nitro"]}, "it contains ether, among exclude_groups"),
        ({"max_synthesis_steps": 3}, "its synthesis_steps is not known"),
        ({"buyable": True}, "its buyable is not known"),
    ],
)
def test_filters_say_why(asked, reason):
    assert reason in str(PolymerFilters(**asked).refusal(polymer(KAPTON)))


def test_filters_of_synthesis():
    made = polymer(KAPTON, "", (monomer(n_steps=2, sa_score=3, buyable=False, symmetric=False),))
    for asked, reason in (
        ({"max_synthesis_steps": 1}, "its synthesis_steps is 2, above max_synthesis_steps = 1"),
        ({"max_monomer_sa_score": 2.5}, "its monomer_sa_score is 3, above"),
        ({"buyable": True}, "not stated to be buyable"),
        ({"regular": True}, "either way round"),
    ):
        assert reason in str(PolymerFilters(**asked).refusal(made))
    assert PolymerFilters(max_synthesis_steps=2, max_monomer_sa_score=3).refusal(made) is None
    assert PolymerFilters(buyable=True, where_unknown="keep").refusal(polymer(KAPTON)) is None
    fits = {
        "require_groups": ["imide", "ether"],
        "exclude_groups": ["ester"],
        "max_heavy_atoms": 29,
    }
    assert PolymerFilters(**fits).refusal(polymer(KAPTON)) is None


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"exclude_groups": ["imid"]}, "'imid' is no group; known: "),
        ({"exclude_elements": ["Xx"]}, "not the symbol of an element"),
        ({"min_heavy_atoms": 9, "max_heavy_atoms": 8}, "above max_heavy_atoms 8"),
        ({"require_groups": ["imide"], "exclude_groups": ["imide"]}, "both name imide"),
        ({"include_elements": ["C"], "exclude_elements": ["C"]}, "all of include_elements"),
    ],
)
def test_filters_that_nothing_passes_are_errors(asked, reason):
    with pytest.raises(ValidationError, match=reason):
        PolymerFilters(**asked)


def test_it_is_drawn():
    view = draw(to_document(polymer(KAPTON, "Kapton")), {})
    assert "29 atoms" in view.caption
    root = ElementTree.fromstring(view.svg)
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 30
