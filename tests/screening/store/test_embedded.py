"""The embedded server: one a folder, alive exactly as long as somebody uses it."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from screening.machine.process_names import name_of
from screening.messages.errors import ScreenError
from screening.store import embedded
from screening.store.embedded import embedded_server

pytestmark = pytest.mark.skipif(
    not embedded.is_installed(), reason="the embedded server is not installed"
)


def server_of(folder) -> psutil.Process:
    """Return the folder's server."""
    [process] = [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(folder / "database") in (each.info["cmdline"] or [])
    ]
    return process


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def nobody_else_gets_in(folder, uri: str, guesses=("screen:wrong",)) -> None:
    """Check what another user of this machine could try, and see."""
    address = urlsplit(uri)
    password = address.password
    assert len(password) > 40
    with MongoClient("127.0.0.1", address.port) as client:
        for attempt in (
            client.list_database_names,
            client.db.things.find_one,
            lambda: client.db.things.insert_one({"_id": 2}),
            lambda: client.admin.command("createUser", "x", pwd="x", roles=[]),
        ):
            with pytest.raises(OperationFailure, match="requires authentication"):
                attempt()
    for guess in guesses:
        with (
            MongoClient(f"mongodb://{guess}@127.0.0.1:{address.port}/") as client,
            pytest.raises(OperationFailure, match="authentication failed"),
        ):
            client.admin.command("ping")
    assert (folder / "password").read_text() == f"{password}\n"
    assert mode(folder / "password") == 0o600
    assert mode(folder / "database") == 0o700
    assert all(password not in word for word in server_of(folder).cmdline())
    for name in ("server.json", "server.log"):
        assert password not in (folder / name).read_text()


def test_it_is_shared_within_a_folder_and_stops_after_the_last(tmp_path):
    with embedded_server(tmp_path) as uri:
        process = server_of(tmp_path)
        with embedded_server(tmp_path) as again:
            assert again == uri
        assert process.is_running()
        with MongoClient(uri) as client:
            client.db.things.insert_one({"_id": 1})
        sockets = [each for each in process.net_connections() if each.status == psutil.CONN_LISTEN]
        assert {each.laddr.ip for each in sockets} == {"127.0.0.1"}  # no other machine can reach it
        nobody_else_gets_in(tmp_path, uri, ("screen:wrong", "nobody:x", "intruder:x"))
    assert not process.is_running()
    assert not (tmp_path / "server.json").exists()


def test_what_it_acknowledged_survives_sigkill(tmp_path):
    with embedded_server(tmp_path) as uri:
        with MongoClient(uri) as client:
            client.db.things.create_index("number", unique=True)
            for number in range(30):
                client.db.things.insert_one({"number": number})
        process = server_of(tmp_path)
        process.kill()
        process.wait()
        with embedded_server(tmp_path) as new, MongoClient(new) as client:
            assert new != uri
            numbers = sorted(each["number"] for each in client.db.things.find())
            assert numbers == list(range(30))
            assert client.db.things.index_information()["number_1"]["unique"]


def test_it_stops_with_the_last_of_several_programs(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from screening.store.embedded import embedded_server\n"
        "with embedded_server(Path(sys.argv[1])):\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for each in programs:
        assert each.stdout.readline() == b"ready\n"
    process = server_of(tmp_path)
    programs[0].kill()
    programs[0].communicate()
    programs[1].communicate(b"")
    assert process.is_running()
    programs[2].communicate(b"")
    assert not process.is_running()


def test_a_server_left_by_killed_programs_is_used_and_stopped_by_the_next(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from screening.store.embedded import embedded_server\n"
        "with embedded_server(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert ended.returncode == -signal.SIGKILL
    process = server_of(tmp_path)
    assert process.is_running()
    with embedded_server(tmp_path):
        assert server_of(tmp_path) == process
    assert not process.is_running()


def test_a_number_of_a_process_that_is_somebody_elses_now_is_not_touched(tmp_path):
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    before, _, started = name_of(bystander.pid).rpartition(":")
    state = {
        "process": f"{before}:{int(started) - 1}",
        "pid": bystander.pid,
        "uri": "mongodb://127.0.0.1:1/",
    }
    (tmp_path / "server.json").write_text(json.dumps(state))
    with embedded_server(tmp_path):
        assert server_of(tmp_path).pid != bystander.pid
    assert bystander.poll() is None
    bystander.communicate(b"\n")


@pytest.mark.parametrize("text", ["", "{"])
def test_a_damaged_note_is_written_anew(tmp_path, text):
    (tmp_path / "server.json").write_text(text)
    with (tmp_path / "clients.lock").open("a+") as clients:
        assert embedded._running(tmp_path, clients) is None


# ---------------------------------------------------------------------------- who gets in


def test_a_lost_password_is_made_anew_once_nobody_uses_the_database(tmp_path):
    with embedded_server(tmp_path) as uri:
        # Closed before its server stops: it would look for that one for half a minute.
        with MongoClient(uri) as client:
            client.db.things.insert_one({"_id": 1})
        (tmp_path / "password").unlink()
        with pytest.raises(ScreenError, match=r"password is lost, and other programs use"):
            embedded_server(tmp_path).__enter__()
        server = server_of(tmp_path)
        # As if this program had been killed: the server goes on, and nobody uses it.
        (tmp_path / "clients.lock").unlink()
        with embedded_server(tmp_path) as new:
            assert not server.is_running()
            with MongoClient(new) as client:
                assert client.db.things.find_one() == {"_id": 1}
                assert client.admin["system.users"].distinct("user") == ["screen"]
            nobody_else_gets_in(tmp_path, new)


def test_a_first_start_that_was_killed_is_made_good(tmp_path):
    """Killed between any two steps: half a password, no password, a server without its note."""
    (tmp_path / "password.1f").write_text("hal")
    (tmp_path / "password.1f").chmod(0o644)
    (tmp_path / "database").mkdir(mode=0o700)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from screening.store import embedded\n"
        "embedded.name_of = lambda pid: os.kill(pid, signal.SIGKILL) or os._exit(9)\n"
        "embedded.embedded_server(Path(sys.argv[1])).__enter__()\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    assert not (tmp_path / "server.json").exists()
    password = (tmp_path / "password").read_text().strip()
    with embedded_server(tmp_path) as uri:
        assert urlsplit(uri).password == password != "hal"
        nobody_else_gets_in(tmp_path, uri)


def test_a_password_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "password").write_text("known\n")
    (tmp_path / "password").chmod(0o640)
    with pytest.raises(ScreenError, match=r"open to other users \(mode 640\); run: chmod 600 /"):
        embedded_server(tmp_path).__enter__()
    assert not (tmp_path / "server.json").exists()


def test_the_server_of_another_machine_is_left_alone(tmp_path):
    machine, pid, started = name_of(psutil.Process().pid).rsplit(":", 2)
    boot_and_space = machine.partition("/")[2]
    state = {"process": f"node17/{boot_and_space}:{pid}:{started}", "pid": int(pid), "port": 1}
    (tmp_path / "server.json").write_text(json.dumps(state))
    with pytest.raises(ScreenError, match=r"in use on machine 'node17'.*delete .*server\.json"):
        embedded_server(tmp_path).__enter__()
    assert json.loads((tmp_path / "server.json").read_text()) == state
    assert not (tmp_path / "database").exists()


# ---------------------------------------------------------------------------------- refusals


def test_a_server_that_cannot_start_says_where_its_log_is(tmp_path):
    (tmp_path / "database").write_text("not a folder")
    with pytest.raises(ScreenError, match=r"server\.log"), embedded_server(tmp_path):
        pass
    assert (tmp_path / "server.log").read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScreenError, match=r"cannot write to .*SCREEN_DIRECTORY") as caught:
        embedded_server(tmp_path / "file").__enter__()
    assert str(tmp_path / "file") in str(caught.value)


def test_without_its_package_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "is_installed", lambda: False)
    with pytest.raises(ScreenError, match=r"SCREEN_MONGODB_URI.*pip install"):
        embedded_server(tmp_path).__enter__()
