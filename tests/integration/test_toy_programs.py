"""Programs that are killed, stopped and run side by side; the physics is a toy."""

from __future__ import annotations

import json
import signal

import psutil
import pytest
from project_folder import TIMEOUT_S, family, kill_family, wait_until
from toy_flow import allow, diary

BUDGET = 6
EVERYTHING = 1000
SUBMIT = ("submit", "--target", "toy.yaml", "--name", "toy", "--wait")
SLOW = {"steps": 2, "seconds": 0.4}
GATED = {"steps": 2, "gated": True}
"""Steps end when the test lets them, so that programs can be killed while they run."""


def results(database):
    return {each["_id"]: each for each in database.results.find()}


def finished(database):
    return database.picks.count_documents({"state": "computed"})


def check_finished(project, database, before=None):
    """Check that the budget was met exactly, nothing computed twice and nothing lost."""
    picks = list(database.picks.find())
    assert sorted(pick["number"] for pick in picks) == list(range(1, BUDGET + 1))
    assert len({pick["candidate_id"] for pick in picks}) == BUDGET
    assert {pick["state"] for pick in picks} == {"computed"}, (picks, project.logs())
    after = results(database)
    assert sorted(each["candidate_id"] for each in after.values()) == sorted(
        pick["candidate_id"] for pick in picks
    )
    for key, result in (before or {}).items():
        assert after[key] == result
    assert database.launchpad.workflows.count_documents({}) == 0
    return picks


def starts(project):
    return [event for event in diary(project.folder).elements() if event[0] == "start"]


def ends(project):
    return {formula: n for (event, formula), n in diary(project.folder).items() if event == "end"}


@pytest.mark.slow
def test_killed_programs_lose_nothing(project):
    project.write_toy(budget=BUDGET, batch_size=3, recipe=GATED)
    allow(project.folder, 1)
    first = project.start(*SUBMIT, "--workers", 2)
    wait_until(lambda: project.server() is not None and ends(project), first)
    with project.database() as database:
        wait_until(lambda: finished(database) >= 1, first)
        workers = [each for each in family(first) if each.pid != first.pid]
        assert len(workers) == 2
        # The parent alone: its workers see it and die.
        first.kill()
        first.communicate()
        assert psutil.wait_procs(workers, timeout=TIMEOUT_S)[1] == []
        before = results(database)
        started = len(starts(project))

        # One of two workers may have let a second candidate finish.
        allow(project.folder, 3)
        second = project.start("work", "toy", "--workers", 2)
        wait_until(lambda: finished(database) >= 3 and len(starts(project)) > started, second)
        # All at once, while jobs run.
        kill_family(second)
        between = results(database)
        assert before.items() <= between.items()
        assert len(between) < BUDGET

        allow(project.folder, EVERYTHING)
        assert project.screen("work", "toy", "--workers", 2)[0] == ""
        check_finished(project, database, between)
        # Only what had ended when the kill came, and was not yet taken in, may have run again.
        assert sum(ends(project).values()) - BUDGET <= 4


def test_one_worker_killed_of_two_is_no_loss(project):
    project.write_toy(budget=BUDGET, batch_size=3, recipe=GATED)
    program = project.start(*SUBMIT, "--workers", 2)
    wait_until(lambda: len(starts(project)) >= 2, program)
    worker = next(each for each in family(program) if "screening.running.worker" in each.cmdline())
    worker.kill()
    # Opened while the program has its server: it need not be started once more.
    with project.database() as database:
        allow(project.folder, EVERYTHING)
        project.finish(program)
        check_finished(project, database)


@pytest.mark.slow
def test_two_programs_side_by_side_share_the_work(project):
    project.write_toy(budget=BUDGET, batch_size=3, refill_below=2, recipe=SLOW)
    project.here("submit", "--target", "toy.yaml", "--name", "toy")
    programs = [project.start("work", "toy", "--workers", 1) for _ in range(2)]
    wait_until(lambda: ends(project), programs[0])
    # Others may look meanwhile; nothing but the answer is on stdout.
    out, err = project.screen("rank", "--format", "json")
    assert json.loads(out)[0] is not None
    assert err == ""
    assert project.json("status")["running"] is not None
    for program in programs:
        project.finish(program)
    assert project.server() is None
    with project.database() as database:
        check_finished(project, database)
        assert set(ends(project).values()) == {1}
    assert "Traceback" not in project.logs()


@pytest.mark.slow
def test_signals_stop_cleanly_and_work_goes_on(project):
    project.write_toy(budget=BUDGET, batch_size=3, recipe=GATED)
    before = {}
    for count, command, number, status in (
        (1, SUBMIT, signal.SIGINT, 130),
        (2, ("work", "toy"), signal.SIGTERM, 143),
    ):
        seen = len(starts(project))
        allow(project.folder, count)
        program = project.start(*command, "--workers", 1)
        wait_until(lambda seen=seen: len(starts(project)) > seen, program)
        wait_until(lambda count=count: sum(ends(project).values()) >= count, program)
        members = family(program)
        program.send_signal(number)
        out, err = project.finish(program, status)
        assert out == ""
        if number == signal.SIGINT:
            assert "matscreen work toy" in err
        assert psutil.wait_procs(members, timeout=TIMEOUT_S)[1] == []
        assert project.server() is None
        with project.database() as database:
            assert before.items() <= results(database).items()
            before = results(database)
    allow(project.folder, EVERYTHING)
    assert project.screen("work", "--workers", 1)[0] == ""
    with project.database() as database:
        check_finished(project, database, before)
        # Being stopped is no failure of the candidate.
        assert {pick["attempts"] for pick in database.picks.find()} == {1}


@pytest.mark.slow
def test_the_server_may_be_killed_between_commands(project):
    project.write_toy(budget=2, batch_size=2)
    project.screen("submit", "--target", "toy.yaml", "--name", "toy")
    assert project.server() is None  # it has stopped with its last client
    with project.database():
        server = project.server()
        before = project.json("rank")
        assert project.server() == server
        assert server.is_running()
        server.kill()
        server.wait()
        assert project.json("rank") == before
        assert project.json("status")["budget"] == 2


@pytest.mark.slow
def test_killing_the_server_under_a_running_program_loses_nothing(project):
    project.write_toy(budget=BUDGET, batch_size=3, recipe=GATED)
    allow(project.folder, 2)
    program = project.start(*SUBMIT, "--workers", 1)
    wait_until(lambda: sum(ends(project).values()) >= 2, program)
    wait_until(lambda: project.server() is not None, program)
    project.server().kill()
    allow(project.folder, EVERYTHING)
    _, err = program.communicate(timeout=TIMEOUT_S)
    assert program.returncode not in (0, None)
    assert "Traceback" not in err
    project.screen("work", "toy")
    with project.database() as database:
        check_finished(project, database)


def test_a_worker_that_cannot_run_is_reported(project):
    project.write_toy(budget=2, batch_size=1)
    project.environment["PYTHONPATH"] = "/nowhere"
    # Held open, so that its server starts once.
    with project.database():
        project.here("submit", "--target", "toy.yaml", "--name", "toy")
        _, err = project.screen("work", "toy", "--workers", 2, status=2)
    assert err.strip().splitlines()[-1].startswith("error: ")
