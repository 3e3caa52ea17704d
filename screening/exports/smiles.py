"""Repeat units as a SMILES file, one a line with its candidate_id: what `.smi` sources read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write the canonical repeat units, best first."""
    lines = [
        f"{selection.item(row).candidate.content()}\t{row.candidate_id}\n" for row in selection.rows
    ]
    (folder / name).write_text("".join(lines), "utf-8")


FORM = ExportForm(
    name="smiles",
    help="Repeat units as SMILES, one a line.",
    place="file",
    content="structure",
    write=write,
    kinds=("polymer",),
)
