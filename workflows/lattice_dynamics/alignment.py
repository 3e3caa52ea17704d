"""How one cell of a crystal lies on another: the rotation, and which site falls on which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.errors import CannotCompute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pymatgen.core import Structure

LENGTH_TOLERANCE = 0.05
"""Largest relative difference of the edges of two cells of one crystal, equal volumes assumed."""
ANGLE_TOLERANCE_DEG = 2.0
SITE_TOLERANCE = 0.1
"""Largest root mean square distance of sites, in units of the cube root of an atom's volume."""
EQUALLY_GOOD = 2.0, 2e-4
"""Two alignments are told apart by a misfit more than twice the better one's plus 2e-4.

The better one's misfit is the noise between the two cells, and 2e-4 what rounding and spglib's
tolerance leave of cells that are the same.
"""


@dataclass(frozen=True)
class Alignment:
    """A rotation with a translation that puts a cell on another one, up to a small strain.

    Parameters
    ----------
    rotation
        Orthogonal, shape (3, 3), for column vectors.  It may be improper: a mirror image is an
        isometry as well, and tensors of even rank do not notice the inversion.
    sites
        Shape (given sites,): the wanted site that each falls on.
    strain
        Root mean square of the principal strains that are left, equal volumes assumed.
    displacement
        Root mean square distance of sites, in units of the cube root of an atom's volume.
    """

    rotation: NDArray[np.float64]
    sites: NDArray[np.int64]
    strain: float
    displacement: float

    @property
    def misfit(self) -> float:
        """Strain and displacement in quadrature."""
        return float(np.hypot(self.strain, self.displacement))

    def turned(self, tensor: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return tensors of rank two, shape (…, 3, 3), in the other cell's frame."""
        return np.asarray(self.rotation @ tensor @ self.rotation.T)


def alignments(wanted: Structure, given: Structure) -> list[Alignment]:
    """Return the alignment that puts `given` best on `wanted`, and all as good, best first.

    Of the finitely many that map lattice on lattice and sites on sites within the tolerances.  In
    a pseudo-cubic crystal that lets pass exchanged axes too; they fit worse and are left out.  What
    fits equally well are symmetry operations of the crystal, or what cannot be told from one.

    Parameters
    ----------
    wanted
        Primitive cell.
    given
        Any cell of the same crystal: supercell, mirrored, rotated, shifted, sites in any order.

    Raises
    ------
    CannotCompute
        When there is none: another crystal.
    """
    _check_composition(wanted, given)
    found = sorted(_all(wanted, given), key=lambda alignment: alignment.misfit)
    if not found:
        raise CannotCompute(
            f"{given.reduced_formula}: the two cells are not of one crystal: no rotation maps one "
            f"on the other within {LENGTH_TOLERANCE:.0%} of its edges"
        )
    factor, floor = EQUALLY_GOOD
    best = found[0]
    return [
        alignment
        for alignment in found
        if alignment.strain <= factor * best.strain + floor
        and alignment.displacement <= factor * best.displacement + floor
    ]


def relaxed_rotation(before: Structure, after: Structure) -> NDArray[np.float64]:
    """Return the rotation of a relaxation, which keeps the basis and the order of sites.

    The rotation of the polar decomposition of the deformation, shape (3, 3), for column vectors.
    """
    deformation = np.linalg.solve(before.lattice.matrix, after.lattice.matrix)
    return _polar(np.asarray(deformation, dtype=float))[0]


def _check_composition(wanted: Structure, given: Structure) -> None:
    kinds = [sorted(site.specie.Z for site in cell) for cell in (wanted, given)]
    multiple, rest = divmod(len(kinds[1]), len(kinds[0]))
    if rest or sorted(kinds[0] * multiple) != kinds[1]:
        raise CannotCompute(
            f"{given.reduced_formula}: a cell of {len(given)} atoms ({given.formula}) holds no "
            f"whole number of primitive cells of {wanted.formula}: another cell or crystal"
        )


def _all(wanted: Structure, given: Structure) -> Iterator[Alignment]:
    """Yield every alignment within the tolerances."""
    from pymatgen.core import Lattice

    multiple = len(given) // len(wanted)
    scale = (wanted.volume * multiple / given.volume) ** (1 / 3)
    reduced = Lattice(scale * given.lattice.get_lll_reduced_lattice().matrix)
    positions = scale * given.cart_coords
    for aligned, _, matrix in wanted.lattice.find_all_mappings(
        reduced, LENGTH_TOLERANCE, ANGLE_TOLERANCE_DEG, skip_rotation_matrix=True
    ):
        if round(abs(np.linalg.det(matrix))) != multiple:
            continue
        deformation = np.asarray(np.linalg.solve(reduced.matrix, aligned.matrix), dtype=float)
        rotation, strain = _polar(deformation)
        places = wanted.lattice.get_fractional_coords(positions @ deformation)
        for sites, displacement in _site_mappings(wanted, given, places):
            yield Alignment(rotation, sites, strain, displacement)


def _polar(deformation: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return rotation and strain of a deformation of row vectors."""
    left, stretches, right = np.linalg.svd(deformation)
    return (left @ right).T, float(np.sqrt(np.mean((stretches - 1) ** 2)))


def _site_mappings(
    wanted: Structure, given: Structure, places: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], float]]:
    """Yield, for each translation, the wanted site of every given one and how far it is off.

    Parameters
    ----------
    places
        Fractional coordinates of the given sites in the wanted cell, before the translation.
    """
    kinds = np.array([site.specie.Z for site in wanted])
    given_kinds = np.array([site.specie.Z for site in given])
    numbers, counts = np.unique(kinds, return_counts=True)
    rarest = numbers[np.argmin(counts)]
    anchor = places[np.flatnonzero(given_kinds == rarest)[0]]
    spacing_a = (wanted.volume / len(wanted)) ** (1 / 3)
    multiple = len(given) // len(wanted)
    strangers = given_kinds[:, np.newaxis] != kinds
    for target in np.flatnonzero(kinds == rarest):
        shifted = places + wanted.frac_coords[target] - anchor
        apart = shifted[:, np.newaxis] - wanted.frac_coords
        apart -= np.rint(apart)
        vectors_a = apart @ wanted.lattice.matrix
        distances_a = np.linalg.norm(vectors_a, axis=-1)
        distances_a[strangers] = np.inf
        sites = np.argmin(distances_a, axis=1)
        if (np.bincount(sites, minlength=len(wanted)) != multiple).any():
            continue
        moves_a = vectors_a[np.arange(len(given)), sites]
        moves_a -= moves_a.mean(axis=0)
        displacement = float(np.sqrt((moves_a**2).sum(axis=1).mean()) / spacing_a)
        if displacement <= SITE_TOLERANCE:
            yield sites, displacement
