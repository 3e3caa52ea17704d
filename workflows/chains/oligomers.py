"""From a repeat unit to oligomers whose atoms are ordered unit by unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.errors import CannotCompute

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray
    from rdkit import Chem

MOLECULE = "molecule"
"""Key, in the `info` of ASE's Atoms, of a molecule's bonds as a V3000 mol block."""


@dataclass(frozen=True)
class RepeatUnit:
    """A repeat unit with all its hydrogen, and the way it is joined to the next one.

    Attributes
    ----------
    smiles : str
        With two ``*``; the one that comes first in the text is the head.
    """

    smiles: str

    @cached_property
    def molecule(self) -> Chem.Mol:
        """With dummies at both ends and explicit hydrogen.

        Raises
        ------
        CannotCompute
            When the SMILES is no unit with two ends that single bonds join.
        """
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(self.smiles)
        if molecule is None:
            raise CannotCompute(f"'{self.smiles}' is no SMILES of a repeat unit")
        dummies = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
        if len(dummies) != 2 or any(atom.GetDegree() != 1 for atom in dummies):
            raise CannotCompute(f"'{self.smiles}' has not two ends, each marked by one *")
        if any(atom.GetBonds()[0].GetBondType() != Chem.BondType.SINGLE for atom in dummies):
            raise CannotCompute(f"'{self.smiles}' is not cut at a single bond")
        return Chem.AddHs(molecule)

    @cached_property
    def dummies(self) -> tuple[int, int]:
        """Indices, in `molecule`, of the dummies at head and tail."""
        head, tail = (atom.GetIdx() for atom in self.molecule.GetAtoms() if not atom.GetAtomicNum())
        return head, tail

    @cached_property
    def atoms(self) -> list[int]:
        """Indices, in `molecule`, of the atoms of the unit in their order."""
        return [index for index in range(self.molecule.GetNumAtoms()) if index not in self.dummies]

    @cached_property
    def ends(self) -> tuple[int, int]:
        """Places, in `atoms`, of the atoms at head and tail that bonds join to other units."""
        head, tail = (
            self.atoms.index(self.molecule.GetAtomWithIdx(dummy).GetNeighbors()[0].GetIdx())
            for dummy in self.dummies
        )
        return head, tail

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Atomic numbers, shape (atoms,)."""
        return np.array([self.molecule.GetAtomWithIdx(i).GetAtomicNum() for i in self.atoms])

    @cached_property
    def backbone_bonds(self) -> int:
        """Bonds on the shortest way from an atom to its like in the next unit."""
        from rdkit import Chem

        return len(Chem.GetShortestPath(self.molecule, *self.dummies)) - 2

    @cached_property
    def molar_mass_g_per_mol(self) -> float:
        """Of the unit, without its dummies."""
        return float(sum(self.molecule.GetAtomWithIdx(i).GetMass() for i in self.atoms))

    @cached_property
    def cap_fractions(self) -> tuple[float, float]:
        """Where hydrogen caps head and tail, as a fraction of the bond that it stands for.

        The ratio of sums of covalent radii, so that no bond is strained much.
        """
        from ase.data import covalent_radii

        head, tail = (covalent_radii[self.numbers[end]] for end in self.ends)
        hydrogen = covalent_radii[1]
        return (head + hydrogen) / (head + tail), (tail + hydrogen) / (head + tail)

    def oligomer(self, n_units: int) -> Chem.Mol:
        """Return a molecule of several units with hydrogen at its ends.

        Its atoms are those of the first unit in the order of `atoms`, of the second one, and so on,
        then the hydrogen at the head and that at the tail.
        """
        from rdkit import Chem

        head, tail = self.dummies
        combined: Any = None
        for place in range(n_units):
            copy = Chem.RWMol(self.molecule)
            for rank, index in enumerate([*self.atoms, head, tail]):
                copy.GetAtomWithIdx(index).SetIntProp("rank", place * len(self.atoms) + rank)
            for dummy, label, is_end in (
                (head, place, place == 0),
                (tail, place + 1, place == n_units - 1),
            ):
                atom = copy.GetAtomWithIdx(dummy)
                if is_end:
                    # In place: the order of bonds, to which handedness refers, stays.
                    atom.SetAtomicNum(1)
                    atom.SetIntProp("rank", n_units * len(self.atoms) + int(dummy == tail))
                    atom.SetNoImplicit(True)
                else:
                    atom.SetAtomMapNum(label)
            combined = copy if combined is None else Chem.CombineMols(combined, copy)
        joined: Any = Chem.molzip(combined) if n_units > 1 else combined
        ranks = [atom.GetIntProp("rank") for atom in joined.GetAtoms()]
        ordered = Chem.RenumberAtoms(Chem.Mol(joined), [int(i) for i in np.argsort(ranks)])
        Chem.SanitizeMol(ordered)
        return ordered


def as_atoms(molecule: Chem.Mol) -> Atoms:
    """Return a molecule as ASE's Atoms, at the origin, that know their bonds."""
    from ase import Atoms
    from rdkit import Chem

    bare: Any = Chem.Mol(molecule)
    bare.RemoveAllConformers()
    numbers = [atom.GetAtomicNum() for atom in bare.GetAtoms()]
    atoms = Atoms(numbers=numbers, positions=np.zeros((len(numbers), 3)))
    atoms.info[MOLECULE] = Chem.MolToV3KMolBlock(bare)
    return atoms
