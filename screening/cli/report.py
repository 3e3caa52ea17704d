"""`matscreen report`: a campaign in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignOrNewest
from screening.cli.output import counting
from screening.messages.stderr import counted, say


def report(
    name: CampaignOrNewest = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path(
        "report.html"
    ),
    top: Annotated[
        Optional[int],
        typer.Option(min=0, help="Details of the best so many only. [default: of all computed]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is no report.")
    ] = False,
) -> None:
    """Write a campaign into one HTML file: ranking, pictures, every computed candidate."""
    from screening.machine.text_files import user_path
    from screening.pages.report import check_replaceable, write_report

    path = user_path(output, "--output")
    check_replaceable(path, force=force)
    with opened_campaign(name) as campaign:
        with counting("candidates read") as on_candidate:
            written = write_report(path, campaign, top=top, on_candidate=on_candidate)
        details = counted(written.computed, "computed candidate")
        if written.predicted:
            details += f" and {written.predicted} predicted"
        left_out = f", {written.left_out} more left out for size" if written.left_out else ""
        say(
            f"{path}: campaign '{campaign.name}', details of {details}{left_out}, "
            f"{written.size_mb:.1f} MB; open it in a browser"
        )
