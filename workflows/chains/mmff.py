"""MMFF94 of RDKit as an ASE calculator.

T. A. Halgren, J. Comput. Chem. 17, 490 (1996); P. Tosco, N. Stiefl and G. Landrum, J. Cheminform.
6, 37 (2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.units import kcal, mol

from workflows.chains.oligomers import MOLECULE
from workflows.errors import CannotCompute, EngineError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray
    from rdkit import Chem

ELEMENTS = frozenset({"H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"})
"""Of MMFF94's covalent atom types."""
KCAL_PER_MOL_IN_EV = float(kcal / mol)
DISTANCE_DEPENDENT = 2
"""RDKit's number of this dielectric model; 1 is a constant.  With 0, which it takes without a word,
gradients do not belong to the energy."""


class MMFF94(Calculator):
    """Energies and forces of molecules whose bonds are known.

    The atoms' `info` has the bonds, as `workflows.chains.oligomers.as_atoms` puts them there: a
    force field of molecules cannot be had from positions alone.

    Parameters
    ----------
    distance_dependent_dielectric
        Whether charges are screened in proportion to their distance, as a stand-in for the matter
        around a molecule.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - as ASE has it

    def __init__(self, distance_dependent_dielectric: bool = False, **more: Any) -> None:
        super().__init__(**more)  # type: ignore[no-untyped-call]
        self._distance_dependent = distance_dependent_dielectric
        self._block: str | None = None
        self._field: Any = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: tuple[str, ...] = ("energy",),
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy and forces of the atoms.

        Raises
        ------
        EngineError
            When the atoms do not say how they are bonded.
        CannotCompute
            When the force field lacks parameters.
        """
        from rdkit import Chem

        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        present: Any = self.atoms
        block = present.info.get(MOLECULE)
        if block is None:
            raise EngineError("MMFF94 computes molecules whose bonds are known, and no crystals")
        if block != self._block:
            molecule = Chem.MolFromMolBlock(block, removeHs=False)
            self._field = ForceField(molecule, self._distance_dependent)
            self._block = block
        energy, gradient = self._field.energy_and_gradient(present.positions)
        self.results = {"energy": energy, "forces": -gradient}


class ForceField:
    """MMFF94 of one molecule.

    Parameters
    ----------
    molecule
        With explicit hydrogen.  Where it has a conformer, `field` moves that.
    distance_dependent_dielectric
        See `MMFF94`.

    Raises
    ------
    CannotCompute
        When there are no parameters for it.
    """

    def __init__(self, molecule: Chem.Mol, distance_dependent_dielectric: bool = False) -> None:
        from rdkit import Chem
        from rdkit.Chem import rdForceFieldHelpers

        reason = lacking(molecule)
        if reason is not None:
            raise CannotCompute(reason)
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
        if distance_dependent_dielectric:
            properties.SetMMFFDielectricModel(DISTANCE_DEPENDENT)
        # RDKit's field points into the molecule, and does not keep it alive.
        self.molecule: Any = molecule
        if not molecule.GetNumConformers():
            self.molecule = Chem.Mol(molecule)
            conformer = Chem.Conformer(molecule.GetNumAtoms())
            for index in range(molecule.GetNumAtoms()):
                conformer.SetAtomPosition(index, (float(index), 0.0, 0.0))
            self.molecule.AddConformer(conformer)
        self.field: Any = rdForceFieldHelpers.MMFFGetMoleculeForceField(
            self.molecule, properties, nonBondedThresh=1000.0
        )
        self.field.Initialize()

    def energy_and_gradient(
        self, positions: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the energy in eV, and the gradient in eV/Å in the shape of the positions."""
        listed = positions.ravel().tolist()
        # Before the gradient: that takes distances from the last call for an energy.
        energy = self.field.CalcEnergy(listed)
        gradient = np.array(self.field.CalcGrad(listed)).reshape(positions.shape)
        return energy * KCAL_PER_MOL_IN_EV, gradient * KCAL_PER_MOL_IN_EV


def lacking(molecule: Chem.Mol) -> str | None:
    """Return what of a molecule MMFF94 has no parameters for, in half a sentence, or None."""
    from rdkit import rdBase
    from rdkit.Chem import rdForceFieldHelpers

    with rdBase.BlockLogs():
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            return None
    symbols = {atom.GetSymbol() for atom in molecule.GetAtoms()}
    strange = sorted(symbols - ELEMENTS)
    if strange:
        return f"MMFF94 has no parameters for {', '.join(strange)}"
    return f"MMFF94 has no parameters for {', '.join(_strange_atoms(molecule))}"


def _strange_atoms(molecule: Chem.Mol) -> list[str]:
    """Return the atoms without a type of their own, each with its neighbours: ``N (C, C, S)``."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdForceFieldHelpers

    suspects, crowded = set(), set()
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 1:
            continue
        neighbours = sorted(each.GetSymbol() for each in atom.GetNeighbors())
        name = f"{atom.GetSymbol()} beside {', '.join(neighbours)}"
        # With carbon in its place the rest may have parameters: then this one lacks them.
        rest = Chem.RWMol(molecule)
        rest.ReplaceAtom(atom.GetIdx(), Chem.Atom("C"))
        with rdBase.BlockLogs():
            try:
                Chem.SanitizeMol(rest)
            except Chem.MolSanitizeException:
                crowded.add(name)
                continue
            if rdForceFieldHelpers.MMFFHasAllMoleculeParams(rest):
                suspects.add(name)
    return sorted(suspects) or sorted(crowded) or ["one of its atoms"]
