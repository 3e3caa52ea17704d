"""Groups of atoms by their names, in a molecule."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from screening.machine.shipped_configs import data_file, parse_yaml
from screening.molecules.polymer_smiles import matching

if TYPE_CHECKING:
    from rdkit import Chem


@cache
def group_smarts() -> dict[str, str]:
    """Return the SMARTS of each group; ``configs/chemical_groups.yaml`` explains them."""
    content: dict[str, dict[str, str]]
    content = parse_yaml(data_file("chemical_groups.yaml").read_text("utf-8"))
    return content["chemical_groups"]


def _known_group(name: str) -> str:
    if name not in group_smarts():
        known = ", ".join(sorted(group_smarts()))
        raise ValueError(f"'{name}' is no group; known: {known}")
    return name


GroupName = Annotated[str, AfterValidator(_known_group)]


def rings_by_themselves(molecule: Chem.Mol) -> Chem.Mol:
    """Return a molecule in which each ring alone decides whether it is aromatic.

    RDKit takes the anhydride and imide rings of pyromellitic compounds for aromatic, by the ten
    electrons of all three rings, and those of biphenyl compounds not: no SMARTS would find both.
    """
    from rdkit import Chem

    plain = Chem.Mol(molecule)
    Chem.Kekulize(plain, clearAromaticFlags=True)
    Chem.SetAromaticity(plain, Chem.AromaticityModel.AROMATICITY_SIMPLE)
    return plain


def atoms_of_group(molecule: Chem.Mol, name: str) -> list[int]:
    """Return the first atom of each group of that name, in a molecule of `rings_by_themselves`."""
    # As an environment of one atom: of a group that is alike both ways, both ends are found.
    return sorted(matching(molecule, f"[$({group_smarts()[name]})]"))
