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


# ---------------------------------------------------------------------------------------- as text


_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def in_digits(value: float, digits: int = 3, unit: str = "") -> str:
    """Return a number in so many significant digits, with its unit: 0.0123, 12.3, 1.23 × 10⁻⁷."""
    size = abs(float(f"{value:.{digits}g}"))
    if size and not 1e-3 <= size < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"
    elif size >= 10**digits:
        text = f"{round(value):,}"
    else:
        text = f"{value:#.{digits}g}".rstrip(".") if size else "0"
    return f"{text.replace('-', '−')} {unit}".strip()


def with_error(value: float, error: float | None, unit: str = "") -> str:
    """Return a value with its standard error in two digits: 0.859 ± 0.043."""
    if not error or not 1e-6 < error < 1e4:
        return in_digits(value, unit=unit)
    decimals = max(1 - math.floor(math.log10(float(f"{error:.1e}"))), 0)
    return f"{value:.{decimals}f} ± {error:.{decimals}f} {unit}".replace("-", "−").strip()


def subscripted(formula: str) -> str:
    """Return a chemical formula with its numbers below the line."""
    return formula.translate(_LOWERED)


def spans(values: Sequence[float], factor: float) -> bool:
    """Return whether positive values differ by more than a factor."""
    return len(values) > 0 and min(values) > 0 and max(values) > factor * min(values)
