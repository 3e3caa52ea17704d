"""Worker processes on this machine, and watching them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO

from screening.campaigns.campaign import Campaign
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.store.database_retry import EX_TEMPFAIL

POLL_S = 1.0
GPUS = "CUDA_VISIBLE_DEVICES"


class UnfitError(ScreenError):
    """A worker found that this machine cannot be used."""


def usable_cores() -> int:
    """Return how many cores this process may use, as the queue system or taskset left them."""
    return len(os.sched_getaffinity(0))


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

    Interrupted (Ctrl-C), they are stopped at once: crash and stop are the same path, and the
    next worker finds what was running lost and runs it again.

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
        Begins the names of the workers' logs; the campaign's name when left out.
    on_start
        Called with the process number of each worker.

    Raises
    ------
    ScreenError
        When every worker ended with an error, or one found this machine unfit.
    """
    logs = settings.directory.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    jobs = settings.directory.absolute() / "jobs" / campaign.name
    command = [sys.executable, "-m", "screening.running.worker", campaign.name, str(jobs)]
    command += [f"--engine={name}" for name in engines]
    if stop_at is not None:
        command.append(f"--stop-at={stop_at}")
    stem = log_name or campaign.name
    paths = [logs / f"{stem}-worker-{index + 1}.log" for index in range(workers)]
    children: list[subprocess.Popen[bytes]] = []

    def start(index: int) -> subprocess.Popen[bytes]:
        with paths[index].open("ab") as log:
            child = _start(command, log, _environment(index, workers))
        on_start(child.pid)
        return child

    try:
        for index in range(workers):
            children.append(start(index))
        while any(child.poll() is None for child in children):
            on_poll()
            time.sleep(POLL_S)
            for index, child in enumerate(children):
                if restarts and child.poll() not in (None, 0, EX_TEMPFAIL):
                    restarts -= 1
                    children[index] = start(index)
    finally:
        for child in children:
            child.kill()
            child.wait()
    unfit = [
        path for child, path in zip(children, paths, strict=True) if child.returncode == EX_TEMPFAIL
    ]
    if unfit and all(child.returncode != 0 for child in children):
        raise UnfitError(f"this machine cannot be used; the reason is at the end of {unfit[0]}")
    if all(child.returncode != 0 for child in children):
        raise ScreenError(
            f"no worker could run (exit status {children[0].returncode}); the reason is at the "
            f"end of {paths[0]}"
        )


def _environment(index: int, workers: int) -> dict[str, str]:
    """Return the environment of one of several workers, which share this machine."""
    threads = str(max(1, usable_cores() // workers))
    shared = {
        **os.environ,
        # Cores are shared out between workers; the libraries would each take all of them.
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"),
            threads,
        ),
        # Without these glibc gives memory back after every force call and asks for it again:
        # page faults doubled the cost of an ML potential when two workers ran side by side.
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "100000000000",
        "MALLOC_TOP_PAD_": "268435456",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }
    devices = [each for each in os.environ.get(GPUS, "").split(",") if each]
    if workers > 1 and len(devices) > 1:
        # They would all take the first one.
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
