"""Which structures are bulk crystals that a calculation can start from."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.messages.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

#: Two atoms overlap when closer than this (Å), or than this fraction of their covalent radii.
MIN_DISTANCE = 0.5
MIN_BOND_FRACTION = 0.5
#: Two atoms are bonded up to this multiple of their covalent radii.  In a crystal with
#: bonds those of the p block and hydrogen also touch up to this distance (Å) beyond their van der
#: Waals radii, and atoms of noble gases in any crystal up to this multiple of them.
MAX_BOND_FRACTION = 1.5
MAX_GAP_A = 2.7
MAX_NOBLE_FRACTION = 1.5
NOBLE_GASES = frozenset(("He", "Ne", "Ar", "Kr", "Xe", "Rn"))
_Vector = tuple[int, int, int]
_ALONE = ("isolated atoms or molecules", "chains", "layers or a slab")


def unusable(structure: Structure) -> Refusal | None:
    """Return why no calculation can start from a structure, or None."""
    try:
        refuse_unusable(structure)
    except RefusedError as error:
        return error.refusal
    return None


def refuse_no_cell(structure: Structure) -> None:
    """Raise `RefusedError` where there are no atoms of known elements in a cell in space."""
    from pymatgen.core.periodic_table import Element

    if len(structure) == 0:
        raise RefusedError("it has no atoms")
    if not all(structure.lattice.pbc):
        raise RefusedError("it is not periodic in three dimensions")
    if not np.isfinite(structure.lattice.matrix).all() or structure.volume < 1e-3:
        raise RefusedError("its lattice vectors do not span a cell")
    if not np.isfinite(structure.frac_coords).all():
        raise RefusedError("it has coordinates that are not finite numbers")
    symbols = {specie.symbol for specie in structure.composition.elements}
    if unknown := sorted(symbol for symbol in symbols if not Element.is_valid_symbol(symbol)):
        raise RefusedError("{symbols} is not a chemical element", symbols=unknown)


def refuse_unusable(structure: Structure) -> None:
    """Raise `RefusedError` for what no calculation of a bulk crystal can start from."""
    refuse_no_cell(structure)
    if not structure.is_ordered:
        partial = next(site for site in structure if not site.is_ordered)
        raise RefusedError(
            "it is disordered: a site holds {species}", species=partial.species_string
        )
    _refuse_overlap(structure)
    _refuse_vacuum(structure)


OTHER_RADII_A = {"Mn": 1.5, "Fe": 1.42, "Co": 1.38, "Lu": 1.87, "Hf": 1.75}
"""Manganese to cobalt at high spin; lutetium and hafnium, which gemmi has the other way round."""
LAST_MEASURED, UNKNOWN_RADIUS_A = 96, 1.5
"""Atomic number of the last element whose covalent radius is known, and what the others get."""


@cache
def _covalent_radius_a(symbol: str) -> float:
    """Return the radius that pymatgen has, whose table brings half a second of scipy along.

    Both tables are those of Cordero and others, Dalton Trans. 2008, 2832, but for `OTHER_RADII_A`.
    """
    import gemmi

    element = gemmi.Element(symbol)
    if symbol in OTHER_RADII_A:
        return OTHER_RADII_A[symbol]
    known = element.name == symbol and 0 < element.atomic_number <= LAST_MEASURED
    return round(element.covalent_r, 2) if known else UNKNOWN_RADIUS_A


@cache
def _reach_a(symbol: str) -> float:
    """Return half the distance at which two atoms of an element across a gap still touch."""
    from pymatgen.core.periodic_table import Element

    element = Element(symbol)
    radius_a = float(element.van_der_waals_radius or 2.0)
    if symbol in NOBLE_GASES:
        return MAX_NOBLE_FRACTION * radius_a
    return radius_a + MAX_GAP_A / 2 if element.block == "p" or symbol == "H" else 0.0


def _refuse_overlap(structure: Structure) -> None:
    first, second, _, distances = structure.get_neighbor_list(3.0)
    radii = np.array([_covalent_radius_a(site.specie.symbol) for site in structure])
    limits = np.maximum(MIN_DISTANCE, MIN_BOND_FRACTION * (radii[first] + radii[second]))
    overlapping = np.flatnonzero(distances < limits)
    if len(overlapping):
        k = overlapping[np.argmin(distances[overlapping])]
        pair = "-".join(structure[int(i)].specie.symbol for i in (first[k], second[k]))
        raise RefusedError(
            "its atoms overlap: {pair} at {distance_a:.2f} Å",
            pair=pair,
            distance_a=float(distances[k]),
        )


def _refuse_vacuum(structure: Structure) -> None:
    """Refuse what falls apart into pieces that do not touch: molecules, chains, slabs."""
    symbols = [site.specie.symbol for site in structure]
    radii = np.array([_covalent_radius_a(symbol) for symbol in symbols])
    reach = np.array([_reach_a(symbol) for symbol in symbols])
    cutoff = max(2 * MAX_BOND_FRACTION * radii.max(), 2 * reach.max())
    first, second, images, distances = structure.get_neighbor_list(float(cutoff))
    bonds_a = MAX_BOND_FRACTION * (radii[first] + radii[second])
    if not (distances < bonds_a).any():
        # Without a bond only noble gases make a crystal: diamond of twice its size is a gas.
        reach[~np.isin(symbols, list(NOBLE_GASES))] = 0.0
    across = np.where((reach[first] > 0) & (reach[second] > 0), reach[first] + reach[second], 0)
    limits = np.maximum(bonds_a, across)
    touching = distances < limits
    dimension = _dimension(len(structure), first[touching], second[touching], images[touching])
    if dimension == 3:
        return
    raise RefusedError(
        f"it is no bulk crystal but {_ALONE[dimension]} in vacuum, with a density of "
        "{density_g_per_cm3:.2g} g/cm³",
        density_g_per_cm3=float(structure.density),
    )


def _dimension(
    n_sites: int, first: NDArray[np.int_], second: NDArray[np.int_], images: NDArray[np.int_]
) -> int:
    """Return in how many dimensions that piece of a periodic graph goes on which goes on in most.

    Most crystals are told by their first piece, and by a few of its edges.
    """
    neighbours: dict[int, list[tuple[int, _Vector]]] = defaultdict(list)
    vectors = images.astype(int).tolist()
    for i, j, (x, y, z) in zip(first.tolist(), second.tolist(), vectors, strict=True):
        neighbours[i].append((j, (x, y, z)))
    cells: dict[int, _Vector] = {}
    largest = 0
    for start in range(n_sites):
        if start in cells:
            continue
        cells[start] = (0, 0, 0)
        loops: list[_Vector] = []
        waiting = [start]
        while waiting:
            site = waiting.pop()
            a, b, c = cells[site]
            for other, (x, y, z) in neighbours[site]:
                there = a + x, b + y, c + z
                if other not in cells:
                    cells[other] = there
                    waiting.append(other)
                    continue
                p, q, r = cells[other]
                loop = there[0] - p, there[1] - q, there[2] - r
                if _is_independent(loop, loops):
                    loops.append(loop)
                    if len(loops) == 3:
                        return 3
        largest = max(largest, len(loops))
    return largest


def _is_independent(loop: _Vector, loops: list[_Vector]) -> bool:
    """Return whether a vector is no sum of multiples of up to two independent ones."""
    x, y, z = loop
    if not loops:
        return any(loop)
    (a, b, c), *others = loops
    normal = b * z - c * y, c * x - a * z, a * y - b * x
    if not others:
        return any(normal)
    return sum(part * along for part, along in zip(normal, others[0], strict=True)) != 0
