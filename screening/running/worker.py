"""A worker process: advance the campaign, run one job, again, until there is nothing left.

Started as ``python -m screening.running.worker CAMPAIGN FOLDER``.  It may be killed at any moment:
the job that it was running is found lost and run again.  A worker also ends when the program that
started it does: the pipe on its standard input is closed then.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from screening.campaigns.campaign import Campaign
from screening.machine.process_names import this_process
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.messages.stderr import say
from screening.running.advance import advance
from screening.running.picks import count_loss
from screening.store.database import open_database
from screening.store.database_retry import EX_TEMPFAIL, with_retry
from screening.store.job_queue import give_back
from screening.store.outbox import DISK_FULL, Outbox
from screening.targets.engines import require_engine

if TYPE_CHECKING:
    from screening.store.database import Database
    from screening.store.safe_launchpad import SafeLaunchPad

IDLE_S = (0.2, 5.0)
"""Shortest and longest wait when there is nothing to run but other workers still work."""
THOROUGH_AFTER_S = 10.0
"""Time after which a worker looks again for what a crash left, and predicts anew for readers (s):
short jobs need not wait for it each time."""


def work(
    database: Database,
    name: str,
    folder: Path,
    *,
    engines: Collection[str] = (),
    stop_at: float | None = None,
) -> None:
    """Run a campaign's jobs until it is exhausted, paused or cancelled.

    Parameters
    ----------
    folder
        Each job gets a directory of its own below it, and results wait in its ``outbox``.
    engines
        Engines whose jobs are run; all engines of the campaign when empty.
    stop_at
        Time, in seconds since the epoch, from which on no new job is taken.
    """
    # First of all: it names FireWorks' settings file, which is read when FireWorks is imported.
    launchpad = database.launchpad
    from jobflow import SETTINGS

    # Fireworks carry no store (no password in them): jobs take the worker's.
    SETTINGS.JOB_STORE = launchpad.job_store = database.job_store
    outbox = launchpad.outbox = Outbox(folder / "outbox")
    campaign = Campaign.open(database, name)
    runner = _JobRunner(campaign, launchpad, folder, engines)
    idle_s = IDLE_S[0]
    thorough_at = -THOROUGH_AFTER_S
    while with_retry(campaign.reload) == "active":
        thorough = time.monotonic() - thorough_at >= THOROUGH_AFTER_S
        if with_retry(advance, campaign, thorough=thorough) and thorough:
            thorough_at = time.monotonic()
        runner.ask_for_all_engines()
        if stop_at is not None and time.time() >= stop_at:
            break
        if runner.run_next():
            idle_s = IDLE_S[0]
            continue
        # Nothing to run: perhaps because of what a crash left.
        thorough_at = -THOROUGH_AFTER_S
        if with_retry(campaign.is_exhausted):
            break
        time.sleep(idle_s)
        idle_s = min(2 * idle_s, IDLE_S[1])
    # A paused or cancelled campaign still gets the result of the job that just ended.
    with_retry(advance, campaign)
    outbox.sweep(lambda job_uuid: with_retry(campaign.queue.awaits, job_uuid))


class _JobRunner:
    """Runs jobs of a campaign, one after the other, in this process.

    Parameters
    ----------
    folder, engines
        As of `work`.
    """

    def __init__(
        self,
        campaign: Campaign,
        launchpad: SafeLaunchPad,
        folder: Path,
        engines: Collection[str],
    ) -> None:
        from fireworks import FWorker

        self._campaign = campaign
        self._launchpad = launchpad
        self._folder = folder
        self._engines = engines
        self._n_stages = 0
        self._fworker = FWorker(this_process())

    def ask_for_all_engines(self) -> None:
        """Ask for jobs of engines, too, that were added to the campaign meanwhile."""
        from fireworks import FWorker

        if self._n_stages != len(self._campaign.stages):
            self._n_stages = len(self._campaign.stages)
            engines = engines_here(self._campaign, self._engines)
            query = self._campaign.queue.query_for(engines)
            self._fworker = FWorker(self._fworker.name, query=query)

    def run_next(self) -> bool:
        """Run the next job, whatever becomes of it; return False when there is none.

        Raises
        ------
        SystemExit
            With status `EX_TEMPFAIL` when this machine can run no job.
        """
        from pymongo.errors import ConnectionFailure

        try:
            with _job_directory(self._folder) as directory, contextlib.chdir(directory):
                ran = self._launch()
        except ConnectionFailure:
            # Nobody else can know that the job just claimed does not run.
            with_retry(give_back, self._launchpad, self._fworker.name)
            return True
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            say(f"this machine is unfit ({error.strerror}: {self._folder})")
            sys.exit(EX_TEMPFAIL)
        job = self._launchpad.running
        if job is not None and job.unfit:
            say(f"this machine is unfit ({job.unfit})")
            # Where the job could be completed all the same, or the database does not answer, there
            # is nothing to give back.
            with contextlib.suppress(ConnectionFailure):
                for pick_id in give_back(self._launchpad, self._fworker.name):
                    # A candidate that fills every disk must not go round for ever.
                    count_loss(self._campaign, pick_id)
            sys.exit(EX_TEMPFAIL)
        return ran

    def _launch(self) -> bool:
        from fireworks.core.rocket_launcher import launch_rocket

        try:
            return bool(launch_rocket(self._launchpad, self._fworker, strm_lvl="WARNING"))
        except RuntimeError:
            # FireWorks cannot update the job's workflow, as when a worker was killed while it
            # stored one, and has marked the job; `recover` submits the candidate anew.
            traceback.print_exc()
            return True


def engines_here(campaign: Campaign, among: Collection[str] = ()) -> list[str]:
    """Return the campaign's engines that can run on this machine; jobs of others are left alone.

    Parameters
    ----------
    among
        Only these engines are considered; all when empty.

    Raises
    ------
    ScreenError
        When none of them can run.
    """
    reasons: dict[str, str] = {}
    engines = [stage.engine for stage in campaign.stages if not among or stage.engine.name in among]
    for engine in engines:
        try:
            require_engine(engine)
        except ScreenError as error:
            reasons[engine.name] = str(error)
            say(f"{error}; its jobs are left to other machines")
    if len(reasons) == len(engines):
        raise ScreenError("; ".join(reasons.values()))
    return [engine.name for engine in engines if engine.name not in reasons]


@contextlib.contextmanager
def _job_directory(folder: Path) -> Iterator[Path]:
    directory = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        # Most jobs write nothing; an empty directory is of no use.
        with contextlib.suppress(OSError):
            directory.rmdir()


def _die_with_parent() -> None:
    def watch() -> None:
        # os.read and not sys.stdin, whose lock the interpreter would wait for at its end.
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run as a child of `matscreen work`, or of a queue job."""
    parser = argparse.ArgumentParser(prog="screening.running.worker")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="append", default=[])
    parser.add_argument("--stop-at", type=float)
    given = parser.parse_args()
    _die_with_parent()
    settings = Settings()
    # Programs that jobs start, as DFT codes, must not see the password.
    os.environ.pop("SCREEN_MONGODB_URI", None)
    with open_database(settings) as database:
        work(database, given.name, given.folder, engines=given.engine, stop_at=given.stop_at)


if __name__ == "__main__":
    main()
