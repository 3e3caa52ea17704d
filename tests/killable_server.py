"""A real database server of its own, to be killed and started again on the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path


class KillableServer:
    """The embedded database's server, without its keeper.

    Parameters
    ----------
    folder
        Where the database lies.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._folder = folder
        # A driver that waits half a second for it, and looks as often whether it is back.
        waits = "serverSelectionTimeoutMS=500&heartbeatFrequencyMS=500"
        self.uri = f"mongodb://127.0.0.1:{self._port}/?{waits}"
        self.start()

    def start(self) -> None:
        """Start it; it may take a moment to listen."""
        options = ["--host", "127.0.0.1", "--port", str(self._port), "--sync-on-commit"]
        options += ["--storage-path", str(self._folder), "--log-level", "ERROR"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "secantus", "--standalone", *options]
        )

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()
