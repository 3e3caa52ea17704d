"""Polymers as candidates: what is stored of them, what filters ask, and how they are described."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from pydantic import ValidationError
from rdkit import Chem

from screening.candidates import backbone_numbers, mesogen_numbers
from screening.candidates.candidate import Origin
from screening.candidates.chemical_groups import atoms_of_group, group_smarts, rings_by_themselves
from screening.candidates.kinds import to_document
from screening.candidates.polymer import Monomer, StatedPolymer, read_polymer
from screening.candidates.polymer_features import feature_names, features
from screening.candidates.polymer_filters import PolymerFilters
from screening.views.polymer import draw

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
PMDA_PDA = "*c1ccc(N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)cc1"
NONANEDIOL_ESTER = "*c1ccc(N2C(=O)c3ccc(C(=O)OCCCCCCCCCOC(=O)c4ccc5C(=O)N(*)C(=O)c5c4)cc3C2=O)cc1"


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


@pytest.mark.parametrize("name", group_smarts())
def test_groups_are_valid(name):
    assert Chem.MolFromSmarts(group_smarts()[name]) is not None


@pytest.mark.parametrize(
    ("smiles", "group", "count"),
    [
        ("O=c1oc(=O)c2cc3c(=O)oc(=O)c3cc12", "cyclic_anhydride", 2),
        ("O=C1OC(=O)c2cc(-c3ccc4c(c3)C(=O)OC4=O)ccc21", "cyclic_anhydride", 2),
        (KAPTON, "imide", 2),
        ("Nc1ccc(NC(=O)c2ccc(N)cc2)cc1", "primary_amine", 2),
        ("NC(=O)c1ccc(N)cc1", "primary_amine", 1),
        ("Nc1ccccc1N", "ortho_diamine", 2),
        ("Nc1cccc2cccc(N)c12", "peri_diamine", 2),
        ("Nc1ccc(N)cc1", "ortho_diamine", 0),
        ("OCCO", "hydroxyl", 2),
        ("OC(=O)CO", "hydroxyl", 1),
        ("CC(C)(C)c1cc(C)cc(C(C)(C)C)c1O", "hindered_phenol", 1),
        ("Cc1cccc(C)c1O", "hindered_phenol", 0),
        ("O=[N+]([O-])c1ccccc1", "nitro", 1),
        ("Nc1nc(N)nc(C)n1", "aminotriazine", 2),
    ],
)
def test_groups_are_found_whatever_rdkit_takes_for_aromatic(smiles, group, count):
    molecule = rings_by_themselves(Chem.MolFromSmiles(smiles))
    assert len(atoms_of_group(molecule, group)) == count


def described(smiles):
    return dict(zip(feature_names(), features(polymer(smiles)), strict=True))


def test_features_tell_rods_from_chains_that_turn():
    rod, hinged, spaced = map(described, (PMDA_PDA, KAPTON, NONANEDIOL_ESTER))
    assert rod["backbone_rod"] == backbone_numbers.ENDLESS
    assert rod["backbone_hinges"] == rod["backbone_spacer"] == rod["backbone_bends"] == 0
    assert (hinged["backbone_rod"], hinged["hinges"]) == (15, 1)
    assert spaced["backbone_spacer"] == spaced["longest_alkyl"] == 9
    assert spaced["ester_fraction"] > 0
    meta = described(KAPTON.replace("*c1ccc(O", "*c1cccc(O").replace("cc2)cc1", "cc2)c1"))
    assert meta["backbone_bends"] > hinged["backbone_bends"] == 0


def test_numbers_of_a_liquid_crystal():
    # 4-cyano-4'-pentylbiphenyl, which is nematic at room temperature.
    molecule = Chem.MolFromSmiles("CCCCCc1ccc(-c2ccc(C#N)cc2)cc1")
    numbers = dict(
        zip(mesogen_numbers.NAMES, mesogen_numbers.mesogen_numbers(molecule), strict=True)
    )
    assert len(numbers) == 14
    assert (numbers["heavy_atoms"], numbers["rings"], numbers["longest_path"]) == (19, 2, 14)
    assert (numbers["straight_links"], numbers["bent_links"], numbers["hinges"]) == (2, 0, 0)
    assert (numbers["longest_alkyl"], numbers["beside_fraction"]) == (5, 0)
    bent = Chem.MolFromSmiles("CCCCCc1ccc(-c2cccc(C#N)c2)cc1")
    assert mesogen_numbers.mesogen_numbers(bent)[7] == 1


def test_numbers_of_the_backbone_do_not_depend_on_the_cut():
    for smiles in (KAPTON, NONANEDIOL_ESTER):
        unit = Chem.MolFromSmiles(smiles)
        other = Chem.MolFromSmiles(polymer(smiles).smiles)
        one, same = map(backbone_numbers.backbone_numbers, (unit, other))
        assert one == pytest.approx(same)


def test_it_is_drawn():
    view = draw(to_document(polymer(KAPTON, "Kapton")), {})
    assert "29 atoms" in view.caption
    root = ElementTree.fromstring(view.svg)
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 30
