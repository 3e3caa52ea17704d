"""What leaves the database: forms, each written by a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from screening.machine.plugins import PlugIns

if TYPE_CHECKING:
    from screening.exports.selection import Selection


@dataclass(frozen=True, kw_only=True)
class ExportForm:
    """A form that `matscreen export` writes.

    Parameters
    ----------
    name
        As ``matscreen export --as`` has it.
    help
        What is written, in a sentence.
    place
        Whether the output is a file or a folder.
    content
        What it needs of each candidate: only its row in the ranking, its content (the structure of
        a crystal), or the forces that were stored.
    write
        ``write(selection, folder, name)`` writes into an empty folder, a file of that name for the
        forms that are files.
    kinds
        Kinds of candidates that it can write; None for all.
    """

    name: str
    help: str
    place: Literal["file", "folder"]
    content: Literal["row", "structure", "forces"]
    write: Callable[[Selection, Path, str], None]
    kinds: tuple[str, ...] | None = None


FORMS: PlugIns[ExportForm] = PlugIns(
    "export form",
    "matscreen.export_forms",
    {
        name: f"screening.exports.{name}:FORM"
        for name in (
            *("cif", "extxyz", "phono3py", "optimade", "smiles", "sdf", "polymlp"),
            *("csv", "parquet"),
        )
    },
)
