"""The connection: indexes, errors without secrets, the LaunchPad and the job store."""

from __future__ import annotations

import subprocess
import sys

import pytest
from gridfs import GridFS
from pymongo.collection import Collection
from pymongo.database import Database as MongoDatabase
from pymongo.errors import DuplicateKeyError

from screening.campaigns.indexes import indexes
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.store.database import Database, open_database

SECRET = "sw0rdf1sh"
NAMES = ("candidates", "picks", "results")


def test_preparing_twice_changes_nothing(database):
    before = {name: database._client[database.name][name].index_information() for name in NAMES}
    database.prepare(indexes())
    assert before == {
        name: database._client[database.name][name].index_information() for name in NAMES
    }


def test_a_campaign_has_one_pick_of_each_number(database):
    database.picks.insert_one({"_id": "c/a", "campaign": "c", "number": 1})
    database.picks.insert_one({"_id": "d/a", "campaign": "d", "number": 1})
    with pytest.raises(DuplicateKeyError):
        database.picks.insert_one({"_id": "c/b", "campaign": "c", "number": 1})


def parts(*things):
    """Return the collections of what libraries hold, of buckets and databases too."""
    found = []
    for thing in things:
        for value in vars(thing).values():
            if isinstance(value, Collection):
                found.append(value)
            elif isinstance(value, GridFS):
                found += parts(value)
            elif isinstance(value, MongoDatabase):
                found.append(value["any"])
    return found


def test_libraries_open_no_connections_of_their_own(database):
    launchpad, large = database.launchpad, database.job_store.additional_stores["data"]
    collections = parts(launchpad, database.job_store.docs_store, large, large._files_store)
    assert len(collections) >= 12
    assert launchpad.connection is database._client
    for collection in collections:
        assert collection.database.client is database._client
        # They compare dates with their own, which name no time zone.
        assert not collection.codec_options.tz_aware


def test_the_user_may_tell_fireworks_to_keep_nothing_in_gridfs(database, monkeypatch):
    for module in ("fireworks.core.launchpad", "screening.store.safe_launchpad"):
        monkeypatch.setattr(f"{module}.GRIDFS_FALLBACK_COLLECTION", None)
    assert database.launchpad.gridfs_fallback is None


def test_times_come_back_with_their_zone(database):
    from screening.machine.clock import now

    moment = now()
    database.campaigns.insert_one({"_id": 1, "created_at": moment})
    assert database.campaigns.find_one()["created_at"] == moment


def test_opening_uses_what_the_settings_name(server_uri, database_name, monkeypatch):
    monkeypatch.setenv("SCREEN_MONGODB_URI", server_uri)
    monkeypatch.setenv("SCREEN_DATABASE", database_name)
    with open_database(Settings()) as database:
        database.campaigns.insert_one({"_id": "here"})
        assert database.name == database_name
    with open_database(Settings()) as database:
        assert database.campaigns.find_one({"_id": "here"})


def test_opening_starts_and_stops_the_embedded_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_database(Settings()) as database:
        database.campaigns.insert_one({"_id": "here"})
        assert (tmp_path / ".screen" / "server.json").exists()
    assert not (tmp_path / ".screen" / "server.json").exists()


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://user:{SECRET}@",
        f"mongodb://user:{SECRET}@host:port/",
        f"mongodb://user:{SECRET}@host:99999/",
        f"mongodb://us@er:{SECRET}@host/",
        f"mongodb://user:{SECRET}%zz@host/",
        f"http://user:{SECRET}@host/",
        f"{SECRET}:27017",
        "",
    ],
)
def test_a_malformed_address_is_refused_without_quoting_it(uri):
    with pytest.raises(ScreenError) as caught, open_database(Settings(mongodb_uri=uri)):
        pass
    assert "SCREEN_MONGODB_URI" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_connection_shows_no_address(server_uri):
    database = Database("mongodb://user:" + SECRET + "@127.0.0.1:1/", "db")
    assert SECRET not in repr(database)
    database.close()


def test_the_launchpad_is_empty_and_counts_from_one(connect):
    database = connect()
    counters = database.launchpad.fw_id_assigner
    assert counters.find_one({}, {"_id": 0}) == {"next_fw_id": 1, "next_launch_id": 1}
    database.launchpad.get_new_fw_id(quantity=5)
    # Another program that opens it must not count from one again.
    assert connect().launchpad.get_new_fw_id() == 6
    assert counters.count_documents({}) == 1


def test_large_job_outputs_go_to_gridfs(database):
    from maggma.core import Store

    blob = "x" * 20_000_000  # MongoDB takes no document beyond 16 MB
    store = database.job_store
    assert isinstance(store.docs_store, Store)
    document = {
        "uuid": "a",
        "index": 1,
        "output": {"small": 1, "large": {"text": blob}},
        "metadata": {},
    }
    store.update([document], key=["uuid", "index"], save={"data": "large"})
    light = store.get_output("a", load=False)
    assert light["small"] == 1
    assert "blob_uuid" in light["large"]
    assert store.get_output("a", load=True)["large"]["text"] == blob


def test_large_values_are_read_together_and_none_that_is_damaged(database):
    # Longer than a chunk of GridFS when compressed; and one of a single chunk.
    long, short = list(range(400_000)), [1.5]
    documents = [
        {"uuid": uuid, "index": 1, "output": {"curve": {"data": value}}, "metadata": {}}
        for uuid, value in (("long", long), ("short", short))
    ]
    database.job_store.update(documents, key=["uuid", "index"], save={"data": "curve"})
    ids = {
        uuid: database.job_store.get_output(uuid, load=False)["curve"]["blob_uuid"]
        for uuid in ("long", "short")
    }
    found = database.large_values([*ids.values(), "never stored"])
    assert found == {ids["long"]: {"data": long}, ids["short"]: {"data": short}}
    chunks = database.job_outputs.database["job_blobs.chunks"]
    assert chunks.count_documents({}) > 2
    file = database.blobs.find_one({"metadata.blob_uuid": ids["long"]})
    chunks.delete_one({"files_id": file["_id"], "n": 1})
    assert set(database.large_values(list(ids.values()))) == {ids["short"]}


# ------------------------------------------------------------------------------------ imports


def test_a_worker_reads_fireworks_settings_as_the_product_ships_them(server_uri, tmp_path):
    """FireWorks reads its file when imported: heartbeats of an hour would look like death."""
    code = f"""
import os
os.environ.pop("FW_CONFIG_FILE", None)
from pathlib import Path
from screening.store.database import Database
from screening.running import worker
database = Database({server_uri!r}, "screen_test_nothing")
try:
    worker.work(database, "no-such-campaign", Path({str(tmp_path)!r}))
except Exception as error:
    assert "no-such-campaign" in str(error), error
from fireworks import fw_config
from fireworks.core import launchpad
assert fw_config.PING_TIME_SECS == 60, fw_config.PING_TIME_SECS
assert launchpad.WFLOCK_EXPIRATION_SECS == 30
assert launchpad.WFLOCK_EXPIRATION_KILL
assert not fw_config.PRINT_FW_JSON
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("options", "seconds"), [("", 10), ("?serverSelectionTimeoutMS=50", 0.05)])
def test_an_address_may_say_how_long_to_wait_for_its_server(options, seconds):
    database = Database(f"mongodb://127.0.0.1:1/{options}", "screen")
    assert database._client.options.server_selection_timeout == seconds
    database.close()
