"""Numbers that belong to a crystal, whatever its cell, origin, hand and scale."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

    from screening.crystal_standard import StandardCell

SHAPE_STEP = 0.16
"""Width of a bin of the logarithm of a ratio of lengths of the lattice: 17 %."""
ANGLE_STEP = 0.2
"""Width of a bin of a cosine between vectors of the lattice."""
DISTANCE_STEP = 0.25
"""Width of a bin of the logarithm of a mean distance between neighbours: 28 %."""
ORDER_STEP = 0.6
"""Width of a bin of the structure factor at `ORDER_WAVE_NUMBER`; noise of 0.008 Å changes it by
some 0.006, another stacking of the same layers by 0.6 and more."""
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
            *_shape(standard),
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


def _shape(standard: StandardCell) -> list[str]:
    """Return the shape of the lattice in bins, from what changes steadily with its vectors."""
    number, vectors = standard.space_group_number, standard.conventional
    ratios: list[float]
    angles: list[float] = []
    lengths = np.linalg.norm(vectors, axis=1)
    if number >= 195:
        return []
    if number >= 75:
        ratios = [lengths[2] / lengths[0]]
    elif number >= 16:
        low, middle, high = np.sort(lengths)
        ratios = [middle / low, high / middle]
    elif number >= 3:
        short, long = _reduced(vectors[0], vectors[2])
        low, high = float(np.linalg.norm(short)), float(np.linalg.norm(long))
        ratios = [high / low, lengths[1] / (low * high) ** 0.5]
        angles = [float(abs(short @ long)) / (low * high)]
    else:
        # Niggli's cell has the three shortest vectors, whose lengths are steady; its angles not.
        low, middle, high = np.sort(lengths)
        ratios = [middle / low, high / middle]
        angles = [abs(np.linalg.det(vectors)) / lengths.prod()]
    return [
        *(f"ratio {round(np.log(ratio) / SHAPE_STEP)}" for ratio in ratios),
        *(f"angle {round(cosine / ANGLE_STEP)}" for cosine in angles),
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
    """Return for each element how near the nearest atom is, in bins."""
    unit = (primitive.volume / len(primitive)) ** (1 / 3)
    numbers = np.array([site.specie.Z for site in primitive])
    reach = 2.0
    while True:
        first, _, _, distances = primitive.get_neighbor_list(reach * unit)
        nearest = np.full(len(primitive), np.inf)
        np.minimum.at(nearest, first, distances / unit)
        if np.isfinite(nearest).all():
            break
        reach *= 1.5
    return [
        f"near {number} {round(float(np.log(nearest[numbers == number]).mean()) / DISTANCE_STEP)}"
        for number in np.unique(numbers)
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
    unit = (primitive.volume / len(primitive)) ** (1 / 3)
    numbers = np.array([site.specie.Z for site in primitive])
    elements, counts = np.unique(numbers, return_counts=True)
    # A sphere that holds so many atoms of the rarest element, with some to spare.
    n_atoms = NEIGHBOURS * len(primitive) / counts.min()
    reach = 0.8 * n_atoms ** (1 / 3)
    while True:
        first, second, _, lengths = primitive.get_neighbor_list(reach * unit)
        order = np.lexsort((lengths, numbers[second], first))
        kinds = np.searchsorted(elements, numbers[second[order]])
        rows = first[order] * len(elements) + kinds
        starts = np.searchsorted(rows, np.arange(len(primitive) * len(elements)))
        ends = np.append(starts[1:], len(rows))
        if (ends - starts).min() >= NEIGHBOURS:
            break
        reach *= 1.25
    picked = lengths[order][starts[:, None] + np.arange(NEIGHBOURS)] / unit
    table = picked.reshape(len(primitive), len(elements), NEIGHBOURS)
    return np.asarray(table[np.lexsort((table.sum(axis=(1, 2)), numbers))])


def finer_digits(primitive: Structure) -> str:
    """Return hexadecimal digits that even crystals of one fingerprint differ in."""
    rounded = np.round(distances(primitive) / 0.01).astype(int)
    return hashlib.sha256(repr(rounded.tolist()).encode()).hexdigest()
