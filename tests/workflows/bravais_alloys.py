"""Small alloys of metals that effective-medium theory knows, one for each Bravais lattice."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation


def of_group(group, lattice, species, positions):
    return Structure.from_spacegroup(group, lattice, species, positions).get_primitive_structure()


BRAVAIS = {
    "aP": Structure(
        Lattice.from_parameters(2.7, 4.5, 5.0, 84, 79, 73),
        ["Cu", "Au", "Ag"],
        [[0, 0, 0], [0.45, 0.35, 0.62], [0.1, 0.68, 0.3]],
    ),
    "mP": of_group(
        "P2/m", Lattice.monoclinic(2.8, 2.7, 4.1, 95), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ),
    "mC": of_group(
        "C2/m",
        Lattice.monoclinic(4.6, 2.75, 8.1, 98),
        ["Cu", "Pd"],
        [[0, 0, 0], [0.45, 0, 0.32]],
    ),
    "oP": of_group(
        "Pmmm", Lattice.orthorhombic(2.7, 2.9, 3.9), ["Ag", "Pd"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ),
    "oC": of_group(
        "Cmmm", Lattice.orthorhombic(4.0, 8.1, 2.85), ["Au", "Cu"], [[0, 0.15, 0], [0, 0.38, 0.5]]
    ),
    "oI": of_group(
        "Immm",
        Lattice.orthorhombic(2.75, 8.2, 3.9),
        ["Ni", "Pt"],
        [[0, 0, 0], [0, 0.34, 0]],
    ),
    "oF": of_group(
        "Fmmm", Lattice.orthorhombic(5.2, 5.6, 5.9), ["Al", "Pt"], [[0, 0, 0], [0, 0, 0.5]]
    ),
    "tP": of_group(
        "P4/mmm", Lattice.tetragonal(2.8, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ),
    "tI": of_group(
        "I4/mmm", Lattice.tetragonal(2.8, 11.0), ["Cu", "Au"], [[0, 0, 0], [0, 0, 0.34]]
    ),
    "hR": of_group("R-3m", Lattice.hexagonal(2.66, 13.1), ["Cu", "Pt"], [[0, 0, 0], [0, 0, 0.5]]),
    "hP": of_group(
        "P6_3/mmc",
        Lattice.hexagonal(5.7, 4.6),
        ["Ag", "Pt"],
        [[1 / 6, 1 / 3, 0.25], [1 / 3, 2 / 3, 0.75]],
    ),
    "cP": of_group("Pm-3m", Lattice.cubic(3.75), ["Cu", "Au"], [[0, 0.5, 0.5], [0, 0, 0]]),
    "cI": of_group("Im-3m", Lattice.cubic(4.6), ["Al", "Ni"], [[0, 0, 0], [0, 0.5, 0.5]]),
    "cF": of_group("Fm-3m", Lattice.cubic(3.9), ["Pt"], [[0, 0, 0]]),
}


def described_anew(structure: Structure, seed: int, multiples: int = 2) -> Structure:
    """Return the same crystal in another cell: larger, skewed, turned, shifted, reordered."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(3, dtype=int)
    for _ in range(3):
        row, other = rng.choice(3, 2, replace=False)
        matrix[row] += rng.integers(-1, 2) * matrix[other]
    matrix[rng.integers(3)] *= multiples
    cell = structure * matrix
    turn = Rotation.random(random_state=seed).as_matrix()
    order = rng.permutation(len(cell))
    return Structure(
        Lattice(cell.lattice.matrix @ turn.T),
        [cell[int(site)].specie for site in order],
        cell.frac_coords[order] + rng.random(3),
    )
