"""Names of processes that tell, on the same machine, whether the process still lives."""

from __future__ import annotations

import functools
import os
import platform

import psutil


@functools.lru_cache(maxsize=4)
def _name_of(pid: int) -> str:
    return f"{platform.node()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def this_process() -> str:
    """Return ``host:process number:start time`` of this process."""
    return _name_of(os.getpid())


def is_dead_here(name: str) -> bool:
    """Return whether `name` is a process of this machine that no longer lives.

    A process of another machine, or a name of another form, is never called dead.
    """
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != platform.node() or not rest.isdigit():
        return False
    try:
        process = psutil.Process(int(rest))
        # Process numbers are used again; the start time tells the new owner from the old.
        alive = abs(process.create_time() - float(started)) < 1.0
        return not alive or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
