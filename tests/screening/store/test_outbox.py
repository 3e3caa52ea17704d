"""Results that wait on disk: a database that goes away, workers killed, full disks."""

from __future__ import annotations

import datetime
import errno
import os
import sys
import threading
import time

import pytest
from fireworks import FWorker
from killable_server import KillableServer
from toy_flow import allow, diary

from screening.campaigns.campaign import Campaign
from screening.campaigns.indexes import indexes
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.running import advance as advance_module
from screening.running import worker
from screening.running.advance import advance
from screening.running.picks import MAX_LOST
from screening.store import outbox as outbox_module
from screening.store.database import Database
from screening.store.database_retry import EX_TEMPFAIL, with_retry
from screening.store.outbox import JobResult, Outbox

KEPT = JobResult(
    [{"docs": [{"uuid": "u", "index": 1, "output": [0.1, None]}], "key": ["uuid"], "save": {}}], {}
)


@pytest.fixture(autouse=True)
def _no_predictions(monkeypatch):
    """Spare the loop its fit for the ranking, which takes longer than the toy."""
    monkeypatch.setattr(advance_module, "predictions", lambda campaign, snapshot: {})
    monkeypatch.setattr(advance_module, "cached_ranking", lambda campaign, top: ([], 0))


def ends(folder):
    return sum(n for (event, _), n in diary(folder).items() if event == "end")


# ------------------------------------------------------------------------------------- the folder


def test_what_is_kept_is_found_and_dropped(tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.find("job-1") is None
    outbox.drop("job-1")
    outbox.keep("job-1", KEPT)
    assert outbox.find("job-1") == KEPT
    assert outbox.find("job-2") is None
    outbox.drop("job-1")
    assert outbox.find("job-1") is None


@pytest.mark.parametrize("length", [0, 10, 40, -1])
def test_a_truncated_file_is_set_aside(tmp_path, length, capsys):
    outbox = Outbox(tmp_path)
    outbox.keep("job-1", KEPT)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:length])
    assert outbox.find("job-1") is None
    assert "is damaged and set aside; its job is computed again" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["job-1.damaged"]


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    outbox = Outbox(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "")))
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        outbox.keep("job-1", KEPT)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- killed workers


class Killed(BaseException):
    """Stands for SIGKILL at one place of the code."""


def test_a_result_whose_worker_was_killed_is_delivered_by_the_next(
    new_campaign, work, monkeypatch, tmp_path, dead_process
):
    campaign = new_campaign(pool=3, budget=1, batch_size=1, recipe={"folder": str(tmp_path)})
    keep = Outbox.keep

    def killed(self, *arguments):
        keep(self, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "keep", killed)
        # FireWorks takes any exception for the job's; a killed process writes no more.
        patch.setattr(campaign.database.launchpad, "complete_launch", _raise_killed)
        with pytest.raises(Killed):
            work(campaign)
    assert ends(tmp_path) == 1
    assert campaign.database.job_store.count() == 0
    launches = campaign.database.launchpad.launches
    launches.update_many({}, {"$set": {"fworker.name": dead_process}})
    work(campaign)
    assert [pick["state"] for pick in campaign.picks()] == ["computed"]
    assert ends(tmp_path) == 1
    assert list((tmp_path / "jobs" / "outbox").iterdir()) == []


def _raise_killed(*args, **kwargs):
    raise Killed


def test_jobs_that_create_jobs_are_kept_with_them(new_campaign, work, monkeypatch, tmp_path):
    """Delivered from the outbox, a step that creates the next one still creates it."""
    recipe = {"folder": str(tmp_path), "steps": 3}
    campaign = new_campaign(pool=3, budget=1, batch_size=1, recipe=recipe)
    find, calls = Outbox.find, []

    def forgetful(self, key):
        # As after a kill: what was just kept is read from the file.
        found = find(self, key)
        calls.append((key, found is not None))
        return found

    deliver = outbox_module.OutboxJob._deliver

    def fail_once(self, kept):
        if sum(key == self.key for key, _ in calls) == 1:
            raise RuntimeError("killed before the delivery")
        deliver(self, kept)

    monkeypatch.setattr(Outbox, "find", forgetful)
    monkeypatch.setattr(outbox_module.OutboxJob, "_deliver", fail_once)
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$set": {"config.max_attempts": 9}}
    )
    work(Campaign.open(campaign.database, campaign.name))
    assert [pick["state"] for pick in campaign.picks()] == ["computed"]
    # Three jobs, each computed once and delivered by the second try.
    assert [found for _, found in calls] == [False, True] * 3
    assert sum(n for (event, _), n in diary(tmp_path).items() if event == "start") == 3


# ------------------------------------------------------------------------------------- full disks


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/job")


def full(*arguments, **more):
    raise FULL


def test_a_full_disk_ends_the_worker_and_loses_nothing(
    new_campaign, work, monkeypatch, tmp_path, capsys
):
    campaign = new_campaign(pool=3, budget=2, batch_size=2, recipe={"folder": str(tmp_path)})
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "keep", full)
        with pytest.raises(SystemExit) as stopped:
            work(campaign)
    assert stopped.value.code == EX_TEMPFAIL
    said = "this machine is unfit (No space left on device: /scratch/job)"
    assert said in capsys.readouterr().err
    # What could not be kept was still delivered.
    assert campaign.database.job_store.count() == 1
    work(campaign)
    picks = campaign.picks()
    assert [pick["state"] for pick in picks] == ["computed", "computed"]
    assert [(pick["attempts"], pick["lost"]) for pick in picks] == [(1, 0), (1, 0)]
    assert ends(tmp_path) == 2


def test_a_job_that_meets_a_full_disk_goes_back_untried(
    new_campaign, work, monkeypatch, tmp_path, capsys
):
    campaign = new_campaign(pool=3, budget=1, batch_size=1, recipe={"folder": str(tmp_path)})
    with monkeypatch.context() as patch:
        patch.setattr(outbox_module.OutboxJob, "_compute", full)
        with pytest.raises(SystemExit) as stopped:
            work(campaign)
    assert stopped.value.code == EX_TEMPFAIL
    [pick] = campaign.picks()
    assert (pick["state"], pick["attempts"], pick["lost"]) == ("queued", 1, 1)
    work(campaign)
    assert [pick["state"] for pick in campaign.picks()] == ["computed"]


def test_a_candidate_that_fills_every_disk_fails_in_the_end(new_campaign, work, monkeypatch):
    campaign = new_campaign(pool=3, budget=1, batch_size=1)
    monkeypatch.setattr(outbox_module.OutboxJob, "_compute", full)
    for _ in range(MAX_LOST):
        with pytest.raises(SystemExit):
            work(campaign)
    work(campaign)
    assert [pick["state"] for pick in campaign.picks()] == ["failed"]


def test_a_database_that_stays_away_is_not_the_candidates_fault(
    new_campaign, work, monkeypatch, tmp_path
):
    recipe = {"folder": str(tmp_path)}
    campaign = new_campaign(pool=3, budget=1, batch_size=1, max_attempts=1, recipe=recipe)

    def gone(self, kept):
        sys.exit(EX_TEMPFAIL)

    with monkeypatch.context() as patch:
        patch.setattr(outbox_module.OutboxJob, "_deliver", gone)
        with pytest.raises(SystemExit) as stopped:
            work(campaign)
    assert stopped.value.code == EX_TEMPFAIL
    assert [pick["state"] for pick in campaign.picks()] == ["queued"]
    work(campaign)
    assert [pick["state"] for pick in campaign.picks()] == ["computed"]
    assert ends(tmp_path) == 1


def test_a_last_heartbeat_keeps_no_job_from_going_back(new_campaign):
    """FireWorks sends one more when the job has ended, while the worker puts the job back."""
    campaign = new_campaign(pool=3, budget=1, batch_size=1)
    advance(campaign)
    launchpad = campaign.database.launchpad
    claimed, launch_id = launchpad.checkout_fw(FWorker(this_process()), ".")
    launchpad.ping_launch(launch_id, ptime=now() + datetime.timedelta(seconds=1))
    [pick] = campaign.picks()
    assert worker.give_back(launchpad, this_process()) == [pick["_id"]]
    assert launchpad.get_fw_by_id(claimed.fw_id).state == "READY"


def test_a_heartbeat_is_written_when_the_last_one_is_old(new_campaign, monkeypatch):
    campaign = new_campaign(pool=3, budget=1, batch_size=1)
    advance(campaign)
    launchpad = campaign.database.launchpad
    _, launch_id = launchpad.checkout_fw(FWorker(this_process()), ".")

    def heard():
        run = launchpad.launches.find_one({"launch_id": launch_id})
        return run["state_history"][-1]["updated_on"]

    claimed_at = heard()
    launchpad.ping_launch(launch_id)
    assert heard() == claimed_at
    from screening.store import safe_launchpad

    monkeypatch.setattr(safe_launchpad, "FRESH_S", 0.0)
    launchpad.ping_launch(launch_id)
    assert heard() > claimed_at


def test_a_run_that_was_given_up_leaves_its_result_to_the_next(
    new_campaign, work, monkeypatch, tmp_path
):
    """Taken for dead while it delivered: another worker must not compute again."""
    campaign = new_campaign(pool=3, budget=1, batch_size=1, recipe={"folder": str(tmp_path)})
    deliver = outbox_module.OutboxJob._deliver

    def taken_for_dead(self, kept):
        deliver(self, kept)
        worker.give_back(campaign.database.launchpad, this_process())

    with monkeypatch.context() as patch:
        patch.setattr(outbox_module.OutboxJob, "_deliver", taken_for_dead)
        patch.setattr(
            worker, "advance", lambda campaign, **options: advance(campaign) and _pause(campaign)
        )
        work(campaign)
    assert ends(tmp_path) == 1
    campaign.set_status("active")
    work(campaign)
    assert [pick["state"] for pick in campaign.picks()] == ["computed"]
    assert ends(tmp_path) == 1


def _pause(campaign):
    """Let a worker run one job only."""
    if ends(campaign.config.recipe["folder"]):
        campaign.set_status("paused")


def test_a_worker_without_room_for_a_folder_claims_nothing(new_campaign, work, monkeypatch, capsys):
    campaign = new_campaign(pool=3, budget=1, batch_size=1)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_job_directory", full)
        with pytest.raises(SystemExit) as stopped:
            work(campaign)
    assert stopped.value.code == EX_TEMPFAIL
    assert "this machine is unfit (No space left on device" in capsys.readouterr().err
    states = campaign.database.launchpad.fireworks.distinct("state")
    assert states == ["READY"]


def test_results_that_nobody_waits_for_are_swept(new_campaign, work, tmp_path):
    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    outbox = Outbox(tmp_path / "jobs" / "outbox")
    [firework] = campaign.database.launchpad.fireworks.find()
    uuid = firework["spec"]["_tasks"][0]["job"]["uuid"]
    outbox.keep(f"{uuid}-2", KEPT)
    outbox.keep("4b0c9d-of-another-1", KEPT)
    outbox.sweep(campaign.queue.awaits)
    assert outbox.find(f"{uuid}-2") == KEPT
    assert outbox.find("4b0c9d-of-another-1") is None
    # With the campaign's end nobody waits any more.
    work(campaign)
    assert outbox.find(f"{uuid}-2") is None


# ------------------------------------------------------------------------------ a database away


def test_workers_wait_for_a_database_that_goes_away(toy, tmp_path):
    from campaign_fixtures import toy_content, toy_pool

    from screening.campaigns.config import CampaignConfig
    from screening.targets.engines import engine_config

    server = KillableServer(tmp_path / "database")
    try:
        database = Database(server.uri, "away")
        with_retry(database.prepare, indexes())
        recipe = {"folder": str(tmp_path), "gated": True}
        config = CampaignConfig.model_validate(toy_content(recipe=recipe, budget=2, batch_size=1))
        campaign = Campaign.create(database, "away", config, engine_config("emt"), toy_pool(3))

        def restart():
            while sum(diary(tmp_path).values()) < 1:
                time.sleep(0.05)
            server.kill()  # while the first job runs, which ends while the server is away
            allow(tmp_path, 100)
            while ends(tmp_path) < 1:
                time.sleep(0.05)
            server.start()

        restarting = threading.Thread(target=restart)
        restarting.start()
        worker.work(database, "away", tmp_path / "jobs")
        restarting.join()
        picks = campaign.picks()
        assert [pick["state"] for pick in picks] == ["computed", "computed"]
        assert [(pick["attempts"], pick["lost"]) for pick in picks] == [(1, 0), (1, 0)]
        assert ends(tmp_path) == 2
    finally:
        server.kill()


def test_a_database_is_not_waited_for_for_ever(monkeypatch, capsys):
    from pymongo.errors import AutoReconnect

    from screening.store import database_retry

    monkeypatch.setattr(database_retry, "RETRY_FOR_S", 0.5)

    def away():
        raise AutoReconnect

    with pytest.raises(SystemExit) as stopped:
        with_retry(away)
    assert stopped.value.code == EX_TEMPFAIL
    said = capsys.readouterr().err
    assert "the database does not answer; waiting for it" in said
    assert "giving up" in said


# --------------------------------------------------------------------------------------- claims


def test_no_job_is_claimed_twice(new_campaign, connect):
    """Also on a server whose find-and-modify may answer two callers alike."""
    from fireworks import FWorker

    campaign = new_campaign(pool=24, budget=24, batch_size=24)
    advance(campaign)
    claimed, errors = [], []

    def claim(launchpad):
        fworker = FWorker(this_process(), query={"spec.campaign": campaign.name})
        try:
            while (found := launchpad._get_a_fw_to_run(fworker.query)) is not None:
                claimed.append(found.fw_id)
        except Exception as error:
            errors.append(error)

    launchpads = [connect().launchpad for _ in range(4)]
    threads = [threading.Thread(target=claim, args=[each]) for each in launchpads]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert len(claimed) == len(set(claimed)) == 24
