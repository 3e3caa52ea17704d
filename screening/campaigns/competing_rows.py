"""Rows of what candidates compete with: which are competitors, and which could not be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from screening.campaigns import pool as pools
from screening.campaigns.names import competitors_name
from screening.campaigns.pick_states import PickState
from screening.campaigns.snapshot import PoolRow

if TYPE_CHECKING:
    from screening.candidates.kinds import CandidateKind
    from screening.store.database import Database


def with_failures(database: Database, name: str, rows: Mapping[str, PoolRow]) -> dict[str, PoolRow]:
    """Return rows of a campaign with those marked whose computation failed in it."""
    query = {"campaign": name, "state": PickState.FAILED}
    failed = {pick["candidate_id"] for pick in database.picks.find(query, {"candidate_id": 1})}
    return {key: replace(row, failed=True) if key in failed else row for key, row in rows.items()}


def competing_rows(database: Database, name: str, kind: CandidateKind) -> dict[str, PoolRow]:
    """Return the competitors of a campaign, marked as such, by id."""
    own = competitors_name(name)
    document = database.campaigns.find_one({"_id": own}, {"extensions": 1})
    query = pools.members(own, (document or {}).get("extensions", []))
    listed = with_failures(database, own, pools.read_rows(database, query, kind))
    return {key: replace(row, competitor=True) for key, row in listed.items()}
