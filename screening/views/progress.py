"""The best value against the number of candidates computed, beside random choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from screening.ranking.cache import cached_ranking
from screening.views.forms import ProgressView
from screening.views.numbers import finite, short_or_none

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import Outcome
    from screening.targets.scale import Direction


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
        formula=[row_of[pick["candidate_id"]].label for pick, _ in picks],
        outcome=outcomes,
        value=[short_or_none(each) for each in values],
        best=[short_or_none(each) for each in _best_so_far(values, objective.direction)],
        random_best=[short_or_none(each) for each in random],
        random_known=len(computed),
        random_predicted=len(predicted),
    )


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
