"""How the pieces of a chain between bonds that turn bend with heat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.chains.mmff import ForceField
from workflows.chains.torsions import TurningBond, crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rdkit import Chem

STEP_A = 0.005
LEAST_CURVATURE_EV_PER_A2 = 1e-2
"""Softer modes are turns about bonds and rigid motions, which bend nothing."""


def flexibility(molecule: Chem.Mol, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pseudo-inverse of a molecule's Hessian, shape (3 atoms, 3 atoms), in Å²/eV.

    MMFF94 at the given positions, relaxed.
    """
    field = ForceField(molecule, distance_dependent_dielectric=True)
    centre = np.asarray(positions).ravel()
    rows = np.zeros((len(centre), len(centre)))
    for index in range(len(centre)):
        for sign in (1, -1):
            moved = centre.copy()
            moved[index] += sign * STEP_A
            rows[index] += sign * field.energy_and_gradient(moved)[1] / (2 * STEP_A)
    second = 0.5 * (rows + rows.T)
    values, vectors = np.linalg.eigh(second)
    stiff = values > LEAST_CURVATURE_EV_PER_A2
    return np.asarray((vectors[:, stiff] / values[stiff]) @ vectors[:, stiff].T)


def bending_covariance(
    molecule: Chem.Mol,
    positions: NDArray[np.float64],
    flexible: NDArray[np.float64],
    bonds: Sequence[TurningBond],
    temperature_k: float,
) -> NDArray[np.float64]:
    """Return the covariance of the rotation of one bond that turns relative to the one before.

    Shape (3, 3), in rad².  Turns about either bond are no part of it.

    Parameters
    ----------
    flexible
        What `flexibility` returns at these positions.
    bonds
        Two, one behind the other.
    """
    from ase.units import kB

    centre = np.asarray(positions)
    third = _third_atom(molecule, bonds)
    atoms = sorted({*bonds[0].atoms[1:3], *bonds[1].atoms[1:3], third})
    derivative = np.zeros((3, centre.size))
    axis = _direction(centre, bonds[1])
    for atom in atoms:
        for component in range(3):
            turned = np.zeros(3)
            for sign in (1, -1):
                moved = centre.copy()
                moved[atom, component] += sign * STEP_A
                local = _in_frame(moved, bonds, third)
                turned += sign * local / (2 * STEP_A)
            derivative[:, 3 * atom + component] = turned
    frame = _frame(centre, bonds[0], third)
    first = frame.T @ derivative
    if third == bonds[0].atoms[0]:
        # Only the angle between the two bonds: what is left is the turn about the first one.
        normal = np.cross(_direction(centre, bonds[0]), axis)
        size = float(np.linalg.norm(normal))
        in_plane = np.cross(normal / size, axis) if size > 1e-3 else np.zeros(3)
        first = np.outer(in_plane, in_plane) @ first
    rotation = crossing(axis) @ first
    return np.asarray(kB * temperature_k * rotation @ flexible @ rotation.T)


def _third_atom(molecule: Chem.Mol, bonds: Sequence[TurningBond]) -> int:
    """Return an atom that shows how the piece between two bonds is turned about the first one."""
    before, start = bonds[0].atoms[1:3]
    on_the_way = bonds[1].atoms[2]
    for neighbour in molecule.GetAtomWithIdx(start).GetNeighbors():
        if neighbour.GetIdx() not in (before, on_the_way):
            return int(neighbour.GetIdx())
    return bonds[0].atoms[0]


def _direction(positions: NDArray[np.float64], bond: TurningBond) -> NDArray[np.float64]:
    step = positions[bond.atoms[2]] - positions[bond.atoms[1]]
    return np.asarray(step / np.linalg.norm(step))


def _frame(positions: NDArray[np.float64], bond: TurningBond, third: int) -> NDArray[np.float64]:
    """Return the axes, as rows, that the first bond and a third atom span."""
    along = _direction(positions, bond)
    side = positions[third] - positions[bond.atoms[2]]
    side = side - (side @ along) * along
    side /= np.linalg.norm(side)
    return np.array([along, side, np.cross(along, side)])


def _in_frame(
    positions: NDArray[np.float64], bonds: Sequence[TurningBond], third: int
) -> NDArray[np.float64]:
    """Return the direction of the second bond, seen from the first one."""
    return np.asarray(_frame(positions, bonds[0], third) @ _direction(positions, bonds[1]))
