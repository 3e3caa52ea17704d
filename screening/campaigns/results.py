"""Results as a campaign sees them: of its objective, recipes and inputs, judged by its constraints.

Results belong to no campaign; every campaign with the same objective, engine and recipe sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.campaigns import hull_constraint
from screening.campaigns.engine_errors import tables_of
from screening.messages.errors import ScreenError
from screening.store.database import any_of
from screening.targets.constraints import is_known, violations

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig
    from screening.campaigns.snapshot import PoolRow
    from screening.campaigns.stages import EngineStage
    from screening.store.database import Database

Results = dict[str, dict[str, Any]]
"""Documents by candidate id."""


def result_key(config: CampaignConfig, stage: EngineStage) -> dict[str, str]:
    """Return the fields that the results of one engine of a campaign share."""
    return {"objective": config.objective, "recipe_hash": stage.recipe_hash}


def result_fields(config: CampaignConfig, stage: EngineStage) -> list[str]:
    """Return the fields of an engine's results that learning and ranking need, sorted."""
    objective = config.resolved_objective()
    fields = {
        *("candidate_id", "outcome", "reason", "campaign", "engine", "inputs_hash"),
        *(objective.value_field, *objective.derive_from, *config.constraints),
        *(shown.field for shown in objective.shown_fields),
    }
    if objective.error_field is not None:
        fields.add(objective.error_field)
    for table in tables_of(objective, stage.engine):
        fields |= table.fields
    if config.second_objective is not None:
        fields.add(config.second_objective.field)
    return sorted(fields)


def read_stored(
    database: Database,
    config: CampaignConfig,
    stage: EngineStage,
    ids: Sequence[str] | None = None,
) -> Results:
    """Return the results of an engine as they are stored, by their own ids.

    Parameters
    ----------
    ids
        Of the results to read; None reads all.
    """
    fields = dict.fromkeys(result_fields(config, stage), 1)
    if ids is None:
        found = database.results.find(result_key(config, stage), fields)
        return {document["_id"]: document for document in found}
    # One by one: a server that looks for one of several reads the whole collection.
    each = (database.results.find_one({"_id": key}, fields) for key in ids)
    return {document["_id"]: document for document in each if document is not None}


def read_results(
    database: Database, config: CampaignConfig, stage: EngineStage, inputs: Mapping[str, str]
) -> Results:
    """Return the results of an engine as they are stored, with the fields that learning needs.

    Parameters
    ----------
    inputs
        Fingerprint of the inputs of the campaign's candidates that have any, by id.
    """
    return of_inputs(database, config, stage, inputs, read_stored(database, config, stage))


def of_inputs(
    database: Database,
    config: CampaignConfig,
    stage: EngineStage,
    inputs: Mapping[str, str],
    stored: Mapping[str, dict[str, Any]],
) -> Results:
    """Return those of an engine's results that are of a campaign's inputs, by candidate id.

    Parameters
    ----------
    stored
        What `read_stored` returns.
    """
    own = {
        document["candidate_id"]: document
        for document in stored.values()
        if document.get("inputs_hash", "") == inputs.get(document["candidate_id"], "")
    }
    return _with_fields(own, _borrowed(database, config, stage))


def _with_fields(results: Results, more: Mapping[str, Mapping[str, Any]]) -> Results:
    """Return results with further fields, by candidate id; those without any as they are."""
    return {**results, **{key: {**results[key], **more[key]} for key in results.keys() & more}}


def _borrowed(
    database: Database, config: CampaignConfig, stage: EngineStage
) -> Mapping[str, Mapping[str, Any]]:
    """Return what constraints ask of results of another objective, by candidate id."""
    if not hull_constraint.is_asked(config):
        return {}
    return hull_constraint.hull_fields(database, config, stage.engine)


def as_seen(config: CampaignConfig, results: Results, pool: Mapping[str, PoolRow]) -> Results:
    """Return stored results as a campaign sees them: with derived values, judged.

    Parameters
    ----------
    pool
        Rows of the candidates, for objectives that derive a value from several results.
    """
    derived = config.resolved_objective().derived(results, pool)
    return {
        candidate_id: judged(config, result)
        for candidate_id, result in _with_fields(results, derived).items()
    }


def judged(config: CampaignConfig, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as a campaign judges it: infeasible where it breaks a constraint.

    Raises
    ------
    ScreenError
        When an earlier version stored it, whose words for outcomes were others.
    """
    if result["outcome"] == "unstable":
        return result
    if result["outcome"] != "computed":
        raise ScreenError(
            f"the result of candidate '{result['candidate_id']}' was stored by an earlier version, "
            f"with outcome '{result['outcome']}'; take a new database: set SCREEN_DATABASE"
        )
    broken = violations(result, config.constraints)
    second = config.second_objective
    if second is not None and not is_known(result.get(second.field)):
        broken.append(f"{second.field} is not known")
    if not broken:
        return result
    return {**result, "outcome": "infeasible", "reason": "; ".join(broken)}


def whole_results(
    database: Database,
    config: CampaignConfig,
    stages: Sequence[EngineStage],
    inputs: Mapping[str, str],
    derived: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Results:
    """Return the whole results of several candidates, each of the engine of highest fidelity.

    Parameters
    ----------
    inputs
        The candidates' ids with the fingerprint of their inputs, empty without any.
    derived
        Derived values by name of the engine and candidate id.
    """
    whole: Results = {}
    for stage in sorted(stages, key=lambda stage: -stage.engine.fidelity):
        query = {"candidate_id": any_of(list(inputs)), **result_key(config, stage)}
        values = {**derived.get(stage.engine.name, {}), **_borrowed(database, config, stage)}
        for document in database.results.find(query):
            key = document["candidate_id"]
            if key not in whole and document.get("inputs_hash", "") == inputs[key]:
                whole[key] = judged(config, {**document, **values.get(key, {})})
    return whole
