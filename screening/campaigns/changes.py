"""The logs of what changes in a campaign: its picks, the results it sees, candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.store.change_log import ChangeLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.store.database import Database


def pick_log(database: Database, campaign: str) -> ChangeLog:
    """Return the log of a campaign's picks, by their ids; not of how a pick in flight moves on."""
    return ChangeLog(database.revisions, f"picks/{campaign}")


def result_log(database: Database, key: Mapping[str, str]) -> ChangeLog:
    """Return the log of the results of an objective and recipe, by their ids.

    Parameters
    ----------
    key
        The fields that they share, as `screening.campaigns.results.result_key` returns them.
    """
    return ChangeLog(database.revisions, "/".join(key.values()))


def candidate_log(database: Database) -> ChangeLog:
    """Return the log of candidates that were stored already and are written again, by id."""
    return ChangeLog(database.revisions, "candidates")
