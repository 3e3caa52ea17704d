"""What a campaign found, and when, beside random choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import (
    BLUE,
    GREY,
    heading_of,
    marks,
    new_figure,
    plain_log_ticks,
    styled,
    subscripted,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import ObjectiveView, ProgressView

WITHOUT_VALUE = ("infeasible", "unstable", "failed")


@styled
def progress_figure(view: ProgressView, objective: ObjectiveView, width_mm: float) -> Figure:
    """Draw values in the order of choosing, the best so far, and what random choice would find.

    Candidates without a value, or with one that does not count, are marked along the lower edge.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(width_mm, 0.75)
    axes = figure.add_subplot()
    values = [
        (number, value)
        for number, value in zip(view.number, view.value, strict=True)
        if value is not None
    ]
    axes.plot(*_columns(values), **marks("computed"), label="computed", zorder=3)
    best = _known(view.number, view.best)
    axes.step(
        *_columns(best), where="post", color=BLUE, linestyle="-", label="best so far", zorder=2
    )
    random = _known(view.number, view.random_best)
    if random:
        axes.plot(*_columns(random), color=GREY, linestyle="--", label="random choice, on average")
    if objective.logarithmic:
        axes.set_yscale("log")
    axes.margins(y=0.22)
    for outcome in WITHOUT_VALUE:
        numbers = [n for n, o in zip(view.number, view.outcome, strict=True) if o == outcome]
        if numbers:
            axes.plot(
                numbers,
                [0.03] * len(numbers),
                transform=axes.get_xaxis_transform(),
                **marks(outcome),
                markersize=3.5,
                label=outcome,
                clip_on=False,
            )
    axes.set_xlim(0.5, max(view.number) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if objective.logarithmic:
        plain_log_ticks(axes.yaxis)
    if best:
        winner = view.value.index(best[-1][1])
        axes.annotate(
            subscripted(view.formula[winner]),
            (view.number[winner], best[-1][1]),
            xytext=(0, -4 if objective.direction == "minimize" else 4),
            textcoords="offset points",
            ha="center",
            va="top" if objective.direction == "minimize" else "bottom",
            fontsize=7,
        )
    axes.set_xlabel("candidates computed")
    axes.set_ylabel(heading_of(objective.value))
    figure.legend(loc="outside upper center", ncols=2 if width_mm < 120 else 5)
    return figure


def _known(numbers: list[int], values: list[float | None]) -> list[tuple[int, float]]:
    return [(n, v) for n, v in zip(numbers, values, strict=True) if v is not None]


def _columns(pairs: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [n for n, _ in pairs], [v for _, v in pairs]
