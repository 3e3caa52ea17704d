"""`matscreen rank`: every candidate of a campaign in order, computed and predicted side by side."""

from __future__ import annotations

import json
import math
from enum import StrEnum
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
    with_spread,
)
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective

BOUND_STDS = 2.0
"""Standard deviations by which ``--sort lower-bound`` takes a candidate to be better."""


class Order(StrEnum):
    """Orders of a ranking's table."""

    rank = "rank"
    lower_bound = "lower-bound"


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
    sort: Annotated[
        Order,
        typer.Option(help="By what is expected, or by the best that is within two std. errors."),
    ] = Order.rank,
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Rank candidates: computed and predicted side by side."""
    from screening.ranking.build import ranking
    from screening.ranking.cache import cached_ranking
    from screening.ranking.columns import as_records
    from screening.ranking.entries import by_lower_bound
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
            everything = pareto or predicted or sort is not Order.rank
            rows, total = cached_ranking(campaign, None if everything else top)
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
        if sort is Order.lower_bound:
            rows = by_lower_bound(rows, BOUND_STDS, campaign.objective.to_model)
        shown, objective = rows[:top], campaign.objective
        records = as_records(shown, objective)
        if not print_records(records, format):
            _print_table(campaign, shown, total, bound)
            _say_disordered(campaign)


def _say_disordered(campaign: Campaign) -> None:
    """Say what the ordered approximants of disordered crystals come to, where there are any."""
    from screening.ranking.cache import cached_ranking
    from screening.ranking.disordered import disordered_crystals

    # A candidate may have been found as an ordered crystal first.
    stated = {"origins.properties.disordered_from": {"$type": "string"}}
    query = {"campaigns": campaign.name, **stated}
    fields = {"origins.source": 1, "origins.material_id": 1, "origins.properties": 1}
    stored = campaign.database.candidates.find(query, fields)
    origins = {str(each["_id"]): each["origins"] for each in stored}
    if not origins:
        return
    objective = campaign.objective
    for found in disordered_crystals(cached_ranking(campaign)[0], origins, objective):
        if found.spread is None:
            value = f"{digits(found.value)} {objective.unit}".rstrip() + ", of one approximant"
        else:
            value = with_spread(found.value, found.spread, objective.logarithmic, objective.unit)
            value += f" over {counted(len(found.candidate_ids), 'approximant')}"
        say(
            f"disordered {found.name} ({', '.join(found.entries)}): {objective.label} {value} "
            f"({', '.join(found.candidate_ids)})"
        )


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
    further = {
        quantity.field: quantity.heading
        for quantity in objective.shown_fields
        # Only some results have an effective κ; a column of blanks would say nothing.
        if any(row.shown_fields.get(quantity.field) is not None for row in rows)
    }
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
        outcomes = ["not computed" if no else _outcome(row) for row, no in numbered]
        columns.append(Column("outcome", outcomes))
    columns.append(Column(objective.heading, [_value(row) for row in rows], True))
    has_totals = any(row.total_std is not None for row in rows)
    if has_totals:
        columns.append(Column("total error", [_total(row, objective) for row in rows], True))
        label = "expected"
    columns += [
        Column(
            heading(label, objective.unit),
            [_expected(row, objective, by_table=has_totals) for row in rows],
            True,
        ),
        *(
            Column(name, [_further(row, field) for row in rows], True, number)
            for number, (field, name) in enumerate(further.items(), start=1)
        ),
        Column("engine", [row.engine or "" for row in rows], expendable=8),
    ]
    if second is not None:
        columns.append(Column("front", ["yes" if row.on_front else "" for row in rows]))
    if any(row.exploration_value or (row.expected_value and not has_totals) for row in rows):
        others = [_other_engine(row) for row in rows]
        columns.append(Column(heading("of the other engine", objective.unit), others, True))
    if bound is not None:
        chances = [f"{100 * (row.chance or 0):.0f} %" for row in rows]
        columns.append(Column(_chance_heading(objective, bound), chances, True))
    spread = "with a factor of one" if objective.logarithmic else "± one"
    by_model = f"predicted by the surrogate, {spread} standard deviation"
    computed = "computed, value ± its error bar" if objective.error_field else "computed"
    key = by_model if only_predicted else f"bold: {computed}; dim: {by_model}"
    if has_totals:
        key = _totals_key(rows, objective)
    print_fitting(
        columns,
        title=title_of(campaign),
        caption=f"{len(rows)} of {total} candidates; {key}",
        styles=[] if only_predicted else [_STYLES[row.outcome] for row in rows],
        elsewhere=" (--format csv has them)",
    )


def _outcome(row: RankedRow) -> str:
    if row.probability_unstable is None:
        return row.outcome
    return f"unstable? ({100 * row.probability_unstable:.0f} %)"


def _value(row: RankedRow) -> str:
    if row.estimate is None:
        return with_error(row.value, row.value_error)
    return f"({with_error(row.estimate, row.estimate_error)})"


def _total(row: RankedRow, objective: Objective) -> str:
    """Return the total standard error, a factor where the objective is logarithmic."""
    if row.total_std is None:
        return ""
    mark = " *" if row.extrapolated else ""
    if objective.logarithmic:
        return f"×/÷ {digits(10**row.total_std, 2)}{mark}"
    return f"± {digits(row.total_std, 2)}{mark}"


def _further(row: RankedRow, field: str) -> str:
    """Return a further field of a result, with its total error where it has a table."""
    value, total = row.shown_fields.get(field), row.shown_total_std.get(f"total_std_{field}")
    if total is None or isinstance(value, bool | str) or value is None:
        return cell(value)
    return with_error(float(value), total)


def _expected(row: RankedRow, objective: Objective, *, by_table: bool) -> str:
    """Return what a row stands by where it has no value of first principles."""
    if by_table and row.expected_value is not None:
        return prediction(row.expected_value, row.expected_std, objective)
    if by_table and row.outcome != "predicted":
        return ""
    return prediction(row.predicted_value, row.predicted_std, objective)


def _totals_key(rows: list[RankedRow], objective: Objective) -> str:
    """Say what the columns of a ranking with total errors mean, and what they rest on."""
    own = "± what its mesh, fit or ordering contributes" if objective.error_field else ""
    bases = dict.fromkeys(row.error_basis for row in rows if row.total_std is not None)
    without = dict.fromkeys(
        row.error_basis for row in rows if row.error_basis and row.total_std is None
    )
    words = [
        f"{objective.label} {own}".strip(),
        "total error: one standard error of the engine itself, by " + "; ".join(bases),
        "expected: what first principles would find, from the result and that table, or (dim) "
        "predicted",
    ]
    if any(row.extrapolated for row in rows):
        words.append("*: unlike all crystals of the table")
    if any(row.estimate is not None for row in rows):
        words.append(
            "unstable? (probability of being so in first principles): value without imaginary modes"
        )
    if any(row.shown_total_std for row in rows):
        words.append("± of further columns: their total error")
    words += [f"no total error: {each}" for each in without]
    return "; ".join(words)


def _chance_heading(objective: Objective, bound: float) -> str:
    """Say of what a chance is: P(κ(300 K) < 1 W/m/K)."""
    sign = "<" if objective.direction == "minimize" else ">"
    return f"P({objective.label} {sign} {bound:g} {objective.unit}".rstrip() + ")"


def _other_engine(row: RankedRow) -> str:
    if row.exploration_value is not None:
        return f"explored {digits(row.exploration_value)}"
    return "" if row.expected_value is None else f"expected {digits(row.expected_value)}"
