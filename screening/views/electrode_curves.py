"""Curves of a result of an insertion electrode: volume and voltage along its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screening.views.forms import Axis, CurveView, Line, Note
from screening.views.numbers import in_digits, shortened, subscripted


def volume_and_voltage(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the volume of a formula unit of the host, and the voltage of each step."""
    path, steps = result.get("path"), result.get("voltages")
    if not path or not steps:
        return []
    ion = result["working_ion"]
    ions = shortened(state["working_ions"] for state in path)
    volumes = shortened(state["volume_a3"] for state in path)
    formulas = [subscripted(state["formula"]) for state in path]
    margin = 0.16 * (ions[-1] - ions[0])
    along = Axis(
        title=f"{ion} per formula unit of the host", low=ions[0] - margin, high=ions[-1] + margin
    )
    least, most = min(volumes), max(volumes)
    room = 0.25 * ((most - least) or most)
    voltages = shortened(step["voltage_v"] for step in steps)
    edges = shortened(
        [*(step["working_ions_charged"] for step in steps), steps[-1]["working_ions_discharged"]]
    )
    return [
        CurveView(
            name="",
            title="Volume along the path",
            caption=(
                "Of a formula unit of the host, from charged (left) to discharged.  The largest "
                f"volume is {in_digits(100 * (most / least - 1), 2)} % above the smallest."
            ),
            headline=f"ΔV/V = {in_digits(100 * (most / least - 1), 2)} %",
            x=along,
            y=Axis(title="volume / Å³", low=least - room, high=most + room),
            lines=[
                *(
                    Line(role="guide", x=[along.low or 0.0, along.high or 0.0], y=[volume] * 2)
                    for volume in (least, most)
                ),
                Line(
                    role="first",
                    shape="line and points",
                    x=ions,
                    y=volumes,
                    texts=[
                        f"{formula}: {in_digits(volume, 4, 'Å³')}"
                        for formula, volume in zip(formulas, volumes, strict=True)
                    ],
                ),
            ],
            notes=[
                Note(
                    x=x,
                    y=volume,
                    text=formula,
                    place="above" if volume > (least + most) / 2 else "below",
                )
                for x, volume, formula in zip(ions, volumes, formulas, strict=True)
            ],
        ),
        CurveView(
            name="",
            title="Voltage along the path",
            caption=f"Against {ion} metal, between neighbouring compositions.",
            x=along,
            y=Axis(title="voltage / V"),
            lines=[
                Line(role="second", shape="step after", x=edges, y=[*voltages, voltages[-1]]),
            ],
        ),
    ]
