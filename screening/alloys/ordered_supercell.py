"""A supercell for Monte Carlo that an ordered structure fits into, and the structure in it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.alloys.lattice import PAIRS, AlloyLattice
from screening.alloys.supercell import EnergyTerms

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

MOST_MULTIPLES = 40
"""Of the conventional cell along its longest edge."""


def multiples_for(
    lattice: AlloyLattice, shares: Mapping[str, float], sites: int, ordered: Atoms | None
) -> NDArray[np.int64]:
    """Return vectors of the smallest supercell in those of the primitive cell, shape (3, 3).

    It repeats the conventional cell until its edges are about as long as each other, axes of one
    length equally often, so that it keeps the point group of the lattice.  No cluster holds a site
    and its own image, every species has a whole number of sites, and the ordered structure fits.

    Raises
    ------
    ValueError
        When none does.
    """
    per_cell = sum(len(allowed) > 1 for allowed in lattice.species)
    reach_a = PAIRS * lattice.nearest_a()
    cell = np.array(lattice.cell_a)
    conventional = conventional_vectors(lattice)
    edges_a = np.linalg.norm(conventional @ cell, axis=1)
    around = np.array([v for v in itertools.product((-1, 0, 1), repeat=3) if any(v)])
    inverse = np.eye(3)
    if ordered is not None:
        inverse = np.linalg.inv(np.round(ordered.cell.array @ np.linalg.inv(cell)))
    # Lengths at which one of the multiples changes; 1e-3 absorbs round-off.
    lengths_a = {k * edge for edge in edges_a for k in range(1, MOST_MULTIPLES + 1)}
    for length_a in sorted(lengths_a):
        times = np.ceil(length_a / edges_a - 1e-3).astype(np.int64)
        vectors: NDArray[np.int64] = times[:, None] * conventional
        count = per_cell * abs(round(float(np.linalg.det(vectors))))
        whole = all(abs(share * count - round(share * count)) < 1e-6 for share in shares.values())
        if count < sites or not whole:
            continue
        in_ordered = vectors @ inverse
        fits = np.allclose(in_ordered, np.round(in_ordered), atol=1e-6)
        if fits and np.linalg.norm(around @ vectors @ cell, axis=1).min() > reach_a:
            return vectors
    raise ValueError("no supercell of a size that can be computed holds this composition")


def conventional_vectors(lattice: AlloyLattice) -> NDArray[np.int64]:
    """Return the vectors of the conventional cell in those of the primitive cell, shape (3, 3).

    As they lie in the lattice, which is not turned.

    Raises
    ------
    ValueError
        When the search for the symmetry of the lattice fails.
    """
    import spglib

    found = _searched(spglib.get_symmetry_dataset, lattice.parent(), "lattice")
    vectors = np.linalg.inv(np.asarray(found.transformation_matrix)).T
    whole: NDArray[np.int64] = np.round(vectors).astype(np.int64)
    if np.abs(vectors - whole).max() > 1e-4:
        raise ValueError(f"lattice {lattice.name} is not given by its primitive cell")
    return whole


def occupation_of(terms: EnergyTerms, ordered: Atoms) -> NDArray[np.int64]:
    """Return the species on each mixed site of a supercell that an ordered structure fits into."""
    from ase.build import make_supercell

    supercell = terms.atoms
    multiples = np.round(supercell.cell.array @ np.linalg.inv(ordered.cell.array))
    tiled = make_supercell(ordered, multiples.astype(int))
    inverse = np.linalg.inv(supercell.cell.array)
    apart = supercell.get_positions()[terms.mixed][:, None] - tiled.get_positions()[None]
    steps = apart @ inverse
    away = np.linalg.norm((steps - np.round(steps)) @ supercell.cell.array, axis=2)
    nearest = away.argmin(axis=1)
    if away.min(axis=1).max() > 1e-2:
        raise ValueError("the ordered structure is none of this lattice")
    symbols = np.array(tiled.get_chemical_symbols())[nearest]
    return np.array([terms.species.index(symbol) for symbol in symbols], dtype=np.int64)


def degeneracy(terms: EnergyTerms, occupation: NDArray[np.int64]) -> int:
    """Return how many arrangements symmetry makes of one in the supercell.

    By the numbers of operations that leave the lattice and the decorated supercell as they are.
    """
    return _operations(terms.atoms) // _operations(terms.decorated(occupation))


def _operations(atoms: Atoms) -> int:
    import spglib

    return len(_searched(spglib.get_symmetry, atoms, "supercell")["rotations"])


def _searched(search: Callable[..., Any], atoms: Atoms, what: str) -> Any:
    """Return what a function of spglib finds; raise `ValueError` where that is nothing."""
    cell = atoms.cell.array, atoms.get_scaled_positions(), atoms.get_atomic_numbers()
    with warnings.catch_warnings():
        # spglib announces its coming change of error handling with every call.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = search(cell, symprec=1e-3)
    if found is None:
        raise ValueError(f"the search for the symmetry of the {what} fails")
    return found


def counts_of(terms: EnergyTerms, shares: Mapping[str, float]) -> Sequence[int]:
    """Return the sites of each species, in the order of the terms."""
    return [round(shares[symbol] * len(terms.mixed)) for symbol in terms.species]
