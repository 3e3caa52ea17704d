"""Prototypes: crystals of known compounds, whose elements others may take the places of.

A prototype is labelled by its space group and, for each place in its formula, the site symmetries
of the orbits there with their sizes. Compounds of one label are its members. Which prototypes a
composition may have, the likeness of its elements to those of the members says.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.machine.shipped_configs import data_file
from screening.recommender.compositions import Compositions, anion_of, atomic_numbers, symbols
from screening.recommender.likeness import Likeness

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

SHIPPED = "prototypes.jsonl.gz"
SYMMETRY_ANGSTROM = 0.1

N_SHARING = 5
"""First proposals among which the votes are shared out."""
_LOGISTIC = {"constant": -1.58, "likeness": 0.447, "share": 3.95, "both": 0.694, "place": -0.300}
"""Of the chance that a proposal has the true label, fitted to every other one of the 3,676
compounds that were first reported after 2005, with a library of what was known before; on the
rest, in ten bins, predicted and observed chances differ by at most 8.3 points
(``benchmarks/recommender_prototypes.py``).
"""
N_VOTERS = 15
"""Nearest members that vote for their prototype."""


@dataclass(frozen=True)
class Prototype:
    """A kind of crystal, and the compounds that have it.

    Attributes
    ----------
    space_group : int
        Number.
    counts : tuple of int
        Coefficients by place; the places of cations ascend in them, the anion is last.
    sites : tuple of str
        Orbits of each place, as ``1 m-3m``: atoms a formula unit and site symmetry.
    members : tuple of tuple of str
        Elements by place, of each compound.
    crystals : tuple of dict
        Primitive cell of each: ``lattice`` (a, b, c in Å, α, β, γ in degrees) and ``thousandths``,
        fractional coordinates of the atoms, in the order of their places.
    """

    space_group: int
    counts: tuple[int, ...]
    sites: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    crystals: tuple[dict[str, Any], ...]

    @property
    def label(self) -> tuple[object, ...]:
        """What tells it from other prototypes."""
        return self.space_group, self.counts, self.sites

    def structure(self, elements: tuple[str, ...], member: int = 0) -> Structure:
        """Return a member's crystal with other elements in its places, at the member's volume."""
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        crystal = self.crystals[member]
        coordinates = np.array(crystal["thousandths"], dtype=float).reshape(-1, 3) / 1000
        units = len(coordinates) // sum(self.counts)
        species = [
            element
            for element, count in zip(elements, self.counts, strict=True)
            for _ in range(units * count)
        ]
        return Structure(Lattice.from_parameters(*crystal["lattice"]), species, coordinates)


@dataclass(frozen=True)
class Proposal:
    """A crystal that a composition may have.

    Attributes
    ----------
    prototype : Prototype
        Of known compounds.
    elements : tuple of str
        Of the composition, by place.
    parent : str
        Formula of the nearest member.
    member : int
        Its place among the members of the prototype.
    likeness : float
        To it, from 0 to 1.
    votes : float
        Summed likeness of the nearest members.
    share : float
        Part of the votes for the first five proposals.
    place : int
        Among the proposals, from 0.
    """

    prototype: Prototype
    elements: tuple[str, ...]
    parent: str
    member: int
    likeness: float
    votes: float
    share: float = 0.0
    place: int = 0

    @property
    def confidence(self) -> float:
        """The chance that the compound, if it exists, is known by this label one day.

        Other crystals of the same compound, and crystals that no known compound has, take the
        rest.
        """
        likeness = math.log10(max(self.likeness, 1e-4))
        exponent = (
            _LOGISTIC["constant"]
            + _LOGISTIC["likeness"] * likeness
            + _LOGISTIC["share"] * self.share
            + _LOGISTIC["both"] * likeness * self.share
            + _LOGISTIC["place"] * math.log1p(self.place)
        )
        return 1 / (1 + math.exp(-exponent))

    @property
    def label(self) -> tuple[object, ...]:
        """Space group, and the orbits that each element has."""
        orbits = zip(self.elements, self.prototype.sites, strict=True)
        return self.prototype.space_group, tuple(sorted(orbits))


class Library:
    """Prototypes, by the coefficients of their formulas.

    Parameters
    ----------
    prototypes
        In any order.
    """

    def __init__(self, prototypes: Iterable[Prototype]) -> None:
        self._of: dict[tuple[int, ...], list[Prototype]] = {}
        for prototype in prototypes:
            self._of.setdefault(prototype.counts, []).append(prototype)
        self._arrays: dict[
            tuple[int, ...], tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]
        ] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def __iter__(self) -> Iterator[Prototype]:
        return itertools.chain.from_iterable(self._of.values())

    def known_in(self, formulas: Collection[frozenset[tuple[str, int]]]) -> Library:
        """Return what remains if only the members among some compositions are known."""
        kept = []
        for prototype in self:
            rows = [
                row
                for row, member in enumerate(prototype.members)
                if frozenset(zip(member, prototype.counts, strict=True)) in formulas
            ]
            if rows:
                kept.append(
                    replace(
                        prototype,
                        members=tuple(prototype.members[row] for row in rows),
                        crystals=tuple(prototype.crystals[row] for row in rows),
                    )
                )
        return Library(kept)

    def proposals(self, composition: Compositions, likeness: Likeness, n: int) -> list[Proposal]:
        """Return the most likely prototypes of one composition, best first.

        Each of the nearest members votes, with its likeness, for its prototype and for the places
        that its elements have there.
        """
        counts = tuple(composition.counts[0].tolist())
        prototypes = self._of.get(counts)
        if not prototypes:
            return []
        which, row_of, members = self._members(counts, prototypes)
        mine = composition.numbers[0]
        last = len(mine) - 1
        alike, orders = [], []
        for places in itertools.permutations(range(last)):
            if any(counts[place] != counts[at] for at, place in enumerate(places)):
                continue
            # The element at `places[at]` of the composition takes place `at`.
            product = likeness.anions[mine[-1], members[:, -1]].copy()
            for at, place in enumerate(places):
                product *= likeness.cations[mine[place], members[:, at]]
            alike.append(product)
            orders.append((*places, last))
        table = np.array(alike)
        best = np.argsort(-table.ravel(), kind="stable")[: max(N_VOTERS, 4 * max(n, N_SHARING))]
        names = symbols()
        found: dict[tuple[object, ...], Proposal] = {}
        for rank, cell in enumerate(best.tolist()):
            order, member = divmod(cell, table.shape[1])
            value = float(table[order, member])
            prototype = prototypes[which[member]]
            elements = tuple(names[mine[place]] for place in orders[order])
            proposal = Proposal(
                prototype,
                elements,
                _formula(tuple(names[number] for number in members[member]), counts),
                int(row_of[member]),
                value,
                value if rank < N_VOTERS else 0.0,
            )
            earlier = found.get(proposal.label)
            if earlier is not None:
                proposal = replace(earlier, votes=earlier.votes + proposal.votes)
            found[proposal.label] = proposal
        proposed = sorted(found.values(), key=lambda each: (-each.votes, -each.likeness))
        total = sum(each.votes for each in proposed[:N_SHARING]) or 1.0
        return [
            replace(each, share=each.votes / total, place=place)
            for place, each in enumerate(proposed[:n])
        ]

    def _members(
        self, counts: tuple[int, ...], prototypes: list[Prototype]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
        """Return of each member its prototype, its place there, and its atomic numbers."""
        if counts not in self._arrays:
            number_of = atomic_numbers()
            which = [at for at, each in enumerate(prototypes) for _ in each.members]
            members = [
                [number_of[element] for element in member]
                for each in prototypes
                for member in each.members
            ]
            rows = [row for each in prototypes for row in range(len(each.members))]
            self._arrays[counts] = (
                np.array(which, np.intp),
                np.array(rows, np.intp),
                np.array(members, np.uint8),
            )
        return self._arrays[counts]


def shipped_library() -> Library:
    """Return the prototypes that are shipped; ``configs/data`` has their source."""
    with data_file("data").joinpath(SHIPPED).open("rb") as raw, gzip.open(raw, "rt") as lines:
        return Library(_prototype(json.loads(line)) for line in lines)


def _prototype(entry: dict[str, Any]) -> Prototype:
    return Prototype(
        entry["space_group"],
        tuple(entry["counts"]),
        tuple(entry["sites"]),
        tuple(tuple(member.split()) for member in entry["members"]),
        tuple(entry["crystals"]),
    )


def _formula(elements: tuple[str, ...], counts: tuple[int, ...]) -> str:
    parts = sorted(zip(elements, counts, strict=True))
    return "".join(f"{element}{count if count > 1 else ''}" for element, count in parts)


# --------------------------------------------------------------------------- from a crystal


def prototype_of(structure: Structure) -> Prototype | None:
    """Return the prototype of an ordered crystal, None of one without an anion or symmetry."""
    import spglib

    amounts = structure.composition.reduced_composition.get_el_amt_dict()
    anion = anion_of(amounts)
    if anion is None or not structure.is_ordered:
        return None
    numbers = [site.specie.Z for site in structure]
    cell: Any = (structure.lattice.matrix, structure.frac_coords, numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_ANGSTROM)
    primitive = spglib.standardize_cell(cell, to_primitive=True, symprec=SYMMETRY_ANGSTROM)
    if found is None or primitive is None:
        return None
    units = len(structure) / sum(amounts.values())
    orbits: dict[str, list[str]] = {}
    for atom, size in zip(
        *np.unique(found.crystallographic_orbits, return_counts=True), strict=True
    ):
        element = symbols()[numbers[atom]]
        symmetry = found.site_symmetry_symbols[atom]
        orbits.setdefault(element, []).append(f"{size / units:g} {symmetry}")
    label = {element: ",".join(sorted(each)) for element, each in orbits.items()}
    distance = _distances_to(structure, anion)
    cations = sorted(
        (element for element in amounts if element != anion),
        # Alike in the label, the places of perovskites differ in their distance to the anion.
        key=lambda element: (amounts[element], label[element], -distance[element], element),
    )
    elements = (*cations, anion)
    lattice, positions, kinds = primitive
    place_of = {atomic_numbers()[element]: place for place, element in enumerate(elements)}
    from pymatgen.core.lattice import Lattice

    order = np.argsort([place_of[int(kind)] for kind in kinds], kind="stable")
    thousandths = np.round(1000 * np.mod(np.asarray(positions)[order], 1.0)).astype(int) % 1000
    return Prototype(
        int(found.number),
        tuple(int(amounts[element]) for element in elements),
        tuple(label[element] for element in elements),
        (elements,),
        (
            {
                "lattice": [round(float(number), 2) for number in Lattice(lattice).parameters],
                "thousandths": thousandths.ravel().tolist(),
            },
        ),
    )


def _distances_to(structure: Structure, anion: str) -> dict[str, float]:
    """Return the shortest distance of each element's atoms to an anion, in Å."""
    distances = structure.distance_matrix
    names = [str(site.specie.symbol) for site in structure]
    is_anion = np.array([name == anion for name in names])
    found: dict[str, float] = {}
    for row, name in enumerate(names):
        if name != anion:
            nearest = float(distances[row][is_anion].min())
            found[name] = min(found.get(name, np.inf), nearest)
    return found
