"""Processes that share the cores of this machine."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def processes(workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes with one thread of linear algebra each."""
    # Forked processes would share the connection to the database, and locks of other threads.
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
