"""A supercell of a lattice with the terms of a cluster expansion at every site, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from screening.alloys.lattice import AlloyLattice

MOST_OTHERS = 3
"""Sites of a cluster beside one of them: clusters have at most four."""
SAME_SHELL_A = 0.01
"""Neighbouring distances that differ by more are two shells.  In hcp of nearly ideal c/a the twelve
nearest neighbours are at two distances that differ by rounding."""


@dataclass(frozen=True)
class EnergyTerms:
    """Terms of the energy of a supercell, listed by the sites that they contain.

    A term is a factor times the product of one function of the species on each of its sites.

    Attributes
    ----------
    constant_ev : float
        Energy of the supercell that depends on no site.
    functions : ndarray, shape (functions, species)
        Values of the functions.
    species : tuple of str
        Those that share sites, in the order of `functions`.
    mixed : ndarray, shape (n,)
        Sites that several species may take, by their index among `positions`.
    first : ndarray, shape (n + 1,)
        Terms of the i-th mixed site are those from ``first[i]`` to ``first[i + 1]``.
    factors_ev : ndarray, shape (terms,)
    own : ndarray, shape (terms,)
        Function of the site itself.
    others, of_others : ndarray, shape (terms, 3)
        Mixed sites beside it, and their functions; n, whose functions are 1, where there are fewer.
    number : ndarray, shape (terms,)
        How many sites there are beside it.
    first_shell, second_shell : ndarray, shape (n, neighbours)
        Mixed sites at the shortest distance and at the next; distances within `SAME_SHELL_A` are
        one.
    atoms : Atoms
        The supercell, the first species on each mixed site.
    """

    constant_ev: float
    functions: NDArray[np.float64]
    species: tuple[str, ...]
    mixed: NDArray[np.int64]
    first: NDArray[np.int64]
    factors_ev: NDArray[np.float64]
    own: NDArray[np.int64]
    others: NDArray[np.int64]
    of_others: NDArray[np.int64]
    number: NDArray[np.int64]
    first_shell: NDArray[np.int64]
    second_shell: NDArray[np.int64]
    atoms: Atoms

    def values(self, occupation: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the functions on every mixed site, shape (functions, n + 1)."""
        found = np.ones((len(self.functions), len(occupation) + 1))
        found[:, :-1] = self.functions[:, occupation]
        return found

    def energy_ev(self, occupation: NDArray[np.int64]) -> float:
        """Return the energy of the supercell with these species, shape (n,)."""
        values = self.values(occupation)
        sites = np.repeat(np.arange(len(occupation)), np.diff(self.first))
        terms = self.factors_ev / (1 + self.number) * values[self.own, sites]
        for k in range(MOST_OTHERS):
            terms = terms * values[self.of_others[:, k], self.others[:, k]]
        return self.constant_ev + float(terms.sum())

    def decorated(self, occupation: NDArray[np.int64]) -> Atoms:
        """Return the supercell with these species on its mixed sites."""
        atoms: Atoms = self.atoms.copy()
        symbols = np.array(atoms.get_chemical_symbols())
        symbols[self.mixed] = np.array(self.species)[occupation]
        atoms.set_chemical_symbols(symbols.tolist())
        return atoms


def energy_terms(
    lattice: AlloyLattice, interactions_ev: NDArray[np.float64], multiples: NDArray[np.int64]
) -> EnergyTerms:
    """Return the terms of the energy of a supercell.

    Parameters
    ----------
    lattice
        With its clusters.
    interactions_ev
        Factors of the cluster vector in the energy of an atom, shape (clusters,).  Clusters whose
        factor is zero are left out.
    multiples
        Vectors of the supercell in terms of the primitive cell's, shape (3, 3), integers.

    Raises
    ------
    ValueError
        When the supercell is so small that a cluster holds a site and its own image.
    """
    from ase.build import make_supercell

    space = lattice.cluster_space()
    atoms = make_supercell(lattice.parent(), multiples, order="cell-major")
    finder = _SiteFinder(lattice, multiples, atoms)
    atoms_in_cell, cells = len(lattice.positions), len(atoms) // len(lattice.positions)
    place = np.full(len(atoms), -1)
    mixed = np.flatnonzero([len(lattice.species[k % atoms_in_cell]) > 1 for k in range(len(atoms))])
    place[mixed] = np.arange(len(mixed))
    order = space.species_maps[int(np.flatnonzero([len(s) > 1 for s in lattice.species])[0])]
    from ase.data import chemical_symbols

    species = tuple(
        chemical_symbols[number] for number, _ in sorted(order.items(), key=lambda pair: pair[1])
    )
    count = len(species)
    functions = np.array(
        [
            [space.evaluate_cluster_function(count, f, s) for s in range(count)]
            for f in range(count - 1)
        ]
    )
    parts: list[tuple[float, NDArray[np.int64], tuple[int, ...]]] = []
    index = 1
    for orbit in space.orbit_list.orbits:
        for element in orbit.cluster_vector_elements:
            factor = float(interactions_ev[index])
            index += 1
            if factor == 0.0:
                continue
            chosen = element["multicomponent_vector"]
            ways = element["site_permutations"]
            each = factor * len(atoms) / (cells * len(orbit.clusters) * len(ways))
            for cluster in orbit.clusters:
                sites = finder.images(
                    [(site.index, site.unitcell_offset) for site in cluster.lattice_sites]
                )
                for way in ways:
                    parts.append((each, place[sites], tuple(chosen[k] for k in way)))
    if index != len(interactions_ev):
        raise ValueError(f"{len(interactions_ev)} interactions for {index} clusters")
    listed: dict[str, Any] = _listed_by_site(parts, len(mixed))
    return EnergyTerms(
        constant_ev=float(interactions_ev[0]) * len(atoms),
        functions=functions,
        species=species,
        mixed=mixed,
        first_shell=neighbour_shell(atoms, mixed, 0),
        second_shell=neighbour_shell(atoms, mixed, 1),
        atoms=atoms,
        **listed,
    )


class _SiteFinder:
    """Finds the sites of a supercell from their places in the lattice."""

    def __init__(self, lattice: AlloyLattice, multiples: NDArray[np.int64], atoms: Atoms) -> None:
        self._inverse = np.linalg.inv(multiples)
        self._grid = abs(round(float(np.linalg.det(multiples))))
        per_cell = len(lattice.positions)
        origins = atoms.get_positions()[::per_cell] - atoms.get_positions()[0]
        cell = np.array(lattice.cell_a)
        self._offsets = np.round(origins @ np.linalg.inv(cell)).astype(np.int64)
        codes = self._codes(self._offsets)
        self._sorted = np.argsort(codes)
        self._codes_sorted = codes[self._sorted]
        self._per_cell = per_cell
        # The sites of the orbits are those of icet's own primitive cell.
        own = lattice.cluster_space().primitive_structure
        ideal = np.array(lattice.positions) @ cell
        moved = own.get_positions()[:, None] - ideal[None]
        shifts = np.round(moved @ np.linalg.inv(cell))
        away = np.linalg.norm(moved - shifts @ cell, axis=2)
        self._site = away.argmin(axis=1)
        if len(own) != per_cell or not np.allclose(own.cell.array, cell, atol=1e-6):
            raise ValueError(f"lattice {lattice.name} is not given by its primitive cell")
        self._shift = shifts[np.arange(per_cell), self._site].astype(np.int64)

    def _codes(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one number for each lattice vector, the same for its images."""
        keys = np.round(offsets @ self._inverse * self._grid).astype(np.int64) % self._grid
        codes: NDArray[np.int64] = (keys[:, 0] * self._grid + keys[:, 1]) * self._grid + keys[:, 2]
        return codes

    def images(self, sites: list[tuple[int, NDArray[np.int64]]]) -> NDArray[np.int64]:
        """Return all translations of a cluster, shape (cells, sites)."""
        columns = []
        for index, offset in sites:
            codes = self._codes(self._offsets + np.asarray(offset) + self._shift[index])
            cells = self._sorted[np.searchsorted(self._codes_sorted, codes)]
            columns.append(cells * self._per_cell + self._site[index])
        return np.column_stack(columns)


def _listed_by_site(
    parts: list[tuple[float, NDArray[np.int64], tuple[int, ...]]], n: int
) -> dict[str, Any]:
    """Return the arrays of `EnergyTerms` that list terms by site."""
    rows: list[tuple[NDArray[np.int64], ...]] = []
    factors: list[NDArray[np.float64]] = []
    for each, sites, chosen in parts:
        order = len(chosen)
        if order > 1 and (np.diff(np.sort(sites, axis=1), axis=1) == 0).any():
            raise ValueError("the supercell is too small: a cluster holds a site and its own image")
        for own in range(order):
            rest = [k for k in range(order) if k != own]
            others = np.full((len(sites), MOST_OTHERS), n, dtype=np.int64)
            of_others = np.zeros((len(sites), MOST_OTHERS), dtype=np.int64)
            others[:, : len(rest)] = sites[:, rest]
            of_others[:, : len(rest)] = [chosen[k] for k in rest]
            same = np.ones(len(sites), dtype=np.int64)
            rows.append((sites[:, own], same * chosen[own], others, of_others, same * order))
            factors.append(np.full(len(sites), each))
    site, own_function, others, of_others, orders = (
        np.concatenate(part) for part in zip(*rows, strict=True)
    )
    sorting = np.argsort(site, kind="stable")
    return {
        "first": np.searchsorted(site[sorting], np.arange(n + 1)),
        "factors_ev": np.concatenate(factors)[sorting],
        "own": own_function[sorting],
        "others": others[sorting],
        "of_others": of_others[sorting],
        "number": orders[sorting] - 1,
    }


def neighbour_shell(atoms: Atoms, mixed: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return the neighbours of each mixed site in a shell of distances, shape (n, neighbours)."""
    from ase.neighborlist import neighbor_list

    sublattice = atoms[mixed]
    reach_a = 2.5 * float(neighbor_list("d", sublattice, _first_reach_a(sublattice)).min())
    first, second, distances = neighbor_list("ijd", sublattice, reach_a)
    lengths = np.sort(distances)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(lengths) > SAME_SHELL_A) + 1])
    inside = (distances >= lengths[starts[number]]) & (distances < lengths[starts[number + 1]])
    order = np.argsort(first[inside], kind="stable")
    shell: NDArray[np.int64] = second[inside][order].reshape(len(mixed), -1).astype(np.int64)
    return shell


def _first_reach_a(atoms: Atoms) -> float:
    return 2.0 * float((atoms.get_volume() / len(atoms)) ** (1 / 3))
