"""The two objectives of a campaign against each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from screening.messages.stderr import counted
from screening.ranking.cache import cached_ranking
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import Axis, CurveView, Line, View
from screening.views.numbers import in_digits, short, short_or_none, with_error
from screening.views.objective import objective_view

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective
    from screening.views.forms import ObjectiveView, Role

GOALS = {"minimize": "low is good", "maximize": "high is good"}


class TradeOffView(View):
    """The computed candidates by the two objectives, in the ranking's order."""

    candidate_id: list[str]
    label: list[str]
    value: list[float]
    value_error: list[float | None]
    second: list[float]
    """In the unit of the second objective."""
    on_front: list[bool]


def trade_off(campaign: Campaign) -> TradeOffView:
    """Return the computed candidates that have both values, in the ranking's order.

    A campaign with one objective has none.
    """
    wanted = campaign.config.second_objective
    points = [
        (row, float(row.value), float(second))
        for row in (cached_ranking(campaign)[0] if wanted is not None else [])
        if wanted is not None
        and row.outcome == "computed"
        and row.value is not None
        and (second := row.shown_fields.get(wanted.field)) is not None
    ]
    return TradeOffView(
        candidate_id=[row.candidate_id for row, _, _ in points],
        label=[row.label for row, _, _ in points],
        value=[short(value) for _, value, _ in points],
        value_error=[short_or_none(_error(campaign.objective, row)) for row, _, _ in points],
        second=[short(second) for _, _, second in points],
        on_front=[bool(row.on_front) for row, _, _ in points],
    )


def _error(objective: Objective, row: RankedRow) -> float | None:
    """Return the total error of a value in its unit, its own error where no table has one."""
    if row.total_std is None or row.value is None:
        return row.value_error
    return row.value * math.log(10) * row.total_std if objective.logarithmic else row.total_std


def trade_off_picture(view: TradeOffView, objective: ObjectiveView) -> CurveView:
    """Draw the second value against the first; a line along what is reached joins the front.

    Raises
    ------
    ValueError
        When the campaign has one objective.
    """
    quantity, second = objective.value, objective.second_objective
    if second is None:
        raise ValueError("a campaign with one objective has no trade-off")

    def points(label: str, role: Role, *, on_front: bool) -> Line:
        places = [i for i, best in enumerate(view.on_front) if best is on_front]
        errors = [view.value_error[i] or 0.0 for i in places]
        return Line(
            label=label,
            role=role,
            shape="points",
            x=[view.value[i] for i in places],
            y=[view.second[i] for i in places],
            x_error=errors,
            ids=[view.candidate_id[i] for i in places],
            texts=[
                f"{view.label[i]}\n"
                f"{quantity.label}: {with_error(view.value[i], error, quantity.unit)}\n"
                f"{second.label}: {in_digits(view.second[i], unit=second.unit)}"
                for i, error in zip(places, errors, strict=True)
            ],
        )

    front = sorted(
        pair for *pair, best in zip(view.value, view.second, view.on_front, strict=True) if best
    )
    count = len(front)
    lines = [
        # Between two of the front only the worse of each is sure to be reached.
        Line(
            role="first",
            shape="step after" if objective.direction == "minimize" else "step before",
            x=[value for value, _ in front],
            y=[value for _, value in front],
        ),
        points("beaten by another", "guide", on_front=False),
        points("on the Pareto front", "second", on_front=True),
    ]
    return CurveView(
        name="trade-off",
        title=TRADE_OFF.title,
        caption=(
            f"{counted(len(view.value), 'candidate')} by {quantity.label} and {second.label}. "
            f"{count} of them {'is' if count == 1 else 'are'} on the Pareto front: no other is as "
            "good in both and better in one."
        ),
        absent="" if view.value else "No candidate has a result with both objectives yet.",
        x=Axis(
            title=f"{quantity.heading} ({GOALS[objective.direction]})",
            logarithmic=objective.logarithmic,
        ),
        y=Axis(title=f"{second.heading} ({GOALS[second.direction]})"),
        lines=[line for line in lines if line.x],
    )


TRADE_OFF = CampaignFigure(
    name="trade-off",
    help="The two objectives of a campaign against each other, and what no other result beats.",
    title="Trade-off",
    view=lambda campaign: trade_off_picture(trade_off(campaign), objective_view(campaign)),
    is_for=lambda campaign: campaign.config.second_objective is not None,
)
