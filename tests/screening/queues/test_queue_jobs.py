"""How many queue jobs there are, who queues them, and what a queue job does at its end."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import subprocess
import sys
import threading
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from screening.cli import launch as commands
from screening.machine.clock import now
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.queues import driver, planning
from screening.queues import job_records as records_module
from screening.queues.config import QueueConfig
from screening.queues.job_records import queue_state, set_record, store_queue, stored_queue
from screening.queues.planning import jobs_needed, plan, top_up
from screening.running import local_workers
from screening.running.advance import advance
from screening.running.local_workers import UnfitMachineError, run_workers
from screening.running.worker import work
from screening.store.embedded import embedded_server

STARTED = time.time() - 1
"""When a queue job began, while these tests take less than its hour."""
QUEUE = {"q_type": "SLURM", "max_jobs": 3, "walltime": "1:00:00", "reserve_s": 60, "cores": 1}


@pytest.fixture
def machine(tmp_path):
    return Settings(directory=tmp_path / "machine")


@pytest.fixture
def launched(new_campaign):
    """A campaign with its first batch queued and a queue stored."""

    def create(**queue):
        changes = {"budget": 5, "batch_size": 4} | queue.pop("campaign", {})
        campaign = new_campaign("toy-1", **changes)
        store_queue(campaign, QueueConfig.model_validate(QUEUE | queue))
        advance(campaign)
        return campaign

    return create


def records(campaign):
    document = campaign.database.campaigns.find_one({"_id": campaign.name})
    return document["queue"].get("jobs", {})


def ago(seconds):
    return now() - datetime.timedelta(seconds=seconds)


# ------------------------------------------------------------------------------------- how many


@given(st.lists(st.integers(-3, 20), min_size=1, max_size=4), st.integers(-5, 30))
def test_a_plan_keeps_to_the_room_and_to_the_work(counts, room):
    needed = {(str(index),): count for index, count in enumerate(counts)}
    chosen = plan(needed, room)
    wanted = sum(max(count, 0) for count in counts)
    assert len(chosen) == max(0, min(room, wanted))
    assert all(chosen.count(engines) <= max(count, 0) for engines, count in needed.items())


def test_there_are_as_many_jobs_as_work(launched):
    campaign = launched()
    for workers, jobs in ((1, 4), (2, 2), (3, 2), (8, 1)):
        config = QueueConfig.model_validate(QUEUE | {"workers_per_job": workers})
        assert jobs_needed(campaign, config.profiles(["emt"])) == {("emt",): jobs}


def test_there_are_as_many_jobs_as_room(launched, machine, slurm):
    campaign = launched(max_jobs=3)
    assert len(top_up(campaign, machine)) == 3
    assert top_up(campaign, machine) == []
    assert slurm.submitted == 3
    assert {record["job_id"] for record in records(campaign).values()} == set(slurm.jobs)
    state = queue_state(campaign)
    assert (state.pending, state.running) == (3, 0)


def test_other_jobs_of_the_user_count(launched, machine, slurm):
    campaign = launched(max_jobs=3)
    slurm.jobs = {"901": "R", "902": "PD"}
    assert len(top_up(campaign, machine)) == 1
    assert top_up(campaign, machine) == []
    slurm.jobs = {}
    assert records(campaign)
    # The one just submitted is not in the list yet, and counts all the same.
    assert len(top_up(campaign, machine)) == 2


def test_a_campaign_without_work_gets_no_jobs(launched, machine, slurm):
    campaign = launched()
    campaign.set_status("paused")
    assert top_up(campaign, machine) == []
    campaign.set_status("cancelled")
    assert top_up(campaign, machine) == []
    assert slurm.submitted == 0


def test_a_job_that_ends_makes_room_for_its_successor(launched, machine, slurm):
    campaign = launched(max_jobs=1)
    top_up(campaign, machine)
    ((ticket, _),) = records(campaign).items()
    slurm.jobs = {"1": "R"}
    assert top_up(campaign, machine) == []
    set_record(campaign, ticket, ended_at=now(), end="done")
    # The scheduler still lists the job that is about to end.
    assert top_up(campaign, machine) == ["2"]


def test_engines_with_needs_of_their_own_get_jobs_of_their_own(launched, machine, slurm, tmp_path):
    campaign = launched(engines={"better": {"cores": 8, "gpus": 1}})
    better = campaign.engine.model_copy(update={"name": "better", "fidelity": 20})
    campaign.add_stage(better)
    profiles = stored_queue(campaign).profiles(["emt", "better"])
    assert jobs_needed(campaign, profiles) == {("emt",): 4, ("better",): 0}
    campaign.database.launchpad.fireworks.update_one({}, {"$set": {"spec.engine": "better"}})
    assert jobs_needed(campaign, profiles) == {("emt",): 3, ("better",): 1}
    top_up(campaign, machine)
    engines = [record["engines"] for record in records(campaign).values()]
    assert sorted(engines) == [["better"], ["emt"], ["emt"]]
    scripts = [path.read_text() for path in (machine.directory / "logs").glob("*.sh")]
    assert sum("--gpus-per-node=1" in script for script in scripts) == 1


def test_two_who_see_room_at_once_do_not_queue_twice(launched, machine, slurm, connect):
    from screening.campaigns.campaign import Campaign

    launched(max_jobs=3)
    others = [Campaign.open(connect(), "toy-1") for _ in range(6)]
    together = threading.Barrier(len(others))
    errors = []

    def one(campaign):
        together.wait()
        try:
            top_up(campaign, machine)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=[each]) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert slurm.submitted == 3
    assert len(records(others[0])) == 3


# ------------------------------------------------------------------------------- what goes wrong


def test_a_refusal_is_told_and_leaves_no_record(launched, machine, slurm):
    campaign = launched()
    slurm.refuse("sbatch: error: Access/permission denied\n")
    with pytest.raises(ScreenError, match=r"sbatch refused: .*permission denied"):
        top_up(campaign, machine)
    assert records(campaign) == {}
    assert "permission denied" in queue_state(campaign).trouble
    (slurm.folder / "refusal").unlink()
    assert len(top_up(campaign, machine)) == 3
    assert queue_state(campaign).trouble == ""


def test_status_goes_without_the_scheduler(launched, machine, slurm, monkeypatch, screen):
    campaign = launched()
    top_up(campaign, machine)
    monkeypatch.setenv("PATH", "/nowhere")
    state = queue_state(campaign)
    assert (state.pending, state.running) == (None, None)
    answer = screen("status")
    assert answer.status == 0
    assert "SLURM cannot be asked here" in answer.out


def test_what_was_reserved_and_never_submitted_is_forgotten(launched, machine, slurm):
    campaign = launched(max_jobs=2)
    top_up(campaign, machine)
    tickets = list(records(campaign))
    slurm.jobs = {}
    for ticket in tickets:
        set_record(campaign, ticket, reserved_at=ago(planning.RESERVATION_S + 1))
    assert len(top_up(campaign, machine)) == 2
    assert [records(campaign)[ticket]["end"] for ticket in tickets] == ["vanished"] * 2


def test_a_job_that_had_started_and_is_gone_is_replaced_at_once(launched, machine, slurm):
    campaign = launched(max_jobs=1)
    top_up(campaign, machine)
    (ticket,) = records(campaign)
    slurm.jobs = {}
    assert top_up(campaign, machine) == []
    set_record(campaign, ticket, started_at=now())
    assert top_up(campaign, machine) == ["2"]
    assert records(campaign)[ticket]["end"] == "vanished"


def test_jobs_that_keep_failing_are_not_queued_for_ever(launched, machine, slurm):
    campaign = launched(max_jobs=1)
    for _ in range(planning.MAX_FAILED_JOBS):
        assert len(top_up(campaign, machine)) == 1
        slurm.jobs = {}
        running = next(t for t, record in records(campaign).items() if "ended_at" not in record)
        set_record(campaign, running, ended_at=now(), end="failed")
    with pytest.raises(ScreenError, match=r"the last 3 queue jobs .* failed"):
        top_up(campaign, machine)
    assert slurm.submitted == planning.MAX_FAILED_JOBS
    # The user has mended it.
    store_queue(campaign, stored_queue(campaign))
    assert len(top_up(campaign, machine)) == 1


def test_idleness_before_the_last_result_is_no_failure():
    early, late = ago(20), ago(10)
    idle = [{"reserved_at": ago(30), "ended_at": early, "end": "idle"}] * 3
    assert planning.failed_in_a_row(idle, ago(60), None) == 3
    assert planning.failed_in_a_row(idle, ago(60), late) == 0
    assert planning.failed_in_a_row(idle, ago(25), None) == 0
    done = {"reserved_at": ago(30), "ended_at": late, "end": "done"}
    assert planning.failed_in_a_row([*idle, done], ago(60), None) == 0


def test_old_records_are_dropped(launched, machine, slurm, monkeypatch):
    monkeypatch.setattr(records_module, "KEPT_RECORDS", 2)
    campaign = launched(max_jobs=1)
    for _ in range(5):
        top_up(campaign, machine)
        slurm.jobs = {}
        running = next(t for t, record in records(campaign).items() if "ended_at" not in record)
        set_record(campaign, running, ended_at=now(), end="done")
    assert len(records(campaign)) == 3


# ------------------------------------------------------------------------------------- commands


def queue_file(folder, **fields):
    path = folder / "queue.yaml"
    path.write_text(yaml.safe_dump(QUEUE | fields))
    return path


def test_launch_queues_jobs_and_remembers_the_queue(screen, new_campaign, slurm, tmp_path):
    new_campaign("mine", budget=2)
    answer = screen("launch", "mine")
    assert answer.status == 2
    assert "--queue" in answer.err
    shown = screen("launch", "mine", "--queue", queue_file(tmp_path), "--dry-run")
    assert shown.out.startswith("#!/bin/bash")
    assert "mongodb" not in shown.out.lower()
    assert slurm.submitted == 0
    answer = screen("launch", "mine", "--queue", queue_file(tmp_path))
    assert answer.status == 0, answer.err
    assert "2 jobs queued: 1, 2" in answer.err
    assert screen("launch", "mine").status == 0
    assert slurm.submitted == 2
    assert screen("pause", "mine").status == 0
    assert "paused" in screen("launch", "mine").err


def test_the_queue_is_full_of_other_jobs(screen, new_campaign, slurm, tmp_path):
    new_campaign("mine", budget=2)
    slurm.jobs = {str(number): "R" for number in range(3)}
    answer = screen("launch", "mine", "--queue", queue_file(tmp_path))
    assert answer.status == 0
    assert "your other jobs are as many as max_jobs allows (3)" in answer.err


def test_status_tells_of_the_queue_and_the_pace(screen, new_campaign, slurm, tmp_path, work):
    campaign = new_campaign("mine", budget=3)
    answer = screen("status", "mine")
    assert "expected end" in answer.out
    assert "unknown" in answer.out
    assert "queue jobs" not in answer.out
    screen("launch", "mine", "--queue", queue_file(tmp_path))
    slurm.jobs = {"1": "R", "2": "PD"}
    assert "1 running, 1 pending (SLURM)" in screen("status").out
    slurm.jobs = {}
    assert "matscreen launch mine" in screen("status").err
    work(campaign)
    told = json.loads(screen("status", "--format", "json").out)
    assert (told["cost"], told["cost_unit"]) == (3, "force calls")
    assert told["lost"] == told["retried"] == 0
    assert told["queue_jobs"]["scheduler"] == "SLURM"
    assert told["expected_end"] is None


def test_pace_is_of_the_last_finishes():
    from screening.campaigns.throughput import candidates_per_hour

    moment = now()
    picks = [{"finished_at": moment - datetime.timedelta(minutes=m)} for m in (60, 30, 0)]
    assert candidates_per_hour(picks, moment) == pytest.approx(2)
    assert candidates_per_hour(picks, None) == pytest.approx(2)
    later = moment + datetime.timedelta(hours=3)
    assert candidates_per_hour(picks, later) == pytest.approx(0.5)
    assert candidates_per_hour(picks[:1], moment) is None


def test_init_writes_a_queue_once(screen, tmp_path):
    assert "--cluster" in screen("init").err
    options = ("--scheduler", "slurm", "--partition", "short", "--account", "proj")
    answer = screen("init", "--cluster", *options, "--walltime", "0:30:00", "--cores", 8)
    assert answer.status == 0, answer.err
    from screening.queues.config import load_queue_config

    made = load_queue_config("queue.yaml")
    assert (made.partition, made.account, made.cores, made.reserve_s) == ("short", "proj", 8, 900)
    again = screen("init", "--cluster")
    assert again.status == 2
    assert "queue.yaml' exists" in again.err
    wrong = screen("init", "--cluster", "--walltime", "soon", "--output", "other.yaml")
    assert wrong.status == 2
    assert "--walltime: expected H:MM:SS" in wrong.err
    assert not (tmp_path / "other.yaml").exists()
    sge = screen("init", "--cluster", "--scheduler", "sge", "--output", "sge.yaml")
    assert sge.status == 0, sge.err


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self):
        return True


def test_init_asks_again_for_an_answer_that_cannot_be(screen, monkeypatch):
    typed = [
        "lsf",
        "sge",
        "",
        "a b",
        "ab123",
        "soon",
        "1:30",
        "0:20:00",
        "many",
        "6",
        "0",
        "1",
        "2",
    ]
    monkeypatch.setattr("sys.stdin", Terminal("".join(f"{each}\n" for each in typed)))
    answer = screen("init", "--cluster")
    assert answer.status == 0, answer.err
    refusals = [line.partition("Error: ")[2] for line in answer.err.splitlines() if "Error" in line]
    said = ["'SLURM', 'PBS' or 'SGE'", "use letters", "expected H:MM", "expected H:MM", "integer"]
    assert len(refusals) == len(said)
    for line, part in zip(refusals, said, strict=True):
        assert part in line
    from screening.queues.config import load_queue_config

    made = load_queue_config("queue.yaml")
    assert (made.q_type, made.partition, made.account) == ("SGE", None, "ab123")
    assert (made.walltime, made.reserve_s, made.cores, made.max_jobs) == ("0:20:00", 600, 6, 2)


def test_an_option_that_cannot_be_is_refused_before_anything_is_asked(
    screen, monkeypatch, tmp_path
):
    monkeypatch.setattr("sys.stdin", Terminal(""))
    answer = screen("init", "--cluster", "--account", "a b")
    assert answer.status == 2
    assert answer.err.startswith("error: --account: use letters, digits and")
    assert answer.err.endswith("as 'ab123', not 'a b'\n")
    answer = screen("init", "--cluster", "--output", tmp_path / "nowhere" / "queue.yaml")
    assert (answer.status, "cannot write into folder" in answer.err) == (2, True)


@pytest.fixture
def embedded(screen, monkeypatch, tmp_path):
    """Have no MongoDB but the folder's own, which all commands of the test share."""
    monkeypatch.delenv("SCREEN_MONGODB_URI")
    with embedded_server(tmp_path / ".screen"):
        yield


def test_a_dry_run_prints_the_script_though_nodes_cannot_reach_the_database(
    screen, embedded, slurm, tmp_path
):
    from campaign_fixtures import toy_content, write_cifs

    target = tmp_path / "toy.yaml"
    crystals = str(write_cifs(tmp_path / "crystals", 2))
    target.write_text(yaml.safe_dump(toy_content(sources=[crystals])))
    assert screen("submit", "--target", target, "--name", "mine").status == 0
    answer = screen("launch", "mine", "--queue", queue_file(tmp_path), "--dry-run")
    assert answer.status == 0, answer.err
    assert answer.out.startswith("#!/bin/bash")
    assert "warning: as things are, these jobs would fail: jobs on other machines" in answer.err
    answer = screen("launch", "mine", "--queue", queue_file(tmp_path))
    assert (answer.status, answer.out) == (2, "")
    assert "give --embedded" in answer.err
    assert slurm.submitted == 0
    # The doctor goes on with what can be tried, and names no option that it has not.
    answer = screen("doctor", "--queue", queue_file(tmp_path), "--format", "json")
    found = [each for each in json.loads(answer.out) if each["name"] == "queue"]
    assert answer.status == 1
    assert [each["ok"] for each in found] == [False, True, True]
    assert "name a MongoDB in SCREEN_MONGODB_URI_FILE" in found[0]["found"]
    assert "`matscreen launch --embedded`" in found[0]["found"]
    assert "SLURM answers" in found[1]["found"]
    assert "script of a job can be written; no job was submitted" in found[2]["found"]
    assert slurm.submitted == 0


def test_doctor_says_that_the_job_never_came(screen, slurm, tmp_path, database):
    answer = screen("doctor", "--queue", queue_file(tmp_path), "--wait-s", 1.5)
    assert answer.status == 1
    assert "job 1 is pending after 1.5 s" in answer.out
    assert slurm.jobs == {}
    assert list((tmp_path / ".screen" / "logs").iterdir()) == []


# ------------------------------------------------------------------------------ inside the job


def test_no_job_is_taken_after_its_time(new_campaign, tmp_path):
    campaign = new_campaign(budget=2)
    work(campaign.database, campaign.name, tmp_path, stop_at=time.time())
    assert [pick["state"] for pick in campaign.picks()] == ["queued", "queued"]
    work(campaign.database, campaign.name, tmp_path, stop_at=time.time() + 600)
    assert campaign.is_exhausted()


def test_a_worker_runs_the_jobs_of_its_engines(new_campaign, tmp_path):
    campaign = new_campaign(budget=2)
    campaign.database.launchpad.fireworks.update_many({}, {"$set": {"spec.engine": "other"}})
    work(campaign.database, campaign.name, tmp_path, engines=["emt"], stop_at=time.time() + 600)
    assert campaign.is_exhausted()
    from screening.running.worker import engines_here

    assert engines_here(campaign, ["emt"]) == ["emt"]


@pytest.fixture
def fake_worker(monkeypatch, tmp_path):
    """Put a program in the place of the worker: it writes one line a start."""
    starts = tmp_path / "starts"
    starts.write_text("")
    monkeypatch.setattr(local_workers, "POLL_S", 0.02)

    def install(code: str):
        program = (
            "import os, sys",
            f"log = open({str(starts)!r}, 'a')",
            "print(os.environ.get('CUDA_VISIBLE_DEVICES'), file=log, flush=True)",
            code,
        )
        (tmp_path / "fake.py").write_text("\n".join(program))
        real = subprocess.Popen

        def start(command, **kwargs):
            return real([sys.executable, "-S", str(tmp_path / "fake.py")], **kwargs)

        monkeypatch.setattr(local_workers.subprocess, "Popen", start)
        return starts

    return install


def test_workers_that_die_are_started_again_so_many_times(new_campaign, machine, fake_worker):
    starts = fake_worker("os.abort()")
    with pytest.raises(ScreenError, match="no worker could run"):
        run_workers(new_campaign(), machine, 2, restarts=3)
    assert len(starts.read_text().splitlines()) == 5


def test_a_worker_that_died_once_goes_on(new_campaign, machine, fake_worker):
    once = str(machine.directory / "once")
    code = f"first = not os.path.exists({once!r})\nopen({once!r}, 'w')"
    starts = fake_worker(f"{code}\nif first: os.kill(os.getpid(), 9)")
    seen = []
    run_workers(new_campaign(), machine, 1, restarts=3, on_start=seen.append)
    assert len(starts.read_text().splitlines()) == len(seen) == 2


def test_a_worker_that_dies_before_anybody_looks_is_started_again(
    new_campaign, machine, fake_worker, monkeypatch
):
    once = str(machine.directory / "once")
    starts = fake_worker(
        f"first = not os.path.exists({once!r})\nopen({once!r}, 'w')\n"
        "if first: os.kill(os.getpid(), 9)"
    )
    start = local_workers._start

    def started_and_dead(*arguments):
        process = start(*arguments)
        process.wait()
        return process

    monkeypatch.setattr(local_workers, "_start", started_and_dead)
    run_workers(new_campaign(), machine, 1, restarts=3)
    assert len(starts.read_text().splitlines()) == 2


def test_an_unfit_machine_is_left(new_campaign, machine, fake_worker):
    starts = fake_worker(f"sys.exit({os.EX_TEMPFAIL})")
    with pytest.raises(UnfitMachineError, match="cannot be used"):
        run_workers(new_campaign(), machine, 2, restarts=3)
    assert len(starts.read_text().splitlines()) == 2


def test_workers_share_the_gpus(new_campaign, machine, fake_worker, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    starts = fake_worker("")
    run_workers(new_campaign(), machine, 3)
    assert sorted(starts.read_text().split()) == ["4", "4", "7"]


@pytest.fixture
def in_a_job(launched, machine, slurm, monkeypatch, work):
    """Run the driver of the campaign's first queue job, with workers that are a function."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")

    def run(workers, started=None, **queue):
        campaign = launched(**queue)
        top_up(campaign, machine)
        ticket = next(iter(records(campaign)))

        def stand_in(campaign, settings, count, on_poll, *, on_start, **options):
            on_start(os.getpid())
            workers(campaign, on_poll, options)

        monkeypatch.setattr(driver, "run_workers", stand_in)
        start = STARTED if started is None else started
        with contextlib.suppress(SystemExit):
            driver.drive(campaign.database, machine, campaign.name, ticket, start)
        return campaign, records(campaign)[ticket]

    return run


def test_a_job_whose_time_is_over_queues_its_successor(in_a_job, slurm, tmp_path):
    def some_work(campaign, on_poll, options):
        assert options["stop_at"] == STARTED + 3600 - 60
        assert options["engines"] == ["emt"]
        launches = campaign.database.launchpad.launches
        launches.insert_one({"fworker": {"name": driver.name_of(os.getpid())}, "state": "RUNNING"})

    campaign, record = in_a_job(some_work, max_jobs=1)
    assert record["end"] == "done"
    assert slurm.submitted == 2
    assert record["started_at"] <= record["ended_at"]
    assert len(records(campaign)) == 2


def test_a_finished_campaign_gets_no_successor(in_a_job, slurm, tmp_path):
    campaign, record = in_a_job(
        lambda campaign, on_poll, options: work(campaign.database, campaign.name, tmp_path / "jobs")
    )
    assert campaign.is_exhausted()
    assert record["end"] == "done"
    assert slurm.submitted == 3


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (UnfitMachineError("disk full"), "unfit"),
        (ScreenError("no worker could run"), "failed"),
        (SystemExit(143), "signal"),
    ],
)
def test_a_job_that_went_wrong_queues_no_successor(in_a_job, slurm, error, end):
    def broken(campaign, on_poll, options):
        raise error

    campaign, record = in_a_job(broken, max_jobs=1)
    assert record["end"] == end
    assert slurm.submitted == 1
    if end != "signal":
        assert str(error) in queue_state(campaign).trouble


def test_a_job_with_nothing_to_do_ends(in_a_job, slurm, monkeypatch):
    monkeypatch.setattr(driver, "LOOK_S", 0)

    def idle(campaign, on_poll, options):
        for _ in range(40):
            on_poll()
            time.sleep(0.1)
        raise AssertionError("it never ended")

    _, record = in_a_job(idle, idle_s=1)
    assert record["end"] == "idle"


def test_a_job_ends_in_order_before_its_walltime(in_a_job, slurm, monkeypatch):
    def busy(campaign, on_poll, options):
        on_poll()
        raise AssertionError("it never ended")

    late = time.time() - 3600 + driver.END_MARGIN_S - 1
    _, record = in_a_job(busy, started=late)
    assert record["end"] in ("done", "idle")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(STARTED) + 7200))
    assert driver.end_of_job(0, record) == int(STARTED) + 7200


def test_the_daemon_outlives_a_scheduler_that_is_away(screen, new_campaign, slurm, tmp_path):
    campaign = new_campaign("mine", budget=2)
    slurm.refuse("sbatch: error: Unable to contact slurm controller\n")
    assert screen("launch", "mine", "--queue", queue_file(tmp_path)).status == 2
    # The first look is a command's like any other; this one is in the middle.
    store_queue(campaign, stored_queue(campaign))
    assert queue_state(campaign).trouble == ""

    def come_back():
        try:
            while not queue_state(campaign).trouble:
                time.sleep(0.05)
            (slurm.folder / "refusal").unlink()
            while slurm.submitted < 2:
                time.sleep(0.05)
        finally:
            campaign.set_status("paused")  # else the daemon would never end

    thread = threading.Thread(target=come_back, daemon=True)
    thread.start()
    commands._keep_up(campaign, Settings(), 0.1)
    thread.join()
    assert slurm.submitted == 2


def test_a_driver_that_may_not_queue_says_what_to_do(in_a_job, slurm, capsys):
    def refused(campaign, on_poll, options):
        slurm.refuse("sbatch: error: batch submission from compute nodes is disabled\n")

    campaign, _ = in_a_job(refused, max_jobs=1)
    said = capsys.readouterr().err
    assert "submission from compute nodes is disabled" in said
    assert "matscreen launch toy-1 --daemon" in said
    assert "disabled" in queue_state(campaign).trouble
