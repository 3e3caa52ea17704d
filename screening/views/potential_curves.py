"""Curves of a fitted potential: its error against labels, and its indicator against its error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from screening.views.forms import Axis, CurveView, Line
from screening.views.numbers import in_digits, shortened


def learning(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the force error against the number of labels."""
    rounds = result.get("rounds") or []
    if not rounds:
        return []
    labels = [float(each["labels"]) for each in rounds]
    checked = [each for each in rounds if each.get("found_force_error_ev_per_a") is not None]
    lines = [
        Line(
            role="first",
            shape="line and points",
            label="labelled cells, each left out",
            x=labels,
            y=shortened([each["force_error_ev_per_a"] for each in rounds]),
        )
    ]
    if checked:
        x = [float(each["labels"]) for each in checked]
        lines += [
            Line(
                role="second",
                shape="line and points",
                label="cells labelled next, found",
                x=x,
                y=shortened([each["found_force_error_ev_per_a"] for each in checked]),
            ),
            Line(
                role="guide",
                shape="line and points",
                label="the same, expected beforehand",
                x=x,
                y=shortened([each["expected_force_error_ev_per_a"] for each in checked]),
            ),
        ]
    return [
        CurveView(
            name="",
            title="Learning curve",
            caption=(
                "Error of the forces (root mean square over components) against the cells that "
                "had been labelled: of these, each left out of the fit in turn, and of the cells "
                "that were chosen next, which are the least known ones."
            ),
            headline=(
                f"{in_digits(rounds[-1]['force_error_ev_per_a'], 2)} eV/Å, {labels[-1]:.0f} labels"
            ),
            x=Axis(title="labelled cells", whole=True, low=0.0),
            y=Axis(title="force error / (eV/Å)", logarithmic=True),
            lines=lines,
        )
    ]


def indicator(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the force error of labelled cells against their leverage."""
    calibration = (result.get("calibration") or {}).get("forces") or {}
    leverages = calibration.get("leverages") or []
    if not leverages:
        return []
    middle = float(np.exp(calibration["middle"]))
    ends = np.array(sorted({min(leverages), middle, max(leverages)}))
    along = np.log(ends) - calibration["middle"]
    slopes = np.where(along > 0, calibration["slope_above"], calibration["slope_below"])
    mean = np.exp(calibration["level"] + slopes * along + calibration["scatter"] ** 2 / 2)
    ratio = result.get("calibration_ratio")
    return [
        CurveView(
            name="",
            title="Indicator and error",
            caption=(
                "Error of the forces of each labelled cell, by the potential from all others, "
                "against its leverage: how unlike the others it is.  The line is the error that "
                "is expected of a new cell with that leverage."
            ),
            headline=(
                ""
                if ratio is None
                else f"cells chosen later: {in_digits(ratio, 2)} × the error that was expected"
            ),
            x=Axis(title="leverage", logarithmic=True),
            y=Axis(title="force error / (eV/Å)", logarithmic=True),
            lines=[
                Line(
                    role="first",
                    shape="points",
                    x=shortened(leverages),
                    y=shortened(calibration["errors_ev_per_a"]),
                ),
                Line(
                    role="guide",
                    label="expected",
                    x=shortened(ends.tolist()),
                    y=shortened(mean.tolist()),
                ),
            ],
        )
    ]
