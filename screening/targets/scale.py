"""The scale on which models see a value: lower is better, logarithms where asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From a value to what a surrogate sees of it, and back.

    Parameters
    ----------
    logarithmic
        Whether the surrogate sees log10 of the value: right for positive values that span
        decades.
    direction
        Whether small or large is good.
    """

    logarithmic: bool = False
    direction: Direction = "minimize"

    def to_model(self, value: float) -> float:
        """Return the value on the surrogate's scale, where lower is better."""
        scaled = math.log10(value) if self.logarithmic else value
        return scaled if self.direction == "minimize" else -scaled

    def from_model(self, scaled: float) -> float:
        """Return the inverse of `to_model`."""
        signed = scaled if self.direction == "minimize" else -scaled
        return float(10**signed) if self.logarithmic else signed

    def std_to_model(self, value: float, error: float | None) -> float:
        """Return an error bar on the surrogate's scale, to first order."""
        if error is None:
            return 0.0
        return abs(error) / (value * math.log(10)) if self.logarithmic else abs(error)

    def usable(self, value: Any) -> bool:
        """Return whether something is a number with a place on the surrogate's scale."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and (value > 0 or not self.logarithmic)
