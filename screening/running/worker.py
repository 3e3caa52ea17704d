"""A worker process: advance the campaign, run one job, again, until there is nothing left.

Started as ``python -m screening.running.worker CAMPAIGN FOLDER``.  It may be killed at any moment:
what it was running is found lost and run again.  A worker also dies with the program that started
it, whose end of the pipe on standard input closes.
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
from screening.running.advance import advance, count_loss
from screening.store.database import open_database
from screening.store.database_retry import EX_TEMPFAIL, patiently
from screening.store.outbox import DISK_FULL, Outbox
from screening.targets.engines import require_engine

if TYPE_CHECKING:
    from fireworks import FWorker, LaunchPad

    from screening.store.database import Database

IDLE_S = (0.2, 5.0)
"""Shortest and longest wait when there is nothing to run but others still work."""


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
        Engines whose jobs are run; all of the campaign's when empty.
    stop_at
        Time, in seconds since the epoch, from which on no new job is taken.
    """
    # First of all: it names FireWorks' settings file, which is read when FireWorks is imported.
    launchpad = database.launchpad
    from fireworks import FWorker
    from jobflow import SETTINGS
    from pymongo.errors import ConnectionFailure

    # Fireworks carry no store (no password in them): jobs take the worker's.
    SETTINGS.JOB_STORE = launchpad.job_store = database.job_store
    outbox = launchpad.outbox = Outbox(folder / "outbox")
    campaign = Campaign.open(database, name)
    known = 0
    idle_s = IDLE_S[0]
    while patiently(lambda: campaign.status) == "active":
        patiently(advance, campaign)
        patiently(campaign.reload_stages)
        if known != len(campaign.stages):
            known = len(campaign.stages)
            query = {"spec.campaign": name, "spec.engine": {"$in": engines_here(campaign, engines)}}
            fworker = FWorker(this_process(), query=query)
        if stop_at is not None and time.time() >= stop_at:
            break
        try:
            with _job_directory(folder) as directory, contextlib.chdir(directory):
                ran = _run_job(launchpad, fworker)
        except ConnectionFailure:
            # Of the job just claimed nobody else knows that it is not run.
            patiently(give_back, launchpad, fworker.name)
            continue
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            say(f"this machine is unfit ({error.strerror}: {folder})")
            sys.exit(EX_TEMPFAIL)
        if launchpad.running is not None and launchpad.running.unfit:
            say(f"this machine is unfit ({launchpad.running.unfit})")
            # Where it could be completed all the same, or the database is away, there is nothing
            # to give back.
            with contextlib.suppress(ConnectionFailure):
                for pick_id in give_back(launchpad, fworker.name):
                    # A candidate that fills every disk must not go round for ever.
                    count_loss(campaign, pick_id)
            sys.exit(EX_TEMPFAIL)
        if ran:
            idle_s = IDLE_S[0]
            continue
        if patiently(campaign.is_exhausted):
            break
        time.sleep(idle_s)
        idle_s = min(2 * idle_s, IDLE_S[1])
    # A paused or cancelled campaign still gets the result of the job that just ended.
    patiently(advance, campaign)
    outbox.sweep(lambda uuid: patiently(_is_on_launchpad, launchpad, uuid))


def _is_on_launchpad(launchpad: LaunchPad, job_uuid: str) -> bool:
    found = launchpad.fireworks.find_one({"spec._tasks.job.uuid": job_uuid}, {"fw_id": 1})
    return found is not None


def give_back(launchpad: LaunchPad, worker: str) -> list[str]:
    """Put back what the LaunchPad thinks that a worker runs, which runs nothing now.

    Returns
    -------
    list of str
        The picks whose jobs were put back.
    """
    _, fw_ids, _ = launchpad.detect_lostruns(
        expiration_secs=0, rerun=True, refresh=True, launch_query={"fworker.name": worker}
    )
    picks: list[str] = launchpad.fireworks.distinct("spec.pick", {"fw_id": {"$in": fw_ids}})
    return picks


def engines_here(campaign: Campaign, among: Collection[str] = ()) -> list[str]:
    """Return the campaign's engines that can run on this machine; jobs of others are left alone.

    Parameters
    ----------
    among
        The only engines asked about; all when empty.

    Raises
    ------
    ScreenError
        When none of them can run.
    """
    reasons: dict[str, str] = {}
    levels = [each for each in campaign.stages if not among or each.engine.name in among]
    for level in levels:
        try:
            require_engine(level.engine)
        except ScreenError as error:
            reasons[level.engine.name] = str(error)
            say(f"{error}; its jobs are left to other machines")
    if len(reasons) == len(levels):
        raise ScreenError("; ".join(reasons.values()))
    return [level.engine.name for level in levels if level.engine.name not in reasons]


def _run_job(launchpad: LaunchPad, fworker: FWorker) -> bool:
    """Run the next job, whatever becomes of it; return False when there is none."""
    from fireworks.core.rocket_launcher import launch_rocket

    try:
        return bool(launch_rocket(launchpad, fworker, strm_lvl="WARNING"))
    except RuntimeError:
        # FireWorks cannot update the job's workflow, as when a worker was killed while it stored
        # one, and has marked the job; `recover` submits the candidate anew.
        traceback.print_exc()
        return True


@contextlib.contextmanager
def _job_directory(folder: Path) -> Iterator[Path]:
    directory = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        # Most jobs write nothing; an empty directory tells nobody anything.
        with contextlib.suppress(OSError):
            directory.rmdir()


def _die_with_parent() -> None:
    def watch() -> None:
        # os.read, not sys.stdin: its lock would be in the way when the interpreter ends.
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run as a child of `screen work`, or of a queue job."""
    parser = argparse.ArgumentParser(prog="screening.running.worker")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="append", default=[])
    parser.add_argument("--stop-at", type=float)
    given = parser.parse_args()
    _die_with_parent()
    settings = Settings()
    # Programs that jobs start, as DFT codes, have no business with the password.
    os.environ.pop("SCREEN_MONGODB_URI", None)
    with open_database(settings) as database:
        work(database, given.name, given.folder, engines=given.engine, stop_at=given.stop_at)


if __name__ == "__main__":
    main()
