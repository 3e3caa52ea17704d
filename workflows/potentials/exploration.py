"""Disturbed cells: what a potential is to know, and among which the next labels are chosen."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
from workflows.potentials.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.potentials.recipe import ExplorationRecipe

LEAST_AMPLITUDE_FRACTION = 0.1
"""Of the largest displacement: amplitudes are drawn between, evenly in their logarithm."""


def supercell_of(crystal: Structure, recipe: ExplorationRecipe) -> Structure:
    """Return the supercell of a crystal in which it is disturbed."""
    conventional, _ = conventional_cell(crystal)
    matrix = supercell_matrix(conventional, recipe.min_length_a, recipe.max_atoms)
    return conventional.make_supercell(matrix, in_place=False)


def disturbed_cells(
    crystals: Sequence[Structure],
    recipe: ExplorationRecipe,
    count: int,
    seed: int,
) -> list[Frame]:
    """Return disturbed cells, as many of each crystal as of any other.

    Parameters
    ----------
    crystals
        At rest, or nearly.
    count
        Of the cells.
    seed
        Of all that is random.
    """
    random = np.random.default_rng(seed)
    roles = exchangeable(crystals)
    frames = []
    for number, crystal in zip(range(count), itertools.cycle(crystals), strict=False):
        cell = supercell_of(crystal, recipe)
        name = crystal.reduced_formula
        what = []
        if random.random() < recipe.substitutions and _exchange(cell, roles, random):
            what.append("exchanged ions")
        strain = _random_strain(random, recipe.max_strain_fraction * random.random())
        if number % 3:
            cell = _strained(cell, strain)
            what.append("strained")
        if random.random() < recipe.vacancies:
            cell.remove_sites([int(random.integers(len(cell)))])
            what.append("vacancy")
        amplitude_a = recipe.max_displacement_a * LEAST_AMPLITUDE_FRACTION ** random.random()
        _displace(cell, amplitude_a, random)
        what.append(f"displaced by {amplitude_a:.3f} Å")
        frames.append(Frame(structure=cell, origin=f"{name}: {', '.join(what)}"))
    return frames


def exchangeable(crystals: Sequence[Structure]) -> dict[str, list[str]]:
    """Return for each element the others of the family that have its charge.

    Charges are guessed from each crystal's composition; an element whose charges differ between
    crystals, or cannot be guessed, is exchanged for none.
    """
    charges: dict[str, set[float]] = {}
    for crystal in crystals:
        guesses = crystal.composition.oxi_state_guesses()
        for element in crystal.composition.elements:
            found = guesses[0].get(element.symbol, np.nan) if guesses else np.nan
            charges.setdefault(element.symbol, set()).add(found)
    known = {
        symbol: found.copy().pop()
        for symbol, found in charges.items()
        if len(found) == 1 and not np.isnan(next(iter(found)))
    }
    return {
        symbol: sorted(other for other in known if other != symbol and known[other] == charge)
        for symbol, charge in sorted(known.items())
    }


def _exchange(cell: Structure, roles: dict[str, list[str]], random: np.random.Generator) -> bool:
    """Exchange a random share of the ions of one element; whether there was one to exchange."""
    present = sorted({site.specie.symbol for site in cell})
    choices = [(symbol, other) for symbol in present for other in roles.get(symbol, [])]
    if not choices:
        return False
    symbol, other = choices[int(random.integers(len(choices)))]
    sites = [index for index, site in enumerate(cell) if site.specie.symbol == symbol]
    for index in random.permutation(sites)[: int(random.integers(1, len(sites) + 1))]:
        cell.replace(int(index), other)
    return True


def _random_strain(random: np.random.Generator, largest: float) -> NDArray[np.float64]:
    """Return a symmetric strain whose components are no larger, shape (3, 3)."""
    full = random.uniform(-largest, largest, (3, 3))
    strain: NDArray[np.float64] = np.triu(full) + np.triu(full, 1).T
    # Shears of the same size disturb more: two components of the tensor are one shear.
    return np.where(np.eye(3, dtype=bool), strain, strain / 2)


def _strained(cell: Structure, strain: NDArray[np.float64]) -> Structure:
    from pymatgen.core import Lattice, Structure

    lattice = Lattice(cell.lattice.matrix @ (np.eye(3) + strain))
    return Structure(lattice, cell.species, cell.frac_coords)


def _displace(cell: Structure, amplitude_a: float, random: np.random.Generator) -> None:
    """Displace all atoms, by a root mean square of `amplitude_a`."""
    steps = random.normal(scale=amplitude_a / np.sqrt(3), size=(len(cell), 3))
    for index, step in enumerate(steps):
        cell.translate_sites([index], step, frac_coords=False, to_unit_cell=False)
