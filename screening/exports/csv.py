"""The ranking as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm
from screening.exports.csv_cells import harmless

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write one row a candidate; what is not known is empty."""
    from screening.results.tables import ranking_table

    table = ranking_table(selection.objective, selection.rows)
    table.map(harmless).to_csv(folder / name, index=False)


FORM = ExportForm(
    name="csv",
    help="The ranking as CSV.",
    place="file",
    content="row",
    write=write,
)
