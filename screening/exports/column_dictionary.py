"""What the columns of a ranking mean, from what the code itself says of them.

The meaning of a column is the line that `screening.ranking.entries.Entry` or the result's document
has about it, its unit the objective's.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, TypedDict

from screening.candidates.kinds import KINDS
from screening.machine.plugins import imported
from screening.ranking.columns import SOMETIMES, columns
from screening.ranking.entries import Entry, RankedRow
from screening.targets.objectives import Objective
from screening.targets.result_labels import quantity

if TYPE_CHECKING:
    from screening.exports.selection import Selection


class Column(TypedDict):
    """A column: its name, what it means, its unit (empty without), and where it comes from."""

    name: str
    meaning: str
    unit: str
    source: str


IN_UNIT_OF_VALUE = (
    "value",
    "value_error",
    "predicted_value",
    "exploration_value",
    "expected_value",
    "estimate",
    "estimate_error",
)
SOURCES = {
    "candidate_id": "the candidate",
    "material_id": "the source of the candidate",
    **dict.fromkeys(("value", "value_error", "exploration_value"), "the engine"),
    **dict.fromkeys(("estimate", "estimate_error"), "the engine"),
    **dict.fromkeys(
        (
            *("total_std", "expected_std", "error_basis", "extrapolated"),
            "probability_unstable",
        ),
        "the table of the engine's errors",
    ),
    **dict.fromkeys(("outcome", "reason"), "the engine and the constraints of the campaign"),
    **dict.fromkeys(("engine", "fidelity"), "the campaign"),
    **dict.fromkeys(("predicted_value", "predicted_std", "expected_value", "chance"), "the model"),
    **dict.fromkeys(("rank", "on_front"), "the ranking"),
}
"""Where each attribute of a row comes from; all others are facts of the candidate itself."""


def dictionary(selection: Selection) -> list[Column]:
    """Return the columns of a selection's ranking, in their order."""
    objective = selection.objective
    second = selection.campaign.config.second_objective
    further = [shown.field for shown in objective.shown_fields]
    if second is not None and second.field not in further:
        further.append(second.field)
    facts = {fact.field: fact for fact in KINDS.load(objective.candidates).facts}
    totals = dict.fromkeys(name for row in selection.rows for name in row.shown_total_std)
    said = entry_meanings() | {field: fact.label for field, fact in facts.items()}
    names = columns(objective)
    if selection.rows:
        first = selection.rows[0]
        names |= {key: name for key, name in SOMETIMES.items() if getattr(first, key) is not None}
    last_of_result = "value" if objective.error_field is None else "value_error"
    stored = {"value": objective.value_field, "value_error": objective.error_field}
    found: list[Column] = []
    for attribute, name in names.items():
        field = stored.get(attribute)
        meaning = "" if field is None else _of_document(objective, field)
        found.append(
            {
                "name": name,
                "meaning": meaning or said.get(attribute) or quantity(attribute).label,
                "unit": _unit(objective, attribute),
                "source": SOURCES.get(attribute, "the candidate"),
            }
        )
        if attribute == last_of_result:
            found += [_further(objective, field) for field in further]
            found += [_total(name) for name in totals]
    return found


def dictionary_json(selection: Selection) -> str:
    """Return the columns as JSON."""
    content = {
        "campaign": selection.campaign.name,
        "objective": selection.objective.name,
        "columns": dictionary(selection),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def entry_meanings() -> dict[str, str]:
    """Return what the docstrings of a ranking's row say of each of its attributes."""
    found = {}
    for documented in (Entry, RankedRow):
        section = (inspect.getdoc(documented) or "").partition("Attributes\n----------\n")[2]
        for match in re.finditer(r"^(\w+) : [^\n]*\n((?:    [^\n]*\n?)*)", section, re.M):
            found[match[1]] = " ".join(match[2].split())
    return found


def _unit(objective: Objective, attribute: str) -> str:
    if attribute in IN_UNIT_OF_VALUE:
        return objective.unit
    if attribute in ("predicted_std", "total_std", "expected_std"):
        return "decades" if objective.logarithmic else objective.unit
    return ""


def _further(objective: Objective, field: str) -> Column:
    known = quantity(field)
    return {
        "name": field,
        "meaning": _of_document(objective, field) or known.label,
        "unit": known.unit,
        "source": "the engine",
    }


def _total(name: str) -> Column:
    """Return the column of the total standard error of a further field."""
    known = quantity(name.removeprefix("total_std_"))
    return {
        "name": name,
        "meaning": f"Total standard error of {known.label}, the engine's bias included.",
        "unit": known.unit,
        "source": "the table of the engine's errors",
    }


def _of_document(objective: Objective, field: str) -> str:
    """Return what the document of an objective says of a field, empty where it says nothing."""
    known = imported(objective.document).model_fields.get(field)
    return "" if known is None else " ".join((known.description or "").split())
