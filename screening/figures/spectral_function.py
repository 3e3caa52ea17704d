"""Spectral functions: how much of the vibrations has a wave vector and a frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.figures.bands import FREQUENCY, label_points
from screening.figures.style import GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import SpectralView


@styled
def spectral_figure(view: SpectralView, width_mm: float) -> Figure:
    """Draw A(q, ω) as a map; colours go with the root of it, so that faint parts are seen."""
    from matplotlib.colors import PowerNorm

    figure = new_figure(width_mm, 0.75)
    axes = figure.add_subplot()
    highest = max(value for segment in view.intensity_per_thz for at in segment for value in at)
    for distance, intensity in zip(view.distance_per_a, view.intensity_per_thz, strict=True):
        axes.pcolormesh(
            distance,
            view.frequency_thz,
            np.transpose(intensity),
            shading="gouraud",
            cmap="viridis",
            norm=PowerNorm(0.5, vmin=0, vmax=highest),
            rasterized=True,
        )
        axes.axvline(distance[-1], color=GREY, linewidth=0.5, linestyle="-")
    axes.set_xlim(view.distance_per_a[0][0], view.distance_per_a[-1][-1])
    axes.set_ylim(view.frequency_thz[0], view.frequency_thz[-1])
    axes.set_ylabel(FREQUENCY)
    axes.tick_params(axis="x", length=0)
    label_points(figure, axes, view)
    return figure
