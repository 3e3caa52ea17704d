"""All structures of a lattice up to a size, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

    from screening.alloys.lattice import AlloyLattice


def enumerated(
    lattice: AlloyLattice, most_atoms: int, bounds: Mapping[str, tuple[float, float]]
) -> Iterator[Atoms]:
    """Yield the structures that differ by more than symmetry, small cells first, by icet.

    The enumeration is that of G. L. W. Hart and R. W. Forcade, Phys. Rev. B 77, 224115 (2008).

    Parameters
    ----------
    most_atoms
        In a cell.
    bounds
        Least and largest fraction of a species on the sites that are shared.  Structures with one
        species there are the end members, and always given.
    """
    from icet.tools import enumerate_structures

    sizes = range(1, most_atoms // len(lattice.positions) + 1)
    for structure in enumerate_structures(lattice.parent(), sizes, lattice.species):
        shares = lattice.concentrations(structure.get_chemical_symbols())
        within = all(low - 1e-9 <= shares[s] <= high + 1e-9 for s, (low, high) in bounds.items())
        if within or max(shares.values()) == 1:
            yield structure
