"""`matscreen classify`: whether molecules and polymers are liquid-crystalline."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from screening.cli.options import TableFormat, TableFormatOption
from screening.cli.output import print_fitting, print_records
from screening.messages.errors import ScreenError
from screening.messages.stderr import say

if TYPE_CHECKING:
    from screening.learned.answers import Classified

ENDINGS = (".csv", ".smi", ".psmi", ".txt", ".gz", ".bz2", ".xz")
"""Of what is taken for a file, whether it is there or not: no SMILES ends like this."""
INTERVALS = ("melting_temperature_c", "clearing_temperature_c", "glass_kappa_300k_w_per_m_k")


def classify(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="SMILES|FILE…",
            help="Molecules, repeat units with two *, files of one a line, or CSV tables.",
        ),
    ],
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Say whether molecules and polymers are liquid-crystalline, and how sure that is."""
    if importlib.util.find_spec("rdkit") is None:
        raise ScreenError(
            "classify: molecules and polymers need RDKit, which is not installed; "
            "pip install 'matscreen[polymers]'"
        )
    from screening.learned.answers import classify as classified

    entries = [entry for text in inputs for entry in _entries(text)]
    answers = classified(entries)
    if not print_records([_record(answer, format) for answer in answers], format):
        _print_table(answers)
    unread = [answer for answer in answers if answer.reason is not None]
    for answer in unread:
        say(f"'{_short(answer.name or answer.smiles)}': {answer.reason}")
    if len(unread) == len(answers):
        raise ScreenError("classify: nothing could be read")


def _entries(text: str) -> list[tuple[str, str]]:
    """Return the entries of an argument, each with its name: those of a file, or itself."""
    from screening.machine.text_files import user_path

    is_file = text.lower().endswith(ENDINGS)
    path = user_path(text, "classify") if is_file else Path(text)
    if not is_file and (len(text) > 200 or not path.is_file()):
        return [(text, "")]
    if not path.is_file():
        raise ScreenError(f"file '{text}' not found")
    from screening.sources.repeat_units import stated_in_file

    return stated_in_file(path)


def _record(answer: Classified, format: TableFormat) -> dict[str, Any]:
    record = answer.model_dump()
    if format is TableFormat.csv:
        nearest = record.pop("nearest_known") or {}
        known = {"name": None, "liquid_crystalline": None, "distance": None} | nearest
        record["conformal_set"] = _set(answer)
        record |= {f"nearest_known_{key}": value for key, value in known.items()}
        shapes = record.pop("shapes") or {}
        record["shape"] = next(iter(shapes), None)
        for name in INTERVALS:
            interval = record.pop(name) or {"expected": None, "low": None, "high": None}
            record |= {f"{name}_{key}": value for key, value in interval.items()}
    return record


def _set(answer: Classified) -> str:
    from screening.learned.conformal import word_of_set

    return "" if answer.conformal_set is None else word_of_set(answer.conformal_set)


def _print_table(answers: list[Classified]) -> None:
    from screening.cli.fitted_table import Column

    def nearest(answer: Classified) -> str:
        known = answer.nearest_known
        if known is None:
            return "not read"
        phase = "LC" if known.liquid_crystalline else "not LC"
        return f"{_short(known.name)} ({phase}, {known.distance:.2f})"

    def probability(answer: Classified) -> str:
        value = answer.probability_liquid_crystalline
        return "" if value is None else f"{value:.2f}"

    def interval(answer: Classified, name: str, digits: int) -> str:
        found = getattr(answer, name)
        if found is None:
            return ""
        return f"{found.expected:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"

    inside = {True: "inside", False: "outside", None: ""}
    learned = [
        Column("shape", [next(iter(answer.shapes or {}), "") for answer in answers], expendable=1),
        *(
            Column(title, [interval(answer, name, digits) for answer in answers], expendable=2)
            for title, name, digits in (
                ("melts at / °C", "melting_temperature_c", 0),
                ("clears at / °C", "clearing_temperature_c", 0),
                ("κ of the glass / (W/m/K)", "glass_kappa_300k_w_per_m_k", 2),
            )
        ),
    ]
    print_fitting(
        [
            Column("entry", [_short(answer.name or answer.smiles) for answer in answers]),
            Column("P(LC)", [probability(answer) for answer in answers]),
            Column("90 % set", [_set(answer) for answer in answers]),
            Column("domain", [inside[answer.inside_domain] for answer in answers]),
            Column("nearest known", [nearest(answer) for answer in answers]),
            *learned,
        ],
        title="liquid-crystalline or not",
        caption="sets and brackets hold the truth of unseen entries nine times in ten",
    )


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
