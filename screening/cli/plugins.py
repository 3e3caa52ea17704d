"""`matscreen plugins`: every extension point, and what there is to choose from."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from screening.cli.options import Format, FormatOption
from screening.cli.output import print_fitting, print_json
from screening.machine.plugins import imported

POINTS = {
    "sources": "screening.sources:SOURCES",
    "candidate-kinds": "screening.candidates.kinds:KINDS",
    "objectives": "screening.targets.objectives:OBJECTIVES",
    "engine-kinds": "screening.targets.engines:ENGINE_KINDS",
    "samplers": "screening.choosing.samplers:SAMPLERS",
    "surrogates": "screening.choosing.surrogates:SURROGATES",
    "export-forms": "screening.exports:FORMS",
    "figures": "screening.views.campaign_figures:FIGURES",
}
"""Import path of the `PlugIns` of every extension point, by the name that the command knows."""
OURS = ("screening.", "workflows.")


def plugins(
    point: Annotated[
        Optional[str], typer.Argument(help=f"{', '.join(POINTS)}. [default: all]")
    ] = None,
    format: FormatOption = Format.table,
) -> None:
    """List what campaigns can be extended with: names, what they are, where they come from."""
    from screening.messages.validation import check_choice

    check_choice("extension point", point, POINTS)
    rows = [row for name in POINTS if point in (None, name) for row in _rows(name)]
    if format is Format.json:
        print_json(rows)
        return
    from screening.cli.fitted_table import Column

    print_fitting(
        [
            Column("extension point", [row["point"] for row in rows]),
            Column("name", [row["name"] for row in rows]),
            Column("from", [row["from"] for row in rows], expendable=1),
            Column("what it is", [row["help"] for row in rows], expendable=2),
        ],
        title="extension points",
        caption="other packages offer theirs as entry points, a campaign's YAML by import path",
        elsewhere=" (--format json has them)",
    )


def _rows(point: str) -> list[dict[str, str]]:
    """Return the plug-ins of an extension point, as flat records.

    One that cannot be imported is listed with the reason instead of its help.
    """
    from screening.messages.errors import ScreenError

    table = imported(POINTS[point])
    rows = []
    for name, path in ((name, table.paths()[name]) for name in table.names()):
        try:
            text = table.load(name).help
        except ScreenError as error:
            text = str(error)
        origin = "matscreen" if path.startswith(OURS) else path.partition(".")[0]
        rows.append(
            {
                "point": point,
                "group": table.group,
                "name": name,
                "help": text,
                "from": origin,
                "path": path,
            }
        )
    return rows


def names_at(path: str) -> list[str]:
    """Return the names in the table at an import path, ``module:attribute``, or given by it."""
    table = imported(path)
    return list(table.names() if hasattr(table, "names") else table())
