"""The embedded database server: MongoDB's wire protocol on this machine, for this folder.

SecantusDB runs as a child process on loopback.  Every program that uses it holds a shared lock on
``clients.lock``; the last one to leave stops the server.  The kernel releases the locks of killed
programs; a server that the last of them left behind serves the next command, which then stops it.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from screening.errors import ScreenError
from screening.process import is_alive_here, name_of

START_TIMEOUT_S = 60.0


def is_installed() -> bool:
    """Return whether the embedded server's package is there."""
    return importlib.util.find_spec("secantus") is not None


def has_database(directory: Path) -> bool:
    """Return whether a server has ever been started in the folder."""
    return (directory / "database").exists()


@contextlib.contextmanager
def embedded_server(directory: Path) -> Iterator[str]:
    """Give the URI of the folder's server, started when nobody else has started it.

    Parameters
    ----------
    directory
        Holds the database, its log and its locks.

    Raises
    ------
    ScreenError
        When the package is missing or the server does not answer.
    """
    if not is_installed():
        raise ScreenError(
            "no database: SCREEN_MONGODB_URI is not set and the embedded server is not installed; "
            "set SCREEN_MONGODB_URI=mongodb://… or run, in a clone of this project: "
            "pip install '.[embedded]'"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        clients = (directory / "clients.lock").open("a+")
    except OSError as error:
        raise ScreenError(
            f"cannot write to {directory} ({error.strerror}); change to a folder of your own or "
            "set SCREEN_DIRECTORY"
        ) from error
    with clients, (directory / "start.lock").open("a+") as start:
        with _locked(start):
            fcntl.flock(clients, fcntl.LOCK_SH)
            uri = _running(directory) or _start(directory)
        try:
            yield uri
        finally:
            with _locked(start):
                if _is_last(clients):
                    _stop(directory)


@contextlib.contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_last(clients: IO[str]) -> bool:
    fcntl.flock(clients, fcntl.LOCK_UN)
    try:
        fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _state_file(directory: Path) -> Path:
    return directory / "server.json"


def _read_state(directory: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(_state_file(directory).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state


def _running(directory: Path) -> str | None:
    """Return the URI of the server that runs already, once it answers, or None.

    A server that lives but is slow is waited for: a second one could not open the same files.
    """
    state = _read_state(directory)
    if state is None or not is_alive_here(str(state["process"])):
        return None
    return _wait_for(directory, str(state["uri"]), str(state["process"]))


def _wait_for(directory: Path, uri: str, process: str) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while is_alive_here(process) and time.monotonic() < deadline:
        if _answers(uri, 0.2):
            return uri
    raise ScreenError(
        f"the embedded database does not answer; its log is {directory / 'server.log'}"
    )


def _start(directory: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = directory / "server.log"
    with log.open("ab") as output:
        # A new session: Ctrl-C in the terminal must not reach the database.
        process = subprocess.Popen(
            _command(directory, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=directory,
        )
    uri = f"mongodb://127.0.0.1:{port}/"
    name = name_of(process.pid)
    state = {"process": name, "pid": process.pid, "uri": uri}
    written = _state_file(directory).with_suffix(".new")
    written.write_text(json.dumps(state))
    os.replace(written, _state_file(directory))
    return _wait_for(directory, uri, name)


def _command(directory: Path, port: int) -> list[str]:
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--storage-path": str(directory / "database"),
        "--log-level": "WARNING",
    }
    # Without --sync-on-commit, killing the server loses the last acknowledged writes.
    flags = ["--standalone", "--sync-on-commit"]
    return [
        sys.executable,
        "-m",
        "secantus",
        *flags,
        *(x for pair in options.items() for x in pair),
    ]


def _stop(directory: Path) -> None:
    state = _read_state(directory)
    if state is not None and is_alive_here(str(state["process"])):
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(int(state["pid"]))
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=20)
            except psutil.TimeoutExpired:
                server.kill()
    _state_file(directory).unlink(missing_ok=True)


def _answers(uri: str, timeout_s: float) -> bool:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    client: MongoClient[dict[str, Any]] = MongoClient(
        uri, serverSelectionTimeoutMS=int(timeout_s * 1000)
    )
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True
