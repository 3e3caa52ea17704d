"""Finished workflows become results; those with an error are tried again or given up."""

from __future__ import annotations

import re
from typing import Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.changes import result_log
from screening.campaigns.pick_states import PickState
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.running.picks import count_loss, end
from screening.store.job_queue import StoredFlow

TRACEBACK = 8000
"""Characters of a traceback that are kept, its end."""
FINAL_ERRORS = frozenset(
    {
        "CannotCompute",
        "NotImplementedError",
        "OutsideDomain",
        "PropertyNotImplementedError",
        "TypeError",
        "ValueError",
    }
)
"""Names of exceptions after which a candidate gets no second try: the same input raises them
again."""


def harvest(campaign: Campaign) -> None:
    """Store the results of finished workflows; retry or give up the broken ones."""
    for flow in campaign.queue.finished():
        pick = campaign.database.picks.find_one({"_id": flow.pick_id})
        if flow.state == "COMPLETED":
            # Whatever became of the pick meanwhile, a finished calculation is kept.
            if pick is not None:
                store_result(campaign, pick, str(flow.output_uuid))
            campaign.queue.withdraw(flow.pick_id)
        elif pick is not None and pick["state"] == PickState.QUEUED:
            _retry_or_fail(campaign, pick, flow)


def store_result(campaign: Campaign, pick: dict[str, Any], output_uuid: str) -> None:
    """Store the document that a flow delivered as a result, and end its pick."""
    database = campaign.database
    # Large values stay where they are: the document keeps references to their blobs.
    try:
        document = dict(database.job_store.get_output(output_uuid, which="last", load=False))
    except ValueError:
        reason = f"its flow completed but output {output_uuid} is not in the job store"
        end(campaign, pick["_id"], PickState.FAILED, error=reason)
        return
    for key in ("@module", "@class", "@version"):
        document.pop(key, None)
    try:
        candidate, inputs_hash = campaign.candidate_and_inputs(pick["candidate_id"])
    except ScreenError as error:
        # Somebody has deleted it meanwhile: the campaign goes on without it.
        end(campaign, pick["_id"], PickState.FAILED, error=str(error))
        return
    stage = campaign.stage(pick["engine"])
    result = {
        **document,
        **campaign.result_key(stage),
        "candidate_id": candidate.candidate_id,
        "campaign": campaign.name,
        "engine": stage.engine.name,
        "fidelity": stage.engine.fidelity,
        **{name: getattr(candidate, name) for name in campaign.kind.repeated},
        "output_uuid": output_uuid,
        "stored_at": now(),
    }
    if inputs_hash:
        result["inputs_hash"] = inputs_hash
    parts = (candidate.candidate_id, campaign.objective.name, stage.recipe_hash, inputs_hash)
    result_id = "/".join(filter(None, parts))
    database.results.update_one({"_id": result_id}, {"$setOnInsert": result}, upsert=True)
    end(
        campaign,
        pick["_id"],
        result["outcome"],
        also=[(result_log(database, campaign.result_key(stage)), [result_id])],
        result_id=result_id,
        wall_s=result.get("wall_s"),
        cost=result.get("cost"),
        cost_unit=result.get("cost_unit"),
    )


def _retry_or_fail(campaign: Campaign, pick: dict[str, Any], flow: StoredFlow) -> None:
    broken = campaign.queue.broken(flow)
    traceback = campaign.queue.last_traceback(broken)
    if not traceback:
        # A program was killed while it put a lost run back: no failure of the candidate.
        for fw_id in broken:
            campaign.queue.rerun(fw_id)
            count_loss(campaign, pick["_id"])
        return
    error = traceback.splitlines()[-1]
    complaint: dict[str, Any] = {"error": error, "traceback": traceback[-TRACEBACK:]}
    if pick["attempts"] >= campaign.config.max_attempts or would_fail_again(complaint):
        end(campaign, pick["_id"], PickState.FAILED, **complaint)
        return
    # Rerun first: killed between the two, a try too many is better than one too few.
    for fw_id in broken:
        campaign.queue.rerun(fw_id)
    campaign.database.picks.update_one(
        {"_id": pick["_id"]}, {"$inc": {"attempts": 1}, "$set": complaint}
    )


def would_fail_again(complaint: dict[str, str]) -> bool:
    """Return whether an error lies in the candidate and the recipe: a second try is then wasted.

    Programs that break, machines and files raise others.
    """
    return error_name(complaint["traceback"]) in FINAL_ERRORS


def error_name(traceback: str) -> str:
    """Return the name of the exception that a traceback ends with, without its module."""
    # What is raised follows the last frame; its message may have several lines.
    after_frames = re.split(r"^ .*\n", traceback, flags=re.MULTILINE)[-1]
    kind = re.match(r"[\w.]+", after_frames)
    return "" if kind is None else kind[0].rpartition(".")[2]
