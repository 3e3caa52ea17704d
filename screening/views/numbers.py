"""Numbers as they are shown: few digits, so that a page of many candidates stays small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 5
"""Significant digits that are kept."""
CURVE_DIGITS = 4
"""Significant digits of what is drawn as a curve: a picture has no room for more."""
CURVE_POINTS = 300
"""Points of a curve that a picture can show."""

_POWERS = np.array([10.0**k for k in range(23)])


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
    found: list[float] = rounded(np.fromiter(values, dtype=float), digits).tolist()
    return found


def rounded(values: NDArray[Any], digits: int = DIGITS) -> NDArray[np.float64]:
    """Return an array's numbers with so many significant digits.

    As `short` does with each, but for ties, which may go to the other side.
    """
    numbers = np.asarray(values, dtype=float)
    size = np.where(numbers == 0, 1, np.abs(numbers))
    decimals = digits - 1 - np.floor(np.log10(size))
    # Powers of ten beyond these are no longer exact, and their products have digits of round-off.
    near = np.abs(decimals) < len(_POWERS)
    places = np.where(near, decimals, 0).astype(int)
    up, down = _POWERS[np.maximum(places, 0)], _POWERS[np.maximum(-places, 0)]
    # Minus zero becomes zero.
    found: NDArray[np.float64] = np.rint(numbers * up / down) / up * down + 0.0
    for place in zip(*np.nonzero(~near), strict=True):
        found[place] = short(float(numbers[place]), digits)
    return found


def drawn(values: Sequence[float] | NDArray[Any]) -> list[float]:
    """Return numbers of a curve: as many as a picture can show, with the digits it has room for."""
    return shortened(thinned(values), CURVE_DIGITS)


def thinned(values: Sequence[float] | NDArray[Any], points: int = CURVE_POINTS) -> list[float]:
    """Return at most so many of the values, evenly spread, both ends among them."""
    last = len(values) - 1
    if last < points:
        return list(values)
    return [values[round(k * last / (points - 1))] for k in range(points)]
