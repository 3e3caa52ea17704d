"""Filters of a ranking, as MongoDB queries: checked, and applied to results and candidates."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from screening.machine.plugins import imported
from screening.messages.errors import ScreenError

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
        *("_id", "campaign", "campaigns", "campaign_inputs", "joined", "candidate_id"),
        *("objective", "recipe_hash", "inputs_hash", "engine", "fidelity", "output_uuid"),
        "stored_at",
    }
)
"""What is added to documents of candidates and results when they are stored."""


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
    known = {
        *campaign.kind.model.model_fields,
        *STORED_FIELDS,
        *imported(campaign.objective.document).model_fields,
    }
    for field in _fields(where):
        if field in campaign.objective.derived_fields:
            raise ScreenError(
                f"--where: field '{field}' depends on all results and is stored with none; filter "
                "the output of --format json or csv"
            )
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
            f"did you mean {' or '.join(map(repr, dict.fromkeys(close)))}?"
            if close
            else "the fields are in docs/data-model.md, those of a candidate in: "
            "matscreen show CANDIDATE --format json"
        )
        raise ScreenError(
            f"--where: field '{field}' is unknown: no candidate and no result of objective "
            f"'{campaign.objective.name}' has it; {remedy}"
        )


def _stated_facts(campaign: Campaign) -> dict[str, str]:
    """Return where facts that the sources state are in a document, by their names."""
    places = {"material_id": "origins.material_id", "source": "origins.source"}
    mine = {"campaigns": campaign.name}
    for document in campaign.database.candidates.find(mine, {"origins": 1}, limit=ASKED):
        for origin in document["origins"]:
            places |= {name: f"origins.properties.{name}" for name in origin["properties"]}
    return places


def _fields(where: dict[str, Any]) -> list[str]:
    """Return the fields that a filter names at its top and in its ``$and``, ``$or``, ``$nor``."""
    fields = []
    for key, value in where.items():
        if not key.startswith("$"):
            fields.append(key)
        elif isinstance(value, list):
            parts = [part for part in value if isinstance(part, dict)]
            fields += [field for part in parts for field in _fields(part)]
    return fields


def _results_of(campaign: Campaign) -> dict[str, Any]:
    hashes = [stage.recipe_hash for stage in campaign.stages]
    return {"objective": campaign.objective.name, "recipe_hash": {"$in": hashes}}


def matching(campaign: Campaign, where: dict[str, Any], with_result: set[str]) -> set[str]:
    """Return the ids of the candidates that a filter fits.

    It is applied to ``results`` for candidates that have one and to ``candidates`` for those that
    have none.

    Parameters
    ----------
    with_result
        Ids of the candidates that have a result.

    Raises
    ------
    ScreenError
        When the filter is refused here or by the database.
    """
    from bson.errors import BSONError
    from pymongo.errors import OperationFailure

    check_filter(where)
    database = campaign.database
    try:
        query = {"$and": [_results_of(campaign), where]}
        computed = {
            result["candidate_id"] for result in database.results.find(query, {"candidate_id": 1})
        }
        query = {"$and": [{"campaigns": campaign.name}, where]}
        candidates = {stored["_id"] for stored in database.candidates.find(query, {"_id": 1})}
    except OperationFailure as error:
        reason = (error.details or {}).get("errmsg") or str(error)
        raise ScreenError(f"--where: MongoDB refused the filter: {reason}") from None
    except (BSONError, OverflowError) as error:
        raise ScreenError(f"--where: MongoDB cannot hold the filter: {error}") from None
    return computed | (candidates - with_result)
