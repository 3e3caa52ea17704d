"""The best value against the number of candidates computed, beside random choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from screening.messages.stderr import counted
from screening.ranking.cache import cached_ranking
from screening.ranking.entries import Outcome
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import Axis, CurveView, Line, Note, Role, Shape, View
from screening.views.numbers import finite, in_digits, short_or_none, subscripted
from screening.views.objective import objective_view

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.targets.scale import Direction
    from screening.views.forms import ObjectiveView

WITHOUT_VALUE: tuple[Outcome, ...] = ("infeasible", "unstable", "failed")


class ProgressView(View):
    """The best value against the number of candidates computed."""

    number: list[int]
    """1 to the number of candidates that ended, in the order in which they were chosen."""
    round: list[int]
    candidate_id: list[str]
    label: list[str]
    outcome: list[Outcome]
    value: list[float | None]
    best: list[float | None]
    """The best of the values so far."""
    random_best: list[float | None]
    """What random choice without replacement is expected to have found by then: the mean best
    value; over the values that are known and the predictions of those that are not.  Candidates
    known to have no value it draws in vain.  None where there are fewer than two values."""
    random_known: int
    """How many of the values behind `random_best` are computed."""
    random_predicted: int
    """How many are predictions."""


def progress(campaign: Campaign) -> ProgressView:
    """Return what the engine that explores found, in the order in which it was asked.

    Random choice is given what the campaign knows by now: the values that engine found, whoever
    computed them, and predictions of the candidates it has not computed.  Those known to have no
    value, because they are unstable, infeasible or failed, it draws in vain, as the campaign did.
    """
    objective = campaign.objective
    # The ranking first: what finishes in between is then computed, not missing.
    rows, _ = cached_ranking(campaign)
    snapshot = campaign.snapshot(rows=False, features=False)
    results = snapshot.explored
    row_of = {row.candidate_id: row for row in rows}
    picks = [
        (pick, results.get(pick["candidate_id"]))
        for pick in snapshot.picks
        if pick["candidate_id"] in row_of
        and (pick["state"] == "failed" or pick["candidate_id"] in results)
    ]
    outcomes: list[Outcome] = [
        "failed" if result is None else result["outcome"] for _, result in picks
    ]
    values = [
        float(result[objective.value_field])
        if result is not None and objective.is_usable(result)
        else None
        for _, result in picks
    ]
    computed = [
        float(result[objective.value_field])
        for key, result in results.items()
        if key in row_of and objective.is_usable(result)
    ]
    predicted = [
        number
        for row in rows
        if row.outcome == "predicted"
        and row.candidate_id not in results
        and (number := finite(row.predicted_value)) is not None
    ]
    ended = {pick["candidate_id"] for pick, _ in picks} | (results.keys() & row_of.keys())
    known = [*computed, *predicted]
    # A single value drawn at random is that value, and no comparison.
    random = expected_best(
        known if len(known) > 1 else [],
        len(ended) - len(computed),
        len(picks),
        objective.direction,
    )
    return ProgressView(
        number=list(range(1, len(picks) + 1)),
        round=[pick["round"] for pick, _ in picks],
        candidate_id=[pick["candidate_id"] for pick, _ in picks],
        label=[row_of[pick["candidate_id"]].label for pick, _ in picks],
        outcome=outcomes,
        value=[short_or_none(number) for number in values],
        best=[short_or_none(number) for number in _best_so_far(values, objective.direction)],
        random_best=[short_or_none(number) for number in random],
        random_known=len(computed),
        random_predicted=len(predicted),
    )


def progress_picture(view: ProgressView, objective: ObjectiveView) -> CurveView:
    """Draw values in the order of choosing, the best so far, and what random choice would find."""
    unit = objective.value.unit
    steps = range(len(view.number))
    told = [
        "\n".join(
            [
                f"{view.number[i]}. {view.label[i]} (round {view.round[i]})",
                view.outcome[i]
                if (value := view.value[i]) is None
                else in_digits(value, unit=unit),
            ]
        )
        for i in steps
    ]

    def points(outcome: Outcome, places: list[int], *, with_values: bool) -> Line:
        return Line(
            label=outcome,
            role=outcome,
            shape="points",
            x=[view.number[i] for i in places],
            y=[view.value[i] or 0.0 for i in places] if with_values else [],
            ids=[view.candidate_id[i] for i in places],
            texts=[told[i] for i in places],
        )

    valued = [i for i in steps if view.value[i] is not None]
    lines = [
        _known("best so far", "first", "step after", view.number, view.best),
        _known("random choice, on average", "guide", "line", view.number, view.random_best),
        points("computed", valued, with_values=True),
        *(
            points(outcome, [i for i in steps if view.outcome[i] == outcome], with_values=False)
            for outcome in WITHOUT_VALUE
        ),
    ]
    best = next((number for number in reversed(view.best) if number is not None), None)
    winner = None if best is None else view.value.index(best)
    return CurveView(
        name="progress",
        title=PROGRESS.title,
        caption=_said(view, unit),
        absent="" if view.number else "No candidate has ended yet.",
        x=Axis(title="candidates computed", low=0.5, high=len(view.number) + 0.5, whole=True),
        y=Axis(title=objective.value.heading, logarithmic=objective.logarithmic),
        lines=[line for line in lines if line.x],
        notes=[]
        if best is None or winner is None
        else [
            Note(
                x=view.number[winner],
                y=best,
                text=subscripted(view.label[winner]) if objective.elements else view.label[winner],
                place="below" if objective.direction == "minimize" else "above",
            )
        ],
    )


def _known(
    label: str, role: Role, shape: Shape, numbers: list[int], values: list[float | None]
) -> Line:
    pairs = [(n, value) for n, value in zip(numbers, values, strict=True) if value is not None]
    return Line(
        label=label, role=role, shape=shape, x=[n for n, _ in pairs], y=[y for _, y in pairs]
    )


def _said(view: ProgressView, unit: str) -> str:
    if not view.number:
        return ""
    best, random = view.best[-1], view.random_best[-1]
    if best is None:
        return f"None of the {counted(len(view.number), 'candidate')} computed has a value."
    said = (
        f"After {counted(len(view.number), 'candidate')} the best is {in_digits(best, unit=unit)}"
    )
    if random is None:
        return f"{said}."
    basis = (
        f", taking predictions for the {view.random_predicted} of "
        f"{view.random_known + view.random_predicted} that are not computed"
        if view.random_predicted
        else ""
    )
    found = in_digits(random, unit=unit)
    return f"{said}; random choice would be expected to have found {found}{basis}."


def expected_best(
    values: Sequence[float], blanks: int, draws: int, direction: Direction
) -> list[float | None]:
    """Return the mean best value of 1, 2, … draws without replacement, exactly.

    Of N candidates, V of them with values, best first v₁ to v_V, and N − V blanks, n are drawn.
    None of the best i is among them with probability S_i = C(N − i, n) / C(N, n), the
    hypergeometric distribution's term of no success in n draws; with S_0 = 1 the best that is
    drawn is v_i with probability S_{i−1} − S_i.  Only draws with at least one value have a best,
    hence

        E(n) = Σ_i v_i (S_{i−1} − S_i) / (1 − S_V).

    From one n to the next S_i changes by the factor (N − i − n) / (N − n).

    Parameters
    ----------
    values
        Of the candidates that have one.
    blanks
        Candidates without.
    draws
        The largest number of draws; beyond the last candidate nothing changes any more.

    Returns
    -------
    list of float or None
        One an entry of 1 to `draws`; None where there is no value to be drawn.
    """
    if not values:
        return [None] * draws
    ordered = np.sort(np.asarray(values, dtype=float))
    if direction == "maximize":
        ordered = ordered[::-1]
    total = len(ordered) + blanks
    above = np.arange(len(ordered) + 1)
    none_drawn = np.ones(len(ordered) + 1)
    found: list[float | None] = []
    for drawn in range(draws):
        if drawn < total:
            none_drawn = none_drawn * np.maximum(total - above - drawn, 0) / (total - drawn)
        weights = -np.diff(none_drawn)
        found.append(float(ordered @ weights / weights.sum()))
    return found


def _best_so_far(values: Sequence[float | None], direction: Direction) -> list[float | None]:
    best: float | None = None
    found = []
    for value in values:
        if value is not None:
            better = min if direction == "minimize" else max
            best = value if best is None else better(best, value)
        found.append(best)
    return found


PROGRESS = CampaignFigure(
    name="progress",
    help="The best value against the number of candidates computed, beside random choice.",
    title="Best so far",
    view=lambda campaign: progress_picture(progress(campaign), objective_view(campaign)),
)
