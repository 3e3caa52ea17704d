"""Optimisation of a crystal in positions and cell, the same whatever cell describes the crystal.

BFGS on atoms and cell together needs one scale for lengths and strains.  With the scale here, which
grows with the square root of the number of atoms, a supercell takes the very steps of its primitive
cell, and a strain meets the curvature that an atom meets.  Steps and gradients on the way are
then a model of the crystal about its minimum: they tell how far the volume is from converged.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

FORCE_CONSTANT_EV_PER_A2 = 40.0
"""Curvature taken for an atom that moves, before anything is known of it."""
ELASTIC_CONSTANT_EV_PER_A3 = 0.6
"""The same for a strain: 96 GPa."""
SOFT_FORCE_CONSTANT_EV_PER_A2 = 5.0
SOFT_ELASTIC_CONSTANT_EV_PER_A3 = 0.125
"""The same of a soft crystal, 20 GPa: what the steps have not explored may be as soft."""
LARGEST_MOVE_A = 0.2
LARGEST_STRAIN = 0.04
"""In one step."""
LEAST_STEP_A = 1e-5
"""Shorter ones say more of the engine's noise than of curvature."""


class CrystalOptimizer(BFGS):
    """ASE's BFGS on the cell and the positions of a crystal, with a memory.

    Parameters
    ----------
    atoms
        With calculator and constraints.
    fixed_cell
        Whether only positions move.
    """

    def __init__(self, atoms: Atoms, *, fixed_cell: bool) -> None:
        self.crystal = atoms
        self.fixed_cell = fixed_cell
        self.volume_a3 = float(atoms.get_volume())
        curvature = self.volume_a3 * ELASTIC_CONSTANT_EV_PER_A3
        self.strain_length_a = float(np.sqrt(curvature / FORCE_CONSTANT_EV_PER_A2))
        # ASE takes filters for crystals.
        movable: Any = (
            atoms if fixed_cell else FrechetCellFilter(atoms, exp_cell_factor=self.strain_length_a)
        )
        self.path: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self.movable = movable
        super().__init__(movable, logfile=None, alpha=FORCE_CONSTANT_EV_PER_A2)

    def remember(self) -> None:
        """Add the present crystal to the path."""
        place = np.array(self.optimizable.get_x(), dtype=float).ravel()
        self.path.append((place, -np.array(self.movable.get_forces(), dtype=float).ravel()))

    def descend(self) -> None:
        """Take a step from the crystal that was remembered last."""
        place, gradient = self.path[-1]
        step, lengths = self.prepare_step(place, gradient)  # type: ignore[no-untyped-call]
        self.optimizable.set_x(place + self.determine_step(step, lengths))

    def determine_step(
        self, dpos: NDArray[np.float64], steplengths: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return a step, shortened where an atom or the cell would move too far.

        ASE's own limit would depend on the cell that describes the crystal.
        """
        rows = dpos.reshape(-1, 3)
        atoms = len(self.crystal)
        move_a = np.linalg.norm(rows[:atoms], axis=1).max()
        strain = np.linalg.norm(rows[atoms:]) / self.strain_length_a
        shorter: NDArray[np.float64] = dpos / max(
            1.0, move_a / LARGEST_MOVE_A, strain / LARGEST_STRAIN
        )
        return shorter

    def volume_error_fraction(self, stress_noise_ev_per_a3: float = 0.0) -> float:
        """Return a bound of the fraction by which the volume is not converged yet.

        From two models of the crystal about its minimum.  Both know the curvature along the steps
        that were taken; one takes a stiff crystal in all other directions and one a soft one.
        Twice the larger change of volume that they foresee, and, with the soft one, what all
        forces and stresses could do if none made up for another.

        Parameters
        ----------
        stress_noise_ev_per_a3
            A stress that the engine cannot tell from none.
        """
        atoms, length_a = len(self.crystal), self.strain_length_a
        gradient = self.path[-1][1]
        # Coordinates of the cell are the logarithm of its deformation times a length.
        dilation = np.zeros(gradient.size)
        dilation[3 * atoms :] = np.eye(3).ravel() / length_a
        changes = []
        for force_constant, elastic_constant in (
            (FORCE_CONSTANT_EV_PER_A2, ELASTIC_CONSTANT_EV_PER_A3),
            (SOFT_FORCE_CONSTANT_EV_PER_A2, SOFT_ELASTIC_CONSTANT_EV_PER_A3),
        ):
            strain = self.volume_a3 * elastic_constant / length_a**2
            curvature = np.concatenate([np.full(3 * atoms, force_constant), np.full(9, strain)])
            response = inverse_hessian(self.path, 1 / curvature) @ dilation
            changes.append(abs(float(response @ gradient)))
        # Norms of vectors and tensors, so that it is the same in every Cartesian frame.
        forces, responses = (vector[: 3 * atoms].reshape(-1, 3) for vector in (gradient, response))
        of_forces = np.linalg.norm(responses, axis=1) @ np.linalg.norm(forces, axis=1)
        noise = stress_noise_ev_per_a3 * self.volume_a3 / length_a
        stress = max(float(np.linalg.norm(gradient[3 * atoms :])), noise)
        of_stress = np.linalg.norm(response[3 * atoms :]) * stress
        return float(2 * max(changes) + of_forces + of_stress)


def inverse_hessian(
    path: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    diagonal: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the BFGS approximation of an inverse Hessian, shape (coordinates, coordinates).

    Parameters
    ----------
    path
        Places and gradients, each of shape (coordinates,).
    diagonal
        Of the first approximation.
    """
    inverse = np.diag(diagonal).astype(float)
    for (place, gradient), (next_place, next_gradient) in itertools.pairwise(path):
        step, change = next_place - place, next_gradient - gradient
        overlap = step @ change
        # Where the curvature is not positive there is no minimum to extrapolate to.
        if np.linalg.norm(step) < LEAST_STEP_A * np.sqrt(step.size) or overlap <= 0:
            continue
        image = inverse @ change
        inverse += np.outer(step, step) * (1 + change @ image / overlap) / overlap
        inverse -= (np.outer(image, step) + np.outer(step, image)) / overlap
    return inverse
