"""Rows of a ranking as flat records, whose names carry the unit: tables, CSV, JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from screening.candidates.kinds import KINDS

if TYPE_CHECKING:
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective

SOMETIMES = {"on_front": "on_front", "chance": "probability_better_than_bound"}
"""Columns that are there where rows have a value for them."""


def columns(objective: Objective) -> dict[str, str]:
    """Return the columns of a ranking: attribute of a row, or fact, and the name of its column.

    The further fields of a result come after the value and its error, under their own names; what
    only some rankings have comes last.
    """
    value, error = objective.value_field, objective.error_field
    scale = "log10_" if objective.logarithmic else ""
    facts = KINDS.load(objective.candidates).facts
    return {
        "rank": "rank",
        "candidate_id": "candidate_id",
        "material_id": "material_id",
        **{fact.field: fact.field for fact in facts},
        "outcome": "outcome",
        "value": value,
        **({} if error is None else {"value_error": error}),
        "total_std": f"total_{scale}std",
        "predicted_value": f"predicted_{value}",
        "predicted_std": (
            "predicted_log10_std" if objective.logarithmic else f"predicted_{value}_std"
        ),
        "engine": "engine",
        "fidelity": "fidelity",
        "exploration_value": f"exploration_{value}",
        "expected_value": f"expected_{value}",
        "expected_std": f"expected_{scale}std",
        "error_basis": "error_basis",
        "extrapolated": "extrapolated",
        "estimate": f"estimate_{value}",
        "estimate_error": f"estimate_error_{value}",
        "probability_unstable": "probability_unstable",
        "reason": "reason",
    }


def as_records(rows: Iterable[RankedRow], objective: Objective) -> list[dict[str, Any]]:
    """Turn rows into flat records whose names carry the unit."""
    names = columns(objective)
    last_of_result = "value" if objective.error_field is None else "value_error"
    rows, records = list(rows), []
    further = dict.fromkeys(name for row in rows for name in row.shown_total_std)
    for row in rows:
        values, record = vars(row), {}
        for attribute, name in names.items():
            record[name] = values[attribute] if attribute in values else row.facts.get(attribute)
            if attribute == last_of_result:
                record |= row.shown_fields
                record |= {name: row.shown_total_std.get(name) for name in further}
        for attribute, name in SOMETIMES.items():
            if values[attribute] is not None:
                record[name] = values[attribute]
        records.append(record)
    return records
