"""Supercells for point defects, and the defects in them: pure functions of a relaxed crystal."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure

from workflows.kept_symmetry import Operations, operations_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAME_LENGTH_A = 1e-3
"""Edges and distances that differ by less count as equal."""
FARTHEST_MULTIPLE = 12
"""Of a cell's edge."""


@dataclass(frozen=True)
class Supercell:
    """A conventional cell, repeated.

    Attributes
    ----------
    structure : Structure
        Its first sites are those of the conventional cell, in their order; those of further copies
        follow.
    multiples : tuple of int
        Along a, b and c.
    image_distance_a : float
        The shortest vector of its lattice.
    """

    structure: Structure
    multiples: tuple[int, int, int]
    image_distance_a: float

    def copy_of(self, site: int, offset: Sequence[int]) -> int:
        """Return the index of a conventional cell's site in another copy of that cell."""
        cell = np.ravel_multi_index(np.mod(offset, self.multiples).tolist(), self.multiples)
        conventional_atoms = len(self.structure) // int(np.prod(self.multiples))
        return int(cell) * conventional_atoms + site


@dataclass(frozen=True)
class _Size:
    multiples: tuple[int, int, int]
    atoms: int
    image_distance_a: float


def image_distance_a(lattice: NDArray[np.float64]) -> float:
    """Return the length in Å of the shortest vector of a lattice, shape (3, 3), rows vectors."""
    from ase.geometry import minkowski_reduce

    reduced, _ = minkowski_reduce(lattice)
    return float(np.linalg.norm(reduced, axis=1).min())


def supercells(conventional: Structure, wanted_a: float, max_atoms: int) -> list[Supercell]:
    """Return the supercell that values are computed in, and a smaller one that tells their error.

    The first is the smallest in which images are `wanted_a` apart; where none with `max_atoms` has
    that, the one in which they are farthest apart.  The second has at most half as many atoms, and
    images as far apart as can be; there is none where the conventional cell has more atoms than
    that.  Edges of one length get one multiple, so that the supercell keeps the point group.

    Parameters
    ----------
    conventional
        Cell whose multiples are looked at.
    wanted_a
        Distance of images in Å.
    max_atoms
        A single cell is always allowed.
    """
    sizes = _sizes(conventional, max(max_atoms, len(conventional)))
    wide = [size for size in sizes if size.image_distance_a >= wanted_a - SAME_LENGTH_A]
    large = min(wide, key=_smallest) if wide else min(sizes, key=_widest)
    smaller = [size for size in sizes if 2 * size.atoms <= large.atoms]
    chosen = [large, min(smaller, key=_widest)] if smaller else [large]
    return [
        Supercell(repeated(conventional, size.multiples), size.multiples, size.image_distance_a)
        for size in chosen
    ]


def _smallest(size: _Size) -> tuple[int, float]:
    return size.atoms, -round(size.image_distance_a, 3)


def _widest(size: _Size) -> tuple[float, int]:
    return -round(size.image_distance_a, 3), size.atoms


def _sizes(conventional: Structure, max_atoms: int) -> list[_Size]:
    lattice, edges_a = conventional.lattice.matrix, conventional.lattice.abc
    most = min(max_atoms // len(conventional), FARTHEST_MULTIPLE)
    equal = [
        (first, second)
        for first, second in itertools.combinations(range(3), 2)
        if abs(edges_a[first] - edges_a[second]) < SAME_LENGTH_A
    ]
    return [
        _Size((a, b, c), atoms, image_distance_a(np.diag((a, b, c)) @ lattice))
        for a, b, c in itertools.product(range(1, most + 1), repeat=3)
        if 1 < (atoms := a * b * c * len(conventional)) <= max_atoms
        and all((a, b, c)[i] == (a, b, c)[j] for i, j in equal)
    ]


def repeated(conventional: Structure, multiples: Sequence[int]) -> Structure:
    """Return a cell repeated along its edges, whole copies one behind the other."""
    offsets = np.array(list(itertools.product(*(range(count) for count in multiples))))
    positions = (conventional.frac_coords[None] + offsets[:, None]) / np.array(multiples)
    species = [site.specie for site in conventional] * len(offsets)
    lattice = Lattice(np.diag(multiples) @ conventional.lattice.matrix)
    return Structure(lattice, species, positions.reshape(-1, 3))


def distinct_sites(structure: Structure) -> dict[int, list[int]]:
    """Return the sites of a crystal by the first of those that symmetry makes the same."""
    images = operations_of(structure).images
    orbits: dict[int, list[int]] = {}
    for site in range(len(structure)):
        orbits.setdefault(int(images[:, site].min()), []).append(site)
    return orbits


def with_vacancy(supercell: Supercell, site: int) -> Structure:
    """Return a supercell without one atom."""
    structure = supercell.structure.copy()
    structure.remove_sites([site])
    return structure


@dataclass(frozen=True)
class Pair:
    """Two sites of different elements.

    Attributes
    ----------
    first, second : int
        Indices of the conventional cell.
    offset : tuple of int
        Lattice vectors from the first's cell to the second's.
    distance_a : float
    """

    first: int
    second: int
    offset: tuple[int, int, int]
    distance_a: float


def distinct_pairs(
    conventional: Structure, elements: Sequence[tuple[str, str]], nearest: int, within_a: float
) -> list[Pair]:
    """Return pairs of sites that no symmetry makes the same, shortest first.

    Parameters
    ----------
    elements
        Pairs of chemical symbols.
    nearest
        So many pairs, nearest first, of each two kinds of sites; a kind is what symmetry makes the
        same.
    within_a
        Farther apart no two are looked for.
    """
    operations = operations_of(conventional)
    kinds = operations.images.min(axis=0)
    symbols = [site.specie.symbol for site in conventional]
    wanted = {frozenset(pair) for pair in elements}
    chosen: dict[tuple[int, int], dict[tuple[int, int, tuple[int, ...]], Pair]] = {}
    for i, j, shift, distance_a in _neighbours(conventional, within_a):
        # Either order of a pair is the same pair, and each first site of a kind has all of its.
        if kinds[i] != i or symbols[i] >= symbols[j]:
            continue
        of_kind = chosen.setdefault((i, int(kinds[j])), {})
        if frozenset((symbols[i], symbols[j])) in wanted and len(of_kind) < nearest:
            key = _representative(operations, conventional.frac_coords, i, j, shift)
            of_kind.setdefault(key, Pair(i, j, shift, distance_a))
    pairs = (pair for of_kind in chosen.values() for pair in of_kind.values())
    return sorted(pairs, key=lambda pair: (round(pair.distance_a, 4), pair.first, pair.second))


def _neighbours(
    structure: Structure, within_a: float
) -> list[tuple[int, int, tuple[int, int, int], float]]:
    """Return sites, their neighbours, their cell and distance, nearest first.

    In an order that round-off does not change: other jobs count on it.
    """
    found = [
        (int(first), int(second), (int(offset[0]), int(offset[1]), int(offset[2])), float(apart))
        for first, second, offset, apart in zip(*structure.get_neighbor_list(within_a), strict=True)
    ]
    return sorted(found, key=lambda each: (round(each[3], 4), *each[:3]))


def _representative(
    operations: Operations,
    positions: NDArray[np.float64],
    first: int,
    second: int,
    offset: Sequence[int],
) -> tuple[int, int, tuple[int, ...]]:
    """Return the least of all pairs that symmetry makes the same as one."""
    images = []
    ends = (positions[first], positions[second] + np.array(offset))
    for rotation, translation, to in zip(
        operations.rotations, operations.translations, operations.images, strict=True
    ):
        cells = [
            np.round(rotation @ end + translation - positions[to[site]])
            for end, site in zip(ends, (first, second), strict=True)
        ]
        shift = tuple(int(n) for n in cells[1] - cells[0])
        images.append((int(to[first]), int(to[second]), shift))
    return min(images)


def with_exchange(supercell: Supercell, pair: Pair) -> Structure | None:
    """Return a supercell in which two atoms have changed places.

    None where it is so small that another image of the second is nearer to the first.
    """
    structure = supercell.structure.copy()
    first, second = pair.first, supercell.copy_of(pair.second, pair.offset)
    if structure.get_distance(first, second) < pair.distance_a - SAME_LENGTH_A:
        return None
    species = structure[first].specie, structure[second].specie
    structure[second], structure[first] = species
    return structure


def rattled(structure: Structure, amplitude_a: float, seed: int) -> Structure:
    """Return a structure with all atoms moved by random amounts.

    Parameters
    ----------
    amplitude_a
        Standard deviation along each Cartesian axis.
    """
    moves_a = np.random.default_rng(seed).normal(scale=amplitude_a, size=(len(structure), 3))
    return Structure(
        structure.lattice,
        structure.species,
        structure.cart_coords + moves_a * (amplitude_a > 0),
        coords_are_cartesian=True,
    )


def largest_displacement_a(before: Structure, after: Structure) -> float:
    """Return how far the atom that moved most has moved, rigid shifts left out."""
    apart = after.frac_coords - before.frac_coords
    apart -= np.round(apart)
    moved_a = apart @ before.lattice.matrix
    return float(np.linalg.norm(moved_a - moved_a.mean(axis=0), axis=1).max())
