"""What documents are made of: their base, who computed a number, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """A stored record; unknown fields are refused, so that a typo is not silently dropped."""

    # Exported tables explain their columns with the docstrings of the fields.
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Provenance(Document):
    """Which engine and which code produced a number.

    Parameters
    ----------
    engine
        Name of the engine (``sevennet-0``, ``emt``, ``vasp``, …).
    calculator
        Import path of the calculator behind it.
    arguments
        Arguments that the calculator was built with.
    versions
        Versions of the packages that shaped the number.
    hostname
        Machine that ran the step.
    indicator
        Of a potential that knows its domain: the largest leverage of the cells of this step and the
        force error that it stands for.
    """

    engine: str
    calculator: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    hostname: str = ""
    indicator: dict[str, float] | None = None


FORCE_CALLS = "force calls"
"""Unit of cost: calculations of the energy and forces of a cell."""


class StepCost(Document):
    """What one step of a flow cost: its name, the cost in its unit, and wall time."""

    step: str
    cost: float
    cost_unit: str
    wall_s: float

    @classmethod
    def of_force_calls(cls, step: str, calls: float, wall_s: float) -> Self:
        """Return the cost of a step that asked an engine for forces so many times."""
        return cls(step=step, cost=calls, cost_unit=FORCE_CALLS, wall_s=wall_s)


def total_cost(costs: Sequence[StepCost]) -> dict[str, Any]:
    """Return what all steps of a flow cost, as fields of a `TargetDocument`.

    Raises
    ------
    ValueError
        When they are counted in several units.
    """
    units = {step.cost_unit for step in costs}
    if len(units) != 1:
        raise ValueError(f"costs of one flow are in {' and '.join(sorted(units))}; take one unit")
    return {
        "cost": sum(step.cost for step in costs),
        "cost_unit": units.pop(),
        "wall_s": sum(step.wall_s for step in costs),
        "costs": list(costs),
    }
