"""What chemical potentials of elements are counted from: their crystals and molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymatgen.core import Lattice, Structure

from workflows.point_defects.elemental_crystals import CRYSTALS, elemental_crystal

if TYPE_CHECKING:
    from collections.abc import Iterable

BOND_LENGTHS_A = {
    "H": 0.74,
    "N": 1.10,
    "O": 1.21,
    "F": 1.41,
    "Cl": 1.99,
    "Br": 2.28,
    "I": 2.67,
}
"""Elements whose reference is the molecule of two atoms; where its relaxation starts from."""
BOX_A = (12.0, 13.0, 14.0)
"""Edges of the box of a molecule, no two the same, so that it has no symmetry of a cube."""
UNLISTED = frozenset(("He", "Rn", "Fr", "Ra", "At", "Pm"))
HUBBARD_ELEMENTS = frozenset(("V", "Cr", "Mn", "Fe", "Co", "Ni", "Mo", "W"))
"""Those that the Materials Project computes with PBE+U in oxides and fluorides, and with PBE as
elements: A. Jain et al., Phys. Rev. B 84, 045115 (2011)."""


def without_reference(symbols: Iterable[str]) -> list[str]:
    """Return the elements that have no reference here, sorted."""
    return sorted(symbol for symbol in set(symbols) if not _has_reference(symbol))


def is_molecule(symbol: str) -> bool:
    """Return whether an element's reference is a molecule, whose box is not relaxed."""
    return symbol in BOND_LENGTHS_A


def reference_structure(symbol: str) -> Structure:
    """Return the crystal of an element, or its molecule in a box, not relaxed yet.

    Raises
    ------
    ValueError
        When there is none; see `without_reference`.
    """
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    if symbol in BOND_LENGTHS_A:
        ends = [[6.0, 6.0, 6.0], [6.0, 6.0, 6.0 + BOND_LENGTHS_A[symbol]]]
        return Structure(
            Lattice.orthorhombic(*BOX_A), [symbol] * 2, ends, coords_are_cartesian=True
        )
    if symbol in CRYSTALS:
        return elemental_crystal(symbol)
    if not _has_reference(symbol):
        raise ValueError(f"no crystal of {symbol} is known here")
    return AseAtomsAdaptor.get_structure(bulk(symbol))


def limits_of(symbol: str, anions: bool) -> str:
    """Return what a reference does not say, in a sentence or two.

    Parameters
    ----------
    anions
        Whether the crystal holds O or F, with which databases use a Hubbard U.
    """
    if symbol in BOND_LENGTHS_A:
        said = "At 0 K, without zero-point energy and without spin, which potentials do not know."
    else:
        said = "At 0 K, one crystal structure; the engine may have one that is lower."
    if anions and symbol in HUBBARD_ELEMENTS:
        said += (
            " A potential trained on the Materials Project learned this element with PBE and its "
            "oxides and fluorides with PBE+U: the two do not go together."
        )
    return said


def _has_reference(symbol: str) -> bool:
    from ase.data import atomic_numbers, reference_states

    if symbol in BOND_LENGTHS_A or symbol in CRYSTALS:
        return True
    number = atomic_numbers.get(symbol)
    if number is None or symbol in UNLISTED or number >= len(reference_states):
        return False
    state = reference_states[number]
    return state is not None and state["symmetry"] in (
        "bcc",
        "fcc",
        "hcp",
        "diamond",
        "sc",
        "bct",
        "rhombohedral",
    )
