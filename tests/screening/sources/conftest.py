"""What tests of several sources build on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from optimade_server import Script


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREEN_DIRECTORY", str(tmp_path / "screen"))
    # A proxy of the machine's must not be asked for its own addresses.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "screen"


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.open.set()
    script.server.shutdown()
    script.server.server_close()
