"""Tables that spreadsheets open."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import IO, Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: Any) -> Any:
    """Return a cell with a quote in front of text that a spreadsheet would run as a formula.

    Names and reasons come from whoever wrote the crystals' files.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def write_csv(records: Iterable[Mapping[str, Any]], file: IO[str]) -> None:
    """Write records with a heading line; columns are those that any of them has."""
    rows = list(records)
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["rank"]
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless(cell) for name, cell in row.items()} for row in rows)
