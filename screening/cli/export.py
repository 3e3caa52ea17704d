"""`matscreen export`: choose, write beside the place, put in place."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignGiven, TopOption
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.exports.selection import Selection

CITATIONS = "CITATIONS.bib"
DICTIONARY = "dictionary.json"


def export(
    name: CampaignGiven,
    output: Annotated[Path, typer.Option("--output", "-o", help="File or folder to write.")],
    form_name: Annotated[str, typer.Option("--as", help="<screening.exports:FORMS>.")],
    candidates: Annotated[
        Optional[list[str]],
        typer.Argument(help="candidate_id, material_id or formula. [default: all]"),
    ] = None,
    top: TopOption = None,
    predicted: Annotated[
        bool,
        typer.Option("--predicted", help="Also what is not computed, as its source has it."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write structures, force constants or the ranking for other programs."""
    from screening.exports import FORMS
    from screening.exports.choose import choose
    from screening.exports.citations import bibtex
    from screening.exports.column_dictionary import dictionary_json
    from screening.machine.atomic_files import (
        unpublished_files,
        unpublished_folder,
        write_manifest,
    )
    from screening.machine.text_files import user_path

    form = FORMS.load(form_name)
    output = Path(os.path.abspath(user_path(output, "-o")))
    with opened_campaign(name) as campaign:
        selection = choose(campaign, form, candidates or [], top, predicted=predicted, tell=say)
        if form.place == "folder":
            with unpublished_folder(output, force=force) as folder:
                form.write(selection, folder, output.name)
                (folder / CITATIONS).write_text(bibtex(selection), "utf-8")
                write_manifest(folder, _manifest(selection, form.name))
        else:
            # Beside a file lie its citations, and for tables their dictionary.
            companions = {CITATIONS: bibtex}
            if form.content == "row":
                companions[DICTIONARY] = dictionary_json
            places = {
                output.with_name(f"{output.name}.{end}"): text for end, text in companions.items()
            }
            with unpublished_files([*places, output], force=force) as folder:
                for place, text in places.items():
                    (folder / place.name).write_text(text(selection), "utf-8")
                form.write(selection, folder, output.name)
    say(f"{counted(len(selection.rows), 'candidate')} written to {output}")


def _manifest(selection: Selection, form: str) -> dict[str, object]:
    return {
        "form": form,
        "campaign": selection.campaign.name,
        "objective": selection.objective.name,
        "candidates": [row.candidate_id for row in selection.rows],
        "matscreen_version": version("matscreen"),
    }
