"""Regular conformers of a chain: a random start, pulled straight, let go."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.chains.helix import Helix, helix_of_screw
from workflows.chains.minimum import loosely_relaxed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflows.chains.energy import ChainEnergy
    from workflows.chains.oligomers import RepeatUnit


TWISTS = (0.0, math.pi)
"""Of straight chains: neighbours in a crystal or an oriented film turn none of them otherwise."""
PULLING_STEPS, RELEASING_STEPS = 100, 150


def start_helix(unit: RepeatUnit, seed: int) -> Helix | None:
    """Return a helix from a random conformer of a few units; None where there is none.

    The conformer is that of distance geometry with torsions as in crystals (S. Riniker and G. A.
    Landrum, J. Chem. Inf. Model. 55, 2562 (2015)).  The screw carries the first unit's end to where
    the next unit is joined to it.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    atoms = len(unit.atoms)
    n_units = 2 if atoms > 12 else math.ceil(24 / atoms) + 1
    molecule = Chem.Mol(unit.oligomer(n_units))
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.useRandomCoords = True
    parameters.maxIterations = 20
    if rdDistGeom.EmbedMolecule(molecule, parameters) < 0:
        return None
    positions = np.array(molecule.GetConformer().GetPositions())
    middle = (n_units - 1) // 2
    first = positions[middle * atoms : (middle + 1) * atoms]
    second = positions[(middle + 1) * atoms : (middle + 2) * atoms]
    head, tail = unit.ends
    before = positions[-2] if middle == 0 else positions[(middle - 1) * atoms + tail]
    around = [
        unit.atoms.index(neighbour.GetIdx())
        for neighbour in unit.molecule.GetAtomWithIdx(unit.atoms[head]).GetNeighbors()
        if neighbour.GetIdx() not in unit.dummies
    ]
    kept = [head, *around]
    one = np.concatenate([[_along(first[head], before)], first[kept]])
    other = np.concatenate([[_along(second[head], first[tail])], second[kept]])
    if len(one) < 3:
        one, other = (np.concatenate([a, b]) for a, b in ((one, first), (other, second)))
    rotation, shift = _superposition(one, other)
    return helix_of_screw(first, rotation, shift)


def pulled(
    unit: RepeatUnit, energy: ChainEnergy, seed: int, tension_ev_per_a: float
) -> list[Helix]:
    """Return straight chains from a random conformer, one of each twist in `TWISTS`, none at rest.

    Under tension the chain passes over what keeps it folded, and then it is let go.
    """
    start = start_helix(unit, seed)
    if start is None:
        return []
    free = loosely_relaxed(energy, start, tension_ev_per_a, PULLING_STEPS, twists=True)
    found = []
    for twist in TWISTS:
        held = replace(free, twist=twist)
        held = loosely_relaxed(energy, held, tension_ev_per_a, PULLING_STEPS, twists=False)
        found.append(loosely_relaxed(energy, held, 0.0, RELEASING_STEPS, twists=False))
    return found


def _along(origin: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point in a direction that is 1 Å away."""
    step = to - origin
    return origin + step / np.linalg.norm(step)


def _superposition(
    points: NDArray[np.float64], onto: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rotation and shift that bring points onto others, by least squares.

    W. Kabsch, Acta Cryst. A 32, 922 (1976).
    """
    from scipy.spatial.transform import Rotation

    centre, other = points.mean(axis=0), onto.mean(axis=0)
    rotation = Rotation.align_vectors(onto - other, points - centre)[0].as_matrix()
    return rotation, other - rotation @ centre
