"""Predictions against what was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import (
    BLUE,
    GREY,
    new_figure,
    plain_log_ticks,
    styled,
)
from screening.messages.quantities import heading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import ObjectiveView, ParityView


@styled
def parity_figure(view: ParityView, objective: ObjectiveView, width_mm: float) -> Figure:
    """Draw each prediction with one standard deviation against the result that came of it."""
    figure = new_figure(width_mm, 0.95)
    axes = figure.add_subplot()
    low = [value - each for value, each in zip(view.predicted, view.predicted_low, strict=True)]
    high = [each - value for value, each in zip(view.predicted, view.predicted_high, strict=True)]
    # Blobs hide what lies below them: the bars are thin and the markers open.
    axes.errorbar(
        view.computed,
        view.predicted,
        xerr=[each or 0.0 for each in view.computed_error],
        yerr=[low, high],
        color=BLUE,
        ecolor=GREY,
        elinewidth=0.6,
        capsize=0,
        marker="o",
        markersize=3.5,
        markerfacecolor="white",
        linestyle="none",
        zorder=3,
    )
    if objective.logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    ends = [*view.computed, *view.predicted_low, *view.predicted_high]
    least, most = min(ends), max(ends)
    if objective.logarithmic:
        limits = (least / 1.25, most * 1.25)
    else:
        room = 0.08 * ((most - least) or abs(most) or 1.0)
        limits = (least - room, most + room)
    axes.plot(limits, limits, color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_box_aspect(1)
    if objective.logarithmic:
        plain_log_ticks(axes.xaxis)
        plain_log_ticks(axes.yaxis)
    quantity = objective.value
    axes.set_xlabel(heading(f"computed {quantity.label}", quantity.unit))
    axes.set_ylabel(heading(f"predicted {quantity.label}", quantity.unit))
    if view.coverage_1std is not None:
        within = f"{round(100 * view.coverage_1std)} % of {len(view.computed)}"
        axes.set_title(f"{within} within one standard deviation", loc="left", fontsize=7)
    return figure
