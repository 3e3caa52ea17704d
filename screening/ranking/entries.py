"""The answer of a campaign: every candidate in order, computed and predicted side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from screening.campaigns.snapshot import Scalar
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
        The same for every origin of the candidate.
    material_id : str
        Of its first origin.
    label : str
        Name that people know it by, as the formula of a crystal.
    facts : dict
        What is known of it beforehand: the facts of its kind, by field.
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
    shown_fields : dict
        Further fields of the result.
    on_front : bool or None
        With two objectives, whether no other computed candidate beats it in both.
    chance : float or None
        Probability, by the model, of a value better than a bound that was asked for.
    """

    candidate_id: str
    material_id: str
    label: str
    facts: Mapping[str, Scalar]
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
    shown_fields: dict[str, Scalar] = field(default_factory=dict)
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
    predicted = [
        row for row in rows if row.outcome == "predicted" and row.predicted_value is not None
    ]
    if bound is None:
        return predicted
    judged = []
    for row in predicted:
        mean = to_model(float(row.predicted_value or 0.0))
        chance = chance_below(to_model(bound), mean, row.predicted_std or 0.0)
        judged.append(replace(row, chance=chance))
    return sorted(judged, key=lambda row: (-(row.chance or 0.0), row.rank))
