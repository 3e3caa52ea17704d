"""Worker processes on this machine, and watching them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from screening.campaign import Campaign
from screening.errors import ScreenError
from screening.settings import Settings

POLL_S = 1.0


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
) -> None:
    """Run workers until the campaign is exhausted, paused or cancelled.

    Interrupted (Ctrl-C), they are stopped at once: crash and stop are the same path, and the
    next worker finds what was running lost and runs it again.

    Parameters
    ----------
    on_poll
        Called about once a second.

    Raises
    ------
    ScreenError
        When every worker ended with an error.
    """
    logs = settings.directory.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    jobs = settings.directory.absolute() / "jobs" / campaign.name
    paths = [logs / f"{campaign.name}-worker-{index + 1}.log" for index in range(workers)]
    children: list[subprocess.Popen[bytes]] = []
    try:
        for path in paths:
            with path.open("ab") as log:
                children.append(_start(campaign.name, jobs, log, workers))
        while any(child.poll() is None for child in children):
            on_poll()
            time.sleep(POLL_S)
    finally:
        for child in children:
            child.kill()
            child.wait()
    if all(child.returncode != 0 for child in children):
        raise ScreenError(
            f"no worker could run (exit status {children[0].returncode}); the reason is at the "
            f"end of {paths[0]}"
        )


def _start(name: str, jobs: Path, log: IO[bytes], workers: int) -> subprocess.Popen[bytes]:
    threads = str(max(1, usable_cores() // workers))
    environment = {
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
    return subprocess.Popen(
        [sys.executable, "-m", "screening.worker", name, str(jobs)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        # Ctrl-C in the terminal reaches the command, which then stops its workers itself.
        start_new_session=True,
    )
