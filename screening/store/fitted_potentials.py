"""Fitted potentials by their content: the numbers, the training cells, the cells they refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database


def fit_of(database: Database, content_hash: str) -> Mapping[str, Any]:
    """Return the result of the fit that made a potential.

    Raises
    ------
    ScreenError
        When the database does not hold it.
    """
    result = database.results.find_one({"content_hash": content_hash})
    if result is None:
        raise ScreenError(
            f"the fitted potential {content_hash} is not in this database; it stays in the one "
            "that it was fitted in"
        )
    return result


def refused_cells(database: Database, content_hash: str) -> list[dict[str, Any]]:
    """Return the cells that a potential refused, the least known first."""
    found = database.refused_cells.find({"potential": content_hash})
    return sorted(found, key=lambda cell: (-cell["expected_force_error_ev_per_a"], cell["_id"]))


GIVEN_FRAMES, GIVEN_CRYSTALS = "frame", "crystal"
"""Kinds of cells that a fit is given: labelled ones, and crystals that join its family."""


def keep_given(database: Database, kind: str, cells: Iterable[Mapping[str, Any]]) -> str:
    """Keep cells for a fit to begin with, once; return what they are found by.

    Parameters
    ----------
    kind
        `GIVEN_FRAMES` or `GIVEN_CRYSTALS`.
    cells
        In JSON's types.
    """
    texts = [json.dumps(cell, sort_keys=True, default=str) for cell in cells]
    digits = hashlib.sha256("\n".join([kind, *texts]).encode()).hexdigest()[:16]
    for number, text in enumerate(texts):
        # One document each: together they may be larger than a document can be.
        database.given_cells.update_one(
            {"_id": f"{digits}/{number:05d}"},
            {"$setOnInsert": {"given": digits, "kind": kind, "cell": json.loads(text)}},
            upsert=True,
        )
    return digits


def given_cells(database: Database, digits: str, kind: str) -> list[dict[str, Any]]:
    """Return cells that `keep_given` kept, in their order; none of another kind."""
    found = database.given_cells.find({"given": digits, "kind": kind})
    return [each["cell"] for each in sorted(found, key=lambda each: str(each["_id"]))]


def large_value(database: Database, result: Mapping[str, Any], field: str) -> Any:
    """Return a value of a result that is stored apart."""
    value = result[field]
    if not (isinstance(value, Mapping) and "blob_uuid" in value):
        return value
    key = str(value["blob_uuid"])
    values = database.large_values([key])
    if key not in values:
        raise ScreenError(
            f"'{field}' of the result of {result['candidate_id']} is no longer in the database"
        )
    return values[key]
