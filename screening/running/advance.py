"""The loop that drives a campaign: recover → harvest → propose, whoever calls it.

No daemon: every worker calls `advance` between jobs.  One caller at a time holds the campaign's
lease; the unique numbers of picks and the keys of results keep budget and uniqueness even if a
lease is lost.  Every step can be repeated: a process killed anywhere in here leaves work that the
next `advance` finishes.
"""

from __future__ import annotations

import datetime
import itertools
import re
import uuid
from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.campaigns.campaign import Campaign
from screening.campaigns.flows import candidate_workflow, estimate_force_calls, refusal
from screening.campaigns.prediction_cache import predictions
from screening.campaigns.snapshot import IN_FLIGHT
from screening.campaigns.stages import EngineStage
from screening.campaigns.training_data import feature_matrix, for_search, training_data
from screening.choosing.observations import Proposal
from screening.choosing.samplers import build_sampler
from screening.machine.clock import as_utc, now
from screening.machine.process_names import is_alive_here, is_dead_here, this_process
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.ranking.cache import cached_ranking
from screening.store.launchpad import delete_workflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUPLICATE = 11000
"""MongoDB's error code for a value that is unique and there already."""
LEASE_S = 120.0
LOST_AFTER_S = 600.0
"""Silence after which a run on another machine counts as lost; its heartbeat is a minute."""
QUEUE_DEPTH = 200
"""Candidates of a campaign whose jobs are on the LaunchPad at a time; others wait as ``claimed``,
which costs nothing.  FireWorks sorts all that is ready for each job it gives out."""
FOR_EVER_S = 1e9
"""Silence that no job has kept."""
TRACEBACK = 8000
"""Characters of a traceback that are kept, its end."""
FINAL_ERRORS = frozenset(
    {
        "CannotCompute",
        "NotImplementedError",
        "PropertyNotImplementedError",
        "TypeError",
        "ValueError",
    }
)
"""Names of exceptions after which a candidate gets no second try: the same input raises them
again."""
MAX_LOST = 5
"""Times a candidate's worker may die under it before the candidate counts as failed."""


def advance(campaign: Campaign) -> bool:
    """Recover lost runs, take in finished candidates, and choose the next batch if it is time.

    Returns
    -------
    bool
        False when somebody else is doing it right now.
    """
    if not _take_lease(campaign):
        return False
    try:
        recover(campaign)
        harvest(campaign)
        if campaign.status == "active":
            chosen = propose(campaign)
            if campaign.awaits_promotion() and campaign.is_explored():
                promote_configured(campaign)
            # Worked out here, where scikit-learn is loaded, so that `screen rank` need not.
            if campaign.is_exhausted():
                cached_ranking(campaign, 1)
            elif chosen:
                predictions(campaign)
    finally:
        _give_lease_back(campaign)
    return True


# ---------------------------------------------------------------------------------- recovering


def recover(campaign: Campaign) -> None:
    """Put runs whose worker died back into the queue, and submit picks left without a job."""
    launchpad = campaign.database.launchpad
    mine = {"spec.campaign": campaign.name}
    fw_ids = [each["fw_id"] for each in launchpad.fireworks.find(mine, {"fw_id": 1})]
    running = launchpad.launches.distinct(
        "fworker.name", {"fw_id": {"$in": fw_ids}, "state": "RUNNING"}
    )
    lost: set[int] = set()
    dead = [name for name in running if is_dead_here(name)]
    alive = [name for name in running if is_alive_here(name)]
    if dead:
        _, found, _ = launchpad.detect_lostruns(
            expiration_secs=0,
            rerun=True,
            refresh=True,
            query=mine,
            launch_query={"fworker.name": {"$in": dead}},
        )
        lost.update(found)
    # Silence says nothing about a process that is seen to live, as after a laptop's sleep.  What
    # ended without its workflow knowing is found in any case.
    _, found, _ = launchpad.detect_lostruns(
        expiration_secs=LOST_AFTER_S if _has_listened(campaign) else FOR_EVER_S,
        rerun=True,
        refresh=True,
        query=mine,
        launch_query={"fworker.name": {"$nin": alive}},
    )
    lost.update(found)
    _release_reserved(campaign)
    for firework in launchpad.fireworks.find({"fw_id": {"$in": sorted(lost)}}, {"spec.pick": 1}):
        count_loss(campaign, firework["spec"]["pick"])
    _withdraw_stuck(campaign)
    if campaign.status == "cancelled":
        return
    _fill_queue(campaign)


def _fill_queue(campaign: Campaign) -> None:
    """Queue claimed picks, in their order, as far as the queue takes them."""
    picks = campaign.database.picks
    mine = {"campaign": campaign.name}
    room = QUEUE_DEPTH - picks.count_documents({**mine, "state": "queued"})
    if room > 0:
        for pick in list(
            picks.find({**mine, "state": "claimed"}, sort=[("number", 1)], limit=room)
        ):
            # Building and storing a flow takes a while; a lease that ran out belongs to another.
            if not _take_lease(campaign):
                return
            _submit(campaign, pick)


def _has_listened(campaign: Campaign) -> bool:
    """Return whether somebody was there for long enough to judge a silence.

    While the database is away nobody's heartbeat arrives.  The first to come back must not take
    all the others for dead.
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


def _release_reserved(campaign: Campaign) -> None:
    # A worker killed between claiming a job and starting it leaves it reserved for nobody; no
    # live worker needs a minute for that step.
    a_minute_ago = now() - datetime.timedelta(seconds=60)
    for firework in campaign.database.launchpad.fireworks.find(
        {"spec.campaign": campaign.name, "state": "RESERVED"}, {"fw_id": 1, "updated_on": 1}
    ):
        if as_utc(firework["updated_on"]) < a_minute_ago:
            campaign.database.launchpad.rerun_fw(firework["fw_id"])


def _withdraw_stuck(campaign: Campaign) -> None:
    # FireWorks writes the end of a job in several steps; a worker killed between them leaves a
    # workflow of which no job can ever run.  Such a candidate is submitted anew, once it is clear
    # that nobody is between these steps now.
    database = campaign.database
    a_minute_ago = now() - datetime.timedelta(seconds=60)
    queued = list(database.picks.find({"campaign": campaign.name, "state": "queued"}))
    if not queued:
        return
    mine = {"metadata.campaign": campaign.name}
    fields = {"metadata": 1, "nodes": 1, "state": 1}
    workflows = {
        each["metadata"]["pick"]: each for each in database.launchpad.workflows.find(mine, fields)
    }
    jobs_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    fields = {"spec.pick": 1, "fw_id": 1, "state": 1, "updated_on": 1}
    for job in database.launchpad.fireworks.find({"spec.campaign": campaign.name}, fields):
        jobs_of[job["spec"].get("pick", "")].append(job)
    for pick in queued:
        workflow = workflows.get(pick["_id"], {"nodes": [], "state": None})
        jobs = [job for job in jobs_of[pick["_id"]] if job["fw_id"] in workflow["nodes"]]
        found = {job["state"] for job in jobs}
        if (
            workflow["state"] == "COMPLETED"
            or found & {"READY", "RESERVED", "RUNNING"}
            or (workflow["state"] == "FIZZLED" and "FIZZLED" in found)
        ):
            continue
        output_uuid = (workflow.get("metadata") or {}).get("output_uuid")
        if output_uuid is not None and _is_finished(campaign, output_uuid):
            # Only FireWorks' book-keeping is behind: all has been computed.
            _store_result(campaign, pick, output_uuid)
            _delete(campaign, pick["_id"])
            continue
        workers = database.launchpad.launches.distinct(
            "fworker.name", {"fw_id": {"$in": workflow["nodes"]}}
        )
        if not all(is_dead_here(worker) for worker in workers) and any(
            as_utc(job["updated_on"]) > a_minute_ago for job in jobs
        ):
            continue
        _delete(campaign, pick["_id"])
        count_loss(campaign, pick["_id"])
        database.picks.update_one(
            {"_id": pick["_id"], "state": "queued"}, {"$set": {"state": "claimed"}}
        )


def _is_finished(campaign: Campaign, output_uuid: str) -> bool:
    """Return whether the last job of a flow has delivered its document."""
    store = campaign.database.job_store
    found = store.docs_store.query_one(
        {"uuid": output_uuid}, ["output.outcome"], sort={"index": -1}
    )
    return bool(((found or {}).get("output") or {}).get("outcome"))


def count_loss(campaign: Campaign, pick_id: str) -> None:
    """Note that a worker did not survive a candidate, which fails after `MAX_LOST` times."""
    campaign.database.picks.update_one({"_id": pick_id}, {"$inc": {"lost": 1}})
    pick = campaign.database.picks.find_one({"_id": pick_id})
    if pick is not None and pick["lost"] >= MAX_LOST and pick["state"] == "queued":
        _end(campaign, pick_id, "failed", error=f"its worker died {pick['lost']} times")
        _delete(campaign, pick_id)


# ----------------------------------------------------------------------------------- harvesting


def harvest(campaign: Campaign) -> None:
    """Store the results of finished workflows; retry or give up the broken ones."""
    launchpad = campaign.database.launchpad
    query = {"metadata.campaign": campaign.name, "state": {"$in": ["COMPLETED", "FIZZLED"]}}
    for workflow in list(launchpad.workflows.find(query, {"metadata": 1, "state": 1, "nodes": 1})):
        pick = campaign.database.picks.find_one({"_id": workflow["metadata"]["pick"]})
        if workflow["state"] == "COMPLETED":
            # Whatever became of the pick meanwhile, a finished calculation is kept.
            if pick is not None:
                _store_result(campaign, pick, workflow["metadata"]["output_uuid"])
            _delete(campaign, workflow["metadata"]["pick"])
        elif pick is not None and pick["state"] == "queued":
            _retry_or_fail(campaign, pick, workflow["nodes"])


def _store_result(campaign: Campaign, pick: dict[str, Any], output_uuid: str) -> None:
    database = campaign.database
    # Large values stay where they are: the document keeps references to their blobs.
    try:
        document = dict(database.job_store.get_output(output_uuid, which="last", load=False))
    except ValueError:
        error = f"its flow completed but output {output_uuid} is not in the job store"
        _end(campaign, pick["_id"], "failed", error=error)
        return
    for key in ("@module", "@class", "@version"):
        document.pop(key, None)
    try:
        candidate = campaign.candidate(pick["candidate_id"])
    except ScreenError as error:
        # Deleted by somebody while it was computed: the loop goes on without it.
        _end(campaign, pick["_id"], "failed", error=str(error))
        return
    level = campaign.stage(pick["engine"])
    result = {
        **document,
        **campaign.result_key(level),
        "candidate_id": candidate.candidate_id,
        "campaign": campaign.name,
        "engine": level.engine.name,
        "fidelity": level.engine.fidelity,
        "space_group_number": candidate.space_group_number,
        "elements": candidate.elements,
        "n_sites": candidate.n_sites,
        "output_uuid": output_uuid,
        "stored_at": now(),
    }
    inputs_hash = campaign.inputs_hash(candidate.candidate_id)
    if inputs_hash:
        result["inputs_hash"] = inputs_hash
    parts = (candidate.candidate_id, campaign.objective.name, level.recipe_hash, inputs_hash)
    result_id = "/".join(filter(None, parts))
    database.results.update_one({"_id": result_id}, {"$setOnInsert": result}, upsert=True)
    shared = "/".join(campaign.result_key(level).values())
    token = {"$set": {"token": uuid.uuid4().hex}}
    database.revisions.update_one({"_id": shared}, token, upsert=True)
    _end(
        campaign,
        pick["_id"],
        result["outcome"],
        result_id=result_id,
        wall_s=result.get("wall_s"),
        force_calls=result.get("force_calls"),
    )


def _retry_or_fail(campaign: Campaign, pick: dict[str, Any], fw_ids: list[int]) -> None:
    launchpad = campaign.database.launchpad
    broken = [
        each["fw_id"]
        for each in launchpad.fireworks.find(
            {"fw_id": {"$in": fw_ids}, "state": "FIZZLED"}, {"fw_id": 1}
        )
    ]
    complaint = _last_error(campaign, broken)
    if complaint is None:
        # A program was killed while it put a lost run back: no failure of the candidate.
        for fw_id in broken:
            launchpad.rerun_fw(fw_id)
            count_loss(campaign, pick["_id"])
        return
    if pick["attempts"] >= campaign.config.max_attempts or would_fail_again(complaint):
        _end(campaign, pick["_id"], "failed", **complaint)
        return
    # Rerun first: killed between the two, a try too many is better than one too few.
    for fw_id in broken:
        launchpad.rerun_fw(fw_id)
    campaign.database.picks.update_one(
        {"_id": pick["_id"]}, {"$inc": {"attempts": 1}, "$set": complaint}
    )


def would_fail_again(complaint: dict[str, str]) -> bool:
    """Return whether an error lies in the crystal and the recipe, so that a second try is wasted.

    Programs that break, machines and files raise others.
    """
    # What is raised follows the last frame; its message may have several lines.
    after_frames = re.split(r"^ .*\n", complaint["traceback"], flags=re.MULTILINE)[-1]
    kind = re.match(r"[\w.]+", after_frames)
    return kind is not None and kind[0].rpartition(".")[2] in FINAL_ERRORS


def _last_error(campaign: Campaign, fw_ids: list[int]) -> dict[str, str] | None:
    """Return what the newest broken launch said: one line, and where it came from.

    None when it was not the job that broke: FireWorks keeps what a job raised.
    """
    launches = campaign.database.launchpad.launches
    launch = launches.find_one(
        {"fw_id": {"$in": fw_ids}, "state": "FIZZLED"}, sort=[("launch_id", -1)]
    )
    stored = ((launch or {}).get("action") or {}).get("stored_data") or {}
    stacktrace = str((stored.get("_exception") or {}).get("_stacktrace") or "").strip()
    if not stacktrace:
        return None
    return {"error": stacktrace.splitlines()[-1], "traceback": stacktrace[-TRACEBACK:]}


def _end(campaign: Campaign, pick_id: str, state: str, **fields: Any) -> None:
    # Before and after: a program killed in between must not leave an old ranking for good.
    campaign.touch()
    campaign.database.picks.update_one(
        {"_id": pick_id, "state": {"$in": list(IN_FLIGHT)}},
        {"$set": {"state": state, "finished_at": now(), **fields}},
    )
    campaign.touch()


def _delete(campaign: Campaign, pick_id: str) -> None:
    launchpad = campaign.database.launchpad
    for workflow in list(launchpad.workflows.find({"metadata.pick": pick_id}, {"nodes": 1})):
        delete_workflow(launchpad, workflow["nodes"][0])
    # A worker killed while it stored a job leaves one that belongs to no workflow.
    launchpad.fireworks.delete_many({"spec.pick": pick_id})


def requeue(campaign: Campaign, candidate_id: str | None = None) -> int:
    """Put failed candidates (all, or one) back into the queue; return how many."""
    query: dict[str, Any] = {"campaign": campaign.name, "state": "failed"}
    if candidate_id is not None:
        query["candidate_id"] = candidate_id
    launchpad = campaign.database.launchpad
    picks = list(campaign.database.picks.find(query))
    for pick in picks:
        # Where its workflow is still there only what broke runs again.  `claimed` makes the next
        # advance submit the pick otherwise.
        broken = {"spec.pick": pick["_id"], "state": "FIZZLED"}
        for firework in list(launchpad.fireworks.find(broken, {"fw_id": 1})):
            launchpad.rerun_fw(firework["fw_id"])
        campaign.database.picks.update_one(
            {"_id": pick["_id"], "state": "failed"},
            {
                "$set": {"state": "claimed", "attempts": 1, "lost": 0},
                "$unset": {"finished_at": ""},
            },
        )
    campaign.touch()
    return len(picks)


def drop_queued(campaign: Campaign) -> int:
    """Take a campaign's candidates off the queue; return how many were in flight."""
    # What has finished meanwhile is a result, not a queued job.
    harvest(campaign)
    picks = list(
        campaign.database.picks.find({"campaign": campaign.name, "state": {"$in": list(IN_FLIGHT)}})
    )
    running = set(
        campaign.database.launchpad.fireworks.distinct(
            "spec.pick", {"spec.campaign": campaign.name, "state": "RUNNING"}
        )
    )
    for pick in picks:
        _end(campaign, pick["_id"], "cancelled")
        # A job that is running now would fail to report into a workflow that is gone.
        if pick["_id"] not in running:
            _delete(campaign, pick["_id"])
    return len(picks)


# ------------------------------------------------------------------------------------ proposing


def propose(campaign: Campaign) -> list[Proposal]:
    """Choose the next batch when few enough candidates are in flight, and queue it."""
    in_flight = campaign.in_flight(campaign.config.refill_below)
    if in_flight >= campaign.config.refill_below:
        return []
    if campaign.count_picks() >= campaign.config.budget:
        return []
    snapshot = campaign.snapshot(rows=False)
    picks, features = snapshot.picks, snapshot.pool_features
    wanted = min(campaign.config.batch_size - in_flight, campaign.config.budget - len(picks))
    if wanted <= 0:
        return []
    observations = training_data(snapshot)
    known = {*observations.ids, *observations.infeasible_ids, *observations.pending_ids}
    known.update(pick["candidate_id"] for pick in picks)
    available = [each for each in features if each not in known]
    if not available:
        return []
    # Seeded by how far the campaign is: the same data give the same picks, in any process.
    seed = campaign.config.seed + len(picks)
    sampler = build_sampler(campaign.config.sampler)
    choices = sampler.propose(
        for_search(snapshot, observations, seed),
        available,
        feature_matrix(features, available),
        wanted,
        seed,
        partial(_costs, campaign) if campaign.config.sampler.cost_exponent else None,
    )
    if campaign.config.second_objective is not None:
        # Predictions of the two objectives made one are on no scale that a table could show.
        choices = [replace(each, predicted_mean=None, predicted_std=None) for each in choices]
    this_round = 1 + max((pick["round"] for pick in picks), default=0)
    claimed = _claim(campaign, choices, len(picks) + 1, this_round)
    _fill_queue(campaign)
    return choices[:claimed]


def _costs(campaign: Campaign, ids: list[str]) -> NDArray[np.float64]:
    """Return the estimated force calls of candidates."""
    return np.array(
        [
            estimate_force_calls(campaign.candidate(each), campaign.config, campaign.engine)
            for each in ids
        ],
        dtype=float,
    )


def _claim(campaign: Campaign, choices: list[Proposal], first: int, this_round: int) -> int:
    """Claim candidates under successive numbers of the budget; return how many are ours.

    Somebody else may have claimed a number or a candidate meanwhile; what comes after it is left
    to the next round.
    """
    from pymongo.errors import BulkWriteError

    new = [
        {
            "_id": f"{campaign.name}/{choice.candidate_id}",
            **_new_pick(campaign, campaign.engine.name, choice, number, this_round),
        }
        for number, choice in enumerate(choices, start=first)
    ]
    # A lease that ran out belongs to another.
    if not new or not _take_lease(campaign):
        return 0
    campaign.touch()
    try:
        campaign.database.picks.insert_many(new, ordered=True)
    except BulkWriteError as error:
        if any(each["code"] != DUPLICATE for each in error.details["writeErrors"]):
            raise
        return int(error.details["nInserted"])
    return len(new)


def _new_pick(
    campaign: Campaign, engine_name: str, choice: Proposal, number: int, this_round: int
) -> dict[str, Any]:
    """Return the document of a pick that was not submitted yet, its ``_id`` left out."""
    return {
        "campaign": campaign.name,
        "candidate_id": choice.candidate_id,
        "engine": engine_name,
        "number": number,
        "round": this_round,
        "state": "claimed",
        "reason": choice.reason,
        "predicted_mean": choice.predicted_mean,
        "predicted_std": choice.predicted_std,
        "acquisition": choice.acquisition,
        "probability_feasible": choice.probability_feasible,
        "rank": choice.rank,
        "fitted_on": choice.fitted_on,
        "neighbours": list(choice.neighbours),
        "attempts": 1,
        "lost": 0,
        "claimed_at": now(),
    }


def promote_configured(campaign: Campaign) -> None:
    """Send the best candidates on to the engine that the campaign's configuration names."""
    confirm = campaign.config.confirm
    if confirm is None or len(campaign.stages) < 2:
        return
    extensions = campaign.extensions()
    promote(campaign, campaign.stages[1], confirm.top)
    _fill_queue(campaign)
    campaign.set_promoted(extensions)


def promote(campaign: Campaign, level: EngineStage, top: int) -> list[str]:
    """Claim the best candidates for a better engine; return their ids.

    The next `advance` queues them.

    Of those that the better engine can take, the best `top` by the ranking count, whether
    computed by the engine that explores or confirmed already; what is done or in work is not
    queued again.
    """
    done = set(campaign.results(level))
    supported = level.engine.supported_elements()
    number = sum(pick["engine"] == level.engine.name for pick in campaign.confirmation_picks())
    queued: list[str] = []

    def takes(candidate_id: str) -> bool:
        candidate = campaign.candidate(candidate_id)
        if supported is not None and not supported.issuperset(candidate.elements):
            return False
        inputs_hash = campaign.inputs_hash(candidate_id)
        return refusal(candidate, campaign.config, level.engine, inputs_hash) is None

    computed = (row for row in ranking(campaign) if row.outcome == "computed")
    best = itertools.islice((row for row in computed if takes(row.candidate_id)), top)
    for row in best:
        if row.candidate_id in done:
            continue
        reason = f"promoted: rank {row.rank} with {row.engine}"
        choice = Proposal(row.candidate_id, reason, rank=row.rank)
        pick = _new_pick(campaign, level.engine.name, choice, number + 1, 0)
        pick["_id"] = f"{campaign.name}/{row.candidate_id}/{level.engine.name}"
        if _insert(campaign, pick):
            number = pick["number"]
            queued.append(row.candidate_id)
    campaign.touch()
    return queued


def _insert(campaign: Campaign, pick: dict[str, Any]) -> bool:
    """Store a confirmation under the first free number from its own on; False if it is there."""
    from pymongo.errors import DuplicateKeyError

    while True:
        try:
            campaign.database.picks.insert_one(pick)
        except DuplicateKeyError:
            if campaign.database.picks.find_one({"_id": pick["_id"]}, {"_id": 1}) is not None:
                return False
            pick["number"] += 1
        else:
            return True


def _submit(campaign: Campaign, pick: dict[str, Any]) -> None:
    """Queue a claimed pick's workflow, unless an earlier try already did."""
    launchpad = campaign.database.launchpad
    if launchpad.workflows.find_one({"metadata.pick": pick["_id"]}, {"_id": 1}) is None:
        try:
            candidate = campaign.candidate(pick["candidate_id"])
        except ScreenError as error:
            # Deleted by somebody while it was pending: the loop goes on without it.
            _end(campaign, pick["_id"], "failed", error=str(error))
            return
        # Jobs that a killed program stored without their workflow cannot run.
        launchpad.fireworks.delete_many({"spec.pick": pick["_id"]})
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
            # Nothing about this crystal may stop the others.
            _end(campaign, pick["_id"], "failed", error=f"its flow cannot be made: {error}")
            return
        launchpad.add_wf(workflow)
    campaign.database.picks.update_one(
        {"_id": pick["_id"], "state": "claimed"},
        {"$set": {"state": "queued", "queued_at": now()}},
    )


# --------------------------------------------------------------------------------------- lease


def _take_lease(campaign: Campaign) -> bool:
    moment = now()
    me = this_process()
    lease = {"owner": me, "until": moment + datetime.timedelta(seconds=LEASE_S)}
    campaigns = campaign.database.campaigns
    document = campaigns.find_one({"_id": campaign.name}, {"lease": 1})
    held = (document or {}).get("lease")
    free = (
        held is None
        or held["owner"] == me
        or as_utc(held["until"]) < moment
        or is_dead_here(held["owner"])
    )
    if not free:
        return False
    # The lease just read must still be there: of two who saw it free, one wins.
    same = {"lease": held} if held is not None else {"lease": {"$exists": False}}
    changed = campaigns.update_one({"_id": campaign.name, **same}, {"$set": {"lease": lease}})
    return changed.modified_count == 1


def _give_lease_back(campaign: Campaign) -> None:
    campaign.database.campaigns.update_one(
        {"_id": campaign.name, "lease.owner": this_process()}, {"$unset": {"lease": ""}}
    )
