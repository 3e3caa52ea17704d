"""What moves a pick from one state to the next; `PickState` draws the whole life of a pick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.changes import pick_log
from screening.campaigns.pick_states import IN_FLIGHT, PickState
from screening.choosing.observations import Proposal
from screening.machine.clock import now
from screening.store.change_log import ChangeLog, note_together
from screening.store.database import any_of

MAX_LOST = 5
"""Times a candidate's worker may die under it before the candidate counts as failed."""


def new_pick(
    campaign: Campaign, engine_name: str, proposal: Proposal, number: int, this_round: int
) -> dict[str, Any]:
    """Return the document of a pick that is not submitted yet, without its ``_id``."""
    return {
        "campaign": campaign.name,
        "candidate_id": proposal.candidate_id,
        "engine": engine_name,
        "number": number,
        "round": this_round,
        "state": PickState.CLAIMED,
        "reason": proposal.reason,
        "predicted_mean": proposal.predicted_mean,
        "predicted_std": proposal.predicted_std,
        "acquisition": proposal.acquisition,
        "probability_feasible": proposal.probability_feasible,
        "rank": proposal.rank,
        "fitted_on": proposal.fitted_on,
        "neighbours": list(proposal.neighbours),
        "attempts": 1,
        "lost": 0,
        "claimed_at": now(),
    }


def picks_in(campaign: Campaign, *states: PickState) -> dict[str, Any]:
    """Return the query for a campaign's picks in some states."""
    return {"campaign": campaign.name, "state": any_of(states)}


def end(
    campaign: Campaign,
    pick_id: str,
    state: str,
    *,
    also: Sequence[tuple[ChangeLog, Sequence[str]]] = (),
    **fields: Any,
) -> None:
    """End a pick that is in flight, with fields that say how.

    Parameters
    ----------
    also
        Changes that are noted with the pick's.
    """
    # Before and after: a program killed in between must not leave an old ranking for good.
    changes = [(pick_log(campaign.database, campaign.name), [pick_id]), *also]
    note_together(changes)
    campaign.database.picks.update_one(
        {"_id": pick_id, "state": any_of(IN_FLIGHT)},
        {"$set": {"state": state, "finished_at": now(), **fields}},
    )
    note_together(changes)


def move(
    campaign: Campaign, pick_ids: Sequence[str], old: PickState, new: PickState, **fields: Any
) -> None:
    """Move picks on, but those that are in the old state no longer."""
    from pymongo import UpdateOne

    change = {"$set": {"state": new, **fields}}
    updates = [UpdateOne({"_id": key, "state": old}, change) for key in pick_ids]
    if updates:
        campaign.database.picks.bulk_write(updates, ordered=False)


def count_loss(campaign: Campaign, pick_id: str) -> None:
    """Note that a worker died under a candidate, which fails after `MAX_LOST` times."""
    campaign.database.picks.update_one({"_id": pick_id}, {"$inc": {"lost": 1}})
    pick = campaign.database.picks.find_one({"_id": pick_id})
    if pick is not None and pick["lost"] >= MAX_LOST and pick["state"] == PickState.QUEUED:
        end(campaign, pick_id, PickState.FAILED, error=f"its worker died {pick['lost']} times")
        campaign.queue.withdraw(pick_id)
