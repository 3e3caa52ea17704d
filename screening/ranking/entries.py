"""The answer of a campaign: every candidate in order, computed and predicted side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

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


class Standing(NamedTuple):
    """What the place of a candidate depends on: fields of its `Entry`.

    Attributes
    ----------
    has_total
        Whether the engine has a table of its errors.
    """

    candidate_id: str
    outcome: Outcome
    value: float | None = None
    predicted_value: float | None = None
    expected_value: float | None = None
    has_total: bool = False
    fidelity: int | None = None


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
        Its standard error by q-mesh, fit or ordering, in the same unit; not the engine's error.
    total_std : float or None
        Its total standard error, the engine's bias included, in the objective's model space: 68 %
        of the engine's values are as near to first principles. None where the engine has no table.
    estimate : float or None
        Value of an unstable crystal without its imaginary modes, in the same unit; `total_std`
        belongs to it.
    estimate_error : float or None
        Its standard error by q-mesh and fit, in the same unit.
    probability_unstable : float or None
        Of being unstable in first principles too, where the engine calls it unstable.
    predicted_value : float or None
        What the surrogate expects, in the same unit.
    predicted_std : float or None
        Standard deviation of the prediction in the objective's model space.
    engine : str or None
        What computed the value.
    exploration_value : float or None
        What the engine that explores had found, where a better engine computed the value.
    expected_value : float or None
        What first principles, or the better engine, are expected to find, where only a cheaper one
        computed the value.
    expected_std : float or None
        Standard deviation of that, in the objective's model space.
    error_basis : str
        What the total error rests on, or why there is none.
    extrapolated : bool or None
        Whether the candidate is unlike all that the total error rests on.
    fidelity : int or None
        Of the engine.
    reason : str
        Why it is infeasible or unstable.
    shown_fields : dict
        Further fields of the result.
    shown_total_std : dict
        Total standard errors of those that have a table, in their own units, by the names of
        their columns.
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
    total_std: float | None = None
    estimate: float | None = None
    estimate_error: float | None = None
    probability_unstable: float | None = None
    predicted_value: float | None = None
    predicted_std: float | None = None
    engine: str | None = None
    exploration_value: float | None = None
    expected_value: float | None = None
    expected_std: float | None = None
    error_basis: str = ""
    extrapolated: bool | None = None
    fidelity: int | None = None
    reason: str = ""
    shown_fields: dict[str, Scalar] = field(default_factory=dict)
    shown_total_std: dict[str, float] = field(default_factory=dict)
    on_front: bool | None = None
    chance: float | None = None

    @property
    def standing(self) -> Standing:
        """What its place depends on."""
        return Standing(
            self.candidate_id,
            self.outcome,
            self.value,
            self.predicted_value,
            self.expected_value,
            self.total_std is not None,
            self.fidelity,
        )


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
    """Return candidates from best to worst, as `in_order` has them."""
    known = {entry.candidate_id: entry for entry in entries}
    order = in_order((entry.standing for entry in known.values()), direction)
    return [ranked(known[key], rank) for rank, key in enumerate(order, start=1)]


def ranked(entry: Entry, rank: int) -> RankedRow:
    """Return an entry with its place."""
    # vars, not asdict: that copies every value, which takes longer than all the rest.
    return RankedRow(rank=rank, **vars(entry))


def in_order(standings: Iterable[Standing], direction: Direction) -> list[str]:
    """Return the ids of candidates from best to worst.

    Computed ones stand by their value and predicted ones among them by their prediction; where
    the engine has a table of its errors, or some are computed with a better engine, the others
    stand by what first principles, or that engine, are expected to find.  An unstable crystal with
    an expectation is one of them.  After them come the other unstable, the failed and those of
    which nothing is known.  Ties go by candidate id.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    standings = list(standings)
    highest = max(
        (each.fidelity or 0 for each in standings if each.outcome == "computed"), default=0
    )

    def place(each: Standing) -> tuple[int, float, str]:
        key, outcome, number, predicted, expected, by_table, fidelity = each
        if outcome != "computed":
            number = predicted
        if expected is not None and (by_table or (fidelity or 0) < highest):
            number = expected
        block = _BLOCKS[outcome]
        if outcome == "unstable" and by_table and expected is not None:
            block = 0
        if block > 0:
            return block, 0.0, key
        if number is None or math.isnan(number):
            return _UNPREDICTED, 0.0, key
        return block, sign * number, key

    return [key for _, _, key in sorted(map(place, standings))]


def by_lower_bound(
    rows: Iterable[RankedRow], stds: float, to_model: Callable[[float], float]
) -> list[RankedRow]:
    """Return rows by what first principles may find at best, most promising first.

    That is the expectation of a result, or the prediction of what is not computed, so many
    standard deviations better than its mean.  Rows without either keep their place at the end,
    and all keep the rank that they have.

    Parameters
    ----------
    stds
        How many standard deviations.
    to_model
        Brings a value to the scale of standard deviations, where lower is better.
    """
    known: list[tuple[float, RankedRow]] = []
    unknown: list[RankedRow] = []
    for row in rows:
        number, std = row.value, None
        if row.expected_value is not None:
            number, std = row.expected_value, row.expected_std
        elif row.outcome == "predicted":
            number, std = row.predicted_value, row.predicted_std
        stands = row.outcome in ("computed", "predicted") or row.expected_value is not None
        if number is None or math.isnan(number) or not stands or row.outcome == "infeasible":
            unknown.append(row)
        else:
            known.append((to_model(number) - stds * (std or 0.0), row))
    return [row for _, row in sorted(known, key=lambda pair: (pair[0], pair[1].rank))] + unknown


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
