"""A user's folder for tests that run the real programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from project_folder import Project


@pytest.fixture
def project(tmp_path) -> Iterator[Project]:
    """An empty folder; programs and the server started in it are gone afterwards."""
    pytest.importorskip("secantus")
    project = Project(tmp_path)
    yield project
    project.kill_started()
    server = project.server()
    if server is not None:
        server.kill()
