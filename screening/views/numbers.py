"""Numbers as they are shown: few digits, so that a page of many candidates stays small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 5
"""Significant digits that are kept."""
CURVE_DIGITS = 4
"""Significant digits of what is drawn as a curve: a picture has no room for more."""
CURVE_POINTS = 300
"""Points of a curve that a picture can show."""


def finite(value: Any) -> float | None:
    """Return a number, None for what is none or not finite."""
    if value is None or isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)


def short(value: float, digits: int = DIGITS) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}") + 0.0


def short_or_none(value: Any) -> float | None:
    """Return a number with `DIGITS` significant digits, None for what is none or not finite."""
    number = finite(value)
    return None if number is None else short(number)


def shortened(values: Iterable[Any], digits: int = DIGITS) -> list[float]:
    """Return numbers with so many significant digits."""
    return [short(float(each), digits) for each in values]


def drawn(values: Sequence[float] | NDArray[Any]) -> list[float]:
    """Return numbers of a curve: as many as a picture can show, with the digits it has room for."""
    return shortened(thinned(values), CURVE_DIGITS)


def thinned(values: Sequence[float] | NDArray[Any], points: int = CURVE_POINTS) -> list[float]:
    """Return at most so many of the values, evenly spread, both ends among them."""
    last = len(values) - 1
    if last < points:
        return list(values)
    return [values[round(k * last / (points - 1))] for k in range(points)]
