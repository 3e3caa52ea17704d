"""Total errors of a campaign's results: what an engine's table says of each of them.

Two numbers of it are different things.  The *total error* belongs to the value as the engine
computed it, and covers the engine's bias.  The *expectation* is what first principles would find:
the value less the bias, with its own, smaller spread; candidates stand by it in the ranking, and
the surrogate learns from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.candidates.kinds import candidate_kind
from screening.targets.error_tables import VALUE, ErrorTable, described, error_table

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig
    from screening.campaigns.snapshot import Snapshot
    from screening.campaigns.stages import EngineStage
    from screening.targets.engines import EngineConfig
    from screening.targets.objectives import Objective
    from screening.targets.scale import Scale


@dataclass(frozen=True)
class EngineError:
    """What a table says of one result, on the scale of models, where lower is better.

    Parameters
    ----------
    value
        What the engine found: its value, or its estimate for an unstable crystal.
    value_error
        Its own error bar, in the unit of the quantity.
    expected, std
        What first principles are expected to find, and its standard deviation.
    total_std
        Error bar of the value as it is: 68 % of such values are as near to first principles.
    probability_unstable
        Of being unstable in first principles too; None for a stable crystal.
    extrapolated
        Whether the crystal is unlike all of the table.
    basis
        What the numbers rest on, in words.
    """

    value: float
    value_error: float | None
    expected: float
    std: float
    total_std: float
    probability_unstable: float | None
    extrapolated: bool
    basis: str


def engine_errors(snapshot: Snapshot, stage: EngineStage) -> dict[str, EngineError]:
    """Return what a table says of the results of an engine, by candidate id.

    Empty where the engine has no table, and where the snapshot was read without features.
    """
    table = error_table(snapshot.objective.value_field, stage.engine)
    if table is None or snapshot.features is None:
        return {}
    results = snapshot.results[stage.engine.name]
    return errors_of(snapshot.config, table, results, snapshot.features, snapshot.objective)


def has_table(snapshot: Snapshot) -> bool:
    """Return whether the exploring engine has a table of its errors."""
    engine = snapshot.stages[0].engine
    return error_table(snapshot.objective.value_field, engine) is not None


def errors_of(
    config: CampaignConfig,
    table: ErrorTable,
    results: Mapping[str, Mapping[str, Any]],
    features: Mapping[str, Sequence[float]],
    scale: Scale,
) -> dict[str, EngineError]:
    """Return what a table says of results.

    Parameters
    ----------
    results, features
        By candidate id; results of candidates without features are left out.
    scale
        Of the quantity: which way is better.
    """
    kind = candidate_kind(table.candidate_kind)
    if kind.features_version != table.features_version or scale.logarithmic != table.logarithmic:
        return {}
    numbers = _numbers(config, table, {key: results[key] for key in results if key in features})
    if not numbers:
        return {}
    names = kind.feature_names()
    found = table.estimates(
        [
            described(table.asked, results[key], dict(zip(names, features[key], strict=True)))
            | {VALUE: table.scale.to_model(number.value)}
            for key, number in numbers.items()
        ],
        np.array([table.scale.std_to_model(each.value, each.error) for each in numbers.values()]),
        [each.unstable for each in numbers.values()],
        list(numbers),
    )
    basis = table.basis + ("" if same_recipe(config, table) else ", made with another recipe")
    sign = 1.0 if scale.direction == "minimize" else -1.0
    return {
        key: EngineError(
            value=scale.to_model(number.value),
            value_error=number.error,
            expected=scale.to_model(number.value) + sign * float(found.bias[i]),
            std=float(found.std[i]),
            total_std=float(found.total_std[i]),
            probability_unstable=(
                table.probability_unstable(results[key].get(table.depth or ""))
                if number.unstable
                else None
            ),
            extrapolated=bool(found.extrapolated[i]),
            basis=basis,
        )
        for i, (key, number) in enumerate(numbers.items())
    }


@dataclass(frozen=True)
class _Number:
    """What a result says of a table's quantity: its value, or its estimate where unstable."""

    value: float
    error: float | None
    unstable: bool


def _numbers(
    config: CampaignConfig, table: ErrorTable, results: Mapping[str, Mapping[str, Any]]
) -> dict[str, _Number]:
    """Return the numbers of the results that a table speaks of, by candidate id, sorted."""
    knows_unstable = any(row.unstable for row in table.rows)
    numbers = {}
    for key, result in sorted(results.items()):
        unstable = result["outcome"] == "unstable"
        field = table.estimate if unstable else table.quantity
        error_of = table.estimate_error if unstable else error_field(config, table)
        known = field is not None and (knows_unstable or not unstable)
        if known and table.scale.usable(value := result.get(field or "")):
            error = None if error_of is None else result.get(error_of)
            numbers[key] = _Number(
                float(value or 0.0), None if error is None else float(error), unstable
            )
    return numbers


def error_field(config: CampaignConfig, table: ErrorTable) -> str | None:
    """Return the field with the engine's own error bar of a table's quantity."""
    objective = config.resolved_objective()
    return objective.error_field if table.quantity == objective.value_field else None


def same_recipe(config: CampaignConfig, table: ErrorTable) -> bool:
    """Return whether a campaign's flow has the settings of a table's.

    Settings that came to the recipe later do not count: their defaults are what was done before.
    """
    return _agree(config.recipe, table.recipe)


def _agree(asked: Any, known: Any) -> bool:
    if isinstance(asked, dict) and isinstance(known, dict):
        return all(_agree(asked.get(key, value), value) for key, value in known.items())
    return bool(asked == known)


def tables_of(objective: Objective, engine: EngineConfig) -> list[ErrorTable]:
    """Return the tables for the value of an objective and for the further fields it shows."""
    quantities = [objective.value_field, *(shown.field for shown in objective.shown_fields)]
    found = [error_table(quantity, engine) for quantity in quantities]
    return [table for table in found if table is not None]


def further_errors(snapshot: Snapshot, stage: EngineStage) -> dict[str, dict[str, EngineError]]:
    """Return what tables say of the further fields that a ranking shows, by field and id."""
    from screening.targets.scale import Scale

    if snapshot.features is None:
        return {}
    value, found = snapshot.objective.value_field, {}
    for table in tables_of(snapshot.objective, stage.engine):
        if table.quantity != value:
            found[table.quantity] = errors_of(
                snapshot.config,
                table,
                snapshot.results[stage.engine.name],
                snapshot.features,
                Scale(logarithmic=table.logarithmic),
            )
    return found


def no_table(engine: EngineConfig) -> str:
    """Say that nothing is known of an engine's total errors."""
    return f"no table for {engine.name}"
