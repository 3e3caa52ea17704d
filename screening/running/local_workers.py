"""Worker processes on this machine: started, watched, and started again when they die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from screening.campaigns.campaign import Campaign
from screening.machine.settings import Settings
from screening.machine.threads import thread_counts, usable_cores, wait_asleep
from screening.messages.errors import ScreenError
from screening.store.database_retry import EX_TEMPFAIL

POLL_S = 1.0
"""Time between two looks at the workers (s)."""
GPUS = "CUDA_VISIBLE_DEVICES"
"""Environment variable that names the GPUs a process may use."""


class UnfitMachineError(ScreenError):
    """A worker found that this machine cannot be used."""


def default_workers(batch_size: int) -> int:
    """Return one worker a core, but no more than a batch can keep busy."""
    return max(1, min(usable_cores(), batch_size))


def run_workers(
    campaign: Campaign,
    settings: Settings,
    workers: int,
    on_poll: Callable[[], None] = lambda: None,
    *,
    stop_at: float | None = None,
    engines: Sequence[str] = (),
    restarts: int = 0,
    log_name: str | None = None,
    on_start: Callable[[int], None] = lambda pid: None,
) -> None:
    """Run workers until the campaign is exhausted, paused or cancelled.

    Interrupted (Ctrl-C), they are killed at once: shutdown and crash share one recovery path, and
    the next worker runs again what was running.

    Parameters
    ----------
    on_poll
        Called about once a second.
    stop_at
        Time, in seconds since the epoch, from which on workers take no new job.
    engines
        Engines whose jobs are run; all of the campaign's when empty.
    restarts
        Times that a worker which died is started again, all workers together.
    log_name
        Beginning of the names of the workers' logs; the campaign's name when left out.
    on_start
        Called with the process number of each worker.

    Raises
    ------
    ScreenError
        When every worker ended with an error.
    """
    jobs = settings.directory.absolute() / "jobs" / campaign.name
    command = [sys.executable, "-m", "screening.running.worker", campaign.name, str(jobs)]
    command += [f"--engine={name}" for name in engines]
    if stop_at is not None:
        command.append(f"--stop-at={stop_at}")
    logs = settings.directory.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    stem = log_name or campaign.name
    paths = [logs / f"{stem}-worker-{index + 1}.log" for index in range(workers)]
    processes: list[subprocess.Popen[bytes]] = []

    def start(index: int) -> subprocess.Popen[bytes]:
        with paths[index].open("ab") as log:
            process = _start(command, log, _environment(index, workers))
        on_start(process.pid)
        return process

    try:
        for index in range(workers):
            processes.append(start(index))
        while True:
            # Asked once a round: a worker that dies between two questions would be left as it is.
            statuses = [process.poll() for process in processes]
            for index, status in enumerate(statuses):
                if restarts and status not in (None, 0, EX_TEMPFAIL):
                    restarts -= 1
                    processes[index] = start(index)
                    statuses[index] = None
            if None not in statuses:
                break
            on_poll()
            time.sleep(POLL_S)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    _raise_if_all_failed([process.returncode for process in processes], paths)


def _raise_if_all_failed(statuses: Sequence[int], logs: Sequence[Path]) -> None:
    if not all(statuses):
        return
    if EX_TEMPFAIL in statuses:
        log = logs[statuses.index(EX_TEMPFAIL)]
        raise UnfitMachineError(f"this machine cannot be used; the reason is at the end of {log}")
    raise ScreenError(
        f"no worker could run (exit status {statuses[0]}); the reason is at the end of {logs[0]}"
    )


def _environment(index: int, workers: int) -> dict[str, str]:
    """Return the environment of one of several workers, which share this machine."""
    shared = {
        **os.environ,
        **thread_counts(workers),
        # Without these glibc gives memory back after every force call and asks for it again:
        # page faults doubled the cost of an ML potential when two workers ran side by side.
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "100000000000",
        "MALLOC_TOP_PAD_": "268435456",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }
    wait_asleep(shared)
    devices = list(filter(None, os.environ.get(GPUS, "").split(",")))
    if workers > 1 and len(devices) > 1:
        # Else they would all take the first one.
        shared[GPUS] = devices[index % len(devices)]
    return shared


def _start(
    command: list[str], log: IO[bytes], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        # Ctrl-C in the terminal reaches the command, which then stops its workers itself.
        start_new_session=True,
    )
