"""The ranking of a campaign: results, what failed, and predictions for the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from screening.campaigns.prediction_cache import predictions
from screening.campaigns.predictions import Predictions, predict
from screening.campaigns.snapshot import Scalar, Snapshot, best_results
from screening.ranking.entries import Entry, RankedRow, Standing, in_order, ranked
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
    top: int | None = None,
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
    top
        How many of the best to return; None returns all.
    """
    entries = _Entries(snapshot, predict(snapshot) if expected is None else expected)
    standings = (entries.standing(key) for key in snapshot.pool if shown is None or key in shown)
    chosen = (each for each in standings if outcome in (None, each.outcome))
    order = in_order(chosen, snapshot.config.direction)[:top]
    return [ranked(entries.entry(key), place) for place, key in enumerate(order, start=1)]


class _Entries:
    """What is known about each candidate of a pool.

    Numbers decide on the place of a candidate; its whole entry, which takes longer to make, is made
    where it is asked for.

    Parameters
    ----------
    expected
        What `predict` returns for the snapshot.
    """

    def __init__(self, snapshot: Snapshot, expected: Predictions) -> None:
        self._snapshot = snapshot
        self._expected = expected
        self._results = best_results(snapshot)
        self._picks = {pick["candidate_id"]: pick for pick in snapshot.picks}
        self._totals = TotalErrors.of(snapshot)
        self._objective = snapshot.objective
        # Of all candidates: one that a filter hides may beat one that is shown.
        self._front = _front(snapshot, self._results)

    def standing(self, key: str) -> Standing:
        """Return what the place of a candidate depends on."""
        if key not in self._results:
            if self._failed(key):
                return Standing(key, "failed")
            return Standing(key, "predicted", predicted_value=self._predicted_value(key))
        result, stage = self._results[key]
        expectation = self._totals.expectation(key, stage)
        if expectation is None:
            expected, has_total = self._better_value(key, stage), False
        else:
            expected, has_total = self._objective.from_model(expectation[1]), True
        return Standing(
            key,
            result["outcome"],
            result.get(self._objective.value_field),
            self._value_when_picked(key),
            expected,
            has_total,
            stage.engine.fidelity,
        )

    def entry(self, key: str) -> Entry:
        """Return all that a ranking says of a candidate."""
        if key in self._results:
            return self._computed(key, *self._results[key])
        return self._entry_of_failed(key) if self._failed(key) else self._entry_of_predicted(key)

    def _failed(self, key: str) -> bool:
        return self._picks.get(key, {}).get("state") == "failed"

    def _computed(self, key: str, result: Mapping[str, Any], stage: EngineStage) -> Entry:
        objective = self._objective
        confirmed = stage is not self._snapshot.stages[0]
        explored = self._snapshot.explored.get(key, {}).get(objective.value_field)
        fields: dict[str, Any] = {
            "expected_value": self._better_value(key, stage),
            **self._totals.fields(key, result["outcome"], stage),
        }
        return Entry(
            **self._identity(key),
            **self._prediction_when_picked(key),
            outcome=result["outcome"],
            value=result.get(objective.value_field),
            value_error=objective.error_of(result),
            engine=result.get("engine"),
            fidelity=stage.engine.fidelity,
            reason=str(result.get("reason") or ""),
            shown_fields=self._shown_fields(result),
            exploration_value=explored if confirmed else None,
            **fields,
        )

    def _entry_of_failed(self, key: str) -> Entry:
        engine = self._snapshot.stages[0].engine
        return Entry(
            **self._identity(key),
            **self._prediction_when_picked(key),
            outcome="failed",
            engine=engine.name,
            fidelity=engine.fidelity,
            shown_fields=self._shown_fields({}),
        )

    def _entry_of_predicted(self, key: str) -> Entry:
        prediction = self._expected.get(key)
        return Entry(
            **self._identity(key),
            outcome="predicted",
            predicted_value=self._predicted_value(key),
            predicted_std=None if prediction is None else prediction[1],
            shown_fields=self._shown_fields({}),
        )

    def _predicted_value(self, key: str) -> float | None:
        """Return what the surrogate expects, in the unit of the objective."""
        prediction = self._expected.get(key)
        return None if prediction is None else self._objective.from_model(prediction[0])

    def _better_value(self, key: str, stage: EngineStage) -> float | None:
        """Return what the better engine is expected to find of what the exploring one computed."""
        return self._predicted_value(key) if stage is self._snapshot.stages[0] else None

    def _value_when_picked(self, key: str) -> float | None:
        mean = self._picks.get(key, {}).get("predicted_mean")
        return None if mean is None else self._objective.from_model(mean)

    def _prediction_when_picked(self, key: str) -> dict[str, Any]:
        return {
            "predicted_value": self._value_when_picked(key),
            "predicted_std": self._picks.get(key, {}).get("predicted_std"),
        }

    def _shown_fields(self, result: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return the further fields that a ranking shows: the objective's, then the second one."""
        fields = [shown.field for shown in self._objective.shown_fields]
        second = self._snapshot.config.second_objective
        if second is not None and second.field not in fields:
            fields.append(second.field)
        return {field: result.get(field) for field in fields}

    def _identity(self, key: str) -> dict[str, Any]:
        row = self._snapshot.pool[key]
        return {
            "candidate_id": key,
            "material_id": row.material_id,
            "label": row.label,
            "facts": row.facts,
            "on_front": None if self._front is None else key in self._front,
        }


def _front(
    snapshot: Snapshot, results: Mapping[str, tuple[Mapping[str, Any], EngineStage]]
) -> set[str] | None:
    """Return the candidates on the Pareto front, None where there is one objective."""
    second, field = snapshot.config.second_objective, snapshot.objective.value_field
    if second is None:
        return None
    points = {}
    for key in snapshot.pool:
        result = results[key][0] if key in results else {}
        value, other = result.get(field), result.get(second.field)
        if result.get("outcome") == "computed" and value is not None and other is not None:
            points[key] = snapshot.objective.to_model(value), second.scale.to_model(float(other))
    return set(front(points))
