"""The ranking of a campaign: results, what failed, and predictions for the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from screening.campaigns.prediction_cache import predictions
from screening.campaigns.predictions import Predictions, predict
from screening.campaigns.snapshot import Scalar, Snapshot, best_results
from screening.ranking.entries import Entry, RankedRow, rank_candidates
from screening.ranking.filter import matching
from screening.ranking.total_errors import TotalErrors
from screening.targets.second_objective import front

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.stages import EngineStage


def ranking(campaign: Campaign, where: dict[str, Any] | None = None) -> list[RankedRow]:
    """Return the pool of a campaign from best to worst.

    Parameters
    ----------
    where
        MongoDB filter.  It is applied to ``results`` for candidates that have one and to
        ``candidates`` for those that have none, so that a filter on a result's field leaves
        only computed (or unstable) rows.  ``outcome`` at its top is the ranking's own:
        ``infeasible`` is a judgement of the campaign, and not stored.

    Raises
    ------
    ScreenError
        When the filter is refused here or by the database.
    """
    snapshot = campaign.snapshot()
    where = dict(where or {})
    outcome = where.pop("outcome", None) if isinstance(where.get("outcome"), str) else None
    shown = matching(campaign, where, set(best_results(snapshot))) if where else None
    return rank(snapshot, predictions(campaign, snapshot), shown, outcome)


def rank(
    snapshot: Snapshot,
    expected: Predictions | None = None,
    shown: Collection[str] | None = None,
    outcome: str | None = None,
) -> list[RankedRow]:
    """Return the pool from best to worst.

    Parameters
    ----------
    expected
        What `predict` returns for the snapshot; None has it called.
    shown
        Ids of the candidates to rank; None ranks all.
    outcome
        Rank only candidates of this outcome.
    """
    # The front is that of all candidates: one that a filter hides may beat one that is shown.
    entries = _with_front(snapshot, _entries(snapshot, expected))
    chosen = (
        entry
        for entry in entries
        if (shown is None or entry.candidate_id in shown) and outcome in (None, entry.outcome)
    )
    return rank_candidates(chosen, snapshot.config.direction)


def _entries(snapshot: Snapshot, expected: Predictions | None) -> list[Entry]:
    expected = predict(snapshot) if expected is None else expected
    results = best_results(snapshot)
    picks = {pick["candidate_id"]: pick for pick in snapshot.picks}
    totals = TotalErrors.of(snapshot)
    entries = []
    for key in snapshot.pool:
        pick = picks.get(key, {})
        if key in results:
            entry = _computed(snapshot, key, *results[key], pick, expected.get(key))
            entries.append(totals.added_to(entry, results[key][1]))
        elif pick.get("state") == "failed":
            entries.append(_failed(snapshot, key, pick))
        else:
            entries.append(_predicted(snapshot, key, expected.get(key)))
    return entries


def _with_front(snapshot: Snapshot, entries: list[Entry]) -> list[Entry]:
    """Say of each entry whether it is on the Pareto front, where there are two objectives."""
    second = snapshot.config.second_objective
    if second is None:
        return entries
    points = {}
    for entry in entries:
        other = entry.shown_fields.get(second.field)
        if entry.outcome == "computed" and entry.value is not None and other is not None:
            points[entry.candidate_id] = (
                snapshot.objective.to_model(entry.value),
                second.scale.to_model(float(other)),
            )
    best = front(points)
    return [replace(entry, on_front=entry.candidate_id in best) for entry in entries]


def _computed(
    snapshot: Snapshot,
    key: str,
    result: Mapping[str, Any],
    stage: EngineStage,
    pick: Mapping[str, Any],
    expected: tuple[float, float] | None,
) -> Entry:
    """Return the entry of a candidate that has a result.

    Parameters
    ----------
    stage
        Of the engine that computed it.
    expected
        What the better engine is expected to find, on the model's scale.
    """
    objective = snapshot.objective
    confirmed = stage is not snapshot.stages[0]
    explored = snapshot.explored.get(key, {}).get(objective.value_field)
    return Entry(
        **_identity(snapshot, key),
        **_prediction_when_picked(snapshot, pick),
        outcome=result["outcome"],
        value=result.get(objective.value_field),
        value_error=objective.error_of(result),
        engine=result.get("engine"),
        fidelity=stage.engine.fidelity,
        reason=str(result.get("reason") or ""),
        shown_fields=_shown_fields(snapshot, result),
        exploration_value=explored if confirmed else None,
        expected_value=(objective.from_model(expected[0]) if expected and not confirmed else None),
    )


def _failed(snapshot: Snapshot, key: str, pick: Mapping[str, Any]) -> Entry:
    engine = snapshot.stages[0].engine
    return Entry(
        **_identity(snapshot, key),
        **_prediction_when_picked(snapshot, pick),
        outcome="failed",
        engine=engine.name,
        fidelity=engine.fidelity,
        shown_fields=_shown_fields(snapshot, {}),
    )


def _predicted(snapshot: Snapshot, key: str, prediction: tuple[float, float] | None) -> Entry:
    mean, std = prediction if prediction is not None else (None, None)
    return Entry(
        **_identity(snapshot, key),
        outcome="predicted",
        predicted_value=None if mean is None else snapshot.objective.from_model(mean),
        predicted_std=std,
        shown_fields=_shown_fields(snapshot, {}),
    )


def _prediction_when_picked(snapshot: Snapshot, pick: Mapping[str, Any]) -> dict[str, Any]:
    mean = pick.get("predicted_mean")
    return {
        "predicted_value": None if mean is None else snapshot.objective.from_model(mean),
        "predicted_std": pick.get("predicted_std"),
    }


def _shown_fields(snapshot: Snapshot, result: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the further fields that a ranking shows: the objective's, then the second one."""
    fields = [shown.field for shown in snapshot.objective.shown_fields]
    second = snapshot.config.second_objective
    if second is not None and second.field not in fields:
        fields.append(second.field)
    return {field: result.get(field) for field in fields}


def _identity(snapshot: Snapshot, key: str) -> dict[str, Any]:
    row = snapshot.pool[key]
    return {
        "candidate_id": key,
        "material_id": row.material_id,
        "label": row.label,
        "facts": row.facts,
    }
