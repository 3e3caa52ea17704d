"""`screen export`: choose, write beside the place, put in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from screening.campaigns.campaign import Campaign
from screening.exports import FORMS
from screening.exports.choose import choose
from screening.exports.citations import bibtex
from screening.exports.column_dictionary import dictionary_json
from screening.exports.selection import Selection
from screening.machine.atomic_files import unpublished_files, unpublished_folder, write_manifest
from screening.machine.settings import Settings
from screening.machine.text_files import user_path
from screening.messages.stderr import counted, say
from screening.store.database import open_database

CITATIONS = "CITATIONS.bib"
DICTIONARY = "dictionary.json"


def export(
    name: str,
    form_name: str,
    candidates: Sequence[str],
    top: int | None,
    output: Path,
    *,
    predicted: bool,
    force: bool,
) -> None:
    """Write candidates of a campaign in a form; nothing is there before all is.

    Beside a file lie its citations, and for tables their dictionary; folders have them inside.

    Raises
    ------
    ScreenError
        When there is nothing to write or the place is taken.
    """
    form = FORMS.load(form_name)
    output = Path(os.path.abspath(user_path(output, "-o")))
    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        selection = choose(campaign, form, candidates, top, predicted=predicted, tell=say)
        if form.place == "folder":
            with unpublished_folder(output, force=force) as folder:
                form.write(selection, folder, output.name)
                (folder / CITATIONS).write_text(bibtex(selection), "utf-8")
                write_manifest(folder, _manifest(selection, form.name))
        else:
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
