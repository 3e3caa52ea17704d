"""The ranking of a campaign: results, what failed, and predictions for the rest."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from screening.campaigns.predictions import predictions
from screening.messages.errors import ScreenError
from screening.ranking.entries import Entry, RankedRow, rank_candidates
from screening.targets.second_objective import front

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign

OPERATORS = frozenset(
    {
        *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$mod"),
        *("$and", "$or", "$nor", "$not"),
        *("$exists", "$type", "$size", "$all", "$elemMatch"),
        *("$regex", "$options"),
    }
)
"""Operators of a filter: those that compare, and nothing that computes or runs code."""
ASKED = 20
"""Candidates whose facts are looked at, to name the field that was meant."""
STORED_FIELDS = frozenset(
    {
        *("_id", "campaign", "campaigns", "campaign_inputs", "candidate_id", "objective"),
        *("recipe_hash", "inputs_hash", "engine", "fidelity", "space_group_number"),
        *("elements", "n_sites", "output_uuid", "stored_at"),
    }
)
"""What is added to documents of candidates and results when they are stored."""


def ranking(campaign: Campaign, where: dict[str, Any] | None = None) -> list[RankedRow]:
    """Return the pool of a campaign from best to worst.

    Parameters
    ----------
    where
        MongoDB filter.  It is applied to ``results`` for candidates that have one and to
        ``candidates`` for those that have none, so that a filter on a result's field leaves
        only computed (or unstable) rows.  ``outcome`` at its top is the ranking's own:
        ``infeasible`` is a judgement of the campaign, and not stored.

    Raises
    ------
    ScreenError
        When the filter is refused here or by the database.
    """
    picks = {pick["candidate_id"]: pick for pick in campaign.picks()}
    explored = campaign.results()
    results = best_results(campaign, explored)
    failed = {key for key, pick in picks.items() if pick["state"] == "failed"} - set(results)
    expected = predictions(campaign)
    where = dict(where or {})
    outcome = where.pop("outcome", None) if isinstance(where.get("outcome"), str) else None
    shown = _matching(campaign, where, set(results)) if where else None
    entries = []
    projection = {"formula": 1, "space_group_number": 1, "origins": 1}
    for document in campaign.database.candidates.find({"campaigns": campaign.name}, projection):
        key = document["_id"]
        entries.append(
            _entry(
                campaign,
                document,
                results.get(key),
                picks.get(key),
                expected.get(key),
                explored.get(key),
            )
            if key in results or key in failed
            else _predicted(campaign, document, expected.get(key))
        )
    # What is hidden still beats what is shown.
    entries = [
        each
        for each in _with_front(campaign, entries)
        if (shown is None or each.candidate_id in shown)
        and (outcome is None or each.outcome == outcome)
    ]
    return rank_candidates(entries, campaign.config.direction)


def _with_front(campaign: Campaign, entries: list[Entry]) -> list[Entry]:
    """Say of each entry whether it is on the Pareto front, where there are two objectives."""
    also = campaign.config.also
    if also is None:
        return entries
    points = {}
    for entry in entries:
        second = entry.beside.get(also.field)
        if entry.outcome == "computed" and entry.value is not None and second is not None:
            points[entry.candidate_id] = (
                campaign.objective.to_model(entry.value),
                also.scale.to_model(float(second)),
            )
    best = front(points)
    return [replace(entry, on_front=entry.candidate_id in best) for entry in entries]


def best_results(
    campaign: Campaign, explored: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return for each candidate the result of the engine of highest fidelity that has one."""
    best = {key: {**result, "level": campaign.levels[0]} for key, result in explored.items()}
    for level in sorted(campaign.levels[1:], key=lambda level: level.engine.fidelity):
        for key, result in campaign.results(level).items():
            best[key] = {**result, "level": level}
    return best


def check_filter(where: Any) -> None:
    """Refuse operators that are not among `OPERATORS`, at any depth.

    Some run code on the database server (``$where``, ``$function``, ``$accumulator``), and
    ``$expr`` opens a language in which they can be named.
    """
    if isinstance(where, dict):
        bad = sorted(key for key in where if key.startswith("$") and key not in OPERATORS)
        if bad:
            raise ScreenError(
                f"--where: operator '{bad[0]}' is not allowed: it is unknown, or can compute or "
                f"run code; allowed: {', '.join(sorted(OPERATORS))}"
            )
        for value in where.values():
            check_filter(value)
    elif isinstance(where, list):
        for value in where:
            check_filter(value)


def check_fields(campaign: Campaign, where: dict[str, Any]) -> None:
    """Raise `ScreenError` where a filter names a field that no candidate and no result can have.

    Known are the fields of candidates and of the objective's results, those that are in the
    database in whatever version's documents, and every path below them.
    """
    from screening.targets.objectives import load

    known = {
        *campaign.config.kind().model.model_fields,
        *STORED_FIELDS,
        *load(campaign.objective.document).model_fields,
    }
    database = campaign.database
    places: tuple[tuple[Any, dict[str, Any]], ...] = (
        (database.candidates, {"campaigns": campaign.name}),
        (database.results, _results_of(campaign)),
    )
    for field in _fields(where):
        if field.partition(".")[0] in known:
            continue
        if any(
            place.find_one({"$and": [mine, {field: {"$exists": True}}]}, {"_id": 1})
            for place, mine in places
        ):
            continue
        stated = _stated_facts(campaign)
        close = [stated[field]] if field in stated else []
        close += difflib.get_close_matches(field, [*sorted(known), *stated.values()], n=2)
        remedy = (
            f"did you mean {' or '.join(repr(each) for each in dict.fromkeys(close))}?"
            if close
            else "the fields are in docs/data-model.md, those of a crystal in: "
            "screen show CANDIDATE --format json"
        )
        raise ScreenError(
            f"--where: field '{field}' is unknown: no candidate and no result of objective "
            f"'{campaign.objective.name}' has it; {remedy}"
        )


def _stated_facts(campaign: Campaign) -> dict[str, str]:
    """Return where facts that the sources state are in a document, by their names."""
    found = {"material_id": "origins.material_id", "source": "origins.source"}
    mine = {"campaigns": campaign.name}
    for document in campaign.database.candidates.find(mine, {"origins": 1}, limit=ASKED):
        for origin in document["origins"]:
            found |= {name: f"origins.properties.{name}" for name in origin["properties"]}
    return found


def _fields(where: dict[str, Any]) -> list[str]:
    found = []
    for key, value in where.items():
        if not key.startswith("$"):
            found.append(key)
        elif isinstance(value, list):
            found += [field for each in value if isinstance(each, dict) for field in _fields(each)]
    return found


def _results_of(campaign: Campaign) -> dict[str, Any]:
    hashes = [level.recipe_hash for level in campaign.levels]
    return {"objective": campaign.objective.name, "recipe_hash": {"$in": hashes}}


def _matching(campaign: Campaign, where: dict[str, Any], with_result: set[str]) -> set[str]:
    from bson.errors import BSONError
    from pymongo.errors import OperationFailure

    check_filter(where)
    database = campaign.database
    try:
        query = {"$and": [_results_of(campaign), where]}
        computed = {
            each["candidate_id"] for each in database.results.find(query, {"candidate_id": 1})
        }
        query = {"$and": [{"campaigns": campaign.name}, where]}
        crystals = {each["_id"] for each in database.candidates.find(query, {"_id": 1})}
    except OperationFailure as error:
        reason = (error.details or {}).get("errmsg") or str(error)
        raise ScreenError(f"--where: MongoDB refused the filter: {reason}") from None
    except (BSONError, OverflowError) as error:
        raise ScreenError(f"--where: MongoDB cannot hold the filter: {error}") from None
    return computed | (crystals - with_result)


def _entry(
    campaign: Campaign,
    document: dict[str, Any],
    result: dict[str, Any] | None,
    pick: dict[str, Any] | None,
    expected: tuple[float, float] | None,
    explored: dict[str, Any] | None,
) -> Entry:
    """Return the entry of a candidate that has a result or failed.

    Parameters
    ----------
    expected
        What the better engine is expected to find, on the model's scale.
    explored
        Result of the engine that explores.
    """
    objective = campaign.objective
    predicted = (pick or {}).get("predicted_mean")
    level = campaign.levels[0] if result is None else result["level"]
    confirmed = level is not campaign.levels[0]
    return Entry(
        **_identity(document),
        outcome="failed" if result is None else result["outcome"],
        value=None if result is None else result.get(objective.value_field),
        value_error=None if result is None else objective.error_of(result),
        predicted_value=None if predicted is None else objective.from_model(predicted),
        predicted_std=(pick or {}).get("predicted_std"),
        engine=level.engine.name if result is None else result.get("engine"),
        fidelity=level.engine.fidelity,
        reason="" if result is None else str(result.get("reason") or ""),
        beside=_beside(campaign, result),
        exploration_value=(explored or {}).get(objective.value_field) if confirmed else None,
        expected_value=(
            objective.from_model(expected[0]) if expected and result and not confirmed else None
        ),
    )


def _predicted(
    campaign: Campaign, document: dict[str, Any], prediction: tuple[float, float] | None
) -> Entry:
    mean, std = prediction if prediction is not None else (None, None)
    return Entry(
        **_identity(document),
        outcome="predicted",
        predicted_value=None if mean is None else campaign.objective.from_model(mean),
        predicted_std=std,
        beside=_beside(campaign, None),
    )


def _beside(campaign: Campaign, result: dict[str, Any] | None) -> dict[str, Any]:
    """Return the further fields that a ranking shows: the objective's, then the second one."""
    fields = [each.field for each in campaign.objective.beside]
    also = campaign.config.also
    if also is not None and also.field not in fields:
        fields.append(also.field)
    return {each: None if result is None else result.get(each) for each in fields}


def _identity(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidate_id": document["_id"],
        "material_id": document["origins"][0]["material_id"],
        "formula": document["formula"],
        "space_group_number": document["space_group_number"],
    }
