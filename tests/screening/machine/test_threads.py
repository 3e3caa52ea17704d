"""Cores that are shared with other programs, and between processes."""

from __future__ import annotations

import os

import pytest

from screening.machine.threads import COUNTS, thread_counts, usable_cores, wait_asleep
from screening.running import local_workers


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 3, 7})
    for name in COUNTS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("processes", "threads"), [(1, "4"), (2, "2"), (3, "1"), (9, "1")])
def test_cores_are_shared_out(processes, threads):
    assert usable_cores() == 4
    assert thread_counts(processes) == dict.fromkeys(COUNTS, threads)


@pytest.mark.parametrize(
    ("stated", "threads"),
    [("1", "1"), ("3", "2"), ("2,1", "2"), ("all", "2"), ("0", "2"), ("", "2")],
)
def test_a_smaller_number_that_is_stated_stays(monkeypatch, stated, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", stated)
    # OpenBLAS and MKL follow OpenMP's number where they have none of their own.
    assert thread_counts(2) == dict.fromkeys(COUNTS, threads)


def test_a_library_has_its_own_number(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    assert thread_counts(1) == dict.fromkeys(COUNTS, "1") | {"MKL_NUM_THREADS": "2"}


def test_threads_wait_asleep_unless_the_user_says_otherwise():
    environment: dict[str, str] = {}
    wait_asleep(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE"}
    environment = {"OMP_WAIT_POLICY": "ACTIVE"}
    wait_asleep(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_workers_wait_asleep_whoever_starts_them(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    found = local_workers._environment(0, 2)
    assert found["OMP_WAIT_POLICY"] == "PASSIVE"
    assert found["OMP_NUM_THREADS"] == "2"
