"""Tables with a header, as spreadsheets write them: comma, semicolon or tab between the fields."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from screening.machine.text_files import NoTextError

DELIMITERS = ",;\t"


def table_rows(
    lines: Iterable[str | NoTextError],
) -> Iterator[tuple[int, dict[str, str] | NoTextError]]:
    """Stream the rows of a table, each with the number of its line and its fields by column.

    Names of columns are in small letters and without blanks around. Fields beyond the header are
    left out, and those that a row lacks are empty. A line that is no text is an error.

    Raises
    ------
    NoTextError
        When there is no header.
    """
    numbered = iter(enumerate(lines, start=1))
    header: list[str] = []
    delimiter = ","
    for _, line in numbered:
        if isinstance(line, NoTextError):
            raise line
        if line.strip():
            delimiter = max(DELIMITERS, key=line.count)
            header = [
                name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter))
            ]
            break
    if not header:
        raise NoTextError("it is empty")
    for number, line in numbered:
        if isinstance(line, NoTextError):
            yield number, line
        elif line.strip():
            try:
                fields = next(csv.reader([line], delimiter=delimiter))
            except (csv.Error, StopIteration) as error:
                yield number, NoTextError(f"the line is no row of a table ({error})")
                continue
            padded = fields + [""] * (len(header) - len(fields))
            yield number, dict(zip(header, map(str.strip, padded), strict=False))
