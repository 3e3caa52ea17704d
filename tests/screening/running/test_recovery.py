"""What a process that was killed at any line leaves, and what the next `advance` makes of it."""

from __future__ import annotations

import datetime

import pytest
from toy_flow import diary
from toy_steps import (
    Killed,
    fireworks,
    killed_at,
    run_job,
    shorten_lock_wait,
    start_job,
    states,
    workflows,
)

from screening.campaigns.worker_presence import LOST_AFTER_S
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.running import harvest, recovery, submission
from screening.running.advance import advance
from screening.running.control import requeue
from screening.running.picks import MAX_LOST
from screening.running.recovery import recover
from screening.store.job_queue import StoredFlow

MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


# ------------------------------------------------------------------- what is judged by documents


@pytest.mark.parametrize(
    ("flow", "jobs", "goes_on"),
    [
        ("COMPLETED", {"COMPLETED"}, True),
        ("RUNNING", {"COMPLETED", "READY"}, True),
        ("RUNNING", {"RESERVED"}, True),
        ("READY", {"RUNNING"}, True),
        ("FIZZLED", {"FIZZLED", "WAITING"}, True),
        ("FIZZLED", {"READY"}, True),
        # Killed between two writes: no job can run, and none has raised.
        ("RUNNING", {"COMPLETED"}, False),
        ("FIZZLED", {"COMPLETED"}, False),
        ("RUNNING", {"FIZZLED"}, False),
        (None, set(), False),
    ],
)
def test_a_workflow_is_stuck_when_no_job_can_run(flow, jobs, goes_on):
    assert recovery._goes_on(StoredFlow("a/b", flow, job_states=frozenset(jobs))) is goes_on


@pytest.mark.parametrize(
    ("worker", "seconds_ago", "written"),
    [
        ("here", 10, True),
        ("elsewhere:1:1.00", 10, True),
        ("dead", 10, False),
        ("here", 61, False),
        ("elsewhere:1:1.00", 61, False),
    ],
)
def test_jobs_are_not_being_written_by_the_dead_nor_for_a_minute(
    dead_process, worker, seconds_ago, written
):
    name = {"here": this_process(), "dead": dead_process}.get(worker, worker)
    changed_at = MOMENT - datetime.timedelta(seconds=seconds_ago)
    flow = StoredFlow("a/b", "RUNNING", changed_at=changed_at)
    assert recovery._may_be_written_now(flow, [name], MOMENT) is written
    assert not recovery._may_be_written_now(StoredFlow("a/b"), [name], MOMENT)


# ---------------------------------------------------------------------------- killed at any line


def test_a_pick_claimed_but_not_submitted_is_submitted_once(new_campaign, monkeypatch):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    killed_at(monkeypatch, submission, "submit")
    with pytest.raises(Killed):
        advance(campaign)
    assert (states(campaign), workflows(campaign)) == (["claimed"], 0)
    assert not campaign.is_exhausted()
    advance(campaign)
    advance(campaign)
    assert (states(campaign), workflows(campaign)) == (["queued"], 1)


def test_picks_cancelled_while_workflows_are_made_are_not_queued(new_campaign, monkeypatch):
    campaign = new_campaign(batch_size=3)
    make, made = submission._workflow, []

    def slow(campaign, pick):
        made.append(pick["_id"])
        if len(made) == 2:
            cancelled = {"$set": {"state": "cancelled"}}
            campaign.database.picks.update_one({"_id": made[0]}, cancelled)
        return make(campaign, pick)

    monkeypatch.setattr(submission, "_workflow", slow)
    advance(campaign)
    assert len(made) == 3
    assert campaign.queue.picks_with_workflow() == set(made[1:])
    assert sorted(states(campaign)) == ["cancelled", "queued", "queued"]


def test_a_pick_submitted_but_not_noted_is_not_submitted_twice(new_campaign):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    campaign.database.picks.update_one({}, {"$set": {"state": "claimed"}})
    advance(campaign)
    assert (states(campaign), workflows(campaign)) == (["queued"], 1)


def test_a_claimed_pick_whose_workflow_has_ended_is_harvested(new_campaign):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    assert run_job(campaign)
    campaign.database.picks.update_one({}, {"$set": {"state": "claimed"}})
    advance(campaign)
    assert states(campaign) == ["computed"]


def test_killed_while_a_workflow_is_added(new_campaign, work, monkeypatch, tmp_path):
    """FireWorks stores the jobs first, then the workflow; jobs of no workflow cannot run."""
    campaign = new_campaign(pool=4, budget=1, batch_size=1, recipe={"folder": str(tmp_path)})
    launchpad = campaign.database.launchpad
    killed_at(monkeypatch, launchpad.workflows, "insert_many")
    with pytest.raises(Killed):
        advance(campaign)
    assert (len(fireworks(campaign)), workflows(campaign)) == (1, 0)
    advance(campaign)
    assert len(fireworks(campaign)) == 1
    work(campaign)
    assert states(campaign) == ["computed"]
    assert diary(tmp_path).total() == 2


def test_killed_between_storing_a_result_and_noting_it(new_campaign, monkeypatch):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    run_job(campaign)
    killed_at(monkeypatch, harvest, "end")
    with pytest.raises(Killed):
        advance(campaign)
    [before] = campaign.database.results.find()
    assert states(campaign) == ["queued"]
    advance(campaign)
    assert states(campaign) == ["computed"]
    assert list(campaign.database.results.find()) == [before]


def test_killed_while_a_finished_workflow_is_deleted(new_campaign, monkeypatch):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    run_job(campaign)
    killed_at(monkeypatch, campaign.database.launchpad.workflows, "delete_many")
    with pytest.raises(Killed):
        advance(campaign)
    advance(campaign)
    assert (states(campaign), workflows(campaign)) == (["computed"], 0)


def test_a_workflow_somebody_else_deleted_is_nothing_to_fall_over(new_campaign):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    [firework] = fireworks(campaign)
    for _ in range(2):
        campaign.queue.withdraw(firework["spec"]["pick"])
    assert workflows(campaign) == 0


def test_a_run_of_a_dead_worker_is_run_again(new_campaign, dead_process):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    start_job(campaign, dead_process)
    assert campaign.progress().running == 1
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["READY"]
    [pick] = campaign.picks()
    assert (pick["state"], pick["lost"], pick["attempts"]) == ("queued", 1, 1)


def test_a_run_of_a_live_worker_is_left_alone(new_campaign, live_process):
    campaign = new_campaign(pool=4, budget=2, batch_size=2)
    advance(campaign)
    start_job(campaign, live_process)
    start_job(campaign, "elsewhere:1:1.00")
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["RUNNING", "RUNNING"]


def test_a_run_of_another_machine_is_lost_after_long_silence(new_campaign):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    _, launch_id = start_job(campaign, "elsewhere:1:1.00")
    silent_since = now() - datetime.timedelta(seconds=LOST_AFTER_S + 5)
    launches = campaign.database.launchpad.launches
    launch = launches.find_one({"launch_id": launch_id})
    for entry in launch["state_history"]:
        entry["updated_on"] = silent_since.isoformat()
    launches.replace_one({"launch_id": launch_id}, launch)
    # As after an outage of the database: nobody could be heard, so nobody is dead.
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["RUNNING"]
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$set": {"listening_since": silent_since}}
    )
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["READY"]


def test_other_campaigns_runs_are_none_of_ours(new_campaign, dead_process):
    first, second = (new_campaign(name, pool=4, budget=1, batch_size=1) for name in ("one", "two"))
    advance(first)
    advance(second)
    start_job(first, dead_process)
    recover(second)
    assert [each["state"] for each in fireworks(first)] == ["RUNNING"]


def test_a_candidate_that_kills_its_workers_fails_in_the_end(new_campaign, dead_process):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    for _ in range(MAX_LOST):
        start_job(campaign, dead_process)
        advance(campaign)
    [pick] = campaign.picks()
    assert (pick["state"], pick["lost"]) == ("failed", MAX_LOST)
    assert "died" in pick["error"]
    assert workflows(campaign) == 0
    assert campaign.is_exhausted()
    assert requeue(campaign) == 1
    advance(campaign)
    assert (states(campaign), workflows(campaign)) == (["queued"], 1)


def test_killed_while_a_lost_run_is_put_back(new_campaign, dead_process, monkeypatch):
    """The job is marked as broken then, though nothing is wrong with the candidate."""
    campaign = new_campaign(pool=4, budget=1, batch_size=1, max_attempts=1)
    advance(campaign)
    start_job(campaign, dead_process)
    killed_at(monkeypatch, campaign.database.launchpad, "rerun_fw")
    with pytest.raises(Killed):
        advance(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["FIZZLED"]
    advance(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["READY"]
    [pick] = campaign.picks()
    assert (pick["state"], pick["attempts"], pick["lost"]) == ("queued", 1, 1)


def test_a_workflow_marked_as_broken_without_a_broken_job_goes_on(new_campaign, work):
    campaign = new_campaign(pool=4, budget=1, batch_size=1, max_attempts=1)
    advance(campaign)
    campaign.database.launchpad.workflows.update_many({}, {"$set": {"state": "FIZZLED"}})
    work(campaign)
    assert states(campaign) == ["computed"]


def test_a_reservation_nobody_uses_is_released_after_a_minute(new_campaign):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    launchpad = campaign.database.launchpad
    assert launchpad._get_a_fw_to_run({"spec.campaign": campaign.name}) is not None
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["RESERVED"]
    long_ago = now() - datetime.timedelta(seconds=70)
    launchpad.fireworks.update_many({}, {"$set": {"updated_on": long_ago}})
    recover(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["READY"]


def test_killed_between_the_end_of_a_job_and_the_update_of_its_workflow(
    new_campaign, work, dead_process, tmp_path, monkeypatch
):
    """The launch is COMPLETED and its job still RUNNING: a refresh repairs it."""
    campaign = new_campaign(pool=4, budget=1, batch_size=1, recipe={"folder": str(tmp_path)})
    advance(campaign)
    killed_at(monkeypatch, campaign.database.launchpad, "_refresh_wf", skip=1)
    with pytest.raises(Killed):
        run_job(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["RUNNING"]
    work(campaign)
    assert states(campaign) == ["computed"]
    assert diary(tmp_path)["end", campaign.picks()[0]["candidate_id"].split("-")[0]] == 1


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("dead", [True, False])
def test_killed_within_the_update_of_a_workflow(
    new_campaign, work, monkeypatch, dead_process, steps, dead
):
    """The job is COMPLETED, its workflow does not know: nothing that FireWorks would repair.

    With a second step its job is in the queue, without being part of the workflow.
    """
    campaign = new_campaign(pool=4, budget=2, batch_size=1, recipe={"steps": steps})
    advance(campaign)
    launchpad = campaign.database.launchpad
    killed_at(monkeypatch, launchpad.workflows, "find_one_and_replace", skip=1)
    with pytest.raises(Killed):
        run_job(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["COMPLETED", "READY"][:steps]
    if dead:
        launchpad.launches.update_many({}, {"$set": {"fworker.name": dead_process}})
    else:
        advance(campaign)
        assert campaign.picks()[0]["lost"] == 0  # somebody might be at it
        long_ago = now() - datetime.timedelta(seconds=70)
        launchpad.fireworks.update_many({}, {"$set": {"updated_on": long_ago.isoformat()}})
    work(campaign)
    assert states(campaign) == ["computed", "computed"]
    # With one step all was computed and delivered: nothing is lost.
    assert [pick["lost"] for pick in campaign.picks()] == [steps - 1, 0]
    assert (workflows(campaign), fireworks(campaign)) == (0, [])


def test_killed_between_storing_a_new_job_and_the_end_of_its_parent(
    new_campaign, work, monkeypatch
):
    """The new job is stored once more by a refresh; the first copy belongs to no workflow."""
    campaign = new_campaign(pool=4, budget=1, batch_size=1, recipe={"steps": 2})
    advance(campaign)
    launchpad = campaign.database.launchpad
    store = launchpad.fireworks.find_one_and_replace

    def die(query, document, **options):
        if document["state"] == "COMPLETED":
            raise Killed
        return store(query, document, **options)

    with monkeypatch.context() as patch:
        patch.setattr(launchpad.fireworks, "find_one_and_replace", die)
        with pytest.raises(Killed):
            run_job(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["RUNNING", "READY"]
    shorten_lock_wait(monkeypatch)
    work(campaign)
    assert states(campaign) == ["computed"]
    assert (workflows(campaign), fireworks(campaign)) == (0, [])


def test_a_worker_outlives_a_job_that_cannot_be_started(new_campaign, work, monkeypatch):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    launchpad = campaign.database.launchpad
    orphan = fireworks(campaign)[0] | {"fw_id": 99, "spec": {"campaign": campaign.name}}
    del orphan["_id"]
    orphan["spec"]["_tasks"] = []
    launchpad.fireworks.insert_one(orphan)
    shorten_lock_wait(monkeypatch)
    work(campaign)
    assert states(campaign) == ["computed"]
