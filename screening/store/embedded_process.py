"""The process of the embedded server: ``python -m screening.store.embedded_process``.

The one file that imports SecantusDB (GPL-2.0), in a process that nothing else of this package
runs in.  The server's own command line would have its first user made over a connection that
needs no password; here the user is there before the server listens.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from screening.machine.secret_files import read_secret

if TYPE_CHECKING:
    from secantus import SecantusDBServer

USER = "screen"
"""Name of the only user of an embedded database, who may do everything."""


def main() -> None:
    """Serve a folder on loopback until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--storage-path", type=Path, required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    given = parser.parse_args()
    # The files of the database, which the server makes, are private too.
    os.umask(0o077)
    password = read_secret(given.password_file, "the embedded database")
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    serve(given.storage_path, given.port, password)


def serve(folder: Path, port: int, password: str) -> None:
    """Open the folder's files, store its user, and only then listen."""
    from secantus import SecantusDBServer

    server = SecantusDBServer(
        host="127.0.0.1",
        port=port,
        storage_path=str(folder),
        require_auth=True,
        replica_set_name=None,
        enable_test_commands=False,
        # Without it, killing the server loses the last acknowledged writes.
        sync_on_commit=True,
    )
    _set_user(server, password)

    def stop(number: int, frame: FrameType | None) -> None:
        # Closing a socket does not wake the thread that waits on it; the server would wait 2 s.
        with contextlib.suppress(OSError):
            server._socket.shutdown(socket.SHUT_RDWR)
        server.stop()
        sys.exit(0)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.start()
    server.wait()


def _set_user(server: SecantusDBServer, password: str) -> None:
    """Store the one user with this password, in place of an older one."""
    from secantus.auth import SCRAM_SHA_256, derive_credentials

    record = {
        "_id": f"admin.{USER}",
        "user": USER,
        "db": "admin",
        "credentials": derive_credentials(password).to_doc(),
        "roles": [{"role": "root", "db": "admin"}],
        "mechanisms": [SCRAM_SHA_256],
    }
    server.storage.add_user("admin", USER, record, replace=True)


if __name__ == "__main__":
    main()
