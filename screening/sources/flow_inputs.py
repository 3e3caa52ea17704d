"""What a JSON entry states beside a crystal that a flow can use.

Born charges, the charged crystal of an electrode, further supercells of an alloy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from screening.candidates.crystal import bare_structure
from screening.candidates.crystal_sanity import unusable
from screening.sources.dielectric import known_dielectric
from screening.sources.pymatgen_json import described_badly

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

DISCHARGED = ("cif", "structure", "cif_discharge")
"""Keys of the crystal itself; the last is how the Materials Project's electrodes name it."""
CHARGED = ("charged_cif", "charged_structure", "cif_charge")
"""Keys of its charged partner: CIF text, pymatgen dictionary, CIF text."""


def known_inputs(
    entry: dict[str, Any],
    structure: Structure,
    place: str,
    parse: Callable[[str, Any], Structure],
) -> dict[str, Any]:
    """Return the inputs of flows that an entry states, as Makers' `inputs_model` name them.

    Parameters
    ----------
    entry : dict
        ``born_charges_e`` and ``dielectric_tensor`` are taken together; one of `CHARGED`,
        ``working_ion``, and beside one of these ``energy_above_hull_ev_per_atom``;
        ``approximants``, a list of pymatgen dictionaries.
    structure : Structure
        The crystal itself.
    place : str
        Where the entry stands.
    parse : callable
        Turns a key and its value into a structure.

    Raises
    ------
    ValueError, TypeError
        When one of them cannot be used.
    """
    from pymatgen.core.periodic_table import Element

    found: dict[str, Any] = {}
    if {"born_charges_e", "dielectric_tensor"} <= entry.keys():
        found["dielectric"] = known_dielectric(
            structure,
            entry["born_charges_e"],
            entry["dielectric_tensor"],
            place,
            next((str(entry[key]) for key in DISCHARGED if key in entry and "cif" in key), None),
        )
    for key in CHARGED:
        if key in entry:
            charged = parse(key, entry[key])
            reason = unusable(charged)
            if reason is not None:
                raise ValueError(f"of its charged crystal: {reason}")
            charged.remove_oxidation_states()
            charged.site_properties.clear()
            charged.properties.clear()
            found["charged"] = charged.as_dict(verbosity=0)
    ion = entry.get("working_ion")
    if ion is not None:
        if not (isinstance(ion, str) and Element.is_valid_symbol(ion)):
            raise ValueError(f"working_ion {ion!r} is not the symbol of an element")
        found["working_ion"] = ion
    if "approximants" in entry:
        found["approximants"] = [
            _approximant(value, number)
            for number, value in enumerate(entry["approximants"], start=1)
        ]
    hull = entry.get("energy_above_hull_ev_per_atom")
    # Only flows of electrodes pass it on; elsewhere it is a property like others.
    if found.keys() & {"charged", "working_ion"} and hull is not None:
        found["energy_above_hull_ev_per_atom"] = float(hull)
    return found


def _approximant(value: Any, number: int) -> dict[str, Any]:
    """Return a further decorated supercell of an alloy, a pymatgen dictionary, without its names.

    Raises
    ------
    ValueError
        When it is none.
    """
    reason = described_badly(value)
    if reason is not None:
        raise ValueError(f"its approximant {number} {reason}")
    supercell = bare_structure(value)
    if (refusal := unusable(supercell)) is not None:
        raise ValueError(f"of its approximant {number}: {refusal}")
    supercell.remove_oxidation_states()
    stated: dict[str, Any] = supercell.as_dict(verbosity=0)
    return stated
