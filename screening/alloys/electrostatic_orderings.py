"""Ways to put species on the sites of a crystal, ranked by their electrostatic energy."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

Composition = Mapping[str, Mapping[str, float]]
"""Fractions of the species that share the sites of each host, by its name."""
VACANCY = "Vac"
"""Stands for a species on sites that are left empty."""


def lowest_orderings(
    parent: Structure,
    hosts: list[str],
    composition: Composition,
    state_of: Callable[[str, str], float | None],
    coulomb_ev: NDArray[np.float64],
    count: int,
    *,
    most_tried: int,
    seed: int,
) -> list[Structure]:
    """Return the symmetry-distinct orderings of lowest electrostatic energy.

    Parameters
    ----------
    parent : Structure
        With any species on its sites.
    hosts : list of str
        What each site is called in `composition`; sites that are not named there have the species
        of that name.
    composition : dict
        Fractions of the species on the sites of a host; `VACANCY` leaves some empty.
    state_of : callable
        Returns the oxidation state of a species on the sites of a host.
    coulomb_ev : array of shape (sites, sites)
        Of the parent, see `coulomb_energies_ev`.
    count : int
        Orderings to return at most.
    most_tried : int
        Of more ways so many are drawn at random.
    seed : int
        Decides what is drawn, and between orderings of equal energy.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    random = np.random.default_rng(seed)
    orderings = arrangements(hosts, composition, most_tried, random)
    charges = np.array(
        [
            [float(state_of(host, species) or 0) for host, species in zip(hosts, o, strict=True)]
            for o in orderings
        ]
    )
    energies = np.einsum("ni,ij,nj->n", charges, coulomb_ev, charges)
    # Orderings of equal energy, as all of an isovalent substitution, in a seeded order.
    order = random.permutation(len(orderings))
    order = order[np.argsort(np.round(energies[order], 3), kind="stable")]
    matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
    distinct: list[Structure] = []
    for index in order:
        structure = occupied(parent, orderings[index])
        if not any(matcher.fit(structure, other) for other in distinct):
            distinct.append(structure)
        if len(distinct) == count:
            break
    return distinct


def occupied(parent: Structure, ordering: list[str]) -> Structure:
    """Return a structure with these species on the sites of a parent, without vacancies."""
    from pymatgen.core.structure import Structure

    kept = [site for site, species in enumerate(ordering) if species != VACANCY]
    return Structure(parent.lattice, [ordering[site] for site in kept], parent.frac_coords[kept])


def coulomb_energies_ev(parent: Structure) -> NDArray[np.float64]:
    """Return Ewald energies (eV) of pairs of unit charges on the sites, shape (sites, sites)."""
    from pymatgen.core.ewald import EwaldSummation
    from pymatgen.core.structure import Structure

    unit = Structure(parent.lattice, ["H+"] * len(parent), parent.frac_coords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the cell is charged, which only this one is
        matrix: NDArray[np.float64] = EwaldSummation(unit).total_energy_matrix
    return matrix


def arrangements(
    hosts: list[str], composition: Composition, most: int, random: np.random.Generator
) -> list[list[str]]:
    """Return ways to put the species on the sites: all of them, or `most` at random.

    Parameters
    ----------
    hosts
        What each site is called in `composition`.
    """
    from sympy.utilities.iterables import (  # type: ignore[import-untyped]
        multiset_permutations,
    )

    sites = {
        host: [site for site, element in enumerate(hosts) if element == host]
        for host in composition
    }
    fillings = [
        [name for name, share in species.items() for _ in range(round(share * len(sites[host])))]
        for host, species in composition.items()
    ]
    ways = math.prod(
        math.factorial(len(filling))
        // math.prod(math.factorial(filling.count(species)) for species in set(filling))
        for filling in fillings
    )

    def filled(chosen: tuple[list[str], ...]) -> list[str]:
        result = list(hosts)
        for host, filling in zip(sites, chosen, strict=True):
            for site, species in zip(sites[host], filling, strict=True):
                result[site] = species
        return result

    if ways <= most:
        distinct = [list(multiset_permutations(filling)) for filling in fillings]
        return [filled(chosen) for chosen in itertools.product(*distinct)]
    return [filled(tuple(random.permutation(f).tolist() for f in fillings)) for _ in range(most)]
