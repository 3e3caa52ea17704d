"""The total errors of a ranking's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.campaigns.engine_errors import (
    EngineError,
    engine_errors,
    further_errors,
    no_table,
)
from screening.campaigns.expectations import Expectations, expectations

if TYPE_CHECKING:
    from screening.campaigns.snapshot import Snapshot
    from screening.campaigns.stages import EngineStage


@dataclass(frozen=True)
class TotalErrors:
    """What tables of engines' errors say of the results of a campaign.

    Parameters
    ----------
    snapshot
        Of the campaign.
    of_value
        By name of the engine and candidate id.
    of_fields
        By name of the engine, field and candidate id.
    expected
        What first principles are expected to find where only the exploring engine has a result.
    """

    snapshot: Snapshot
    of_value: Mapping[str, Mapping[str, EngineError]]
    of_fields: Mapping[str, Mapping[str, Mapping[str, EngineError]]]
    expected: Expectations

    @classmethod
    def of(cls, snapshot: Snapshot) -> TotalErrors:
        """Return the total errors of a campaign's results."""
        of_value = {stage.engine.name: engine_errors(snapshot, stage) for stage in snapshot.stages}
        return cls(
            snapshot=snapshot,
            of_value=of_value,
            of_fields={
                stage.engine.name: further_errors(snapshot, stage) for stage in snapshot.stages
            },
            expected=expectations(snapshot, of_value[snapshot.stages[0].engine.name]),
        )

    def expectation(self, key: str, stage: EngineStage) -> tuple[EngineError, float, float] | None:
        """Return what a table says of a candidate's result, None where there is no table.

        With it mean and standard deviation of what first principles would find, on the model's
        scale.
        """
        error = self.of_value[stage.engine.name].get(key)
        if error is None:
            return None
        if stage is self.snapshot.stages[0] and key in self.expected:
            return error, *self.expected[key]
        return error, error.expected, error.std

    def fields(self, key: str, outcome: str, stage: EngineStage) -> dict[str, Any]:
        """Return the fields of a candidate's entry that hold its total errors.

        Parameters
        ----------
        key
            Its id.
        outcome
            Of its result.
        stage
            Of the engine that computed it.
        """
        name, objective = stage.engine.name, self.snapshot.objective
        expectation = self.expectation(key, stage)
        further = {
            f"total_std_{field}": errors[key].total_std
            for field, errors in self.of_fields[name].items()
            if key in errors
        }
        changes: dict[str, Any] = {"shown_total_std": further}
        if expectation is None:
            return {"error_basis": no_table(stage.engine), **changes}
        error, mean, std = expectation
        if outcome == "unstable":
            changes |= {
                "estimate": objective.from_model(error.value),
                "estimate_error": error.value_error,
                "probability_unstable": error.probability_unstable,
            }
        return {
            "total_std": error.total_std,
            "expected_value": objective.from_model(mean),
            "expected_std": std,
            "error_basis": error.basis,
            "extrapolated": error.extrapolated,
            **changes,
        }
