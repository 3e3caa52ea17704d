"""Structures as CIF files, one a candidate, with value, error and origin as tags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.exports import ExportForm

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from screening.exports.selection import Selection

DIGITS = 10
"""Significant figures of lengths and positions: more than any relaxation has."""


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write ``CANDIDATE.cif``, and for electrodes ``CANDIDATE-charged.cif``."""
    for row in selection.rows:
        item = selection.item(row)
        facts = selection.facts(item)
        key = row.candidate_id
        (folder / f"{key}.cif").write_text(_text(key, item.structure, facts), "utf-8")
        charged = item.charged_structure
        if charged is not None:
            key = f"{key}-charged"
            (folder / f"{key}.cif").write_text(_text(key, charged, facts), "utf-8")


def _text(key: str, structure: Structure, facts: dict[str, Any]) -> str:
    """Return a CIF whose data block has the candidate's name.

    In P1, with the atoms as they were computed: a symmetrised cell would be another one.
    """
    from pymatgen.io.cif import CifWriter

    lines = str(CifWriter(structure, significant_figures=DIGITS)).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("data_"))
    tags = [f"_matscreen_{name} {_cif_value(value)}" for name, value in facts.items()]
    return "\n".join([*lines[:start], f"data_{key}", *tags, *lines[start + 1 :], ""])


def _cif_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return repr(value)
    text = " ".join(str(value).split())
    # A quote ends a CIF string only where a space follows it.
    harmless = text.replace("' ", "’ ")
    return f"'{harmless}'"


FORM = ExportForm(
    name="cif",
    help="Structures as CIF files, one a candidate.",
    place="folder",
    content="structure",
    write=write,
    kinds=("crystal",),
)
