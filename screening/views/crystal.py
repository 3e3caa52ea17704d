"""The drawing of a crystal: its atoms in the primitive cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screening.candidates.crystal import bare_structure
from screening.messages.stderr import counted
from screening.views.forms import CrystalView, Site
from screening.views.numbers import short


def draw(stored: Mapping[str, Any], result: Mapping[str, Any]) -> CrystalView:
    """Return the relaxed crystal of a result, else that of the source."""
    from pymatgen.symmetry.groups import sg_symbol_from_int_number

    relaxed = result.get("structure")
    structure = bare_structure(relaxed or stored["structure"])
    a, b, c = (_vector(row) for row in structure.lattice.matrix)
    origin = "Relaxed by the engine" if relaxed else "As the source has it"
    return CrystalView(
        caption=f"{origin}; {counted(len(structure), 'atom')} in the cell.",
        formula=stored["formula"],
        space_group=sg_symbol_from_int_number(stored["space_group_number"]),
        lattice_a=(a, b, c),
        sites=[
            Site(element=site.specie.symbol, position_a=_vector(site.coords)) for site in structure
        ],
    )


def _vector(values: Any) -> tuple[float, float, float]:
    # Round-off of a coordinate that is zero is no digit worth keeping.
    x, y, z = (short(round(float(coordinate), 6)) for coordinate in values)
    return x, y, z
