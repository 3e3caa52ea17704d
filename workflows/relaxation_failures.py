"""When a crystal is lost in relaxation: it flies apart, collapses, or is beyond its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

LARGEST_GROWTH = 2.0
LARGEST_SHRINKAGE = 3.0
"""Of the volume that a relaxation starts from.  A crystal that changes more has become another
one, or none."""
LARGEST_FORCE_EV_PER_A = 1000.0
CLOSEST_FRACTION = 0.5
"""Of the sum of covalent radii: atoms that are closer overlap."""
FARTHEST_NEIGHBOUR_A = 6.5
"""An atom without any other within this distance is a gas; the largest in a crystal is caesium's,
5.2 Å."""


def why_lost(atoms: Atoms, start_volume_a3: float) -> str:
    """Return how the geometry shows that a crystal is lost, empty where it does not.

    Parameters
    ----------
    start_volume_a3
        Of the cell before relaxation.
    """
    from ase.data import covalent_radii
    from pymatgen.core import Structure

    if not (np.isfinite(atoms.cell.array).all() and np.isfinite(atoms.positions).all()):
        return "its cell or positions are no numbers"
    growth = float(atoms.get_volume()) / start_volume_a3
    if growth > LARGEST_GROWTH:
        return f"the cell grew to {growth:.1f} times its volume"
    if growth * LARGEST_SHRINKAGE < 1:
        return f"the cell collapsed to {growth:.2f} times its volume"
    crystal = Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)
    first, second, _, distances_a = crystal.get_neighbor_list(FARTHEST_NEIGHBOUR_A)
    alone = sorted(set(range(len(atoms))) - set(np.asarray(first).tolist()))
    if alone:
        symbol = atoms.symbols[alone[0]]
        return f"a {symbol} atom has no other within {FARTHEST_NEIGHBOUR_A:.1f} Å"
    radii_a = covalent_radii[atoms.numbers]
    fractions = distances_a / (radii_a[first] + radii_a[second])
    closest = int(fractions.argmin())
    if fractions[closest] < CLOSEST_FRACTION:
        pair = f"{atoms.symbols[first[closest]]}-{atoms.symbols[second[closest]]}"
        return f"atoms fell onto each other: {pair} at {distances_a[closest]:.2f} Å"
    return ""


def why_out_of_domain(
    energy_ev: float, forces_ev_per_a: NDArray[np.float64], stress_gpa: NDArray[np.float64]
) -> str:
    """Return how an engine's answer shows that it cannot describe a crystal, empty where not."""
    if not np.isfinite(energy_ev):
        return f"the engine gives {energy_ev} for its energy"
    if not (np.isfinite(forces_ev_per_a).all() and np.isfinite(stress_gpa).all()):
        return "the engine gives forces or a stress that are no numbers"
    largest = float(np.linalg.norm(forces_ev_per_a, axis=1).max())
    if largest > LARGEST_FORCE_EV_PER_A:
        return f"an atom feels a force of {largest:.0f} eV/Å"
    return ""
