"""What a person calls a candidate, and the candidate that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from screening.candidates.kinds import KINDS, candidate_kind
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database

MOST_NAMED = 20
"""Candidates of one name that an error names."""
MOST_COMPARED = 20_000
"""Candidates whose names are compared with one that is unknown: of more it takes seconds."""


def find_candidate(
    database: Database, key: str, among: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the document of the one candidate of that id, material_id or label, as a formula.

    Parameters
    ----------
    among
        MongoDB filter: only candidates that it fits.

    Raises
    ------
    ScreenError
        When there is none, with those of similar names, or when there are several.
    """
    among = among or {}
    matches = list(database.candidates.find({**named(key), **among}).limit(MOST_NAMED))
    if not matches:
        # Some kinds are known by their import paths only.
        stored = filter(None, database.candidates.distinct("kind"))
        labels = _label_fields({*KINDS.names(), *stored})
        query = {"$or": [{label: key} for label in labels], **among}
        matches = list(database.candidates.find(query).limit(MOST_NAMED))
    if not matches:
        close = _similar(database, key, among, labels)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ScreenError(
            f"candidate '{key}': unknown; {hint}`matscreen rank` lists the candidate_ids"
        )
    if len(matches) > 1:
        ids = ", ".join(sorted(document["_id"] for document in matches))
        raise ScreenError(f"candidate '{key}': {len(matches)} candidates fit; give one of {ids}")
    return dict(matches[0])


def named(key: str) -> dict[str, Any]:
    """Return the MongoDB filter of candidates of that id, material_id or label."""
    labels = [{label: key} for label in _label_fields(KINDS.names())]
    return {"$or": [{"_id": key}, {"origins.material_id": key}, *labels]}


def _label_fields(kinds: Iterable[str]) -> list[str]:
    return sorted({candidate_kind(name).label_field for name in kinds})


def _similar(database: Database, key: str, among: dict[str, Any], labels: list[str]) -> list[str]:
    names = set()
    fields = dict.fromkeys([*labels, "origins.material_id"], 1)
    for document in database.candidates.find(among, fields, limit=MOST_COMPARED):
        names |= {value for value in document.values() if isinstance(value, str)}
        names |= {origin["material_id"] for origin in document.get("origins", [])}
    # Sorted, so that the same mistake always gets the same answer.
    return [f"'{name}'" for name in difflib.get_close_matches(key, sorted(names), n=3)]
