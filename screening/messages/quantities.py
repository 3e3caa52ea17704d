"""Labels and units of quantities, as columns and axes show them."""

from __future__ import annotations

from dataclasses import dataclass


def heading(label: str, unit: str) -> str:
    """Return a label with its unit, as axes and columns have it; a quotient gets its brackets."""
    if not unit:
        return label
    return f"{label} / ({unit})" if "/" in unit else f"{label} / {unit}"


@dataclass(frozen=True)
class Quantity:
    """A field of the result document, as tables show it."""

    field: str
    label: str
    unit: str

    @property
    def heading(self) -> str:
        """The label, with the unit where there is one."""
        return heading(self.label, self.unit)


UNITS = {
    "_w_per_m_k": "W/m/K",
    "_ev_per_atom": "eV/atom",
    "_ev_per_a": "eV/Å",
    "_a3_per_atom": "Å³/atom",
    "_mah_per_g": "mAh/g",
    "_mah_per_cm3": "mAh/cm³",
    "_wh_per_kg": "Wh/kg",
    "_g_per_cm3": "g/cm³",
    "_g_per_mol": "g/mol",
    "_m_per_s": "m/s",
    "_gpa": "GPa",
    "_thz": "THz",
    "_ev": "eV",
    "_k": "K",
    "_v": "V",
    "_a3": "Å³",
    "_a": "Å",
    "_s": "s",
}
"""Units as the names of fields end in them; longer endings come first."""


def unit_of(field: str) -> str:
    """Return the unit that the name of anybody's field states, empty where it states none.

    Endings of one letter, which could be anything there, do not count.
    """
    endings = (ending for ending in UNITS if len(ending) > 2)
    return next((UNITS[ending] for ending in endings if field.lower().endswith(ending)), "")
