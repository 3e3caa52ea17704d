"""Campaigns on a real Slurm: nobody but the queue jobs themselves drives them.

`make test-slurm` starts a Slurm of one node where none is running.
"""

from __future__ import annotations

import datetime
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from project_folder import Project, wait_until
from test_toy_programs import EVERYTHING, ends, starts
from toy_flow import allow

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.queues.scheduler import Scheduler

pytestmark = pytest.mark.slurm
MAX_JOBS = 2
WALLTIME_S = 3600
QUEUE = {
    "q_type": "SLURM",
    "max_jobs": MAX_JOBS,
    "poll_s": 2,
    "walltime": "1:00:00",
    "reserve_s": 600,
    "idle_s": 600,
    "environment": ["PYTHONPATH"],
}
WINDOW_S = 60
"""How long a job of the first test takes new candidates: its worker has to start within."""


@pytest.fixture
def cluster(project, server_uri, database_name):
    """A user's folder on a cluster, with a database that the nodes reach."""
    secret = project.folder / "mongodb-uri"
    secret.touch(mode=0o600)
    secret.write_text(server_uri)
    project.environment |= {
        "SCREEN_MONGODB_URI_FILE": str(secret),
        "SCREEN_DATABASE": database_name,
    }
    project.write("queue.yaml", **QUEUE)
    yield project
    for number in Scheduler("SLURM").jobs():
        subprocess.run(["scancel", number], check=False)
    # Jobs that end still need the database, which is dropped next.
    wait_until(lambda: not listed())


def listed() -> str:
    """Return what Slurm lists of our jobs, those too whose processes are about to end."""
    command = ["squeue", "-h", "--me", "--name=screen-toy,screen-doctor"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def toy_campaign(toy, cluster, connect):
    """Submit and launch a toy campaign; give what the database holds of it."""

    def start(steps: int = 1, **changes) -> Campaign:
        cluster.write_toy(recipe={"gated": True, "steps": steps}, **changes)
        cluster.screen("submit", "--target", "toy.yaml", "--name", "toy")
        cluster.screen("launch", "toy", "--queue", "queue.yaml")
        return Campaign.open(connect(), "toy")

    return start


def records(campaign):
    document = campaign.database.campaigns.find_one({"_id": campaign.name})
    return document["queue"]["jobs"]


def check_finished(campaign: Campaign, project: Project, budget: int) -> None:
    picks = campaign.picks()
    assert sorted(pick["number"] for pick in picks) == list(range(1, budget + 1))
    states = {pick["state"] for pick in picks}
    assert states == {"computed"}, (picks, records(campaign), project.logs())
    # To lose a worker is no failure of the candidate.
    assert {pick["attempts"] for pick in picks} == {1}
    # The last result is stored before its workflow is taken off the queue.
    wait_until(lambda: campaign.database.launchpad.workflows.count_documents({}) == 0)


def takes_nothing_new(campaign: Campaign) -> bool:
    """Return whether all queue jobs are so old that they take no further candidate."""
    started = [job["started_at"] for job in records(campaign).values() if "started_at" in job]
    return now() > max(started) + datetime.timedelta(seconds=WINDOW_S + 1)


def test_a_campaign_launched_once_finishes_by_itself(cluster, toy_campaign):
    at_once: list[int] = []
    reserve_s = WALLTIME_S - WINDOW_S
    cluster.write("queue.yaml", **QUEUE | {"reserve_s": reserve_s, "idle_s": WALLTIME_S})
    campaign = toy_campaign(budget=6, batch_size=4, steps=2)

    def finished() -> bool:
        jobs = Scheduler("SLURM").jobs()
        # A job that is about to end has queued its successor already.
        leaving = {each["job_id"] for each in records(campaign).values() if "ended_at" in each}
        at_once.append(len(jobs.keys() - leaving))
        time.sleep(0.5)
        return campaign.is_exhausted()

    # No step ends before the jobs take nothing new: none does more than the one it holds now, and
    # the rest of the budget is left to jobs that they queue.
    wait_until(lambda: len(starts(cluster)) == MAX_JOBS)
    shown = cluster.screen("status")[0]
    assert "2 running, 0 pending (SLURM)" in shown
    wait_until(lambda: takes_nothing_new(campaign))
    assert len(starts(cluster)) == MAX_JOBS
    allow(cluster.folder, EVERYTHING)
    wait_until(finished)
    check_finished(campaign, cluster, 6)
    # A generation is what one job queued; its own job number tells who did.
    wait_until(lambda: all("ended_at" in record for record in records(campaign).values()))
    jobs = records(campaign)
    assert len(jobs) > MAX_JOBS, jobs
    by_whom = {record["reserved_by"] for record in jobs.values()}
    assert len(by_whom) > 1, "all jobs were queued by `matscreen launch`"
    assert max(at_once) <= MAX_JOBS
    ended = [record["end"] for record in records(campaign).values()]
    assert set(ended) <= {"done", "idle"}, (records(campaign), cluster.logs())
    wait_until(lambda: not Scheduler("SLURM").jobs())
    assert len(records(campaign)) == len(jobs), "jobs were queued for a finished campaign"
    told = cluster.json("status")
    assert told["finished"]
    assert told["queue_jobs"]["running"] == told["queue_jobs"]["pending"] == 0
    assert told["queue_jobs"]["trouble"] == ""
    assert told["cost"] == 6
    check_no_address(cluster, campaign)


def check_no_address(project: Project, campaign: Campaign) -> None:
    address = Path(project.environment["SCREEN_MONGODB_URI_FILE"]).read_text()
    written = [path.read_text() for path in (project.folder / ".screen" / "logs").iterdir()]
    assert any("sbatch" in text.lower() for text in written)
    assert not any(address in text for text in written)
    assert address not in str(campaign.database.campaigns.find_one({"_id": campaign.name}))


def worker_at_work(campaign: Campaign) -> psutil.Process:
    """Return a worker that computes a candidate now."""
    launch = campaign.database.launchpad.launches.find_one({"state": "RUNNING"})
    return psutil.Process(int(launch["fworker"]["name"].split(":")[1]))


def test_a_cancelled_job_loses_nothing(cluster, toy_campaign):
    def end_of(number: str) -> str | None:
        return {each["job_id"]: each.get("end") for each in records(campaign).values()}[number]

    campaign = toy_campaign(budget=3, batch_size=2)
    wait_until(lambda: starts(cluster))
    worker = worker_at_work(campaign)
    cancelled = worker.environ()["SLURM_JOB_ID"]
    subprocess.run(["scancel", cancelled], check=True)
    wait_until(lambda: not worker.is_running())
    allow(cluster.folder, EVERYTHING)
    wait_until(campaign.is_exhausted)
    check_finished(campaign, cluster, 3)
    assert sum(pick["lost"] for pick in campaign.picks()) >= 1
    wait_until(lambda: end_of(cancelled))
    assert end_of(cancelled) == "signal", cluster.logs()
    assert sum(ends(cluster).values()) == 3


def test_a_killed_job_is_replaced(cluster, toy_campaign):
    """All processes of a job at once, as when its node fails; the last job is started anew."""
    campaign = toy_campaign(budget=2, batch_size=1)
    wait_until(lambda: starts(cluster))
    (number,) = Scheduler("SLURM").jobs()
    subprocess.run(["scancel", "--signal=KILL", "--full", number], check=True)
    wait_until(lambda: not Scheduler("SLURM").jobs())
    _, err = cluster.screen("status")
    assert "no queue job is left; continue with: matscreen launch toy" in err
    allow(cluster.folder, EVERYTHING)
    cluster.screen("launch", "toy")
    wait_until(campaign.is_exhausted)
    check_finished(campaign, cluster, 2)


def test_doctor_tries_the_cluster(cluster, connect):
    out, _ = cluster.screen("doctor", "--queue", "queue.yaml", "--wait-s", 600)
    assert "reached the database" in out
    assert "jobs may queue jobs" in out
    database = connect()
    assert database.checks.count_documents({}) == 0
    assert not Scheduler("SLURM").jobs()
    assert list((cluster.folder / ".screen" / "logs").iterdir()) == []

    cluster.write("nowhere.yaml", **QUEUE, partition="nowhere")
    out, _ = cluster.screen("doctor", "--queue", "nowhere.yaml", status=1)
    assert "sbatch refused" in out
    cluster.write("broken.yaml", **QUEUE, setup=["echo no such module >&2", "exit 3"])
    out, _ = cluster.screen("doctor", "--queue", "broken.yaml", status=1)
    assert "ended without reaching the database; its log ends: no such module" in out
