"""After a crash: runs whose worker died go back into the queue, with all that a crash left."""

from __future__ import annotations

import datetime

from screening.campaigns.campaign import Campaign
from screening.campaigns.pick_states import PickState
from screening.campaigns.worker_presence import LOST_AFTER_S
from screening.machine.clock import as_utc, now
from screening.machine.process_names import is_alive_here, is_dead_here
from screening.running.harvest import store_result
from screening.running.picks import count_loss, move, picks_in
from screening.running.submission import fill_queue
from screening.store.job_queue import CAN_RUN, StoredFlow

NEVER_S = 1e9
"""Timeout so long that no job counts as lost (s)."""
STEP_S = 60.0
"""Time that no live worker needs between two writes of FireWorks (s)."""


def recover(campaign: Campaign) -> None:
    """Put runs whose worker died back into the queue, and submit picks left without a job."""
    workers = campaign.queue.running_workers()
    lost: set[int] = set()
    if dead := list(filter(is_dead_here, workers)):
        lost.update(campaign.queue.put_back_runs_of(dead))
    # A missing heartbeat says nothing about a process that is seen to live, as after a laptop's
    # sleep.
    alive = list(filter(is_alive_here, workers))
    silent_s = LOST_AFTER_S if _was_driven_without_gap(campaign) else NEVER_S
    lost.update(campaign.queue.put_back_silent(silent_s, alive))
    # A worker killed between claiming a job and beginning it leaves it reserved for nobody.
    campaign.queue.release_reserved(now() - datetime.timedelta(seconds=STEP_S))
    for pick_id in campaign.queue.picks_of(lost) if lost else []:
        count_loss(campaign, pick_id)
    _resubmit_stuck(campaign)
    if campaign.status != "cancelled":
        fill_queue(campaign)


def _was_driven_without_gap(campaign: Campaign) -> bool:
    """Return whether the campaign was driven without a gap, so that silence means a dead worker.

    While the database does not answer, no heartbeat arrives.  The first worker that comes back
    must not take all the others for dead.
    """
    campaigns, moment = campaign.database.campaigns, now()
    fields = {"advanced_at": 1, "listening_since": 1}
    known = campaigns.find_one({"_id": campaign.name}, fields) or {}
    since, last = known.get("listening_since"), known.get("advanced_at")
    gap = datetime.timedelta(seconds=LOST_AFTER_S / 4)
    if since is None or last is None or moment - as_utc(last) > gap:
        since = moment
    changes = {"advanced_at": moment, "listening_since": since}
    campaigns.update_one({"_id": campaign.name}, {"$set": changes})
    return moment - as_utc(since) >= datetime.timedelta(seconds=LOST_AFTER_S)


def _resubmit_stuck(campaign: Campaign) -> None:
    """Submit anew the candidates whose workflow has no job left that can run.

    FireWorks writes the end of a job in several steps; a worker killed between them leaves such a
    workflow, and FireWorks does not repair it.
    """
    queue, moment = campaign.queue, now()
    queued = campaign.database.picks.find(picks_in(campaign, PickState.QUEUED))
    picks = {pick["_id"]: pick for pick in queued}
    if not picks:
        return
    for flow in queue.flows(picks):
        if _goes_on(flow):
            continue
        if flow.output_uuid is not None and _is_delivered(campaign, flow.output_uuid):
            # All has been computed, and FireWorks does not know.
            store_result(campaign, picks[flow.pick_id], flow.output_uuid)
            queue.withdraw(flow.pick_id)
            continue
        if _may_be_written_now(flow, queue.workers_of(flow), moment):
            continue
        queue.withdraw(flow.pick_id)
        count_loss(campaign, flow.pick_id)
        move(campaign, [flow.pick_id], PickState.QUEUED, PickState.CLAIMED)


def _goes_on(flow: StoredFlow) -> bool:
    """Return whether a workflow is complete, has a job that can run, or one that raised."""
    return (
        flow.state == "COMPLETED"
        or not flow.job_states.isdisjoint(CAN_RUN)
        or (flow.state == "FIZZLED" and "FIZZLED" in flow.job_states)
    )


def _may_be_written_now(flow: StoredFlow, workers: list[str], moment: datetime.datetime) -> bool:
    """Return whether a worker may be between two writes of FireWorks to the jobs of a workflow."""
    since = moment - datetime.timedelta(seconds=STEP_S)
    recent = flow.changed_at is not None and flow.changed_at > since
    return recent and not all(map(is_dead_here, workers))


def _is_delivered(campaign: Campaign, output_uuid: str) -> bool:
    """Return whether the last job of a flow has delivered its document."""
    document = campaign.database.job_store.docs_store.query_one(
        {"uuid": output_uuid}, ["output.outcome"], sort={"index": -1}
    )
    return bool(((document or {}).get("output") or {}).get("outcome"))
