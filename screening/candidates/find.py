"""What a person calls a candidate, and the candidate that is meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database

MOST_NAMED = 20
"""Crystals of one formula that an error names."""
MOST_COMPARED = 20_000
"""Crystals whose names are compared with one that is unknown: of more it takes seconds."""


def find_candidate(
    database: Database, key: str, among: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the document of the one candidate of that id, material_id or formula.

    Parameters
    ----------
    among
        MongoDB filter: only candidates that it fits.

    Raises
    ------
    ScreenError
        When there is none, with those of similar names, or when there are several.
    """
    matches = list(database.candidates.find({**named(key), **(among or {})}).limit(MOST_NAMED))
    if not matches:
        close = _similar(database, key, among or {})
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ScreenError(
            f"candidate '{key}': unknown; {hint}`screen rank` lists the candidate_ids"
        )
    if len(matches) > 1:
        ids = ", ".join(sorted(each["_id"] for each in matches))
        raise ScreenError(f"candidate '{key}': {len(matches)} crystals fit; give one of {ids}")
    return dict(matches[0])


def named(key: str) -> dict[str, Any]:
    """Return the MongoDB filter of candidates of that id, material_id or formula."""
    return {"$or": [{"_id": key}, {"origins.material_id": key}, {"formula": key}]}


def _similar(database: Database, key: str, among: dict[str, Any]) -> list[str]:
    fields = {"formula": 1, "origins.material_id": 1}
    names = set()
    for each in database.candidates.find(among, fields, limit=MOST_COMPARED):
        names |= {each["_id"], each["formula"]}
        names |= {origin["material_id"] for origin in each.get("origins", [])}
    # Sorted, so that the same mistake always gets the same answer.
    return [f"'{name}'" for name in difflib.get_close_matches(key, sorted(names), n=3)]
