"""Phonon bands along lines of high symmetry, beside the density of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import BLUE, GREY, LIGHT_GREY, name_places, new_figure, styled
from screening.views.conductivity_curves import IMAGINARY_THZ

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from screening.views.forms import PhononView, SpectralView

WIDTH_WITH_DOS_MM = 80.0
"""From which on there is room for the density of states beside the bands."""
FREQUENCY = "frequency / THz"


@styled
def bands_figure(view: PhononView, width_mm: float) -> Figure:
    """Draw bands; beside them the density of states, where there is room.

    Imaginary frequencies are below zero, where the ground is grey.
    """
    figure = new_figure(width_mm, 0.75)
    if not view.dos_per_thz or width_mm < WIDTH_WITH_DOS_MM:
        axes = figure.add_subplot()
    else:
        axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=(3.4, 1))
        draw_dos_beside(beside, view)
    draw_bands(axes, view)
    _frequency_limits(axes, view)
    label_points(figure, axes, view)
    return figure


def draw_bands(axes: Axes, bands: PhononView) -> None:
    """Draw each segment, and a line where one ends."""
    for distance, frequencies in zip(bands.distance_per_a, bands.frequency_thz, strict=True):
        axes.plot(distance, frequencies, color=BLUE, linestyle="-", linewidth=0.9)
        axes.axvline(distance[-1], color=GREY, linewidth=0.5, linestyle="-")
    axes.set_xlim(bands.distance_per_a[0][0], bands.distance_per_a[-1][-1])
    axes.set_ylabel(FREQUENCY)
    axes.tick_params(axis="x", length=0)


def draw_dos_beside(axes: Axes, view: PhononView) -> None:
    """Draw the density of states along the axis of frequencies that the bands have."""
    frequency, states = view.dos_frequency_thz, view.dos_per_thz
    axes.plot(states, frequency, color=BLUE, linestyle="-", linewidth=0.9)
    axes.fill_betweenx(frequency, states, color=BLUE, alpha=0.15, linewidth=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("DOS / THz⁻¹")
    axes.tick_params(axis="y", labelleft=False)
    axes.locator_params(axis="x", nbins=2)


def _frequency_limits(axes: Axes, view: PhononView) -> None:
    modes = [mode for segment in view.frequency_thz for point in segment for mode in point]
    low, high = min(modes), max(modes)
    if view.dos_per_thz:
        floor = 1e-3 * max(view.dos_per_thz)
        pairs = zip(view.dos_frequency_thz, view.dos_per_thz, strict=True)
        high = max(high, *(frequency for frequency, states in pairs if states > floor))
    if low >= IMAGINARY_THZ:
        axes.set_ylim(0, 1.04 * high)
        return
    axes.set_ylim(low - 0.06 * (high - low), high + 0.04 * (high - low))
    for panel in axes.figure.axes:
        panel.axhspan(panel.get_ylim()[0], 0, color=LIGHT_GREY, linewidth=0, zorder=0)
        panel.axhline(0, color=GREY, linewidth=0.6, linestyle="-")
    axes.text(
        0.985,
        0.02,
        "imaginary",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=6,
        color=GREY,
        bbox={"facecolor": LIGHT_GREY, "edgecolor": "none", "pad": 1},
    )


def label_points(figure: Figure, axes: Axes, bands: PhononView | SpectralView) -> None:
    """Name the points of high symmetry."""
    places, names = [bands.distance_per_a[0][0]], [bands.labels[0][0]]
    for distance, (start, end) in zip(bands.distance_per_a, bands.labels, strict=True):
        # Where the path jumps, one line has two names.
        if start not in (names[-1], names[-1].split("|")[-1]):
            names[-1] = f"{names[-1]}|{start}"
        places.append(distance[-1])
        names.append(end)
    name_places(figure, axes, places, names)
