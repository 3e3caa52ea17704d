"""κ against temperature, accumulated over modes, and against the q-mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    name_places,
    new_figure,
    plain_log_ticks,
    spans,
    styled,
)
from screening.messages.quantities import heading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import AccumulationView, ConductivityView, MeshView

UNIT = "W/m/K"
ANISOTROPY = 0.01
"""Relative difference from which on κ along two axes is drawn as two lines."""
LOOKS = ((VERMILION, "--", "s"), (GREEN, "-.", "^"), (ORANGE, ":", "v"))
"""Colour, line and marker of κ along the axes."""

CARRIES = 1e-3
"""Fraction of κ that shorter mean free paths than those shown may have."""


@styled
def kappa_figure(
    conductivity: ConductivityView, limit: tuple[float, float] | None, width_mm: float
) -> Figure:
    """Draw κ against temperature, along each axis where they differ.

    Parameters
    ----------
    limit
        κ at 300 K and its error bar, of all q-meshes.
    """
    figure = new_figure(width_mm, 0.75)
    axes = figure.add_subplot()
    temperature, mean = conductivity.temperature_k, conductivity.kappa_w_per_m_k
    along = _distinct(conductivity)
    mesh = "×".join(map(str, conductivity.mesh))
    axes.plot(temperature, mean, color=BLUE, linestyle="-", marker="o", label=f"mean, {mesh}")
    for (name, values), (colour, line, marker) in zip(along.items(), LOOKS, strict=False):
        axes.plot(temperature, values, color=colour, linestyle=line, marker=marker, label=name)
    if limit is not None:
        axes.errorbar(
            [300.0],
            [limit[0]],
            yerr=[limit[1]],
            color="black",
            marker="D",
            markerfacecolor="white",
            linestyle="none",
            label="value at 300 K, of all meshes",
            zorder=5,
        )
    drawn = [*mean, *(each for values in along.values() for each in values)]
    axes.set_xlabel("temperature / K")
    axes.set_ylabel(heading("κ", UNIT))
    if spans(temperature, 5):
        axes.set_xscale("log")
        plain_log_ticks(axes.xaxis)
    if spans(drawn, 5):
        axes.set_yscale("log")
        axes.margins(y=0.12)
        plain_log_ticks(axes.yaxis)
    else:
        axes.set_ylim(0, None if len(mean) > 1 else 1.5 * max(drawn))
    axes.legend()
    return figure


def _distinct(conductivity: ConductivityView) -> dict[str, list[float]]:
    """Return κ along each axis, those that agree as one; none where all agree with the mean."""
    found: dict[str, list[float]] = {}
    for name, values in (
        ("xx", conductivity.kappa_xx_w_per_m_k),
        ("yy", conductivity.kappa_yy_w_per_m_k),
        ("zz", conductivity.kappa_zz_w_per_m_k),
    ):
        same = next((key for key, other in found.items() if _agree(values, other)), None)
        if same is None:
            found[name] = values
        else:
            found[f"{same}, {name}"] = found.pop(same)
    return found if len(found) > 1 else {}


def _agree(one: list[float], other: list[float]) -> bool:
    return all(abs(a - b) <= ANISOTROPY * abs(b) for a, b in zip(one, other, strict=True))


@styled
def accumulation_figure(view: AccumulationView, width_mm: float) -> Figure:
    """Draw κ of all modes up to a frequency, and up to a mean free path, and where half is."""
    figure = new_figure(width_mm, 0.65)
    left, right = figure.subplots(1, 2, sharey=True)
    half = view.kappa_of_frequency_w_per_m_k[-1] / 2
    curves = (
        (left, view.frequency_thz, view.kappa_of_frequency_w_per_m_k, "THz"),
        (right, view.mean_free_path_nm, view.kappa_of_mean_free_path_w_per_m_k, "nm"),
    )
    for axes, along, kappa, unit in curves:
        axes.plot(along, kappa, color=BLUE, linestyle="-")
        middle = next(x for x, k in zip(along, kappa, strict=True) if k >= half)
        axes.plot([middle, middle], [0, half], color=GREY, linestyle=":", linewidth=0.9)
        axes.plot([along[0], middle], [half, half], color=GREY, linestyle=":", linewidth=0.9)
        axes.annotate(
            f"half at\n{f'{middle:#.2g}'.rstrip('.')} {unit}",
            (middle, half),
            xytext=(4, -4),
            textcoords="offset points",
            va="top",
            fontsize=6,
            color=GREY,
        )
    left.set_xlim(0, view.frequency_thz[-1])
    left.set_ylim(0, 1.05 * view.kappa_of_frequency_w_per_m_k[-1])
    left.set_xlabel("frequency / THz")
    left.set_ylabel(heading("accumulated κ", UNIT))
    right.set_xscale("log")
    least = CARRIES * view.kappa_of_mean_free_path_w_per_m_k[-1]
    first = next(
        x
        for x, k in zip(view.mean_free_path_nm, view.kappa_of_mean_free_path_w_per_m_k, strict=True)
        if k >= least
    )
    right.set_xlim(first, 1.3 * view.mean_free_path_nm[-1])
    plain_log_ticks(right.xaxis, most=4)
    right.set_xlabel("mean free path / nm")
    return figure


@styled
def meshes_figure(view: MeshView, width_mm: float) -> Figure:
    """Draw κ against the density of the q-mesh, its extrapolation, and the value between.

    The value is the middle between the densest mesh and the extrapolation to infinite density; its
    error bar here is what the meshes contribute.
    """
    figure = new_figure(width_mm, 0.7)
    axes = figure.add_subplot()
    # The straight line of the extrapolation is in 1/N², N the geometric mean of the divisions.
    fineness = [(a * b * c) ** (-2 / 3) for a, b, c in view.mesh]
    axes.plot(
        fineness, view.kappa_300k_w_per_m_k, color=BLUE, linestyle="--", marker="o", label="q-mesh"
    )
    densest = view.kappa_300k_w_per_m_k[-1]
    axes.plot(
        [0.0, fineness[-1]],
        [2 * view.limit_w_per_m_k - densest, densest],
        color=GREY,
        linestyle=":",
        marker="o",
        markevery=[0],
        markerfacecolor="white",
        label="extrapolation",
        clip_on=False,
    )
    axes.errorbar(
        [0.0],
        [view.limit_w_per_m_k],
        yerr=[view.limit_error_w_per_m_k],
        color=VERMILION,
        marker="D",
        linestyle="none",
        label="value, error of the mesh",
        clip_on=False,
        zorder=5,
    )
    names = ["×".join(map(str, mesh)) for mesh in view.mesh]
    axes.set_xlim(-0.06 * fineness[0], 1.12 * fineness[0])
    axes.tick_params(axis="x", top=False)
    axes.set_xlabel("q-mesh N×N×N, on a scale of 1/N²")
    axes.set_ylabel(heading("κ(300 K)", UNIT))
    axes.margins(y=0.12)
    axes.legend()
    name_places(figure, axes, [0.0, *fineness], ["∞", *names])
    return figure
