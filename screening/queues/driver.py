"""The program of a queue job: it runs workers, and queues the jobs that come after it.

Started by the job's script as ``python -m screening.queues.driver CAMPAIGN TICKET``; the ticket
names the job's record in the campaign's document.  No program has to run on the login node.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from screening.campaigns.campaign import Campaign
from screening.campaigns.competitors import waiting_for
from screening.machine.clock import now
from screening.machine.process_names import name_of
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.messages.stderr import say
from screening.queues.config import seconds_of
from screening.queues.job_records import End, note_trouble, record_of, set_record
from screening.queues.planning import last_finish, top_up
from screening.running.local_workers import UnfitMachineError, run_workers
from screening.store.database import open_database
from screening.store.database_retry import with_retry

if TYPE_CHECKING:
    from screening.store.database import Database

END_MARGIN_S = 30.0
"""Time before the walltime at which running jobs are given up, so that the queue job ends in order
(s)."""
RESTARTS = 3
"""Times that a worker which died is started again, for each worker of a job."""
LEASE_WAIT_S = 150.0
"""Time for which a queue job that ends waits for the campaign's lease (s)."""
LOOK_S = 5.0
"""Time between two looks whether the workers run a job (s)."""
JOB_NUMBERS = ("SLURM_JOB_ID", "PBS_JOBID", "JOB_ID")
"""Environment variables in which schedulers tell a job its number."""


class _EndOfJobError(Exception):
    """The queue job shall end now; its workers are killed."""


class _Watch:
    """Decides when a queue job ends, and queues more, while its workers run.

    Parameters
    ----------
    ends_at
        Time at which the scheduler ends the job, in seconds since the epoch.
    """

    def __init__(
        self, campaign: Campaign, settings: Settings, record: dict[str, Any], ends_at: float
    ) -> None:
        self._campaign = campaign
        self._settings = settings
        self._poll_s, self._idle_s = record["poll_s"], record["shape"]["idle_s"]
        self._give_up_at = ends_at - END_MARGIN_S
        self._looked_at = self._topped_up_at = self._busy_at = time.time()
        self._workers: list[str] = []
        self._worked = False
        self._started_at = now()

    def on_start(self, pid: int) -> None:
        """Note the process of a worker."""
        with contextlib.suppress(ProcessLookupError):
            self._workers.append(name_of(pid))

    def on_poll(self) -> None:
        """Raise `_EndOfJobError` when the job shall end; to be called about once a second."""
        moment = time.time()
        if moment >= self._give_up_at:
            raise _EndOfJobError("the walltime is over; what still runs is left to another job")
        if moment < self._looked_at + LOOK_S:
            return
        self._looked_at = moment
        try:
            if self.look():
                self._busy_at = moment
            if moment >= self._topped_up_at + self._poll_s:
                self._topped_up_at = moment
                _top_up(self._campaign, self._settings)
        except PyMongoError as error:
            say(f"the database did not answer ({type(error).__name__})")
            return
        if moment >= self._busy_at + self._idle_s:
            raise _EndOfJobError(f"nothing to run for {self._idle_s} s")

    def look(self) -> bool:
        """Return whether a worker of this queue job runs a job now."""
        states = self._campaign.queue.states_of_runs(self._workers)
        self._worked = self._worked or bool(states)
        return "RUNNING" in states

    def has_worked(self) -> bool:
        """Return whether workers of this queue job have run a job, as far as can be told."""
        self.look()
        # A finished candidate leaves no trace of its worker: any that has finished since counts.
        finished_at = last_finish(self._campaign)
        return self._worked or (finished_at or self._started_at) > self._started_at


def drive(database: Database, settings: Settings, name: str, ticket: str, started: float) -> End:
    """Run the workers of one queue job, then queue its successors; return how it ended.

    Parameters
    ----------
    started
        Time at which the job began.
    """
    campaign = Campaign.open(database, name)
    record = record_of(campaign, ticket)
    shape = record["shape"]
    number = next(filter(None, map(os.environ.get, JOB_NUMBERS)), "")
    set_record(
        campaign,
        ticket,
        job_id=number.partition(".")[0] or record.get("job_id"),
        machine=platform.node(),
        started_at=now(),
        # Killed with its machine, a job may be run again by the scheduler.
        ended_at=None,
        end=None,
    )
    ends_at = end_of_job(started, record)
    watch = _Watch(campaign, settings, record, ends_at)
    end: End = "failed"
    try:
        end = _run(campaign, settings, watch, record, ticket, ends_at - shape["reserve_s"])
    except SystemExit:
        end = "signal"
        raise
    finally:
        say(f"queue job ended: {end}")
        until = min(time.time() + LEASE_WAIT_S, ends_at - 5)
        # First the record: a job that has ended is not counted when its successors are planned.
        with_retry(set_record, campaign, ticket, ended_at=now(), end=end)
        with_retry(_leave, campaign, settings, end, until)
    return end


def end_of_job(started: float, record: dict[str, Any]) -> float:
    """Return when the scheduler ends this job, in seconds since the epoch."""
    # Slurm states it since version 23; an administrator may have changed the walltime of the job.
    stated = os.environ.get("SLURM_JOB_END_TIME", "")
    return float(stated) if stated.isdigit() else started + seconds_of(record["shape"]["walltime"])


def _run(
    campaign: Campaign,
    settings: Settings,
    watch: _Watch,
    record: dict[str, Any],
    ticket: str,
    stop_at: float,
) -> End:
    workers = record["shape"]["workers_per_job"]
    try:
        run_workers(
            campaign,
            settings,
            workers,
            watch.on_poll,
            stop_at=stop_at,
            engines=record["engines"],
            restarts=RESTARTS * workers,
            log_name=f"{campaign.name}-{ticket}",
            on_start=watch.on_start,
        )
    except _EndOfJobError as reason:
        say(str(reason))
    except ScreenError as error:
        say(str(error))
        note_trouble(campaign, str(error))
        return "unfit" if isinstance(error, UnfitMachineError) else "failed"
    return "done" if watch.has_worked() else "idle"


def _leave(campaign: Campaign, settings: Settings, end: End, until: float) -> None:
    """Advance the campaign once more, and queue the jobs that come after this one."""
    from screening.running.advance import advance

    # Runs that its workers left are put back at once: on this machine they are seen to be dead.
    while not advance(campaign) and time.time() < until:
        time.sleep(1)
    # A job stopped from outside ends as the user wanted; one that failed would fail again.
    if end in ("done", "idle"):
        _top_up(campaign, settings)
        waiting = waiting_for(campaign)
        if waiting is not None:
            _top_up(waiting, settings)


def _top_up(campaign: Campaign, settings: Settings) -> None:
    try:
        numbers = top_up(campaign, settings)
    except ScreenError as error:
        say(
            f"no further job could be queued from here: {error}; where jobs may not queue jobs, "
            f"run on the login node: matscreen launch {campaign.name} --daemon"
        )
        return
    for number in numbers:
        say(f"queued job {number}")


def _stop(received: int, _: object) -> None:
    # A second signal must not interrupt the end in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + received)


def main() -> None:
    """Run as the one command of a queue job."""
    name, ticket = sys.argv[1:]
    signal.signal(signal.SIGTERM, _stop)
    settings = Settings()
    try:
        with open_database(settings, must_exist=True) as database:
            started = float(os.environ.get("SCREEN_JOB_STARTED", time.time()))
            end = drive(database, settings, name, ticket, started)
    except ScreenError as error:
        say(f"error: {error}")
        sys.exit(2)
    sys.exit(0 if end in ("done", "idle") else 1)


if __name__ == "__main__":
    main()
