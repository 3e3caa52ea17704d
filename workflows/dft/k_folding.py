"""One k-mesh in two cells: what a supercell's mesh is in the smaller cell that it repeats.

Bloch's theorem: an undisplaced supercell with k-points K has exactly the states of the small cell
with all k that differ from a point of K by a reciprocal lattice vector of the supercell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.dft.settings import KMesh, k_mesh

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

HAIR = 0.01
"""How far below the step to one more division a spacing is put, in divisions: axes that are equal
but for relaxation's round-off then step together."""


@dataclass(frozen=True)
class FoldedMesh:
    """The mesh of a supercell as that of a smaller cell of the same crystal.

    Parameters
    ----------
    basis
        Shape (3, 3), integers of determinant 1: lattice vectors of the small cell that the mesh
        is regular in, in terms of the ones it had.
    mesh
        In the reciprocal axes of that basis.
    """

    basis: NDArray[np.int64]
    mesh: KMesh

    def in_basis(self, cell: Structure) -> Structure:
        """Return the same crystal and atoms, their order too, with these lattice vectors."""
        from pymatgen.core import Lattice

        if (self.basis == np.eye(3)).all():
            return cell
        lattice = Lattice(self.basis @ cell.lattice.matrix)
        return type(cell)(lattice, cell.species, cell.cart_coords, coords_are_cartesian=True)


def folded(mesh: KMesh, multiples: ArrayLike) -> FoldedMesh:
    """Return the mesh of the small cell with exactly the k-points of a supercell's mesh.

    A mesh of n divisions along a supercell of m cells is one of n·m divisions, shifted where it is
    shifted.  Where the supercell's axes are not multiples of the small cell's, as of a
    face-centred crystal, the mesh is regular in another basis of the same lattice: that of the
    Smith normal form U L V = D of the integer matrix L = diag(n)·multiples, which is V⁻¹.

    Parameters
    ----------
    mesh
        Of the supercell.
    multiples
        Shape (3, 3), integers: the supercell's lattice vectors in terms of the small cell's.

    Raises
    ------
    ValueError
        When these span no supercell.
    """
    lattice = np.diag(mesh.divisions) @ np.asarray(multiples, dtype=np.int64)
    if round(float(np.linalg.det(lattice))) == 0:
        rows = np.asarray(multiples).tolist()
        raise ValueError(f"multiples of determinant 0 are no supercell: {rows}")
    left, divisions = _smith(lattice)
    basis = (left @ lattice) // divisions[:, np.newaxis]
    if round(float(np.linalg.det(basis))) < 0:
        # Half a division up and down are the same shift.
        basis[0] *= -1
    shift = (left @ np.array(mesh.shift)) % 2
    a, b, c = (int(n) for n in divisions)
    x, y, z = (int(s) for s in shift)
    return FoldedMesh(basis, KMesh((a, b, c), (x, y, z)))


def denser_k_spacing(supercell: Structure, spacing_per_a: float) -> float:
    """Return the largest k-spacing, in 1/Å, that gives a supercell the next denser mesh.

    Each axis then has a division more, but for those along which k-points are closer already than
    the coarsest axis will have them.
    """
    lengths = np.array(supercell.lattice.reciprocal_lattice.abc)
    divisions = np.array(k_mesh(supercell, spacing_per_a).divisions)
    coarsest = int(np.argmax(lengths / divisions))
    closest = lengths[coarsest] / (divisions[coarsest] + 1)
    # A hair more, so that round-off does not refine an axis that is just as close.
    due = lengths / divisions > closest * (1 + HAIR)
    return float(np.min(lengths[due] / (divisions[due] + HAIR)))


def _smith(matrix: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return U and the diagonal of D in U·matrix·V = D, U and V of determinant ±1, D positive.

    A diagonal matrix keeps its order: U is then the identity.
    """
    left, work = np.eye(3, dtype=np.int64), matrix.copy()
    for pivot in range(3):
        below = range(pivot + 1, 3)
        while (
            not work[pivot, pivot]
            or work[pivot + 1 :, pivot].any()
            or work[pivot, pivot + 1 :].any()
        ):
            rest = np.abs(work[pivot:, pivot:])
            smallest = int(np.argmin(np.where(rest == 0, np.iinfo(np.int64).max, rest)))
            row, column = (int(place) + pivot for place in np.unravel_index(smallest, rest.shape))
            work[[pivot, row]], left[[pivot, row]] = work[[row, pivot]], left[[row, pivot]]
            work[:, [pivot, column]] = work[:, [column, pivot]]
            for other in below:
                factor = work[other, pivot] // work[pivot, pivot]
                work[other] -= factor * work[pivot]
                left[other] -= factor * left[pivot]
            for other in below:
                work[:, other] -= work[pivot, other] // work[pivot, pivot] * work[:, pivot]
        if work[pivot, pivot] < 0:
            work[pivot], left[pivot] = -work[pivot], -left[pivot]
    return left, np.diag(work).copy()
