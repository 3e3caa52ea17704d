"""Repeat units as one SDF file of drawings; value, error, monomers and origin are data fields."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write a record each, best first, in V2000, or V3000 above 999 atoms.

    Coordinates are those of a drawing; attachment points are the dummy atoms of the SMILES.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    text = io.StringIO()
    writer = Chem.SDWriter(text)
    for row in selection.rows:
        item = selection.item(row)
        unit = Chem.MolFromSmiles(item.candidate.content())
        rdDepictor.Compute2DCoords(unit)
        unit.SetProp("_Name", row.candidate_id)
        details = {label.replace(" ", "_"): said for label, said in item.candidate.details()}
        for field, value in {**selection.facts(item), **details}.items():
            unit.SetProp(field, " ".join(str(value).split()))
        writer.write(unit)
    writer.close()
    (folder / name).write_text(text.getvalue(), "utf-8")


FORM = ExportForm(
    name="sdf",
    help="Repeat units as one SDF file.",
    place="file",
    content="structure",
    write=write,
    kinds=("polymer",),
)
