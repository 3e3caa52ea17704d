"""Groups of atoms by their names."""

import pytest
from rdkit import Chem

from screening.molecules.chemical_groups import atoms_of_group, group_smarts, rings_by_themselves

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"


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
