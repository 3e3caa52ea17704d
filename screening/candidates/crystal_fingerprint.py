"""Numbers that belong to a crystal, whatever its cell, origin, hand and scale."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

    from screening.candidates.crystal_standard import StandardCell

SAME_SHAPE = 0.15
"""Largest difference of a logarithm of a ratio, as of c/a, or of a cosine within one crystal: 16 %
is more than dispersion forces change the shape of a layered crystal."""
SHAPE_STEP = 0.16
"""Width of a bin of the logarithm of a ratio of lengths of the lattice: 17 %."""
ANGLE_STEP = 0.2
"""Width of a bin of a cosine between vectors of the lattice."""
ELEMENT_STEP = 0.25
"""Width of a bin of the mean logarithm of the nearest distance of an element's sites: 28 %."""
NEAREST_STEP = 0.1
"""The same of all sites together, where noise of 0.008 Å leaves 0.0003."""
SHELL = 6
SHELL_STEP = 0.06
"""The same of their nearest `SHELL` distances, where it leaves 0.0001."""
ORDER_STEP = 0.4
"""Width of a bin of the structure factor at `ORDER_WAVE_NUMBER`, where it leaves 0.005; another
stacking of the same layers changes it by 0.6 and more."""
ORDER_WAVE_NUMBER = 4.5


def fingerprint(standard: StandardCell) -> str:
    """Return eight hexadecimal digits that depend on the crystal only.

    Where symmetry leaves no length but the scale free, two damped sums over all distances tell
    structures apart.  Anywhere else these sums follow each thousandth of strain, and what is taken
    is what noise does not change: which sites there are, and in wide bins the shape of the lattice
    and the distances between neighbours.  Two crystals may share a fingerprint; `same_crystal`
    tells them apart.
    """
    primitive = standard.primitive
    orbits, n_free = _orbits(standard)
    if standard.space_group_number >= 195 and n_free == 0:
        parts = [
            f"n {len(primitive)}",
            *(
                f"{z} {other} {wave_number} {round(total / 0.1)}"
                for wave_number in (3.0, 4.5)
                for (z, other), total in _structure_factors(primitive, wave_number).items()
            ),
        ]
    else:
        order = sum(_structure_factors(primitive, ORDER_WAVE_NUMBER).values())
        parts = [
            f"n {len(primitive)}",
            *orbits,
            *_binned(lattice_shape(standard.conventional, standard.space_group_number)),
            *_neighbours(primitive),
            f"order {round(order / ORDER_STEP)}",
        ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _orbits(standard: StandardCell) -> tuple[list[str], int]:
    """Return element and multiplicity of each set of equivalent sites, and free coordinates."""
    positions = np.array(standard.primitive.frac_coords)
    numbers = [site.specie.Z for site in standard.primitive]
    rotations, translations = standard.rotations, standard.translations
    images = np.einsum("gab,ib->gia", rotations, positions) + translations[:, None]
    steps = images - positions[None]
    steps -= np.round(steps)
    own = np.linalg.norm(steps @ standard.primitive.lattice.matrix, axis=2) < 0.02
    traces = np.trace(rotations, axis1=1, axis2=2)
    n_own = own.sum(axis=0)
    free = np.rint((own * traces[:, None]).sum(axis=0) / n_own).astype(int)
    multiplicities = len(rotations) // n_own
    sites = list(zip(numbers, multiplicities.tolist(), free.tolist(), strict=True))
    kinds = sorted(set(sites))
    return [f"{kind} {sites.count(kind)}" for kind in kinds], int(free.sum())


@dataclass(frozen=True)
class LatticeShape:
    """The shape of a lattice, in numbers that change steadily with its vectors.

    Parameters
    ----------
    log_ratios
        Logarithms of ratios of lengths, as of c/a.
    cosines
        What angles that symmetry leaves free come to.
    """

    log_ratios: list[float]
    cosines: list[float]

    def is_near(self, other: LatticeShape) -> bool:
        """Whether two lattices of one space group differ by no more than `SAME_SHAPE`."""
        ratios = np.subtract(self.log_ratios, other.log_ratios)
        cosines = np.subtract(self.cosines, other.cosines)
        return bool((np.abs(ratios) < SAME_SHAPE).all() and (np.abs(cosines) < SAME_SHAPE).all())


def lattice_shape(vectors: NDArray[np.float64], space_group_number: int) -> LatticeShape:
    """Return the shape of a conventional cell, its vectors in rows."""
    ratios: list[float]
    cosines: list[float] = []
    lengths = np.linalg.norm(vectors, axis=1)
    if space_group_number >= 195:
        ratios = []
    elif space_group_number >= 75:
        ratios = [lengths[2] / lengths[0]]
    elif space_group_number >= 16:
        low, middle, high = np.sort(lengths)
        ratios = [middle / low, high / middle]
    elif space_group_number >= 3:
        short, long = _reduced(vectors[0], vectors[2])
        low, high = float(np.linalg.norm(short)), float(np.linalg.norm(long))
        ratios = [high / low, lengths[1] / (low * high) ** 0.5]
        cosines = [float(abs(short @ long)) / (low * high)]
    else:
        # Niggli's cell has the three shortest vectors, whose lengths are steady; its angles not.
        low, middle, high = np.sort(lengths)
        ratios = [middle / low, high / middle]
        cosines = [float(abs(np.linalg.det(vectors)) / lengths.prod())]
    return LatticeShape(np.log(ratios).tolist(), cosines)


def _binned(shape: LatticeShape) -> list[str]:
    return [
        *(f"ratio {round(ratio / SHAPE_STEP)}" for ratio in shape.log_ratios),
        *(f"angle {round(cosine / ANGLE_STEP)}" for cosine in shape.cosines),
    ]


def _reduced(
    short: NDArray[np.float64], long: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two shortest vectors of a plane lattice, after Gauss."""
    while True:
        if short @ short > long @ long:
            short, long = long, short
        steps = np.round((short @ long) / (short @ short))
        if steps == 0 or abs(short @ long) <= (0.5 + 1e-6) * (short @ short):
            return short, long
        long = long - steps * short


def _neighbours(primitive: Structure) -> list[str]:
    """Return how near neighbours are, for each element and in the mean, in bins."""
    numbers = np.array([site.specie.Z for site in primitive])
    shell = np.log(_nearest(primitive, np.zeros_like(numbers), SHELL)[:, 0])
    return [
        *(
            f"near {number} {round(float(shell[numbers == number, 0].mean()) / ELEMENT_STEP)}"
            for number in np.unique(numbers)
        ),
        f"near {round(float(shell[:, 0].mean()) / NEAREST_STEP)}",
        f"shell {round(float(shell.mean()) / SHELL_STEP)}",
    ]


def _structure_factors(primitive: Structure, wave_number: float) -> dict[tuple[int, int], float]:
    """Return the damped sum of cosines over distances, by pairs of atomic numbers.

    These are partial structure factors at a wave number, in units of the cube root of the volume
    per atom.  They reach about ten ångström, since site orderings may differ only there.
    """
    unit = (primitive.volume / len(primitive)) ** (1 / 3)
    first, second, _, lengths = primitive.get_neighbor_list(9.0 * unit)
    reduced = lengths / unit
    terms = np.exp(-((reduced / 3.5) ** 2)) * np.cos(wave_number * reduced) / len(primitive)
    elements, kinds = np.unique([site.specie.Z for site in primitive], return_inverse=True)
    n_kinds = len(elements)
    pairs = np.maximum(kinds[first], kinds[second]) * n_kinds
    pairs += np.minimum(kinds[first], kinds[second])
    totals = np.bincount(pairs, weights=terms, minlength=n_kinds**2)
    return {
        (z, other): float(totals[i * n_kinds + j])
        for i, z in enumerate(elements.tolist())
        for j, other in enumerate(elements[: i + 1].tolist())
    }


NEIGHBOURS = 24
"""Distances to each element that `distances` gives for a site."""


def distances(primitive: Structure) -> NDArray[np.float64]:
    """Return the distances from each site to its nearest neighbours of each element.

    Crystals that agree in all of them are one, or mirror images, unless they were constructed to
    agree (D. Widdowson and V. Kurlin, "Resolving the data ambiguity for periodic crystals", Adv.
    Neural Inf. Process. Syst. 35 (2022)).

    Returns
    -------
    array of shape (sites, elements, NEIGHBOURS)
        In units of the cube root of the volume per atom, sites of an element sorted by the sum.
    """
    numbers = np.array([site.specie.Z for site in primitive])
    table = _nearest(primitive, numbers, NEIGHBOURS)
    return np.asarray(table[np.lexsort((table.sum(axis=(1, 2)), numbers))])


def _nearest(
    primitive: Structure, kinds_of_sites: NDArray[np.int_], n_nearest: int
) -> NDArray[np.float64]:
    """Return sorted distances to neighbours of each kind, shape (sites, kinds, n_nearest)."""
    unit = (primitive.volume / len(primitive)) ** (1 / 3)
    kinds, kind_of, counts = np.unique(kinds_of_sites, return_inverse=True, return_counts=True)
    # A sphere that holds about so many atoms of the rarest kind.
    reach = 0.8 * (n_nearest * len(primitive) / counts.min()) ** (1 / 3)
    while True:
        first, second, _, lengths = primitive.get_neighbor_list(reach * unit)
        rows = first * len(kinds) + kind_of[second]
        order = np.lexsort((lengths, rows))
        n_rows = len(primitive) * len(kinds)
        starts = np.searchsorted(rows[order], np.arange(n_rows + 1))
        if np.diff(starts).min() >= n_nearest:
            picked = lengths[order][starts[:-1, None] + np.arange(n_nearest)] / unit
            return np.asarray(picked.reshape(len(primitive), len(kinds), n_nearest))
        reach *= 1.25


def entry_digits(structure: Structure) -> str:
    """Return twelve hexadecimal digits of a crystal as it is given, disordered or not.

    Another cell, origin or scale of the same crystal has other digits.
    """
    sites = sorted(
        (
            sorted((str(species), round(share, 4)) for species, share in site.species.items()),
            [round(float(x) % 1, 4) % 1 for x in site.frac_coords],
        )
        for site in structure
    )
    content = [[round(x, 4) for x in structure.lattice.parameters], sites]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def finer_digits(primitive: Structure) -> str:
    """Return hexadecimal digits that even crystals of one fingerprint differ in."""
    rounded = np.round(distances(primitive) / 0.01).astype(int)
    return hashlib.sha256(repr(rounded.tolist()).encode()).hexdigest()
