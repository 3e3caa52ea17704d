"""The ranking as Parquet, with the dictionary of its columns in the file's metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm
from screening.exports.column_dictionary import dictionary_json
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write one row a candidate.

    Raises
    ------
    ScreenError
        When pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ScreenError(
            "--as parquet: needs pyarrow; run, in a clone of this project: pip install "
            "'.[export]', or take --as csv"
        ) from None
    from screening.results.tables import ranking_table

    table = pyarrow.Table.from_pandas(
        ranking_table(selection.objective, selection.rows), preserve_index=False
    )
    said = {**(table.schema.metadata or {}), b"matscreen_dictionary": dictionary_json(selection)}
    pyarrow.parquet.write_table(table.replace_schema_metadata(said), folder / name)


FORM = ExportForm(
    name="parquet",
    help="The ranking as Parquet.",
    place="file",
    content="row",
    write=write,
)
