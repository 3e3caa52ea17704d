"""Tables that fit the terminal: what is empty goes, then what can be done without.

A number that is cut or folded cannot be read, so cells never are: headings are folded, lines and
edges are given up, and last whole columns, which the caption then names.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table

_BRACKETS = re.compile(r"\([^()]*\)")
_HARD = "\0"
"""Stands for a space that no line ends at."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    heading
        With the unit, where cells hold numbers.
    cells
        One for each row; a column whose cells are all empty is not shown.
    right
        Whether cells are flush right, as numbers are.
    expendable
        0 for what every table needs; of the others, the highest is the first to go where the
        terminal is too narrow.
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    expendable: int = 0

    @property
    def content_width(self) -> int:
        """Characters of the widest cell."""
        return max(map(cell_len, self.cells), default=0)

    @property
    def folded(self) -> str:
        """The heading in lines that are no wider than they must be."""
        # Neither what is in brackets nor a unit and its stroke are torn apart.
        whole = _BRACKETS.sub(lambda match: match[0].replace(" ", _HARD), self.heading)
        whole = whole.replace(" / ", f" /{_HARD}")
        width = max([self.content_width, 1, *map(cell_len, whole.split(" "))])
        lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
        return "\n".join(lines).replace(_HARD, " ")

    def width(self, heading: str) -> int:
        """Return the characters that the column takes under a heading."""
        return max([self.content_width, *map(cell_len, heading.splitlines())])


def fitting(
    columns: Sequence[Column],
    width: int,
    *,
    title: str,
    caption: str,
    styles: Sequence[str] = (),
    elsewhere: str = "",
) -> Table:
    """Return a table of what fits into so many characters.

    Parameters
    ----------
    styles
        Of the rows; none by default.
    elsewhere
        Where the columns are that were left out for want of room.
    """
    rows = list(zip(*(column.cells for column in columns), strict=True))
    left = [column for column in columns if not rows or any(column.cells)]
    without: list[str] = []
    folded = compact = False
    while _needed(left, folded=folded, compact=compact) > width:
        expendable = [column for column in left if column.expendable]
        if not folded:
            folded = True
        elif not compact:
            compact = True
        elif expendable:
            first = max(expendable, key=lambda column: column.expendable)
            left.remove(first)
            without.append(first.heading)
            # There may be room for lines again.
            compact = False
        else:
            break
    if without:
        caption += f"; too wide to show: {', '.join(reversed(without))}{elsewhere}"
    table = Table(title=title, caption=caption)
    needed = _needed(left, folded=folded, compact=compact)
    if needed > width:
        # The terminal folds lines then, and nothing is cut.
        table.width = needed
    if compact:
        table.box, table.show_edge, table.padding = box.SIMPLE_HEAD, False, (0, 1, 0, 0)
    for column in left:
        heading = column.folded if folded else column.heading
        table.add_column(
            heading,
            justify="right" if column.right else "left",
            no_wrap=True,
            min_width=column.width(heading),
        )
    shown = list(zip(*(column.cells for column in left), strict=True))
    for number, cells in enumerate(shown):
        table.add_row(*cells, style=styles[number] if styles else None)
    return table


def _needed(columns: Sequence[Column], *, folded: bool, compact: bool) -> int:
    """Return the characters that a line takes."""
    cells = sum(column.width(column.folded if folded else column.heading) for column in columns)
    # A space on either side and a line, or only a space and the box's own.
    return cells + (2 * len(columns) if compact else 3 * len(columns) + 1)
