"""A lattice whose sites several species may take, and the clusters of its sites.

Structures are decorations of it: cells whose sites are those of the lattice, with one species each.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from ase import Atoms
    from icet import ClusterSpace
    from numpy.typing import NDArray

MOST_SPECIES = 4
PAIRS, TRIPLETS, QUADRUPLETS = 4.05, 2.3, 1.5
"""Largest distances within clusters, in units of that between nearest sites that can be taken.
Alloys of atoms of unlike size need distant pairs, whose interaction is by strain; more quadruplets
made predictions of Cu–Au no better, and Monte Carlo five times slower."""
TOLERANCE_A = 1e-3
"""Of sites, which are computed and not measured."""


class AlloyLattice(BaseModel):
    """A lattice and the species that its sites may hold.

    Attributes
    ----------
    name : str
        For people, as ``fcc``.
    cell_a : list of list of float
        Vectors of the primitive cell.
    positions : list of list of float
        Fractional coordinates of its sites.
    species : list of list of str
        Symbols allowed on each site, one for a site that is the same in all structures.  Sites
        with more have the same ones everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cell_a: list[list[float]]
    positions: list[list[float]]
    species: list[list[str]]

    @model_validator(mode="after")
    def _one_set_of_species(self) -> Self:
        mixed = {tuple(sorted(allowed)) for allowed in self.species if len(allowed) > 1}
        if len(mixed) != 1:
            raise ValueError("sites with several species must all have the same ones")
        (symbols,) = mixed
        if len(set(symbols)) != len(symbols) or len(symbols) > MOST_SPECIES:
            raise ValueError(f"take two to {MOST_SPECIES} different species on a site")
        fixed = {allowed[0] for allowed in self.species if len(allowed) == 1}
        if fixed & set(symbols):
            raise ValueError("a species that is mixed has sites of its own, too; that is no mixing")
        return self

    @property
    def mixed(self) -> tuple[str, ...]:
        """Species that share sites, sorted."""
        return tuple(sorted(next(each for each in self.species if len(each) > 1)))

    @property
    def system(self) -> str:
        """The species that share sites, as ``Au-Cu``."""
        return "-".join(self.mixed)

    @property
    def key(self) -> str:
        """Fingerprint of lattice and species."""
        content = json.dumps(self.model_dump(exclude={"name"}), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def parent(self) -> Atoms:
        """Return the primitive cell, the first species allowed on each site."""
        from ase import Atoms

        symbols = [allowed[0] for allowed in self.species]
        return Atoms(symbols, scaled_positions=self.positions, cell=self.cell_a, pbc=True)

    def nearest_a(self) -> float:
        """Return the distance between nearest sites that several species may take."""
        from ase.neighborlist import neighbor_list

        parent = self.parent()
        mixed = parent[[k for k, allowed in enumerate(self.species) if len(allowed) > 1]]
        reach_a = 1.01 * float(np.linalg.norm(mixed.cell.array, axis=1).min())
        return float(neighbor_list("d", mixed, reach_a).min())

    def cluster_space(self) -> ClusterSpace:
        """Return icet's cluster space of the lattice."""
        return _cluster_space(self.model_dump_json())

    def cluster_vector(self, structure: Atoms) -> NDArray[np.float64]:
        """Return the mean of each cluster function over a structure, shape (clusters,)."""
        vector: NDArray[np.float64] = self.cluster_space().get_cluster_vector(structure)
        return vector

    def concentrations(self, symbols: list[str]) -> dict[str, float]:
        """Return the fraction of each mixed species on the sites that they share."""
        counts = {symbol: symbols.count(symbol) for symbol in self.mixed}
        total = sum(counts.values())
        return {symbol: count / total for symbol, count in counts.items()}

    def decoration(self, structure: Atoms) -> list[list[Any]]:
        """Return a structure in whole numbers: cell vectors, then each site and its symbol.

        A site is its place in the primitive cell and the lattice vectors to it.

        Raises
        ------
        ValueError
            When the structure is no decoration of the lattice.
        """
        lattice = np.array(self.cell_a)
        inverse = np.linalg.inv(lattice)
        vectors = np.asarray(structure.cell.array) @ inverse
        rows: list[list[Any]] = [np.round(vector).astype(int).tolist() for vector in vectors]
        off_a = float(np.abs((vectors - np.round(vectors)) @ lattice).max())
        places = np.asarray(structure.get_positions()) @ inverse
        sites = np.array(self.positions)
        symbols = structure.get_chemical_symbols()
        found = []
        for place, symbol in zip(places, symbols, strict=True):
            apart = place - sites
            away = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1)
            site = int(away.argmin())
            off_a = max(off_a, float(away[site]))
            if symbol not in self.species[site]:
                raise ValueError(f"{symbol} is not allowed on its site")
            found.append([site, *np.round(apart[site]).astype(int).tolist(), symbol])
        if off_a > TOLERANCE_A or len(symbols) != round(
            abs(float(np.linalg.det(vectors))) * len(sites)
        ):
            raise ValueError("its sites are not those of the lattice")
        return rows + sorted(found)


@lru_cache(maxsize=8)
def _cluster_space(lattice_json: str) -> ClusterSpace:
    from icet import ClusterSpace

    lattice = AlloyLattice.model_validate_json(lattice_json)
    cutoffs = [lattice.nearest_a() * reach for reach in (PAIRS, TRIPLETS, QUADRUPLETS)]
    return ClusterSpace(lattice.parent(), cutoffs, lattice.species)
