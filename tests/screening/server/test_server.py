from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from killable_server import KillableServer

from screening.cli.serve import address, listening, require_packages, run, serve, the_token
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.ranking.build import rank, ranking
from screening.running.control import requeue
from screening.server.guard import HEADERS, Guard, is_loopback

TOKEN = "a-token-of-the-tests"


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    port: int

    def get(self, path: str, method: str = "GET", **headers: str | list[str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, values in headers.items():
                for value in [values] if isinstance(values, str) else values:
                    connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())


@contextlib.contextmanager
def served(app):
    """Run the server in a thread, on a port of its own."""
    import uvicorn

    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="critical")
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def campaign(new_campaign, work):
    campaign = new_campaign(budget=4, recipe={"unstable": ["Cu"]})
    work(campaign)
    return campaign


@pytest.fixture
def client(campaign):
    from screening.server.app import dashboard

    with served(dashboard(campaign.database, loopback=True, token=None)) as client:
        yield client


@pytest.fixture
def bare(database):
    """A server without campaigns."""
    from screening.server.app import dashboard

    with served(dashboard(database, loopback=True, token=None)) as client:
        yield client


# ------------------------------------------------------------------------------------------- API


def test_every_form_is_served_as_the_views_have_it(client, campaign):
    from screening.views import candidate, overview
    from screening.views.campaign_figures import figures_of
    from screening.views.ranking import ranking_page

    def content(view):
        return view.model_dump(mode="json")

    at = f"/api/v1/campaigns/{campaign.name}"
    assert client.get("/api/v1/campaigns").json == [
        content(each) for each in overview.campaigns(campaign.database)
    ]
    said = client.get(at).json
    # The pace hangs on the time.
    changing = {"candidates_per_hour": None, "expected_end": None}
    assert said | changing == content(overview.overview(campaign)) | changing
    assert [each["name"] for each in said["figures"]] == ["progress", "parity", "map"]
    for figure in figures_of(campaign):
        assert client.get(f"{at}/figures/{figure.name}").json == content(figure.view(campaign))
    page = ranking_page(campaign, offset=2, limit=3, sort="value", descending=True)
    asked = "ranking?offset=2&limit=3&sort=value&descending=true"
    assert client.get(f"{at}/{asked}").json == content(page)
    only = client.get(f"{at}/ranking?outcome=predicted&search=ag").json
    assert {row["outcome"] for row in only["rows"]} <= {"predicted"}
    for row in page.rows:
        view = candidate.candidate_view(campaign, row.candidate_id)
        assert client.get(f"{at}/candidates/{row.candidate_id}").json == content(view)


def test_nothing_new_is_said_in_few_bytes_until_the_campaign_changes(client, campaign):
    at = f"/api/v1/campaigns/{campaign.name}"
    first = client.get(at)
    again = client.get(at, If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    campaign.touch()
    changed = client.get(at, If_None_Match=first.headers["ETag"])
    assert changed.status == 200
    assert changed.json["revision"] != first.json["revision"]
    campaign.set_status("paused")
    assert client.get(at, If_None_Match=changed.headers["ETag"]).json["status"] == "paused"


def test_the_pace_of_a_campaign_that_halts_goes_on_changing(new_campaign, work, monkeypatch):
    from screening.machine.clock import now
    from screening.server import app

    campaign = new_campaign(pool=4, budget=4, recipe={"failing": ["Al", "Cu"]})
    work(campaign)
    later = now().replace(second=30)
    for module in ("screening.server.app", "screening.campaigns.campaign"):
        monkeypatch.setattr(f"{module}.now", lambda: later)
    with served(app.dashboard(campaign.database, loopback=True, token=None)) as client:
        at = f"/api/v1/campaigns/{campaign.name}"
        done = client.get(at)
        assert done.json["finished"]
        later += datetime.timedelta(hours=1)
        assert client.get(at, If_None_Match=done.headers["ETag"]).status == 304
        # Some are queued again, and nobody computes them.
        assert requeue(campaign) > 0
        first = client.get(at)
        assert not first.json["finished"]
        assert client.get(at, If_None_Match=first.headers["ETag"]).status == 304
        later += datetime.timedelta(minutes=1)
        halted = client.get(at, If_None_Match=first.headers["ETag"])
        assert halted.status == 200
        assert halted.json["candidates_per_hour"] < first.json["candidates_per_hour"]


def test_a_new_ranking_is_worked_out_once_for_all_who_ask(client, campaign, monkeypatch):
    """Also where the reader of the database may not keep it there."""
    from screening.ranking import cache

    calls = []

    def slow(snapshot, *args, **options):
        calls.append(snapshot.name)
        time.sleep(0.3)
        return rank(snapshot, *args, **options)

    monkeypatch.setattr(cache, "rank", slow)
    monkeypatch.setattr(cache, "_keep", lambda *_: None)
    cache.forget(campaign)
    key = campaign.picks()[0]["candidate_id"]
    paths = [
        "",
        "/ranking",
        "/ranking?sort=label",
        "/figures/progress",
        "/figures/parity",
        "/figures/map",
    ]
    paths = [f"/api/v1/campaigns/{campaign.name}{each}" for each in paths]
    paths.append(f"/api/v1/campaigns/{campaign.name}/candidates/{key}")
    with ThreadPoolExecutor(len(paths)) as readers:
        assert {reply.status for reply in readers.map(client.get, paths)} == {200}
    assert calls == ["toy-1"]
    campaign.touch()
    rows = client.get(paths[1]).json["rows"]
    assert [row["candidate_id"] for row in rows] == [row.candidate_id for row in ranking(campaign)]
    assert calls == ["toy-1"] * 2


def test_problems_are_one_sentence(bare, new_campaign):
    new_campaign()
    at = "/api/v1/campaigns/toy-1"
    for path, status, sentence in [
        ("/api/v1/campaigns/none", 404, "campaign 'none': unknown; known: toy-1"),
        (f"{at}/figures/trade-off", 404, "has no figure 'trade-off'; known: progress, parity, map"),
        (f"{at}/candidates/x", 404, "candidate 'x' is not in the pool"),
        (f"{at}/ranking?limit=501", 422, "limit: "),
        (f"{at}/ranking?limit=0", 422, "limit: "),
        (f"{at}/ranking?offset=-1", 422, "offset: "),
        (f"{at}/ranking?sort=colour", 422, "cannot sort by 'colour'"),
        (f"{at}/ranking?outcome=nice", 422, "outcome: "),
        (f"{at}/ranking?search=Xx,Na", 422, "'Xx' in the search"),
        ("/api/v1/nothing", 404, "there is nothing at this address"),
        ("/pages/__init__.py", 404, "there is no file"),
        ("/pages/..%2freport.py", 404, "nothing at this address"),
        ("/docs", 404, "there is nothing at this address"),
    ]:
        reply = bare.get(path)
        assert reply.status == status, path
        assert list(reply.json) == ["detail"], path
        assert sentence in reply.json["detail"], path
        assert "\n" not in reply.json["detail"], path


def test_everything_is_read_only(bare):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        reply = bare.get("/api/v1/campaigns/toy-1", method)
        assert (reply.status, reply.json["detail"]) == (405, "everything here is read-only")
    description = bare.get("/openapi.json").json
    assert all(list(methods) == ["get"] for methods in description["paths"].values())
    schemas = description["components"]["schemas"]
    assert {"Overview", "RankingPage", "CandidateView", "Problem"} <= schemas.keys()


def test_the_pages_are_served_and_kept(bare):
    from screening.pages import linked_names, page_text, plotly_text

    for path, text in [
        ("/", page_text("index.html")),
        *((f"/pages/{name}", page_text(name)) for name in linked_names()),
        ("/pages/plotly.js", plotly_text()),
    ]:
        reply = bare.get(path)
        assert reply.status == 200
        assert reply.body.decode() == text
        assert bare.get(path, If_None_Match=reply.headers["ETag"]).status == 304


def test_a_database_that_is_away_is_said_and_waited_for(tmp_path):
    from screening.server.app import dashboard
    from screening.store.database import Database

    server = KillableServer(tmp_path / "database")
    database = Database(server.uri, "screen")
    try:
        _wait_until(lambda: database.campaigns.find_one({}) is None)
        with served(dashboard(database, loopback=True, token=None)) as client:
            assert client.get("/api/v1/campaigns").json == []
            server.kill()
            away = client.get("/api/v1/campaigns")
            assert (away.status, away.json) == (503, {"detail": "the database does not answer"})
            server.start()
            _wait_until(lambda: client.get("/api/v1/campaigns").status == 200)
    finally:
        server.kill()
        database.close()


def _wait_until(true, timeout_s=300):
    from pymongo.errors import PyMongoError

    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(PyMongoError):
            if true():
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


# ---------------------------------------------------------------------------------- who is let in


async def _hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765", "127.0.0.2:8765"),
        *("[0:0:0:0:0:0:0:1]:8765", "[0:0:0:0:0:0:0:1]"),
    ],
)
def test_this_machine_is_answered_by_its_names(host):
    with served(Guard(_hello, loopback=True, token=None)) as client:
        assert client.get("/", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "192.0.2.1"]
)
def test_other_names_that_lead_here_are_refused(host):
    with served(Guard(_hello, loopback=True, token=None)) as client:
        reply = client.get("/", Host=host)
        assert reply.status == 400
        assert "localhost" in reply.json["detail"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_a_token_opens_as_header_or_once_as_query():
    with served(Guard(_hello, loopback=False, token=TOKEN)) as client:
        assert client.get("/", Host="cluster.example").status == 401
        assert client.get("/", Authorization=f"Bearer {TOKEN}").body == b"hello"
        assert client.get("/", Authorization=f"Bearer {TOKEN}x").status == 401
        assert client.get("/", Authorization=TOKEN).status == 401
        assert client.get("/?token=wrong").status == 401
        assert client.get(f"/api?token={TOKEN}").status == 401
        opened = client.get(f"/?token={TOKEN}")
        assert (opened.status, opened.headers["Location"]) == (303, "/")
        cookie, *attributes = opened.headers["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
        assert TOKEN not in cookie
        assert client.get("/", Cookie=cookie).body == b"hello"
        assert client.get("/", Cookie=f"{cookie}0").status == 401
        name = cookie.partition("=")[0]
        assert name == f"matscreen-{client.port}"
        assert client.get("/", Cookie=f"{name}={TOKEN}").status == 401
        for odd in (f"{name}=", "\xff", "a;;=;"):
            assert client.get("/", Cookie=odd).status == 401


def test_cookies_of_other_servers_of_the_machine_are_in_nobodys_way():
    with served(Guard(_hello, loopback=True, token=TOKEN)) as client:
        cookie = client.get(f"/?token={TOKEN}").headers["Set-Cookie"].split(";")[0]
        name = cookie.partition("=")[0]
        for others in ('set={"a": [1, 2]}', "odd name=\xff", f"{name}=older", "matscreen-1=x"):
            assert client.get("/", Cookie=others).status == 401
            for sent in (f"{others}; {cookie}", f"{cookie};{others}", [cookie, others]):
                assert client.get("/", Cookie=sent).status == 200, sent
        session = cookie.partition("=")[2]
        assert client.get("/", Cookie=f"matscreen-1={session}").status == 401


def test_browsers_are_told_what_to_refuse(bare):
    for path in ("/", "/pages/page.js", "/api/v1/campaigns", "/nothing"):
        headers = bare.get(path).headers
        assert all(headers[name] == value for name, value in HEADERS.items())
    script = next(
        rule for rule in HEADERS["Content-Security-Policy"].split("; ") if "script" in rule
    )
    assert script == "script-src 'self'"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.168.0.7", "cluster.example")),
    ],
)
def test_loopback_is_known(host, expected):
    assert is_loopback(host) == expected


# -------------------------------------------------------------------------------------- the command


def test_the_token_comes_from_the_option_or_the_environment(tmp_path, monkeypatch):
    assert the_token(Settings(), None) is None
    monkeypatch.setenv("SCREEN_SERVE_TOKEN", "of-the-environment")
    assert the_token(Settings(), None) == "of-the-environment"
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert the_token(Settings(), path) == TOKEN
    path.chmod(0o644)
    with pytest.raises(ScreenError, match=r"--token-file: file .* is open to other users"):
        the_token(Settings(), path)
    for odd in ("schlüssel-der-gruppe", "with blanks in between", "ends-with-a-newline\n"):
        monkeypatch.setenv("SCREEN_SERVE_TOKEN", odd)
        with pytest.raises(ScreenError, match=r"signs of ASCII.*openssl rand"):
            the_token(Settings(), None)
    monkeypatch.setenv("SCREEN_SERVE_TOKEN_FILE", str(path))
    with pytest.raises(ScreenError, match=r"SERVE_TOKEN and SCREEN_SERVE_TOKEN_FILE are both set"):
        the_token(Settings(), None)
    monkeypatch.delenv("SCREEN_SERVE_TOKEN")
    with pytest.raises(ScreenError, match=r"SCREEN_SERVE_TOKEN_FILE: file .* is open to other"):
        the_token(Settings(), None)
    path.chmod(0o600)
    assert the_token(Settings(), None) == TOKEN
    monkeypatch.delenv("SCREEN_SERVE_TOKEN_FILE")
    monkeypatch.setenv("SCREEN_SERVE_TOKEN", "short")
    with pytest.raises(ScreenError, match=r"fewer than 16 characters.*openssl rand"):
        the_token(Settings(), None)


def test_others_are_let_in_with_a_token_only(monkeypatch):
    with pytest.raises(ScreenError, match=r"--no-token: .* --host 0\.0\.0\.0, .* needs a token"):
        serve("0.0.0.0", 0, None, no_token=True)
    monkeypatch.setenv("SCREEN_SERVE_TOKEN", TOKEN)
    with pytest.raises(ScreenError, match=r"--no-token: there is a token"):
        serve("127.0.0.1", 0, None, no_token=True)


def test_a_port_in_use_is_named():
    with (
        listening("127.0.0.1", 0) as first,
        pytest.raises(ScreenError, match=r"port \d+ \(Address already in use\); give another"),
        listening("127.0.0.1", first.getsockname()[1]),
    ):
        pass


def test_a_host_that_is_none_is_named():
    with (
        pytest.raises(ScreenError, match=r"--host nowhere\.invalid"),
        listening("nowhere.invalid", 0),
    ):
        pass


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScreenError, match=r"fastapi and uvicorn; .*pip install '\.\[serve\]'"):
        require_packages()


@pytest.mark.parametrize(
    ("token", "made", "expected"),
    [
        (None, None, "/"),
        (TOKEN, None, "/?token=… with the token"),
        (TOKEN, TOKEN, f"/?token={TOKEN}"),
    ],
)
def test_only_a_token_that_was_made_for_the_run_is_printed(token, made, expected):
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address("127.0.0.1", listener, token, made) == f"http://127.0.0.1:{port}{expected}"


def test_a_server_on_all_addresses_names_the_machine():
    with listening("0.0.0.0", 0) as listener:
        port = listener.getsockname()[1]
        told = address("0.0.0.0", listener, None, None)
        assert told == f"http://{socket.gethostname()}:{port}/"


def test_the_command_makes_a_token_serves_and_ends_at_once(database, server_uri, tmp_path):
    environment = {
        **os.environ,
        "SCREEN_MONGODB_URI": server_uri,
        "SCREEN_DATABASE": database.name,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "screening", "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stderr.readline()
        assert "dashboard: http://127.0.0.1:" in said
        port = int(said.split("127.0.0.1:")[1].split("/")[0])
        token = re.search(r"/\?token=([0-9a-f]{48}) ", said)[1]
        assert Client(port).get("/openapi.json").status == 401
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request("GET", "/openapi.json", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True)
        # The connection stays open, as a browser's does.
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=300)[1]
        assert (process.returncode, rest) == (0, "")
    finally:
        process.kill()
        process.wait()


def test_running_stops_with_the_signal(monkeypatch):
    import uvicorn

    def interrupted(self, sockets):
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", interrupted)
    with listening("127.0.0.1", 0) as listener:
        run(_hello, listener)
