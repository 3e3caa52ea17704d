"""Claimed picks go into the queue of FireWorks, as many as it holds well."""

from __future__ import annotations

from typing import Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.flows import candidate_workflow
from screening.campaigns.pick_states import PickState
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.running import lease
from screening.running.picks import end, move, picks_in

QUEUE_DEPTH = 200
"""Candidates of a campaign whose jobs are on the LaunchPad at a time; others wait as ``claimed``,
which costs nothing.  FireWorks sorts all jobs that are ready for each one it gives out."""


def fill_queue(campaign: Campaign) -> None:
    """Queue claimed picks, in their order, as far as the queue takes them."""
    picks = campaign.database.picks
    room = QUEUE_DEPTH - picks.count_documents(picks_in(campaign, PickState.QUEUED))
    if room > 0:
        query = picks_in(campaign, PickState.CLAIMED)
        for pick in list(picks.find(query, sort=[("number", 1)], limit=room)):
            # Building and storing a flow takes a while; a lease that ran out belongs to another.
            if not lease.take(campaign):
                return
            submit(campaign, pick)


def submit(campaign: Campaign, pick: dict[str, Any]) -> None:
    """Queue the workflow of a claimed pick, unless an earlier try has done so."""
    if not campaign.queue.has(pick["_id"]):
        try:
            candidate = campaign.candidate(pick["candidate_id"])
        except ScreenError as error:
            # Somebody has deleted it meanwhile: the campaign goes on without it.
            end(campaign, pick["_id"], PickState.FAILED, error=str(error))
            return
        campaign.queue.drop_orphans(pick["_id"])
        tags = {"campaign": campaign.name, "pick": pick["_id"], "engine": pick["engine"]}
        engine = campaign.stage(pick["engine"]).engine
        try:
            workflow = candidate_workflow(
                candidate,
                campaign.config,
                engine,
                tags,
                priority=-pick["number"],
                inputs_hash=campaign.inputs_hash(candidate.candidate_id),
            )
        except ValueError as error:
            # Nothing about this candidate may stop the others.
            reason = f"its flow cannot be made: {error}"
            end(campaign, pick["_id"], PickState.FAILED, error=reason)
            return
        campaign.queue.submit(workflow)
    move(campaign, pick["_id"], PickState.CLAIMED, PickState.QUEUED, queued_at=now())
