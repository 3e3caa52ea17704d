"""The answer of a campaign: every candidate in order, computed and predicted side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from screening.choosing.acquisitions import chance_below
from screening.targets.scale import Direction

Outcome = Literal["computed", "predicted", "infeasible", "unstable", "failed"]


_BLOCKS: dict[Outcome, int] = {
    "computed": 0,
    "predicted": 0,
    "infeasible": 1,
    "unstable": 2,
    "failed": 3,
}
_UNPREDICTED = 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known about one candidate.

    Attributes
    ----------
    candidate_id : str
        The same for every cell and origin of the crystal.
    material_id : str
        Of its first origin.
    formula : str
        Reduced formula.
    space_group_number : int
        1 to 230.
    outcome : str
        "computed", "predicted" (not evaluated yet), "infeasible" (breaks a constraint of the
        campaign), "unstable" or "failed".
    value : float or None
        Result, in the unit of the objective.
    value_error : float or None
        Its standard error, in the same unit.
    predicted_value : float or None
        What the surrogate expects, in the same unit.
    predicted_std : float or None
        Standard deviation of the prediction in the objective's model space.
    engine : str or None
        What computed the value.
    exploration_value : float or None
        What the engine that explores had found, where a better engine computed the value.
    expected_value : float or None
        What the better engine is expected to find, where only a cheaper one computed the value.
    fidelity : int or None
        Of the engine.
    reason : str
        Why it is infeasible or unstable.
    beside : dict
        Further fields of the result.
    on_front : bool or None
        With two objectives, whether no other computed candidate beats it in both.
    chance : float or None
        Probability, by the model, of a value better than a bound that was asked for.
    """

    candidate_id: str
    material_id: str
    formula: str
    space_group_number: int
    outcome: Outcome
    value: float | None = None
    value_error: float | None = None
    predicted_value: float | None = None
    predicted_std: float | None = None
    engine: str | None = None
    exploration_value: float | None = None
    expected_value: float | None = None
    fidelity: int | None = None
    reason: str = ""
    beside: dict[str, float | str | bool | None] = field(default_factory=dict)
    on_front: bool | None = None
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class RankedRow(Entry):
    """An entry and its place.

    Attributes
    ----------
    rank : int
        Place in the ranking, from 1.
    """

    rank: int


def rank_candidates(entries: Iterable[Entry], direction: Direction) -> list[RankedRow]:
    """Order candidates from best to worst.

    Computed ones stand by their value and predicted ones among them by their prediction; where
    some are computed with a better engine, the others stand by what it is expected to find, if
    that is known.  After them come the unstable, the failed and those of which nothing is known.
    Ties go by candidate id.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    entries = list(entries)
    highest = max(
        (entry.fidelity or 0 for entry in entries if entry.outcome == "computed"), default=0
    )

    def key(entry: Entry) -> tuple[int, float, str]:
        number = entry.value if entry.outcome == "computed" else entry.predicted_value
        if entry.expected_value is not None and (entry.fidelity or 0) < highest:
            number = entry.expected_value
        block = _BLOCKS[entry.outcome]
        if block > 0:
            return block, 0.0, entry.candidate_id
        if number is None or math.isnan(number):
            return _UNPREDICTED, 0.0, entry.candidate_id
        return block, sign * number, entry.candidate_id

    ordered = sorted(entries, key=key)
    # vars, not asdict: that copies every value, which takes longer than all the rest.
    return [RankedRow(rank=rank, **vars(entry)) for rank, entry in enumerate(ordered, start=1)]


def proposals(
    rows: Iterable[RankedRow], bound: float | None, to_model: Callable[[float], float]
) -> list[RankedRow]:
    """Return what is predicted only, from best to worst; with a bound, by the chance to beat it.

    Parameters
    ----------
    bound
        In the unit of the objective.
    to_model
        Brings a value to the scale on which predictions have their standard deviation, where
        lower is better.
    """
    found = [row for row in rows if row.outcome == "predicted" and row.predicted_value is not None]
    if bound is None:
        return found
    judged = []
    for row in found:
        mean = to_model(float(row.predicted_value or 0.0))
        chance = chance_below(to_model(bound), mean, row.predicted_std or 0.0)
        judged.append(replace(row, chance=chance))
    return sorted(judged, key=lambda row: (-(row.chance or 0.0), row.rank))


def columns(value_field: str, error_field: str | None, log: bool) -> dict[str, str]:
    """Return the columns of a ranking: attribute of a row, and the name of its column.

    Parameters are those of `as_records`.  The further fields of a result come after the value and
    its error, under their own names; what only some rankings have comes last.
    """
    return {
        "rank": "rank",
        "candidate_id": "candidate_id",
        "material_id": "material_id",
        "formula": "formula",
        "space_group_number": "space_group_number",
        "outcome": "outcome",
        "value": value_field,
        **({} if error_field is None else {"value_error": error_field}),
        "predicted_value": f"predicted_{value_field}",
        "predicted_std": "predicted_log10_std" if log else f"predicted_{value_field}_std",
        "engine": "engine",
        "fidelity": "fidelity",
        "exploration_value": f"exploration_{value_field}",
        "expected_value": f"expected_{value_field}",
        "reason": "reason",
    }


SOMETIMES = {"on_front": "on_front", "chance": "probability_better_than_bound"}
"""Columns that are there where rows have a value for them."""


def as_records(
    rows: Iterable[RankedRow], value_field: str, error_field: str | None, log: bool
) -> list[dict[str, Any]]:
    """Turn rows into flat records whose names carry the unit.

    Parameters
    ----------
    rows : iterable of RankedRow
    value_field, error_field : str
        Names of the value and of its standard error, for instance ``kappa_300k_w_per_m_k`` and
        ``kappa_300k_error_w_per_m_k``; None leaves the error out.
    log : bool
        Whether the objective's model space is the decimal logarithm of the value; it names the
        standard deviation of the prediction.
    """
    names = columns(value_field, error_field, log)
    last_of_result = "value" if error_field is None else "value_error"
    records = []
    for row in rows:
        record = {}
        for attribute, name in names.items():
            record[name] = getattr(row, attribute)
            if attribute == last_of_result:
                record |= row.beside
        for attribute, name in SOMETIMES.items():
            if getattr(row, attribute) is not None:
                record[name] = getattr(row, attribute)
        records.append(record)
    return records
