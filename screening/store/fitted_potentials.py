"""Fitted potentials by their content: the numbers, the training cells, the cells they refused."""

from __future__ import annotations

from collections.abc import Mapping
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
