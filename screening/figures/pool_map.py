"""The pool in the plane in which its features spread most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.figures.style import GREY, OUTCOMES, new_figure, plain_log_ticks, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import ObjectiveView, PoolMapView

MANY = 1000
"""Candidates from which on those not computed are dots without edges."""


@styled
def pool_map_figure(view: PoolMapView, objective: ObjectiveView, width_mm: float) -> Figure:
    """Draw candidates by colour of their value, computed or predicted, and by outcome."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    figure = new_figure(width_mm, 0.85)
    axes = figure.add_subplot()
    values = [value for value in view.value if value is not None]
    logarithmic = objective.logarithmic and bool(values) and min(values) > 0
    norm_of = LogNorm if logarithmic else Normalize
    norm = norm_of(min(values), max(values)) if values else None
    for outcome, (marker, _) in OUTCOMES.items():
        places = [place for place, each in enumerate(view.outcome) if each == outcome]
        if not places:
            continue
        colours = [view.value[place] for place in places]
        points = [view.x[place] for place in places], [view.y[place] for place in places]
        computed = outcome == "computed"
        known = norm is not None and all(colour is not None for colour in colours)
        size = 22 if computed else 14 if outcome != "predicted" else 3 if view.shown > MANY else 7
        shape: dict[str, Any] = {
            "marker": "o" if outcome == "predicted" else marker,
            "s": size,
            "label": outcome,
            "zorder": 1 if outcome == "predicted" else 3 if computed else 2,
        }
        if known and outcome in ("computed", "predicted"):
            shape |= {"c": colours, "norm": norm, "linewidths": 0.8 if computed else 0.0}
            shape |= {"edgecolors": "black" if computed else "none"}
        else:
            shape |= {"color": GREY if outcome == "predicted" else "black", "linewidths": 0.8}
            # A cross has no face.
            shape |= {} if marker == "x" else {"facecolors": "none"}
        axes.scatter(*points, **shape)
    first, second = (f"{round(100 * fraction)} %" for fraction in view.explained_fraction)
    axes.set_xlabel(f"first component ({first} of the variance)")
    axes.set_ylabel(f"second component ({second})")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.05)
    if norm is not None:
        bar = figure.colorbar(ScalarMappable(norm), ax=axes, pad=0.02, aspect=30)
        bar.set_label(objective.value.heading)
        if logarithmic:
            plain_log_ticks(bar.ax.yaxis)
    figure.legend(
        loc="outside upper center",
        ncols=3 if width_mm < 120 else 5,
        handletextpad=0.1,
        columnspacing=1.0,
    )
    return figure
