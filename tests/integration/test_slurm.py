"""Campaigns on a real Slurm: nobody but the queue jobs themselves drives them.

`make test-slurm` starts a Slurm of one node where none is running.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from project_folder import Project, wait_until
from test_toy_programs import ends, starts

from screening.campaign import Campaign
from screening.queues.adapter import Scheduler

pytestmark = pytest.mark.slurm
MAX_JOBS = 2
QUEUE = {
    "q_type": "SLURM",
    "max_jobs": MAX_JOBS,
    "poll_s": 2,
    # No new candidate after half a minute: a campaign needs several generations of jobs.
    "walltime": "0:01:30",
    "reserve_s": 60,
    "idle_s": 30,
    "environment": ["PYTHONPATH"],
}


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
    wait_until(lambda: not Scheduler("SLURM").jobs())


@pytest.fixture
def toy_campaign(toy, cluster, connect):
    """Submit and launch a toy campaign; give what the database holds of it."""

    def start(**changes) -> Campaign:
        cluster.write_toy(**changes)
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
    assert states == {"measured"}, (picks, records(campaign), project.logs())
    # To lose a worker is no failure of the candidate.
    assert {pick["attempts"] for pick in picks} == {1}
    # The last result is stored before its workflow is taken off the queue.
    wait_until(lambda: campaign.database.launchpad.workflows.count_documents({}) == 0)


def test_a_campaign_launched_once_finishes_by_itself(cluster, toy_campaign):
    at_once: list[int] = []
    campaign = toy_campaign(budget=8, batch_size=4, recipe={"steps": 2, "seconds": 3})

    def finished() -> bool:
        listed = Scheduler("SLURM").jobs()
        # A job that is about to end has queued its successor already.
        leaving = {each["job_id"] for each in records(campaign).values() if "ended_at" in each}
        at_once.append(len(listed.keys() - leaving))
        time.sleep(0.5)
        return campaign.is_exhausted()

    shown = cluster.screen("status")[0]
    assert "2 running" in shown or "pending (SLURM)" in shown
    wait_until(finished)
    check_finished(campaign, cluster, 8)
    # A generation is what one job queued; its own job number tells who did.
    jobs = records(campaign)
    wait_until(lambda: all("ended_at" in record for record in records(campaign).values()))
    assert len(jobs) > MAX_JOBS, jobs
    by_whom = {record["reserved_by"] for record in jobs.values()}
    assert len(by_whom) > 1, "all jobs were queued by `screen launch`"
    assert max(at_once) <= MAX_JOBS
    ended = [record["end"] for record in records(campaign).values()]
    assert set(ended) <= {"done", "workless"}, (records(campaign), cluster.logs())
    wait_until(lambda: not Scheduler("SLURM").jobs())
    assert len(records(campaign)) == len(jobs), "jobs were queued for a finished campaign"
    told = cluster.json("status")
    assert told["finished"]
    assert told["queue_jobs"]["running"] == told["queue_jobs"]["pending"] == 0
    assert told["queue_jobs"]["trouble"] == ""
    assert told["force_calls"] == 8
    check_no_address(cluster, campaign)


def check_no_address(project: Project, campaign: Campaign) -> None:
    address = Path(project.environment["SCREEN_MONGODB_URI_FILE"]).read_text()
    written = [path.read_text() for path in (project.folder / ".screen" / "logs").iterdir()]
    assert any("sbatch" in text.lower() for text in written)
    assert not any(address in text for text in written)
    assert address not in str(campaign.database.campaigns.find_one({"_id": campaign.name}))


def job_at_work(campaign: Campaign) -> str:
    """Return the number of a queue job that computes a candidate now."""
    launch = campaign.database.launchpad.launches.find_one({"state": "RUNNING"})
    pid = int(launch["fworker"]["name"].split(":")[1])
    return psutil.Process(pid).environ()["SLURM_JOB_ID"]


def test_a_cancelled_job_loses_nothing(cluster, toy_campaign):
    campaign = toy_campaign(budget=3, batch_size=2, recipe={"seconds": 4})
    wait_until(lambda: starts(cluster))
    cancelled = job_at_work(campaign)
    subprocess.run(["scancel", cancelled], check=True)
    wait_until(campaign.is_exhausted)
    check_finished(campaign, cluster, 3)
    assert sum(pick["lost"] for pick in campaign.picks()) >= 1
    ended = {record["job_id"]: record.get("end") for record in records(campaign).values()}
    assert ended[cancelled] == "signal", (ended, cluster.logs())
    assert sum(ends(cluster).values()) == 3


def test_a_killed_job_is_replaced(cluster, toy_campaign):
    """All processes of a job at once, as when its node fails; the last job is started anew."""
    campaign = toy_campaign(budget=2, batch_size=1, recipe={"seconds": 6})
    wait_until(lambda: starts(cluster))
    (number,) = Scheduler("SLURM").jobs()
    subprocess.run(["scancel", "--signal=KILL", "--full", number], check=True)
    wait_until(lambda: not Scheduler("SLURM").jobs())
    _, err = cluster.screen("status")
    assert "no queue job is left; go on with: screen launch toy" in err
    cluster.screen("launch", "toy")
    wait_until(campaign.is_exhausted)
    check_finished(campaign, cluster, 2)


def test_doctor_tries_the_cluster(cluster, connect):
    out, _ = cluster.screen("doctor", "--queue", "queue.yaml", "--wait-s", 90)
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
