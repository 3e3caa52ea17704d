"""What was predicted when candidates were chosen, against what was computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from screening.campaigns.prediction_cache import calibration
from screening.messages.stderr import counted
from screening.ranking.cache import cached_ranking
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import Axis, CurveView, Line, View
from screening.views.numbers import in_digits, short, short_or_none, with_error
from screening.views.objective import objective_view
from screening.views.ranking import bounds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective
    from screening.views.forms import ObjectiveView


class CalibrationView(View):
    """How good the model's error bars are, each result left out once."""

    count: int
    typical_error: float
    """A factor where the objective is logarithmic, else in its unit."""
    coverage_1std: float
    """Fraction within one standard deviation; 0.68 is right."""
    rank_correlation: float


class ParityView(View):
    """What was predicted when a candidate was chosen, against what was computed."""

    candidate_id: list[str]
    label: list[str]
    number: list[int]
    computed: list[float]
    computed_error: list[float | None]
    predicted: list[float]
    predicted_low: list[float]
    """The prediction less one standard deviation."""
    predicted_high: list[float]
    coverage_1std: float | None
    """Fraction of the predictions within one standard deviation of what was computed, both error
    bars together; 0.68 is right.  None without a prediction."""
    calibration: CalibrationView | None


def parity(campaign: Campaign) -> ParityView:
    """Return the predictions of the engine that explores that have come to a result."""
    objective = campaign.objective
    snapshot = campaign.snapshot(rows=False, features=False)
    results = snapshot.explored
    pairs = [
        (pick, result)
        for pick in snapshot.picks
        if pick["predicted_mean"] is not None
        and (result := results.get(pick["candidate_id"])) is not None
        and objective.is_usable(result)
    ]
    rows = {row.candidate_id: row for row in cached_ranking(campaign)[0]}
    labels = {key: row.label for key, row in rows.items()}
    ends = [bounds(objective, pick["predicted_mean"], pick["predicted_std"]) for pick, _ in pairs]
    found = [_found(objective, result, rows.get(pick["candidate_id"])) for pick, result in pairs]
    computed = [value for value, _, _ in found]
    errors = [error for _, error, _ in found]
    within = [
        abs(objective.to_model(value) - pick["predicted_mean"])
        <= math.hypot(pick["predicted_std"], std)
        for (pick, _), (value, _, std) in zip(pairs, found, strict=True)
    ]
    return ParityView(
        candidate_id=[pick["candidate_id"] for pick, _ in pairs],
        label=[labels.get(pick["candidate_id"], pick["candidate_id"]) for pick, _ in pairs],
        number=[pick["number"] for pick, _ in pairs],
        computed=[short(value) for value in computed],
        computed_error=[short_or_none(error) for error in errors],
        predicted=[short(objective.from_model(pick["predicted_mean"])) for pick, _ in pairs],
        predicted_low=[short(low) for low, _ in ends],
        predicted_high=[short(high) for _, high in ends],
        coverage_1std=sum(within) / len(within) if within else None,
        calibration=_calibration(campaign),
    )


def _found(
    objective: Objective, result: Mapping[str, Any], row: RankedRow | None
) -> tuple[float, float | None, float]:
    """Return what a prediction is compared with: value, its error, and that on the model's scale.

    Where the engine has a table of its errors, what is predicted is what first principles would
    find, and so is what it is compared with.
    """
    if row is not None and row.expected_value is not None and row.expected_std is not None:
        value, std = row.expected_value, row.expected_std
        error = value * math.log(10) * std if objective.logarithmic else std
        return value, error, std
    value, own = float(result[objective.value_field]), objective.error_of(result)
    return value, own, objective.std_to_model(value, own)


def _calibration(campaign: Campaign) -> CalibrationView | None:
    # The ranking that was read just now has left a calibration as fresh.
    found = calibration(campaign)
    if found is None:
        return None
    rms = found["rms"]
    return CalibrationView(
        count=int(found["n"]),
        typical_error=short(10**rms if campaign.objective.logarithmic else rms),
        coverage_1std=found["within_one_std"],
        rank_correlation=found["rank_correlation"],
    )


def parity_picture(view: ParityView, objective: ObjectiveView) -> CurveView:
    """Draw each prediction with one standard deviation against the result that came of it."""
    quantity, logarithmic = objective.value, objective.logarithmic
    errors = [error or 0.0 for error in view.computed_error]
    ends = [*view.computed, *view.predicted_low, *view.predicted_high]
    least, most = min(ends, default=0.1), max(ends, default=1.0)
    room = 0.08 * ((most - least) or abs(most) or 1.0)
    low, high = (least / 1.25, most * 1.25) if logarithmic else (least - room, most + room)
    said = [
        counted(len(view.computed), "candidate") + " predicted when chosen, and computed since."
    ]
    if objective.error_basis:
        said.append(
            "Computed values are corrected for the engine's errors, by its table: they and the "
            "predictions are of what first principles would find."
        )
    headline = ""
    if view.coverage_1std is not None:
        within = f"{round(100 * view.coverage_1std)} %"
        said.append(f"{within} lie within one standard deviation (68 % would be right).")
        headline = f"{within} of {len(view.computed)} within one standard deviation"
    model = _model_text(view.calibration, objective)
    absent = (
        "With two objectives candidates are chosen by both together, so nothing was predicted of "
        f"{quantity.label} alone."
        if objective.second_objective
        else "No result that was predicted when it was chosen is there yet."
    )
    return CurveView(
        name="parity",
        title=PARITY.title,
        caption=" ".join([*said, model]).strip(),
        absent="" if view.computed else f"{absent} {model}".strip(),
        headline=headline,
        square=True,
        x=Axis(title=f"computed {quantity.heading}", logarithmic=logarithmic, low=low, high=high),
        y=Axis(title=f"predicted {quantity.heading}", logarithmic=logarithmic, low=low, high=high),
        lines=[
            Line(role="guide", x=[low, high], y=[low, high]),
            Line(
                role="computed",
                shape="points",
                x=view.computed,
                y=view.predicted,
                x_error=errors,
                y_low=view.predicted_low,
                y_high=view.predicted_high,
                ids=view.candidate_id,
                texts=[
                    f"{view.number[i]}. {view.label[i]}\npredicted "
                    f"{_prediction(view, i, objective)}\n"
                    f"computed {with_error(view.computed[i], errors[i], quantity.unit)}"
                    for i in range(len(view.computed))
                ],
            ),
        ],
    )


def _prediction(view: ParityView, i: int, objective: ObjectiveView) -> str:
    low, high, unit = view.predicted_low[i], view.predicted_high[i], objective.value.unit
    value = in_digits(view.predicted[i])
    if not objective.logarithmic:
        return f"{value} ± {in_digits((high - low) / 2, 2, unit)}"
    return f"{value} ×/÷ {in_digits(math.sqrt(high / low), 2)} {unit}" if low > 0 else value


def _model_text(model: CalibrationView | None, objective: ObjectiveView) -> str:
    """Return how good the model is now; empty where that is not known."""
    if model is None:
        return ""
    error = in_digits(
        model.typical_error, unit="" if objective.logarithmic else objective.value.unit
    )
    return (
        f"The model today, each of {counted(model.count, 'result')} left out once: typical error "
        f"{'a factor of ' if objective.logarithmic else ''}{error}, "
        f"{round(100 * model.coverage_1std)} % within one standard deviation, rank correlation "
        f"{in_digits(model.rank_correlation, 2)}."
    )


PARITY = CampaignFigure(
    name="parity",
    help="What was predicted of candidates when they were chosen, against what was computed.",
    title="Predicted against computed",
    view=lambda campaign: parity_picture(parity(campaign), objective_view(campaign)),
)
