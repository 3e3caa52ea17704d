"""A password is in no document, log, message or command line; who may only read writes nothing."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import threading
import time
from urllib.parse import quote, urlsplit, urlunsplit

import psutil
import pytest
import yaml
from campaign_fixtures import toy_content, write_cifs
from gridfs import GridFS
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from secret_search import places

from screening.campaigns.indexes import indexes
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.store.database import Database, open_database

PASSWORD = "p@ss/w:rd% sw0rdf1sh"
WRONG = "wr0ng/s@lmon"


@pytest.fixture
def user_uri(server_uri, database_name):
    """Make users of the test's database: ``user_uri(roles, password)`` is the address of one."""
    made = []

    def user_uri(roles: list[str], password: str = PASSWORD) -> str:
        name = f"user{len(made)}"
        with MongoClient(server_uri) as client:
            bound = [{"role": role, "db": database_name} for role in roles]
            client[database_name].command("createUser", name, pwd=password, roles=bound)
        made.append(name)
        return address_of(name, password)

    def address_of(name: str, password: str) -> str:
        server = urlsplit(server_uri)
        place = f"{quote(name)}:{quote(password, safe='')}@{server.hostname}:{server.port or 27017}"
        return urlunsplit(("mongodb", place, "/", f"authSource={database_name}", ""))

    yield user_uri
    with MongoClient(server_uri) as client:
        for name in made:
            client[database_name].command("dropUser", name)


# ------------------------------------------------------------------------------ nowhere to be found


def test_a_password_is_found_wherever_it_stands(database, tmp_path):
    """What searches must find: a search that finds nothing proves nothing."""
    mongo = database._client[database.name]
    mongo.things.insert_one({"_id": "a", "deep": [{"url": f"mongodb://u:{quote(PASSWORD)}@h"}]})
    # Cut in two by the end of a piece.
    GridFS(mongo, "blobs").put(b"x" * 5 + PASSWORD.encode(), chunk_size=10)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text(f"said {quote(PASSWORD, safe='')}")
    (tmp_path / "b.gz").write_bytes(gzip.compress(PASSWORD.encode()))
    (tmp_path / "innocent").write_text("sw0rdf1sh")
    found = places(
        PASSWORD, texts={"out": "nothing", "err": PASSWORD}, folders=[tmp_path], database=mongo
    )
    assert len(found) == 5
    for part in ("err", "a.log", "b.gz", "things a", "blobs.chunks of"):
        assert any(part in place for place in found), part


def test_a_campaign_leaves_its_password_nowhere(
    screen, server_uri, database_name, user_uri, monkeypatch, tmp_path
):
    """All commands, workers, a job that fails, a server that refuses; the roles the docs name."""
    uri = user_uri(["readWrite", "dbAdmin"])
    monkeypatch.setenv("SCREEN_MONGODB_URI", uri)
    target = tmp_path / "toy.yaml"
    crystals = write_cifs(tmp_path / "crystals", 3)
    content = toy_content(sources=[str(crystals)], budget=3, max_attempts=1)
    target.write_text(yaml.safe_dump({**content, "recipe": {"failing": ["Cu"], "seconds": 0.2}}))
    lines: set[str] = set()
    watched = threading.Event()

    def watch() -> None:
        while not watched.is_set():
            for each in psutil.Process().children(recursive=True):
                try:
                    lines.add(" ".join(each.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    said = {}

    def run(*arguments: object, status: int = 0) -> None:
        answer = screen(*arguments)
        assert answer.status == status, answer
        said[f"{arguments} out"], said[f"{arguments} err"] = answer.out, answer.err

    # Looking for all engines takes longer than everything else here.
    monkeypatch.setattr("screening.machine.shipped_configs.names", lambda kind: ["emt"])
    run("submit", "--target", target, "--name", "mine", "--wait", "--workers", 1)
    watched.set()
    watcher.join()
    for arguments in (["status"], ["rank"], ["rank", "--format", "json"], ["show", "Cu"]):
        run(*arguments)
    run("doctor")
    assert any("SCREEN_MONGODB_URI answers" in each for each in said.values())
    run("retry", "mine")
    monkeypatch.setenv(
        "SCREEN_MONGODB_URI", uri.replace(quote(PASSWORD, safe=""), quote(WRONG, safe=""))
    )
    run("status", status=2)
    run("doctor", status=1)
    assert any("refused database" in each for each in said.values())

    assert any("screening.running.worker mine" in line for line in lines)
    with MongoClient(server_uri) as client:
        stored = client[database_name]
        [failed] = stored.picks.find({"candidate_id": {"$regex": "^Cu-"}})
        assert "cannot be computed" in str(failed)
        assert stored.fireworks.count_documents({}) > 0
        texts = {**said, "command lines": "\n".join(lines)}
        for secret in (PASSWORD, WRONG):
            assert places(secret, texts=texts, folders=[tmp_path], database=stored) == []


def test_libraries_that_hold_the_address_do_not_show_it(user_uri, database_name):
    """FireWorks' and maggma's objects say their address when they are printed or serialised."""
    uri = user_uri(["readWrite", "dbAdmin"])
    database = Database(uri, database_name)
    launchpad, store = database.launchpad, database.job_store
    additional = store.additional_stores["data"]
    texts = {
        "launchpad": f"{launchpad!r} {launchpad} {launchpad.to_dict()} {launchpad.to_format()}",
        "store": f"{store!r} {store} {store.name} {store.as_dict()}",
        **{
            type(each).__name__: f"{each!r} {each} {each.name} {each.as_dict()} {vars(each)}"
            for each in (store.docs_store, additional)
        },
        "client": f"{database._client!r} {database.results!r} {database!r} {launchpad.connection}",
        "attributes": str({key: value for key, value in vars(launchpad).items()}),
    }
    assert places(PASSWORD, texts=texts) == []
    # They are connected all the same, and stay so when asked again.
    store.connect()
    store.update([{"uuid": "a", "index": 1, "output": 1}], key=["uuid", "index"])
    assert store.get_output("a", load=True) == 1
    assert launchpad.get_new_fw_id() == 1
    database.close()


# ------------------------------------------------------------------------------ who may only read


def test_who_may_only_read_sees_everything_and_writes_nothing(
    screen, new_campaign, work, user_uri, server_uri, database_name, monkeypatch
):
    campaign = new_campaign("mine", pool=6, budget=3)
    work(campaign)
    # What the ranking would keep is not there yet.
    campaign.database.predictions.drop()
    monkeypatch.setenv("SCREEN_MONGODB_URI", user_uri(["read"]))
    before = contents(server_uri, database_name)
    ranked = screen("rank", "mine")
    assert ranked.status == 0, ranked
    assert "predicted" in ranked.out
    key = campaign.picks()[0]["candidate_id"]
    for arguments in (["status", "mine"], ["show", key], ["rank", "--predicted"]):
        answer = screen(*arguments)
        assert answer.status == 0, answer
    for arguments in (["pause", "mine"], ["cancel", "mine"], ["retry", "mine"]):
        answer = screen(*arguments)
        assert answer.status == 2, answer
        assert "Traceback" not in answer.err
    assert contents(server_uri, database_name) == before
    with (
        open_database(Settings()) as database,
        pytest.raises(OperationFailure, match="not authorized"),
    ):
        database.campaigns.update_one({}, {"$set": {"status": "cancelled"}})


def contents(uri: str, name: str) -> dict[str, list[object]]:
    """Return all documents and indexes of a database."""
    with MongoClient(uri) as client:
        names = client[name].list_collection_names()
        return {
            each: [list(client[name][each].find()), client[name][each].index_information()]
            for each in sorted(names)
        }


# ------------------------------------------------------------------------------------------ TLS


@pytest.fixture
def tls_server(tmp_path):
    """A server that speaks TLS only, and its certificate."""
    pytest.importorskip("secantus")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    kind = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subprocess.run(
        ["openssl", "req", *kind.split(), *subject.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    log = tmp_path / "server.log"
    options = {
        "--port": "0",
        "--storage-path": tmp_path / "tls",
        "--tls-cert-file": certificate,
        "--tls-key-file": key,
    }
    words = [word for option in options.items() for word in option]
    server = subprocess.Popen(
        [sys.executable, "-m", "secantus", "--standalone", *words], stderr=log.open("w")
    )
    while "listening on" not in log.read_text():
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    port = int(next(x for x in log.read_text().splitlines() if "listening" in x).rpartition(":")[2])
    yield f"mongodb://127.0.0.1:{port}/?tls=true", certificate
    server.kill()
    server.wait()


def test_options_of_tls_reach_every_library(tls_server, tmp_path):
    uri, certificate = tls_server
    settings = Settings(mongodb_uri=f"{uri}&tlsCAFile={quote(str(certificate), safe='')}")
    with open_database(settings) as database:
        database.prepare(indexes())
        assert database.launchpad.get_new_fw_id() == 1
        store = database.job_store
        store.update(
            [{"uuid": "a", "index": 1, "output": {"large": [1]}}],
            key=["uuid", "index"],
            save={"data": "large"},
        )
        assert store.get_output("a", load=True) == {"large": [1]}
    lacking = Settings(mongodb_uri=f"{uri}&tlsCAFile={tmp_path}/nowhere.pem")
    with (
        pytest.raises(ScreenError, match=r"SCREEN_MONGODB_URI names .*nowhere\.pem \(No such"),
        open_database(lacking),
    ):
        pass
