"""What a result must fulfil besides being good: bounds on fields of its document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator


class Bound(BaseModel):
    """What a field must be.

    Parameters
    ----------
    min, max
        Limits of a number, themselves allowed.
    equals
        The one value allowed: true, false or a text.
    """

    model_config = ConfigDict(extra="forbid")

    min: float | None = None
    max: float | None = None
    equals: bool | str | None = None

    @field_validator("equals", mode="before")
    @classmethod
    def _no_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError("takes true, false or a text; for a number give min and max")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        limits = self.min is not None or self.max is not None
        if limits == (self.equals is not None):
            raise ValueError("give min, max or both, or else equals")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def violation(self, field: str, value: Any) -> str | None:
        """Return how a value breaks this bound, None where it does not."""
        if not is_known(value):
            return f"{field} is not known"
        if self.equals is not None:
            return None if value == self.equals else f"{field} is {_said(value)}"
        if self.min is not None and value < self.min:
            return f"{field} is {value:.4g}, below {self.min:g}"
        if self.max is not None and value > self.max:
            return f"{field} is {value:.4g}, above {self.max:g}"
        return None


def is_known(value: Any) -> bool:
    """Return whether a field of a result holds something to judge by."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def violations(result: Mapping[str, Any], constraints: Mapping[str, Bound]) -> list[str]:
    """Return how a result breaks the constraints of a campaign, in their order."""
    broken = (bound.violation(field, result.get(field)) for field, bound in constraints.items())
    return [violation for violation in broken if violation is not None]


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
