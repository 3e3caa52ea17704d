"""Arguments and options that several commands have, each said once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Optional

import typer


class Format(StrEnum):
    """Output for people or for machines."""

    table = "table"
    json = "json"


class TableFormat(StrEnum):
    """Output of commands that print rows."""

    table = "table"
    json = "json"
    csv = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="For people or for machines.")]
TableFormatOption = Annotated[TableFormat, typer.Option("--format", help="Output.")]

CampaignOrNewest = Annotated[
    Optional[str], typer.Argument(help="Campaign; the newest one if left out.")
]
CampaignGiven = Annotated[str, typer.Argument(help="Campaign.")]
EngineOption = Annotated[Optional[str], typer.Option(help="Engine name, or an engine YAML.")]
SourcesOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--source",
        help="File, folder, or a database as `matscreen plugins sources` lists them; repeatable.",
    ),
]
CompetitorsOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--competitors",
        help="Source of crystals that candidates may decompose into, all computed; repeatable.",
    ),
]
WorkersOption = Annotated[
    Optional[int],
    typer.Option(min=1, help="Worker processes on this machine. [default: one a core]"),
]
TopOption = Annotated[Optional[int], typer.Option(min=1, help="Only the best so many.")]

ValueKeyOption = Annotated[str, typer.Option(help="Field that holds the value.")]
MinimizeOption = Annotated[
    bool, typer.Option("--minimize/--maximize", help="Whether small or large is good.")
]
LogOption = Annotated[bool, typer.Option("--log", help="Model the logarithm of the value.")]
SurrogateOption = Annotated[
    Optional[str],
    typer.Option(help="<screening.choosing.surrogates:SURROGATES>. [default: gaussian-process]"),
]
