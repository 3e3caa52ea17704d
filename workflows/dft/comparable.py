"""Which crystals' first-principles energies cannot be subtracted from those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflows.dft.settings import HUBBARD_ANIONS

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.dft.settings import DftSettings

LONGEST_DIOXYGEN_A = 1.40
"""Between the oxygen atoms of O2 (1.21 Å) and of superoxides (1.28 to 1.35 Å), which have unpaired
electrons; those of peroxides, which have none, are 1.49 Å apart."""


def why_incomparable(structure: Structure, settings: DftSettings) -> str | None:
    """Return why the energy of a crystal does not go together with those of others, or None.

    Unpaired electrons of oxygen are not seen without spin, and an element with Hubbard's U in one
    crystal and without it in another has two zeros of energy.
    """
    symbols = {element.symbol for element in structure.composition.elements}
    if settings.spin != "on" and (symbols == {"O"} or _has_dioxygen(structure)):
        return (
            "O2 and superoxides have unpaired electrons, which this engine leaves out without "
            "spin; take an engine with spin: on, or leave the crystal out"
        )
    corrected = settings.hubbard_u(structure)
    asked = {symbol for symbol, u_ev in settings.hubbard_u_ev.items() if u_ev}
    if without := sorted(symbols & asked - corrected.keys()):
        anions = " and ".join(sorted(HUBBARD_ANIONS))
        return (
            f"{', '.join(without)} has Hubbard's U in compounds of {anions} with this engine and "
            "none here: the two do not go together; take an engine without hubbard_u_ev, or leave "
            "the crystal out"
        )
    return None


def _has_dioxygen(structure: Structure) -> bool:
    oxygen = [site for site in structure if site.specie.symbol == "O"]
    return any(
        neighbor.specie.symbol == "O"
        for site in oxygen
        for neighbor in structure.get_neighbors(site, LONGEST_DIOXYGEN_A)
    )
