"""Trial of a cluster from end to end: one short job that reaches the database from its node.

`matscreen doctor --queue` submits it.  In it, ``python -m screening.queues.check TOKEN Q_TYPE``
writes a document into the collection ``checks``, which is taken away again.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.machine.clock import now
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.queues.config import JobShape, QueueConfig, load_queue_config
from screening.queues.scheduler import scheduler
from screening.queues.script import (
    UnreachableError,
    job_script,
    require_credentials,
    write_script,
)
from screening.store.database import open_database

if TYPE_CHECKING:
    from screening.store.database import Database

POLL_S = 1.0
"""Time between two looks for the job (s)."""
LOG_CHARACTERS = 300
"""End of the job's log that a message quotes."""


@dataclass(frozen=True)
class Step:
    """One step of the trial: whether it succeeded, and what was found."""

    ok: bool
    found: str


def try_queue(name_or_path: str, wait_s: float, say: Callable[[str], None]) -> Iterator[Step]:
    """Submit a short job and yield the steps of the trial.

    Where jobs could not reach the database none is submitted; all other steps are tried.

    Parameters
    ----------
    wait_s
        Time within which the job must have run (s).
    say
        Called with messages on the progress.

    Raises
    ------
    ScreenError
        At the first step after which nothing more can be tried.
    """
    config = load_queue_config(name_or_path)
    settings = Settings()
    unreachable = _why_unreachable(config, settings)
    if unreachable is not None:
        yield Step(False, unreachable)
    jobs = scheduler(config.q_type).jobs()
    yield Step(
        True,
        f"{config.q_type} answers; you have {len(jobs)} jobs in it, of at most {config.max_jobs}",
    )
    if unreachable is not None:
        _script(config, settings, secrets.token_hex(4))
        yield Step(True, "the script of a job can be written; no job was submitted")
        return
    with open_database(settings) as database, _submitted(config, settings) as (token, number, log):
        say(f"job {number} queued; waiting for it, at most {wait_s:g} s")
        marker = _wait_for(database, config, token, number, log, wait_s)
        gpus = f", GPUs {marker['gpus']}" if marker["gpus"] else ""
        yield Step(
            True,
            f"job {number} ran on {marker['machine']} ({marker['cores']} usable cores{gpus}) and "
            "reached the database",
        )
        if marker["version"] != version("matscreen"):
            raise ScreenError(
                f"matscreen is {marker['version']} on {marker['machine']} and "
                f"{version('matscreen')} here; install the same version"
            )
        if not marker["sees_directory"]:
            raise ScreenError(
                f"{marker['machine']} does not see {settings.directory.absolute()}; set "
                "SCREEN_DIRECTORY to a folder that all nodes share"
            )
        yield Step(True, f"the same version and the same SCREEN_DIRECTORY on {marker['machine']}")
        if marker["scheduler"]:
            raise ScreenError(
                f"jobs cannot queue jobs from {marker['machine']} ({marker['scheduler']}); keep "
                "`matscreen launch --daemon` running on this machine"
            )
        yield Step(True, f"jobs may queue jobs from {marker['machine']}")


def _why_unreachable(config: QueueConfig, settings: Settings) -> str | None:
    """Return why jobs would not find the database, and what to do; None where they would."""
    try:
        require_credentials(config, settings, embedded=False)
    except UnreachableError as error:
        return (
            f"{error}; where every node is this machine, `matscreen launch --embedded` works all "
            "the same, and cannot be tried here"
        )
    except ScreenError as error:
        return str(error)
    return None


def _script(config: QueueConfig, settings: Settings, token: str) -> str:
    """Return the script of the short job."""
    # A few minutes on the smallest part of the machine, so that it starts soon.
    small = {"walltime": "0:05:00", "reserve_s": 0, "nodes": 1, "workers_per_job": 1}
    shape = JobShape.model_validate(config.model_dump(include=set(JobShape.model_fields)) | small)
    module = ["screening.queues.check", token, config.q_type]
    return job_script(config, shape, "screen-doctor", f"doctor-{token}", module, settings)


@contextlib.contextmanager
def _submitted(config: QueueConfig, settings: Settings) -> Iterator[tuple[str, str, Path]]:
    """Submit the job; afterwards take it off the queue and remove its files."""
    token = secrets.token_hex(4)
    path = write_script(settings, f"doctor-{token}", _script(config, settings, token))
    try:
        number = scheduler(config.q_type).submit(path)
        try:
            yield token, number, path
        finally:
            # A job that has ended is no longer known.
            with contextlib.suppress(ScreenError):
                scheduler(config.q_type).cancel(number)
            with open_database(settings) as database:
                database.checks.delete_one({"_id": token})
    finally:
        for file in path.parent.glob(f"doctor-{token}*"):
            file.unlink(missing_ok=True)


def _wait_for(
    database: Database, config: QueueConfig, token: str, number: str, path: Path, wait_s: float
) -> dict[str, Any]:
    """Return the document that the job wrote."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        marker = database.checks.find_one({"_id": token})
        if marker is not None:
            return marker
        listed = scheduler(config.q_type).jobs()
        if number not in listed:
            # It may have written its document since.
            marker = database.checks.find_one({"_id": token})
            if marker is not None:
                return marker
            raise ScreenError(f"job {number} ended without reaching the database; {_log(path)}")
        time.sleep(POLL_S)
    state = scheduler(config.q_type).jobs().get(number, "gone")
    raise ScreenError(f"job {number} is {state} after {wait_s:g} s; {_log(path)}")


def _log(path: Path) -> str:
    logs = path.parent.glob(f"{path.stem}*.log")
    text = "".join(log.read_text("utf-8", "replace") for log in logs)
    end = " ".join(text.split())[-LOG_CHARACTERS:]
    return f"its log ends: {end}" if end else "its log is empty"


def main() -> None:
    """Run as the one command of the job."""
    from screening.machine.threads import usable_cores
    from screening.running.local_workers import GPUS

    token, q_type = sys.argv[1:]
    settings = Settings()
    refusal = ""
    try:
        scheduler(q_type).jobs()
    except ScreenError as error:
        refusal = str(error)
    marker = {
        "_id": token,
        "machine": platform.node(),
        "version": version("matscreen"),
        "cores": usable_cores(),
        "gpus": os.environ.get(GPUS, ""),
        "sees_directory": (settings.directory / "logs" / f"doctor-{token}.sh").exists(),
        "scheduler": refusal,
        "written_at": now(),
    }
    with open_database(settings, must_exist=True) as database:
        database.checks.insert_one(marker)


if __name__ == "__main__":
    main()
