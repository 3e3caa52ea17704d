"""Threads of numerical libraries, on a machine that has other things to do as well."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""Environment variables that say how many threads a library starts."""


def usable_cores() -> int:
    """Return how many cores the queue system or taskset lets this process use."""
    return len(os.sched_getaffinity(0))


def wait_asleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads sleep while they wait for each other, unless something else is stated.

    By default they spin.  Where another program keeps a core busy the kernel puts two of them on
    one, and each turns in a circle until the other gets its turn: a force call of a potential then
    takes tens of times as long (`benchmarks/shared_cores.py`).  To be called before the libraries
    are imported; processes started from here inherit it.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def thread_counts(processes: int) -> dict[str, str]:
    """Return the variables by which each of several processes starts its share of threads.

    Left to themselves the libraries of each would take all cores.  A smaller number that the user
    has stated stays; that of OpenMP holds for libraries of which nothing is stated, as for them.
    """
    share = max(1, usable_cores() // processes)
    common = _stated("OMP_NUM_THREADS") or share
    return {name: str(min(share, _stated(name) or common)) for name in COUNTS}


def _stated(name: str) -> int | None:
    text = os.environ.get(name, "").partition(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None
