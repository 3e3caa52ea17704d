"""What users ask of picks: to retry failed candidates, and to take a campaign off the queue."""

from __future__ import annotations

from screening.campaigns.campaign import Campaign
from screening.campaigns.pick_states import IN_FLIGHT, PickState
from screening.running.harvest import harvest
from screening.running.picks import end, picks_in


def requeue(campaign: Campaign, candidate_id: str | None = None) -> int:
    """Put failed candidates (all, or one) back into the queue; return how many."""
    query = picks_in(campaign, PickState.FAILED)
    if candidate_id is not None:
        query["candidate_id"] = candidate_id
    picks = list(campaign.database.picks.find(query))
    ids = [pick["_id"] for pick in picks]
    campaign.note(ids)
    for pick in picks:
        # Where its workflow is still there, only the broken jobs run again; the next `advance`
        # submits a claimed pick without a workflow.
        campaign.queue.rerun_broken(pick["_id"])
        campaign.database.picks.update_one(
            {"_id": pick["_id"], "state": PickState.FAILED},
            {
                "$set": {"state": PickState.CLAIMED, "attempts": 1, "lost": 0},
                "$unset": {"finished_at": ""},
            },
        )
    campaign.note(ids)
    return len(picks)


def drop_queued(campaign: Campaign) -> int:
    """Take a campaign's candidates off the queue; return how many were in flight."""
    # What has finished meanwhile is a result, not a queued job.
    harvest(campaign)
    picks = list(campaign.database.picks.find(picks_in(campaign, *IN_FLIGHT)))
    running = campaign.queue.running_picks()
    for pick in picks:
        end(campaign, pick["_id"], PickState.CANCELLED)
        # A job that is running now would fail to report into a workflow that is gone.
        if pick["_id"] not in running:
            campaign.queue.withdraw(pick["_id"])
    return len(picks)
