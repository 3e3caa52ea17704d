"""An earlier campaign, whose results are the prior of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.campaigns.snapshot import Snapshot
    from screening.targets.objectives import Objective


def check_same_scale(name: str, earlier: Objective, objective: Objective) -> None:
    """Raise `ScreenError` unless results of an earlier campaign are on the scale of a new one.

    Parameters
    ----------
    name
        Of the earlier campaign.
    """
    if (earlier.unit, earlier.logarithmic) != (objective.unit, objective.logarithmic):
        raise ScreenError(
            f"prior '{name}': its objective '{earlier.name}' cannot stand for "
            f"'{objective.name}'; both need the same unit and scale"
        )


def prior_values(earlier: Snapshot, objective: Objective) -> dict[str, float]:
    """Return what the best engine of an earlier campaign computed, by candidate id.

    On the model's scale of the objective of the new campaign.
    """
    values: dict[str, float] = {}
    for stage in sorted(earlier.stages, key=lambda stage: stage.engine.fidelity):
        values |= {
            candidate_id: objective.to_model(float(result[earlier.objective.value_field]))
            for candidate_id, result in earlier.results[stage.engine.name].items()
            if earlier.objective.is_usable(result)
        }
    return values
