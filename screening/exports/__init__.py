"""What leaves the database: a table of forms, each written by a module of its own.

A new form is one file with a function ``write(selection, folder, name)`` and one row of `FORMS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Form:
    """A form that `screen export` writes.

    Parameters
    ----------
    writer
        Import path of ``write(selection, folder, name)``: it writes into an empty folder, a file
        of that name for the forms that are files.
    place
        Whether the output is a file or a folder.
    content
        What it needs of each candidate: only its row in the ranking, a structure, or the forces
        that were stored.
    about
        One line for people.
    """

    writer: str
    place: Literal["file", "folder"]
    content: Literal["row", "structure", "forces"]
    about: str


FORMS: dict[str, Form] = {
    "cif": Form("screening.exports.cif.write", "folder", "structure", "CIF, a file each"),
    "extxyz": Form("screening.exports.extxyz.write", "file", "structure", "extended XYZ"),
    "phono3py": Form(
        "screening.exports.phono3py.write",
        "folder",
        "forces",
        "force constants and parameter files that phono3py and phonopy go on with",
    ),
    "optimade": Form("screening.exports.optimade.write", "file", "structure", "OPTIMADE's JSON"),
    "csv": Form("screening.exports.csv.write", "file", "row", "the ranking as CSV"),
    "parquet": Form("screening.exports.parquet.write", "file", "row", "the ranking as Parquet"),
}
