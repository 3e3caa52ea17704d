"""`matscreen status` says when no worker is running."""

from __future__ import annotations

import datetime
import json

import pytest

from screening.campaigns import worker_presence as module
from screening.campaigns.worker_presence import worker_presence
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.running.advance import advance

ELSEWHERE = "far/0000/1:2:3"


@pytest.fixture
def campaign(new_campaign, monkeypatch):
    """Two candidates are queued, and whoever queued them has gone."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0)
    campaign = new_campaign("mine", budget=2)
    advance(campaign)
    driven(campaign, 100)
    return campaign


def driven(campaign, seconds_ago):
    at = now() - datetime.timedelta(seconds=seconds_ago)
    campaign.database.campaigns.update_one({"_id": "mine"}, {"$set": {"advanced_at": at}})


def start(campaign, worker, silent_s=0):
    """Have a worker claim a job and begin to run it."""
    from fireworks import FWorker

    launchpad = campaign.database.launchpad
    firework, launch_id = launchpad.checkout_fw(FWorker(worker), ".")
    assert firework is not None
    if silent_s:
        launch = launchpad.launches.find_one({"launch_id": launch_id})
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=silent_s)
        for each in launch["state_history"]:
            each["updated_on"] = at.isoformat()
        history = {"state_history": launch["state_history"]}
        launchpad.launches.update_one({"launch_id": launch_id}, {"$set": history})


@pytest.mark.parametrize(
    ("worker", "silent_s", "present"),
    [
        ("dead", 0, False),
        ("me", 0, True),
        ("me", 3600, True),  # after a laptop's sleep
        (ELSEWHERE, 0, True),
        (ELSEWHERE, 3600, False),
    ],
)
def test_a_run_is_judged_by_its_process_or_its_silence(
    campaign, dead_process, worker, silent_s, present
):
    name = {"dead": dead_process, "me": this_process()}.get(worker, worker)
    start(campaign, name, silent_s)
    found = worker_presence(campaign)
    assert (found.present, found.dead) == (present, 0 if present else 1)


def test_one_that_lives_is_enough(campaign, dead_process):
    start(campaign, dead_process)
    start(campaign, this_process())
    assert worker_presence(campaign).present


def test_whoever_drives_the_campaign_is_there(campaign):
    assert not worker_presence(campaign).present
    until = now() + datetime.timedelta(seconds=60)
    lease = {"owner": this_process(), "until": until}
    campaign.database.campaigns.update_one({"_id": "mine"}, {"$set": {"lease": lease}})
    assert worker_presence(campaign).present


def test_a_worker_between_two_jobs_has_just_driven_it(campaign):
    driven(campaign, 1)
    assert worker_presence(campaign).present


def test_status_says_so_in_one_line(campaign, screen, dead_process):
    answer = screen("status")
    assert answer.err == "no worker is running; continue with: matscreen work mine\n"
    start(campaign, dead_process)
    answer = screen("status")
    assert answer.err == ("no worker is running (1 died); continue with: matscreen work mine\n")
    assert json.loads(screen("status", "--format", "json").out)["workers_present"] is False
    campaign.set_status("paused")
    assert screen("status").err == ""
