"""A crystal in a large cell, relaxed in its primitive one and given back in the cell it came in.

A cell that is not primitive may lack symmetry that the crystal has: twice a cube is no cube.  In
the primitive cell every description of a crystal is the same calculation, and the smallest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure

from workflows.kept_symmetry import TOLERANCES_A, symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reduction:
    """The primitive cell of a crystal, and the way back.

    Attributes
    ----------
    primitive : Structure
        In the same Cartesian frame.
    multiples : ndarray
        Shape (3, 3), integers: the given lattice in terms of the primitive one.
    classes : ndarray
        Shape (atoms,): of which atom of the primitive cell each atom is a copy.
    offsets : ndarray
        Shape (atoms, 3), integers: how many lattice vectors away from it.
    """

    primitive: Structure
    multiples: NDArray[np.int64]
    classes: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def expanded(self, primitive: Structure) -> Structure:
        """Return a changed primitive cell as the cell that was given, sites in its order."""
        lattice = primitive.lattice.matrix
        positions = primitive.cart_coords[self.classes] + self.offsets @ lattice
        species = [primitive[int(site)].specie for site in self.classes]
        return Structure(
            Lattice(self.multiples @ lattice), species, positions, coords_are_cartesian=True
        )


def reduction_of(structure: Structure) -> Reduction | None:
    """Return the reduction of a crystal to its primitive cell, None where it is primitive.

    What the search for symmetry gives is checked: each atom must be the copy that it is said to be.
    """
    for symprec_a in TOLERANCES_A:
        found = _reduction(structure, symprec_a)
        if found is not None:
            return found if len(found.primitive) < len(structure) else None
    return None


def _reduction(structure: Structure, symprec_a: float) -> Reduction | None:
    dataset = symmetry_dataset(structure, symprec_a)
    if dataset is None:
        return None
    lattice = np.array(dataset.primitive_lattice)
    _, firsts, classes = np.unique(
        dataset.mapping_to_primitive, return_index=True, return_inverse=True
    )
    exact = structure.lattice.matrix @ np.linalg.inv(lattice)
    multiples = np.round(exact).astype(np.int64)
    positions = structure.cart_coords
    apart = (positions - positions[firsts[classes]]) @ np.linalg.inv(lattice)
    offsets = np.round(apart).astype(np.int64)
    copies = len(structure) // len(firsts)
    farthest_a = max(
        np.abs((exact - multiples) @ lattice).max(),
        np.linalg.norm((apart - offsets) @ lattice, axis=1).max(),
    )
    determinant = round(abs(float(np.linalg.det(multiples))))
    if determinant != copies or copies * len(firsts) != len(structure):
        return None
    if farthest_a > 4 * symprec_a * max(1, copies):
        return None
    primitive = Structure(
        Lattice(lattice),
        [structure[int(site)].specie for site in firsts],
        positions[firsts],
        coords_are_cartesian=True,
    )
    return Reduction(primitive, multiples, classes.astype(np.int64), offsets)
