"""Volume and voltage of an insertion electrode along its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.figures.style import BLUE, GREY, VERMILION, new_figure, styled, subscripted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.views.forms import ElectrodePathView


@styled
def volume_change_figure(view: ElectrodePathView, width_mm: float) -> Figure:
    """Draw the volume of a formula unit of the host, and below it the voltage of each step."""
    figure = new_figure(width_mm, 0.95)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
    above.plot(view.working_ions, view.volume_a3, color=BLUE, linestyle="-", marker="o")
    least, most = min(view.volume_a3), max(view.volume_a3)
    for place in (least, most):
        above.axhline(place, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
    above.margins(x=0.16, y=0.25)
    for ions, volume, formula in zip(view.working_ions, view.volume_a3, view.formula, strict=True):
        up = volume > (least + most) / 2
        above.annotate(
            subscripted(formula),
            (ions, volume),
            xytext=(0, 5 if up else -5),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=7,
        )
    above.set_ylabel("volume / Å³")
    above.set_title(f"ΔV/V = {100 * (most / least - 1):.2g} %", loc="right")
    edges = [*view.step_ions_charged, view.step_ions_discharged[-1]]
    below.stairs(view.step_voltage_v, edges, baseline=None, color=VERMILION, linewidth=1.2)
    below.margins(y=0.25)
    below.set_ylabel("voltage / V")
    below.set_xlabel(f"{view.working_ion} per formula unit of the host")
    return figure
