"""Fixtures of all tests; those of campaigns and databases are in `campaign_fixtures`."""

from __future__ import annotations

import gc
import os
from importlib import resources

import pytest
from hypothesis import HealthCheck, settings

from screening.machine.threads import COUNTS, wait_asleep

# FireWorks reads it when it is imported first, whichever test does that.
os.environ["FW_CONFIG_FILE"] = str(resources.files("configs") / "fireworks.yaml")
# Small problems: threads that wait for each other double the time.  Read when numpy is imported.
# Workers that tests start keep to it, too.
for name in COUNTS:
    os.environ.setdefault(name, "1")
wait_asleep()

# Python would look for garbage among the millions of objects of the libraries again and again.
gc.set_threshold(100_000, 20, 100)

# A busy machine is no reason to fail.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

pytest_plugins = [
    "browser_fixtures",
    "campaign_fixtures",
    "queue_fixtures",
    "recorded_results",
    "view_fixtures",
]

PROGRAMS = {"chromium", "diary", "project", "server_uri", "stand_in", "tls_server"}
"""Fixtures that start a program, or put another in its place."""
RECORDS = {"dft_forces"}
"""Fixtures of recorded first-principles forces, which take seconds to solve."""


def pytest_configure() -> None:
    """Make once what many tests ask libraries for."""
    # Not above: it imports numpy.
    from asked_once import build_space_groups_once, search_symmetry_once

    build_space_groups_once()
    search_symmetry_once()


def pytest_collection_finish() -> None:
    """Leave what libraries and tests have made so far out of the search for garbage."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a minute has no room for, by fixtures and by what tests name themselves."""
    for item in items:
        code = getattr(getattr(item, "function", None), "__code__", None)
        starts = code is not None and {"subprocess", "KillableServer"} & set(code.co_names)
        if starts or (PROGRAMS | RECORDS) & set(getattr(item, "fixturenames", ())):
            item.add_marker("heavy")


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """Let the user's cache be an empty one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
