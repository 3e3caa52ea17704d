"""Numbers that describe molecules and polymers."""

import pytest
from rdkit import Chem

from screening.molecules import backbone_numbers, mesogen_numbers
from screening.molecules.polymer_features import feature_names, features
from screening.molecules.polymer_unit import canonical_smiles

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
PMDA_PDA = "*c1ccc(N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)cc1"
NONANEDIOL_ESTER = "*c1ccc(N2C(=O)c3ccc(C(=O)OCCCCCCCCCOC(=O)c4ccc5C(=O)N(*)C(=O)c5c4)cc3C2=O)cc1"


def described(smiles):
    return dict(zip(feature_names(), features(canonical_smiles(smiles)), strict=True))


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
        other = Chem.MolFromSmiles(canonical_smiles(smiles))
        one, same = map(backbone_numbers.backbone_numbers, (unit, other))
        assert one == pytest.approx(same)


@pytest.mark.parametrize(
    ("smiles", "rings", "sharp"),
    [
        # The ester bond that the chain is cut at stays planar: nothing breaks these rods.
        ("*Oc1ccc(C(*)=O)cc1", backbone_numbers.ENDLESS_RINGS, 0),
        ("*OCCOC(=O)c1ccc(C(*)=O)cc1", 1, 0),
        ("*OCCCCOC(=O)c1ccc(-c2ccc(C(*)=O)cc2)cc1", 2, 0),
        ("*c1ccc(Oc2ccc(C(*)=O)cc2)cc1", 1, 0),
        ("*c1ccc(Cc2ccc(C(*)=O)cc2)cc1", 1, 1),
        # C9 of a fluorene is a hinge although it stands in a ring.
        ("*c1ccc(C2(c3ccc(C(*)=O)cc3)c3ccccc3-c3ccccc32)cc1", 1, 1),
    ],
)
def test_rods_are_known_by_their_rings_and_hinges_by_their_angle(smiles, rings, sharp):
    numbers = described(smiles)
    assert numbers["backbone_rod_rings"] == rings
    assert numbers["backbone_sharp_hinges"] * numbers["backbone_atoms"] == pytest.approx(sharp)
