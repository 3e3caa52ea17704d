"""`matscreen plot`: a figure of a candidate or a campaign, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from screening.cli.opening import existing_database
from screening.messages.stderr import say


def plot(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CANDIDATE|NAME",
            help="candidate_id, material_id or formula; or a campaign.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write, .png, .svg or .pdf; it is replaced."),
    ],
    kind: Annotated[
        Optional[str],
        typer.Option(
            help="Of a candidate <screening.targets.objectives:candidate_figures>; of a campaign "
            "<screening.views.campaign_figures:FIGURES>. [default: the first that there is]"
        ),
    ] = None,
    campaign: Annotated[
        Optional[str], typer.Option(help="Campaign, where a candidate is in several.")
    ] = None,
    width_mm: Annotated[float, typer.Option("--width-mm", help="Width on paper, 70 to 400.")] = 85,
) -> None:
    """Draw a figure for print: of one candidate, or of a whole campaign."""
    from screening.figures.plot import plot as draw
    from screening.machine.text_files import user_path

    path = user_path(output, "-o")
    with existing_database() as database:
        plotted = draw(database, target, kind, path, campaign, width_mm)
    say(f"{path}: {plotted.kind} of {plotted.of}, campaign '{plotted.campaign}'")
