"""The total errors of a ranking's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    from screening.ranking.entries import Entry


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

    def added_to(self, entry: Entry, stage: EngineStage) -> Entry:
        """Return the entry of a result with its total errors.

        Parameters
        ----------
        stage
            Of the engine that computed it.
        """
        name, key, objective = stage.engine.name, entry.candidate_id, self.snapshot.objective
        further = {
            f"total_std_{field}": errors[key].total_std
            for field, errors in self.of_fields[name].items()
            if key in errors
        }
        changes: dict[str, Any] = {"shown_total_std": further}
        error = self.of_value[name].get(key)
        if error is None:
            return replace(entry, error_basis=no_table(stage.engine), **changes)
        mean, std = error.expected, error.std
        if stage is self.snapshot.stages[0] and key in self.expected:
            mean, std = self.expected[key]
        if entry.outcome == "unstable":
            changes |= {
                "estimate": objective.from_model(error.value),
                "estimate_error": error.value_error,
                "probability_unstable": error.probability_unstable,
            }
        return replace(
            entry,
            total_std=error.total_std,
            expected_value=objective.from_model(mean),
            expected_std=std,
            error_basis=error.basis,
            extrapolated=error.extrapolated,
            **changes,
        )
