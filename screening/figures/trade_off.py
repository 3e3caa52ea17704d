"""Two objectives against each other, and the results that no other beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import (
    BLUE,
    GREY,
    VERMILION,
    heading_of,
    new_figure,
    plain_log_ticks,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import ObjectiveView, TradeOffView


@styled
def trade_off_figure(view: TradeOffView, objective: ObjectiveView, width_mm: float) -> Figure:
    """Draw the second value against the first; a line along what is reached joins the front.

    Raises
    ------
    ValueError
        When the campaign has one objective.
    """
    also = objective.also
    if also is None:
        raise ValueError("a campaign with one objective has no trade-off")
    figure = new_figure(width_mm, 0.85)
    axes = figure.add_subplot()
    for on_front, marker, colour, label in (
        (False, "o", GREY, "beaten by another"),
        (True, "D", VERMILION, "on the Pareto front"),
    ):
        places = [place for place, each in enumerate(view.on_front) if each is on_front]
        if places:
            axes.errorbar(
                [view.value[place] for place in places],
                [view.second[place] for place in places],
                xerr=[view.value_error[place] or 0.0 for place in places],
                color=colour,
                elinewidth=0.6,
                marker=marker,
                markersize=4,
                markerfacecolor="white",
                linestyle="none",
                label=label,
                zorder=3 if on_front else 2,
            )
    front = sorted(
        (value, second)
        for value, second, each in zip(view.value, view.second, view.on_front, strict=True)
        if each
    )
    # Between two of the front only the worse of each is sure to be reached.
    axes.step(
        *zip(*front, strict=True),
        where="post" if objective.direction == "minimize" else "pre",
        color=BLUE,
        linewidth=0.8,
        zorder=1,
    )
    if objective.logarithmic:
        axes.set_xscale("log")
        plain_log_ticks(axes.xaxis)
    axes.margins(0.08)
    goal = {"minimize": "low is good", "maximize": "high is good"}
    axes.set_xlabel(f"{heading_of(objective.value)} ({goal[objective.direction]})")
    axes.set_ylabel(f"{heading_of(also)} ({goal[also.direction]})")
    figure.legend(loc="outside upper center", ncols=2, handletextpad=0.1, columnspacing=1.0)
    return figure
