"""Fixtures of tests that carry campaigns on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from screening.machine.process_names import name_of
from screening.running import advance as advance_module


@pytest.fixture(autouse=True)
def _no_predictions(request, monkeypatch):
    """Spare `advance` its fit for the ranking, which takes longer than the toy."""
    if "used_up" not in request.node.name:
        monkeypatch.setattr(advance_module, "predictions", lambda campaign, snapshot: {})
        monkeypatch.setattr(advance_module, "cached_ranking", lambda campaign, top: ([], 0))


@pytest.fixture
def live_process():
    """Name of another process of this machine that is alive."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield name_of(process.pid)
    process.communicate(b"\n")
