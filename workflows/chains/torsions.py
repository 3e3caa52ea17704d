"""Energy of a chain about the bonds of its backbone that turn: relaxed scans of fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.chains.mmff import ForceField

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit import Chem

REACH_BONDS = 2
"""A fragment has all atoms within so many bonds of the one that turns, and all of their rings."""
HELD_KCAL_PER_MOL_DEG2 = 10.0
MINIMISER_STEPS = 500


@dataclass(frozen=True)
class TurningBond:
    """A bond of a molecule about which the chain turns.

    Attributes
    ----------
    atoms : tuple of int
        Four indices: an atom before the bond, its two atoms in the direction from head to tail,
        and an atom behind it.
    """

    atoms: tuple[int, int, int, int]


@dataclass(frozen=True)
class Profile:
    """Energy against the angle of a torsion.

    Attributes
    ----------
    angles_deg : ndarray of shape (points,)
        Evenly over the circle.
    energies_ev : ndarray of shape (points,)
        Above the lowest one.
    """

    angles_deg: NDArray[np.float64]
    energies_ev: NDArray[np.float64]

    def mean_rotation(
        self, axis: NDArray[np.float64], reference_deg: float, temperature_k: float
    ) -> NDArray[np.float64]:
        """Return the mean of turns about an axis, away from a reference angle, shape (3, 3)."""
        from ase.units import kB

        weights = np.exp(-self.energies_ev / (kB * temperature_k))
        angles = np.radians(self.angles_deg - reference_deg)
        cosine = float(weights @ np.cos(angles) / weights.sum())
        sine = float(weights @ np.sin(angles) / weights.sum())
        along = np.outer(axis, axis)
        return along + cosine * (np.eye(3) - along) + sine * crossing(axis)


def crossing(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of the vector product with a vector, shape (3, 3)."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def scanned(
    molecule: Chem.Mol, bond: TurningBond, positions: NDArray[np.float64], n_points: int
) -> Profile:
    """Return the energy of a fragment around a bond, relaxed at each angle.

    MMFF94 with a dielectric in proportion to the distance: in the vacuum dipoles of neighbouring
    groups would hold the chain as no neighbours do in matter.

    Parameters
    ----------
    molecule
        With explicit hydrogen.
    positions
        Of its atoms, shape (atoms, 3), in Å.
    """
    from rdkit.Chem import rdMolTransforms

    fragment, atoms = fragment_around(molecule, bond, positions)
    free = ForceField(fragment, distance_dependent_dielectric=True)
    conformer: Any = fragment.GetConformer()
    free.field.Minimize(maxIts=MINIMISER_STEPS)
    angles: NDArray[np.float64] = -180.0 + 360.0 / n_points * np.arange(n_points, dtype=np.float64)
    energies = np.full(n_points, np.inf)
    present = rdMolTransforms.GetDihedralDeg(conformer, *atoms)
    start = int(np.argmin(abs(_wrapped(angles - present))))
    placed = np.array(conformer.GetPositions())
    turn_to: Any = rdMolTransforms.SetDihedralDeg
    # Both ways round the circle, as each point begins where its neighbour ended.
    for direction in (1, -1):
        _place(conformer, placed)
        for shift in range(n_points):
            index = (start + direction * shift) % n_points
            turn_to(conformer, *atoms, float(angles[index]))
            energies[index] = min(energies[index], _held_energy(fragment, atoms, angles[index]))
    return Profile(angles, energies - energies.min())


def fragment_around(
    molecule: Chem.Mol, bond: TurningBond, positions: NDArray[np.float64]
) -> tuple[Chem.Mol, tuple[int, ...]]:
    """Return the surroundings of a bond, capped by hydrogen, and the torsion's atoms in them."""
    from rdkit import Chem

    kept = _surroundings(molecule, bond)
    fragment = Chem.RWMol(molecule)
    fragment.RemoveAllConformers()
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    for index, position in enumerate(positions):
        conformer.SetAtomPosition(index, position.tolist())
    caps = set()
    for index in kept:
        for neighbour in molecule.GetAtomWithIdx(index).GetNeighbors():
            outside = neighbour.GetIdx()
            if outside in kept or neighbour.GetAtomicNum() == 1:
                continue
            atom = fragment.GetAtomWithIdx(outside)
            atom.SetAtomicNum(1)
            atom.SetIsAromatic(False)
            step = positions[outside] - positions[index]
            place = positions[index] + step * (1.05 / np.linalg.norm(step))
            conformer.SetAtomPosition(outside, place.tolist())
            caps.add(outside)
    hydrogen = {
        neighbour.GetIdx()
        for index in kept
        for neighbour in molecule.GetAtomWithIdx(index).GetNeighbors()
        if neighbour.GetAtomicNum() == 1
    }
    everything = kept | caps | hydrogen
    for one in caps:
        for other in [atom.GetIdx() for atom in fragment.GetAtomWithIdx(one).GetNeighbors()]:
            if other not in kept:
                fragment.RemoveBond(one, other)
    fragment.AddConformer(conformer)
    order = sorted(everything)
    for index in sorted(set(range(molecule.GetNumAtoms())) - everything, reverse=True):
        fragment.RemoveAtom(index)
    Chem.SanitizeMol(fragment)
    return fragment.GetMol(), tuple(order.index(index) for index in bond.atoms)


def _surroundings(molecule: Chem.Mol, bond: TurningBond) -> set[int]:
    """Return the atoms besides hydrogen of a fragment around a bond."""
    from rdkit import Chem

    distances = Chem.GetDistanceMatrix(molecule)
    near = distances[list(bond.atoms[1:3])].min(axis=0)
    kept = {
        index
        for index in range(molecule.GetNumAtoms())
        if near[index] <= REACH_BONDS and molecule.GetAtomWithIdx(index).GetAtomicNum() > 1
    }
    kept |= {*bond.atoms} - {
        index for index in bond.atoms if molecule.GetAtomWithIdx(index).GetAtomicNum() == 1
    }
    rings = [set(ring) for ring in molecule.GetRingInfo().AtomRings()]
    grown = True
    while grown:
        grown = False
        for ring in rings:
            if ring & kept and not ring <= kept:
                kept |= ring
                grown = True
        for each in molecule.GetBonds():
            ends = {each.GetBeginAtomIdx(), each.GetEndAtomIdx()}
            if each.GetBondType() != Chem.BondType.SINGLE and len(ends & kept) == 1:
                kept |= ends
                grown = True
    return kept


def _held_energy(fragment: Chem.Mol, atoms: tuple[int, ...], angle_deg: float) -> float:
    """Return the energy, in eV, relaxed from where the fragment is, and move it there."""
    held = ForceField(fragment, distance_dependent_dielectric=True)
    held.field.MMFFAddTorsionConstraint(*atoms, False, angle_deg, angle_deg, HELD_KCAL_PER_MOL_DEG2)
    held.field.Minimize(maxIts=MINIMISER_STEPS)
    free = ForceField(fragment, distance_dependent_dielectric=True)
    positions = np.array(fragment.GetConformer().GetPositions())
    return free.energy_and_gradient(positions)[0]


def _place(conformer: Any, positions: NDArray[np.float64]) -> None:
    for index, position in enumerate(positions):
        conformer.SetAtomPosition(index, position.tolist())


def _wrapped(angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    return (angles_deg + 180.0) % 360.0 - 180.0
