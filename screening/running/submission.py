"""Claimed picks go into the queue of FireWorks, as many as it holds well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.flows import candidate_workflow
from screening.campaigns.pick_states import PickState
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.running import lease
from screening.running.picks import end, move, picks_in

if TYPE_CHECKING:
    from fireworks import Workflow

QUEUE_DEPTH = 200
"""Candidates of a campaign whose jobs are on the LaunchPad at a time; others wait as ``claimed``,
which costs nothing.  FireWorks sorts all jobs that are ready for each one it gives out."""
AT_ONCE = 20
"""Candidates that are queued together: each round trip to the database takes milliseconds."""


def fill_queue(campaign: Campaign) -> None:
    """Queue claimed picks, in their order, as far as the queue takes them."""
    picks = campaign.database.picks
    claimed = _next_claimed(campaign)
    if not claimed:
        return
    room = QUEUE_DEPTH - picks.count_documents(picks_in(campaign, PickState.QUEUED))
    for first in range(0, max(room, 0), AT_ONCE):
        together = claimed[first : min(first + AT_ONCE, room)]
        # Building and storing flows takes a while; a lease that ran out belongs to another.
        if not together or not lease.take(campaign):
            return
        submit(campaign, together)


def _next_claimed(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the claimed picks that are next in turn, as many as the queue takes."""
    query = picks_in(campaign, PickState.CLAIMED)
    picks = campaign.database.picks.find(query, sort=[("number", 1)], limit=QUEUE_DEPTH)
    return list(picks)


def submit(campaign: Campaign, picks: Sequence[dict[str, Any]]) -> None:
    """Queue the workflows of claimed picks, but those that an earlier try has queued."""
    queued = campaign.queue.picks_with_workflow()
    new = [pick for pick in picks if pick["_id"] not in queued]
    campaign.queue.drop_orphans(pick["_id"] for pick in new)
    built = {pick["_id"]: _workflow(campaign, pick) for pick in new}
    # That took a while: what was cancelled or queued by others meanwhile stays out.
    if not lease.take(campaign):
        return
    claimed = {pick["_id"] for pick in _next_claimed(campaign)}
    going = claimed & {pick["_id"] for pick in picks}
    wanted = going - campaign.queue.picks_with_workflow()
    workflows = [each for key, each in built.items() if each is not None and key in wanted]
    campaign.queue.submit(workflows)
    move(campaign, sorted(going), PickState.CLAIMED, PickState.QUEUED, queued_at=now())


def _workflow(campaign: Campaign, pick: dict[str, Any]) -> Workflow | None:
    """Return the workflow of a pick; where none can be made, end the pick and return None."""
    try:
        candidate, inputs_hash = campaign.candidate_and_inputs(pick["candidate_id"])
    except ScreenError as error:
        # Somebody has deleted it meanwhile: the campaign goes on without it.
        end(campaign, pick["_id"], PickState.FAILED, error=str(error))
        return None
    tags = {"campaign": campaign.name, "pick": pick["_id"], "engine": pick["engine"]}
    engine = campaign.stage(pick["engine"]).engine
    try:
        return candidate_workflow(
            candidate,
            campaign.config,
            engine,
            tags,
            priority=-pick["number"],
            inputs_hash=inputs_hash,
        )
    except ValueError as error:
        # Nothing about this candidate may stop the others.
        end(campaign, pick["_id"], PickState.FAILED, error=f"its flow cannot be made: {error}")
        return None
