"""Everything that is a curve: lines and points over two axes, in one panel or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from screening.figures.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    OUTCOMES,
    VERMILION,
    name_places,
    new_figure,
    plain_log_ticks,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from screening.views.forms import Axis, CurveView, Line, Note

LOOKS: dict[str, tuple[str, str, str]] = {
    "first": (BLUE, "-", "o"),
    "second": (VERMILION, "--", "s"),
    "third": (GREEN, "-.", "^"),
    "fourth": (ORANGE, ":", "v"),
    "guide": (GREY, "--", "o"),
    "value": ("black", "none", "D"),
    **{outcome: (colour, "none", marker) for outcome, (marker, colour) in OUTCOMES.items()},
}
"""Colour, line and marker of each role."""
STEPS = {"step after": "steps-post", "step before": "steps-pre"}
OFFSETS: dict[str, tuple[tuple[float, float], str, str]] = {
    "above": ((0, 5), "center", "bottom"),
    "below": ((0, -5), "center", "top"),
    "right": ((4, -4), "left", "top"),
}
"""Where a note stands, in points from its place, and how it is aligned there."""


@styled
def curve_figure(panels: Sequence[CurveView], width_mm: float) -> Figure:
    """Draw curves; several that have one x axis stand below each other, else beside each other."""
    stacked = len(panels) > 1 and panels[0].x == panels[1].x
    above = any(line.label for view in panels for line in view.lines)
    tall = stacked or any(view.square for view in panels)
    figure = new_figure(width_mm, 0.95 if tall else 0.85 if above else 0.65)
    if stacked:
        places = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    else:
        places = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, view in zip(places, panels, strict=True):
        _draw(figure, axes, view)
        axes.label_outer()
    handles = {
        label: handle
        for axes in places
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside upper center",
            ncols=2 if width_mm < 120 else 4,
            handlelength=1.8,
            handletextpad=0.3,
            columnspacing=0.8,
        )
    return figure


def _draw(figure: Figure, axes: Axes, view: CurveView) -> None:
    for number, line in enumerate(view.lines):
        _draw_line(axes, line, number)
    for note in view.notes:
        _annotate(axes, note)
    if any(not line.y for line in view.lines):
        # Room for the points along the lower edge, and as much above.
        axes.margins(y=0.22)
    else:
        axes.margins(0.08)
    _scale(axes.xaxis, view.x)
    _scale(axes.yaxis, view.y)
    has_area = any(line.shape == "area" for line in view.lines)
    if has_area and view.x.low is not None and view.x.low < 0:
        axes.axvspan(view.x.low, 0, color=LIGHT_GREY, linewidth=0, zorder=0)
    if view.square:
        axes.set_box_aspect(1)
    axes.set_xlabel(view.x.title)
    axes.set_ylabel(view.y.title)
    axes.set_title(view.headline, loc="left", fontsize=7)
    if view.x.ticks:
        axes.tick_params(axis="x", top=False)
        ticks = view.x.ticks
        name_places(figure, axes, [tick.at for tick in ticks], [tick.name for tick in ticks])
    if view.y.ticks:
        axes.tick_params(axis="y", right=False)
        axes.set_yticks([tick.at for tick in view.y.ticks], [tick.name for tick in view.y.ticks])


def _draw_line(axes: Axes, line: Line, number: int) -> None:
    colour, dashes, marker = LOOKS[line.role]
    label = line.label or "_"
    look: dict[str, Any] = {"color": colour, "label": label, "zorder": 2 + 0.01 * number}
    if line.shape == "points":
        look |= {"linestyle": "none", "marker": marker}
    elif line.shape == "line and points":
        look |= {"linestyle": dashes, "marker": marker}
    elif line.shape in STEPS:
        look |= {"linestyle": "-", "drawstyle": STEPS[line.shape]}
    else:
        look |= {"linestyle": dashes}
    if line.role == "guide":
        look |= {"linewidth": 0.8, "zorder": 1}
    if not line.y:
        lower = axes.get_xaxis_transform()
        axes.plot(
            line.x, [0.03] * len(line.x), transform=lower, markersize=3.5, clip_on=False, **look
        )
        return
    # Blobs hide what lies below them: where there are bars, these are thin and the markers open.
    bars: dict[str, Any] = {}
    if line.x_error:
        bars["xerr"] = line.x_error
    if line.y_low:
        bars["yerr"] = [
            [y - low for y, low in zip(line.y, line.y_low, strict=True)],
            [high - y for y, high in zip(line.y, line.y_high, strict=True)],
        ]
    if bars:
        look |= {"markerfacecolor": "white", "markersize": 3.5, "elinewidth": 0.6}
        look |= {"ecolor": GREY if line.role == "computed" else colour, "capsize": 0}
        axes.errorbar(line.x, line.y, **bars, **look)
        return
    axes.plot(line.x, line.y, **look)
    if line.shape == "area":
        axes.fill_between(line.x, line.y, color=colour, alpha=0.15, linewidth=0)


def _annotate(axes: Axes, note: Note) -> None:
    offset, horizontal, vertical = OFFSETS[note.place]
    axes.annotate(
        note.text,
        (note.x, note.y),
        xytext=offset,
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize=6 if note.place == "right" else 7,
        color=GREY if note.place == "right" else "black",
    )


def _scale(axis: Any, form: Axis) -> None:
    """Give an axis of matplotlib its scale, ends and ticks."""
    from matplotlib.ticker import MaxNLocator

    if form.logarithmic:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    limits = axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim
    low, high = sorted(axis.get_view_interval())
    if form.low is not None or form.high is not None:
        limits(low if form.low is None else form.low, high if form.high is None else form.high)
    if form.logarithmic:
        plain_log_ticks(axis, most=6 if len(axis.axes.figure.axes) == 1 else 4)
    elif form.whole:
        axis.set_major_locator(MaxNLocator(integer=True))
