"""Ordered structures of a lattice: decorations of its sites, named by what is where."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

from screening.alloys.lattice import AlloyLattice
from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import bare_structure
from screening.candidates.symmetry_search import found_number
from screening.messages.refusal import RefusedError
from screening.messages.stderr import counted

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

LATTICE = "alloy_lattice"
"""Property of a structure: the lattice that it is a decoration of, as `AlloyLattice` is stored."""


class Ordering(Candidate):
    """One ordered structure of a lattice.

    Attributes
    ----------
    candidate_id : str
        ``formula-lattice-fingerprint``: of the lattice, the cell and the species on its sites.
    formula : str
        Reduced, without parentheses, as ``Cu3Au``.
    lattice : str
        Name of the lattice.
    lattice_key : str
        Fingerprint of the lattice; all structures of a campaign have the same one.
    system : str
        Species that share sites, as ``Au-Cu``.
    space_group_number : int
        Of the structure on the ideal lattice.
    n_sites : int
        Atoms in the primitive cell.
    structure : dict
        pymatgen ``Structure.as_dict`` of the primitive cell, on the ideal lattice.
    alloy_lattice : dict
        The lattice as `AlloyLattice` is stored.
    """

    GROUPED_BY = ("formula", "lattice_key")

    kind: Literal["ordering"] = "ordering"
    formula: str
    lattice: str
    lattice_key: str
    system: str
    space_group_number: int
    n_sites: int
    structure: dict[str, Any]
    alloy_lattice: dict[str, Any]

    @property
    def label(self) -> str:
        """Reduced formula."""
        return self.formula

    @property
    def summary(self) -> str:
        """Formula, lattice, space group and size."""
        atoms = counted(self.n_sites, "atom")
        group = f"space group {self.space_group_number}"
        return f"{self.formula} on {self.lattice}, {group}, {atoms}"

    def content(self) -> Structure:
        """Build the primitive cell on the ideal lattice, which its properties name."""
        structure = bare_structure(self.structure)
        structure.properties[LATTICE] = self.alloy_lattice
        return structure

    def finer_digits(self) -> str:
        """Return digits of lattice, cell and what is where."""
        return _digits(AlloyLattice.model_validate(self.alloy_lattice), self.content())


def read_ordering(structure: Structure, origin: Origin) -> Ordering:
    """Return the ordered structure of a cell whose properties name its lattice.

    Raises
    ------
    RefusedError
        When they do not, or the cell is no decoration of it.
    """
    stated = structure.properties.get(LATTICE)
    if stated is None:
        raise RefusedError("it names no lattice; the source `orderings` gives structures that do")
    lattice = AlloyLattice.model_validate(stated)
    try:
        digits = _digits(lattice, structure)
    except ValueError as error:
        raise RefusedError(f"it is no structure of the lattice {lattice.name}: {error}") from None
    number = found_number(structure, 1e-3)
    if number is None:
        raise RefusedError("the search for its symmetry fails")
    composition = structure.composition
    amounts = composition.element_composition.reduced_composition.items()
    formula = "".join(
        f"{element.symbol}{amount:g}" if amount != 1 else element.symbol
        for element, amount in sorted(amounts, key=lambda pair: (pair[0].X, pair[0].symbol))
    )
    bare = structure.copy()
    bare.properties = {}
    return Ordering(
        candidate_id=f"{formula}-{lattice.name}-{digits[:10]}",
        formula=formula,
        lattice=lattice.name,
        lattice_key=lattice.key,
        system=lattice.system,
        space_group_number=number,
        n_sites=len(structure),
        elements=sorted(str(element) for element in composition.elements),
        structure=bare.as_dict(verbosity=0),
        alloy_lattice=lattice.model_dump(mode="json"),
        origins=[origin],
    )


def _digits(lattice: AlloyLattice, structure: Structure) -> str:
    from pymatgen.io.ase import AseAtomsAdaptor

    decoration = lattice.decoration(AseAtomsAdaptor.get_atoms(structure))
    return hashlib.sha256(json.dumps([lattice.key, decoration]).encode()).hexdigest()
