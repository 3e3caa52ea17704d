"""`matscreen rank`: every candidate of a campaign in order, computed and predicted side by side."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignOrNewest, TableFormat, TableFormatOption, TopOption
from screening.cli.output import (
    cell,
    digits,
    how_good,
    prediction,
    print_fitting,
    print_records,
    title_of,
    with_error,
)
from screening.messages.errors import ScreenError
from screening.messages.stderr import say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective

_STYLES = {
    "computed": "bold",
    "predicted": "dim",
    "infeasible": "yellow",
    "unstable": "yellow",
    "failed": "red",
}
"""Of a row, by its outcome."""


def rank(
    name: CampaignOrNewest = None,
    top: TopOption = None,
    where: Annotated[Optional[str], typer.Option(help="MongoDB filter, as JSON.")] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Of two objectives, only what nothing beats in both.")
    ] = False,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Only what is not computed, by the model.")
    ] = False,
    bound: Annotated[
        Optional[float],
        typer.Option(help="With --predicted: rank by the chance of a better value than this."),
    ] = None,
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Rank candidates: computed and predicted side by side."""
    from screening.ranking.build import ranking
    from screening.ranking.cache import cached_ranking
    from screening.ranking.columns import as_records
    from screening.ranking.filter import check_fields, check_filter

    if bound is not None and not predicted:
        raise ScreenError("--bound: asks about predictions; give --predicted too")
    filtered = _json_filter(where)
    check_filter(filtered)
    with opened_campaign(name) as campaign:
        if filtered:
            check_fields(campaign, filtered)
            rows = ranking(campaign, filtered)
            total = len(rows)
        else:
            rows, total = cached_ranking(campaign, None if pareto or predicted else top)
        if pareto and campaign.config.second_objective is None:
            raise ScreenError(
                f"--pareto: campaign '{campaign.name}' has one objective; a second one is named "
                "in its YAML under 'second_objective'"
            )
        if pareto:
            rows = [row for row in rows if row.on_front]
        if predicted:
            rows = _predicted(campaign, rows, bound)
        if pareto or predicted:
            total = len(rows)
        shown, objective = rows[:top], campaign.objective
        records = as_records(shown, objective)
        if not print_records(records, format):
            _print_table(campaign, shown, total, bound)


def _json_filter(where: str | None) -> dict[str, Any] | None:
    if where is None:
        return None
    try:
        parsed = json.loads(where)
    except ValueError as error:
        raise ScreenError(
            f'--where: is no JSON ({error}); example: \'{{"elements": "Na"}}\''
        ) from None
    if not isinstance(parsed, dict):
        raise ScreenError('--where: expected a JSON object; example: \'{"elements": "Na"}\'')
    return parsed


def _predicted(campaign: Campaign, rows: list[RankedRow], bound: float | None) -> list[RankedRow]:
    """Return what is only predicted; say how good the model is, or why nothing is predicted."""
    from screening.ranking.entries import proposals

    objective = campaign.objective
    if bound is not None and not math.isfinite(bound):
        raise ScreenError(f"--bound: give a number, not {bound:g}")
    if bound is not None and objective.logarithmic and bound <= 0:
        raise ScreenError(f"--bound: {objective.label} is above 0, not {bound:g}")
    proposed = proposals(rows, bound, objective.to_model)
    if campaign.config.second_objective is not None:
        raise ScreenError(
            f"--predicted: campaign '{campaign.name}' has two objectives, whose "
            "predictions are on no scale of their own"
        )
    if proposed:
        _say_calibration(campaign)
    elif any(row.outcome == "predicted" for row in rows):
        say("nothing is predicted yet: a model needs two results with a value")
    else:
        say("nothing is left to predict: no candidate without a result")
    return proposed


def _say_calibration(campaign: Campaign) -> None:
    """Say how good the model's predictions are, or why that is not known."""
    from screening.campaigns.prediction_cache import calibration
    from screening.campaigns.predictions import MIN_CALIBRATED, count_values

    calibrated, objective = calibration(campaign), campaign.objective
    if calibrated is None:
        values = count_values(campaign.snapshot(rows=False, features=False))
        say(
            f"how good the model is, is not known yet: each result is left out once from "
            f"{MIN_CALIBRATED} results with a value on, and there are {values}"
        )
        return
    words = how_good(calibrated, objective.unit, log=objective.logarithmic)
    say(f"the model on {calibrated['n']} results, each left out once: {words}")


def _print_table(
    campaign: Campaign, rows: list[RankedRow], total: int, bound: float | None
) -> None:
    """Print rows as a table; `bound` is what their chances are about, in the objective's unit."""
    from screening.cli.fitted_table import Column
    from screening.messages.quantities import heading

    objective, second = campaign.objective, campaign.config.second_objective
    unknown = [row.outcome == "predicted" and row.predicted_value is None for row in rows]
    only_predicted = all(row.outcome == "predicted" for row in rows)
    label = f"predicted {objective.label}" if only_predicted else "predicted"
    further = {quantity.field: quantity.heading for quantity in objective.shown_fields}
    if second is not None:
        further.setdefault(second.field, second.field.replace("_", " "))
    numbered = list(zip(rows, unknown, strict=True))
    columns = [
        Column("rank", ["" if no else str(row.rank) for row, no in numbered], True),
        # The id is what other commands ask for.
        Column("candidate", [row.candidate_id for row in rows]),
        Column("material", [row.material_id for row in rows], expendable=9),
    ]
    # Where all are predicted the caption says it.
    if not only_predicted or any(unknown):
        outcomes = ["not computed" if no else row.outcome for row, no in numbered]
        columns.append(Column("outcome", outcomes))
    columns += [
        Column(objective.heading, [with_error(row.value, row.value_error) for row in rows], True),
        Column(
            heading(label, objective.unit),
            [prediction(row.predicted_value, row.predicted_std, objective) for row in rows],
            True,
        ),
        *(
            Column(name, [cell(row.shown_fields.get(field)) for row in rows], True, number)
            for number, (field, name) in enumerate(further.items(), start=1)
        ),
        Column("engine", [row.engine or "" for row in rows], expendable=8),
    ]
    if second is not None:
        columns.append(Column("front", ["yes" if row.on_front else "" for row in rows]))
    if any(row.exploration_value or row.expected_value for row in rows):
        others = [_other_engine(row) for row in rows]
        columns.append(Column(heading("of the other engine", objective.unit), others, True))
    if bound is not None:
        chances = [f"{100 * (row.chance or 0):.0f} %" for row in rows]
        columns.append(Column(_chance_heading(objective, bound), chances, True))
    spread = "with a factor of one" if objective.logarithmic else "± one"
    by_model = f"predicted by the surrogate, {spread} standard deviation"
    computed = "computed, value ± its error bar" if objective.error_field else "computed"
    key = by_model if only_predicted else f"bold: {computed}; dim: {by_model}"
    print_fitting(
        columns,
        title=title_of(campaign),
        caption=f"{len(rows)} of {total} candidates; {key}",
        styles=[] if only_predicted else [_STYLES[row.outcome] for row in rows],
        elsewhere=" (--format csv has them)",
    )


def _chance_heading(objective: Objective, bound: float) -> str:
    """Say of what a chance is: P(κ(300 K) < 1 W/m/K)."""
    sign = "<" if objective.direction == "minimize" else ">"
    return f"P({objective.label} {sign} {bound:g} {objective.unit}".rstrip() + ")"


def _other_engine(row: RankedRow) -> str:
    if row.exploration_value is not None:
        return f"explored {digits(row.exploration_value)}"
    return "" if row.expected_value is None else f"expected {digits(row.expected_value)}"
