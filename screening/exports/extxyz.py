"""Structures as one extended XYZ file, a frame each, with value, error and origin in its header."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write all frames, best first; an electrode's charged crystal follows the discharged one."""
    from ase.io import write as write_frames
    from pymatgen.io.ase import AseAtomsAdaptor

    frames = []
    for row in selection.rows:
        item = selection.item(row)
        facts = selection.facts(item)
        charged = item.charged_structure
        states = (
            {"": item.structure}
            if charged is None
            else {
                "discharged": item.structure,
                "charged": charged,
            }
        )
        for state, structure in states.items():
            # msonable=False: plain ASE atoms.
            atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
            atoms.info = {**facts, **({"electrode_state": state} if state else {})}
            frames.append(atoms)
    write_frames(folder / name, frames, format="extxyz")


FORM = ExportForm(
    name="extxyz",
    help="Structures as one extended XYZ file.",
    place="file",
    content="structure",
    write=write,
    kinds=("crystal",),
)
