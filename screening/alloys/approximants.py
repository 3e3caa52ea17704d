"""Small ordered crystals that stand for a disordered one.

A site that several species share, or that is partly empty, is a mixture.  The smallest cell is
looked for that holds whole numbers of all species, and in it the arrangements of lowest
electrostatic energy, where charges differ, or else those whose pairs are most like chance (special
quasi-random structures, A. Zunger and others, Phys. Rev. Lett. 65, 353 (1990)).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from screening.alloys.electrostatic_orderings import (
    VACANCY,
    arrangements,
    coulomb_energies_ev,
    lowest_orderings,
    occupied,
)
from screening.messages.refusal import RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

COUNT = 3
"""Approximants of one crystal."""
MOST_SITES = 40
"""Of the cell that is looked for, empty sites among them."""
MOST_ERROR = 0.02
"""By how much a fraction on a site may be off, absolute; in cells with less, the error is nil to
the digits of most sources."""
LEAST_MIXED = 8
"""Sites that are shared, in a cell of which several arrangements are wanted, if it may be so
large."""
FULL = 1e-3
"""A total occupancy no farther from 1 is full."""
MOST_TRIED = 3000
"""Arrangements; of more so many are drawn at random."""
SHELLS = 4
"""Of distances, whose pairs a quasi-random structure makes like chance."""
Method = Literal["electrostatics", "quasi-random"]


@dataclass(frozen=True)
class Approximant:
    """An ordered crystal that stands for a disordered one.

    Attributes
    ----------
    structure : Structure
    method : str
    occupation_error : float
        Largest difference of a fraction on a site from that of the disordered crystal.
    """

    structure: Structure
    method: Method
    occupation_error: float


def approximants(disordered: Structure, *, seed: int = 0) -> list[Approximant]:
    """Return ordered crystals, the best first, that stand for a disordered one.

    Raises
    ------
    RefusedError
        When no small cell has the composition, or charges cannot be told where they matter.
    """
    parent, hosts, mixtures = _mixtures(disordered.get_primitive_structure())
    cell, fractions, error = _smallest_cell(parent, hosts, mixtures)
    supercell = parent.make_supercell(cell, in_place=False)
    copies = math.prod(cell)
    # Copies of a site follow each other.
    all_hosts = [host for host in hosts for _ in range(copies)]
    states = _oxidation_states(all_hosts, fractions)
    method: Method
    if _charges_differ(all_hosts, fractions, states):
        if states is None:
            raise RefusedError(
                "it is disordered, and no oxidation states balance {formula}, which ordering it "
                "takes",
                formula=disordered.composition.reduced_formula,
            )
        method = "electrostatics"
        found = lowest_orderings(
            supercell,
            all_hosts,
            fractions,
            lambda _, species: states.get(species, 0.0),
            coulomb_energies_ev(supercell),
            COUNT,
            most_tried=MOST_TRIED,
            seed=seed,
        )
    else:
        method = "quasi-random"
        found = _quasi_random(supercell, all_hosts, fractions, seed)
    return [Approximant(structure, method, error) for structure in found]


def _mixtures(
    disordered: Structure,
) -> tuple[Structure, list[str], dict[str, dict[str, float]]]:
    """Return an ordered parent, what each of its sites is called, and the mixtures by that name."""
    from pymatgen.core.structure import Structure

    hosts: list[str] = []
    stand_ins: list[str] = []
    mixtures: dict[str, dict[str, float]] = {}
    for site in disordered:
        shares: dict[str, float] = {}
        for species, share in site.species.items():
            symbol = str(getattr(species, "symbol", species))
            shares[symbol] = shares.get(symbol, 0.0) + float(share)
        total = sum(shares.values())
        if total < 1 - FULL:
            shares[VACANCY] = 1 - total
        else:
            shares = {symbol: share / total for symbol, share in shares.items()}
        stand_ins.append(max(sorted(shares.keys() - {VACANCY}), key=shares.__getitem__))
        if len(shares) == 1:
            hosts.append(stand_ins[-1])
            continue
        said = " ".join(f"{symbol}{shares[symbol]:.4f}" for symbol in sorted(shares))
        hosts.append(f"({said})")
        mixtures[hosts[-1]] = shares
    parent = Structure(disordered.lattice, stand_ins, disordered.frac_coords)
    return parent, hosts, mixtures


def _smallest_cell(
    parent: Structure, hosts: list[str], mixtures: Mapping[str, Mapping[str, float]]
) -> tuple[tuple[int, int, int], dict[str, dict[str, float]], float]:
    """Return multiples of the cell, the fractions in it, and their error.

    The smallest cell in which all fractions are exact to a thousandth, or else the one of the
    smallest error, and a multiple of it where that has few sites to arrange species on.
    """
    counts = {host: hosts.count(host) for host in mixtures}
    best: tuple[float, int, dict[str, dict[str, float]]] | None = None
    for copies in range(1, max(1, MOST_SITES // len(parent)) + 1):
        wholes = {host: _whole(shares, counts[host] * copies) for host, shares in mixtures.items()}
        if any(whole is None for whole in wholes.values()):
            continue
        fractions = {
            host: {s: n / (counts[host] * copies) for s, n in whole.items() if n}
            for host, whole in wholes.items()
            if whole is not None
        }
        error = max(
            abs(fractions[host].get(species, 0.0) - share)
            for host, shares in mixtures.items()
            for species, share in shares.items()
        )
        if best is None or error < best[0] - 1e-4:
            best = error, copies, fractions
        if error < FULL:
            break
    if best is None or best[0] > MOST_ERROR or best[1] * len(parent) > MOST_SITES:
        host = max(mixtures, key=lambda name: min(mixtures[name].values()))
        raise RefusedError(
            f"it is disordered, and no cell of up to {MOST_SITES} sites has its composition "
            f"within {MOST_ERROR:g}: a site holds {{species}}",
            species=host.strip("()"),
        )
    error, copies, fractions = best
    times = 1
    while (
        times * copies * sum(counts.values()) < LEAST_MIXED
        and (times + 1) * copies * len(parent) <= MOST_SITES
    ):
        times += 1
    copies *= times
    return _shape(parent, copies), fractions, error


def _whole(shares: Mapping[str, float], sites: int) -> dict[str, int] | None:
    """Return whole numbers of each species nearest to its share; None where one would be lost."""
    exact = {species: share * sites for species, share in shares.items()}
    found = {species: math.floor(amount + 1e-9) for species, amount in exact.items()}
    left = sites - sum(found.values())
    by_rest = sorted(exact, key=lambda species: (found[species] - exact[species], species))
    for species in by_rest[:left]:
        found[species] += 1
    # A trace may go, within the error that is allowed; a mixture must stay one.
    lost = [s for s, n in found.items() if n == 0 and shares[s] > MOST_ERROR]
    return None if lost or sum(n > 0 for n in found.values()) < 2 else found


def _shape(parent: Structure, copies: int) -> tuple[int, int, int]:
    """Return multiples of the cell's vectors that make it as compact as it can be."""
    lengths = parent.lattice.abc
    ways = [
        (a, b, copies // (a * b))
        for a, b in itertools.product(range(1, copies + 1), repeat=2)
        if copies % (a * b) == 0
    ]
    return min(ways, key=lambda way: (max(n * x for n, x in zip(way, lengths, strict=True)), way))


def _oxidation_states(
    hosts: list[str], fractions: Mapping[str, Mapping[str, float]]
) -> dict[str, float] | None:
    """Return oxidation states that balance the cell, one an element, or None where none do."""
    amounts: dict[str, float] = {}
    for host in hosts:
        for species, share in fractions.get(host, {host: 1.0}).items():
            if species != VACANCY:
                amounts[species] = amounts.get(species, 0.0) + share
    return balanced_states({species: round(amount) for species, amount in amounts.items()})


def balanced_states(amounts: Mapping[str, int]) -> dict[str, float] | None:
    """Return an oxidation state for each element so that they balance, or None.

    Of the usual states of each element; where these do not balance, one element may have the mean
    of two of its states, as of iron in Fe3O4.  Of several choices the one that gives the negative
    charges to the most electronegative elements.

    Parameters
    ----------
    amounts
        Atoms by symbol.
    """
    from pymatgen.core.periodic_table import Element

    symbols = sorted(amounts)
    if len(symbols) < 2:
        return None
    usual = [Element(symbol).common_oxidation_states for symbol in symbols]
    if not all(usual):
        return None
    # Noble gases have no electronegativity; nor have they states, as a rule.
    pull = [float(Element(symbol).X or 0.0) for symbol in symbols]

    def best(choices: list[tuple[float, ...]]) -> dict[str, float] | None:
        if not choices:
            return None
        chosen = min(
            choices,
            key=lambda states: sum(
                amounts[s] * state * x for s, state, x in zip(symbols, states, pull, strict=True)
            ),
        )
        return dict(zip(symbols, chosen, strict=True))

    balanced: list[tuple[float, ...]] = []
    averaged: list[tuple[float, ...]] = []
    for states in itertools.product(*usual):
        charge = sum(amounts[s] * state for s, state in zip(symbols, states, strict=True))
        if charge == 0:
            balanced.append(tuple(map(float, states)))
            continue
        for k, symbol in enumerate(symbols):
            mean = states[k] - charge / amounts[symbol]
            if min(usual[k]) < mean < max(usual[k]) and mean * states[k] > 0:
                averaged.append((*map(float, states[:k]), mean, *map(float, states[k + 1 :])))
    return best(balanced) or best(averaged)


def _charges_differ(
    hosts: list[str],
    fractions: Mapping[str, Mapping[str, float]],
    states: Mapping[str, float] | None,
) -> bool:
    """Return whether the species of some mixture differ in charge, empty sites having none.

    Those of alloys of metals have none either; where states are not known they may differ.
    """
    from pymatgen.core.periodic_table import Element

    if states is None:
        there = {species for host in hosts for species in fractions.get(host, {host: 1.0})}
        return VACANCY in there or not all(Element(species).is_metal for species in there)
    return any(
        len({round(states.get(species, 0.0), 3) for species in shares}) > 1
        for shares in fractions.values()
    )


def _quasi_random(
    supercell: Structure,
    hosts: list[str],
    fractions: Mapping[str, Mapping[str, float]],
    seed: int,
) -> list[Structure]:
    """Return distinct arrangements whose pairs differ least from chance."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    random = np.random.default_rng(seed)
    tried = arrangements(hosts, fractions, MOST_TRIED, random)
    off = _off_chance(supercell, hosts, fractions, tried)
    order = random.permutation(len(tried))
    order = order[np.argsort(np.round(off[order], 6), kind="stable")]
    matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
    found: list[Structure] = []
    for index in order:
        structure = occupied(supercell, tried[index])
        if not any(matcher.fit(structure, other) for other in found):
            found.append(structure)
        if len(found) == COUNT:
            break
    return found


def _off_chance(
    supercell: Structure,
    hosts: list[str],
    fractions: Mapping[str, Mapping[str, float]],
    tried: list[list[str]],
) -> NDArray[np.float64]:
    """Return how far the pairs of each arrangement are from chance, shape (arrangements,).

    Squares of the difference between the number of like pairs at a distance and what is expected,
    over the shells of shortest distances between sites that are shared, near ones counting more.
    """
    mixed = np.flatnonzero([host in fractions for host in hosts])
    names = sorted({species for shares in fractions.values() for species in shares})
    held = np.array([[names.index(way[site]) for site in mixed] for way in tried])
    chances = np.array(
        [[fractions[hosts[site]].get(name, 0.0) for name in names] for site in mixed]
    )
    radius_a = 2.0 * (supercell.volume / len(mixed)) ** (1 / 3)
    first, second, _, distances = supercell.get_neighbor_list(radius_a)
    place = {int(site): k for k, site in enumerate(mixed)}
    shared = np.array(
        [int(i) in place and int(j) in place for i, j in zip(first, second, strict=True)]
    )
    total = np.zeros(len(tried))
    if not shared.any():
        return total
    i = np.array([place[int(site)] for site in first[shared]])
    j = np.array([place[int(site)] for site in second[shared]])
    lengths = np.round(distances[shared], 2)
    for number, length in enumerate(np.unique(lengths)[:SHELLS]):
        pairs = lengths == length
        expected = float((chances[i[pairs]] * chances[j[pairs]]).sum(axis=1).mean())
        like = (held[:, i[pairs]] == held[:, j[pairs]]).mean(axis=1)
        total += (like - expected) ** 2 / (1 + number)
    return total
