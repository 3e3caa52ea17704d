"""A database server for the test session, a fresh database a test, toy campaigns, the CLI."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toy_objective

from screening.campaigns.indexes import indexes
from screening.targets.objectives import OBJECTIVES

TOY_PATH = os.pathsep.join(str(Path(__file__).parent / each) for each in ("toy_site", "."))
"""PYTHONPATH of programs that shall know the objective ``toy``."""
MACHINE = ("MONGODB_URI", "MONGODB_URI_FILE", "DATABASE", "DIRECTORY", "WORKERS", "SERVE_TOKEN")


@pytest.fixture(autouse=True)
def _own_machine_settings(monkeypatch):
    """Keep the developer's own database out of every test."""
    for name in MACHINE:
        monkeypatch.delenv(f"SCREEN_{name}", raising=False)


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory) -> Iterator[str]:
    """The MongoDB named by SCREEN_TEST_MONGODB_URI, else an embedded one."""
    if given := os.environ.get("SCREEN_TEST_MONGODB_URI"):
        yield given
        return
    from screening.store.embedded import embedded_server

    with contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("server")
        if has_room(MEMORY):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        yield stack.enter_context(embedded_server(folder))


MEMORY = Path("/dev/shm")
"""Files in memory: the server writes every commit to the disk, which takes most of its time."""


def has_room(folder: Path, bytes_free: int = 2**30) -> bool:
    """Return whether a folder can take the databases of a test session."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > bytes_free


@pytest.fixture(scope="session")
def mongo(server_uri) -> Iterator[Any]:
    """One connection that makes and drops databases: each login takes 20 ms."""
    from pymongo import MongoClient

    with MongoClient(server_uri) as client:
        yield client


@pytest.fixture
def database_name(request, mongo) -> Iterator[str]:
    """Name of an empty database; one that does not exist yet, unless the test uses `database`."""
    if "database" in request.fixturenames:
        name = request.getfixturevalue("prepared_name")
        empty(mongo[name])
        yield name
        return
    with new_database_name(mongo) as name:
        yield name


@contextlib.contextmanager
def new_database_name(mongo: Any) -> Iterator[str]:
    """Name a database that does not exist yet; drop it in the end."""
    name = f"screen_test_{uuid.uuid4().hex[:12]}"
    yield name
    mongo.drop_database(name)


@pytest.fixture(scope="session")
def prepared_name(server_uri, mongo) -> Iterator[str]:
    """Name of the one database that tests use in turn: to make its 30 indexes takes 0.1 s."""
    from screening.store.database import Database

    with new_database_name(mongo) as name:
        database = Database(server_uri, name)
        database.prepare(indexes())
        database.close()
        yield name


def empty(database: Any) -> None:
    """Delete all documents of a database, and keep its indexes and FireWorks' counters.

    FireWorks makes its ten indexes again where there are no counters.
    """
    for collection in database.list_collection_names():
        if collection == "fw_id_assigner":
            continue
        if database[collection].find_one({}, {"_id": 1}) is not None:
            database[collection].delete_many({})


@pytest.fixture
def connect(server_uri, database_name) -> Iterator[Callable[[], Any]]:
    """Open one more connection to the test's database."""
    from screening.store.database import Database

    opened = []

    def connect():
        opened.append(Database(server_uri, database_name))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()


@pytest.fixture
def database(connect):
    """An empty database with its indexes."""
    return connect()


@pytest.fixture
def toy(monkeypatch):
    """Register the objective ``toy``."""
    monkeypatch.setitem(OBJECTIVES.built_in, "toy", toy_objective.PATH)
    return toy_objective.TOY


# ------------------------------------------------------------------------------------- crystals

_LATTICE_A = {"Al": 4.05, "Cu": 3.62, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pd": 3.89, "Pt": 3.92}


@functools.cache
def toy_structures() -> tuple[Any, ...]:
    """Metals that the engine emt knows, and ordered alloys of them: 7 + 18."""
    from pymatgen.core import Lattice, Structure

    metals = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [symbol], [[0, 0, 0]])
        for symbol, a in _LATTICE_A.items()
    ]
    pairs = [(one, three) for one in ("Ag", "Au", "Pt") for three in _LATTICE_A if one != three]
    alloys = [
        Structure.from_spacegroup(
            "Pm-3m",
            Lattice.cubic((_LATTICE_A[one] + 3 * _LATTICE_A[three]) / 4),
            [one, three],
            [[0, 0, 0], [0.5, 0.5, 0]],
        )
        for one, three in pairs
    ]
    return (*metals, *alloys)


@functools.cache
def toy_candidates() -> tuple[Any, ...]:
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_features import FEATURES_VERSION, features

    candidates = []
    for structure in toy_structures():
        origin = Origin(source="toy", material_id=f"toy-{structure.reduced_formula}")
        candidate = crystal_from_structure(structure, origin)
        numbers = {
            "features": features(candidate.content()),
            "features_version": FEATURES_VERSION,
        }
        candidates.append(candidate.model_copy(update=numbers))
    return tuple(candidates)


def toy_pool(count: int):
    """Return a pool of the first `count` toy crystals; the first seven are pure metals."""
    from screening.intake.ingest import Pool

    return Pool(candidates={each.candidate_id: each for each in toy_candidates()[:count]})


class ListSource:
    """A source of the records or unparsed entries that it is given."""

    def __init__(self, *records: Any, spec: str = "list") -> None:
        self.spec = spec
        self._records = records

    def records(self) -> Iterator[Any]:
        yield from self._records


def every_crystal(*sources: Any, database: Any):
    """Return the pool of all crystals of sources that one can start from."""
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.intake.ingest import ingest

    return ingest(sources, CRYSTAL, CRYSTAL.filters(), database, lambda candidate: None)


def write_cifs(folder: Path, count: int, first: int = 0) -> Path:
    """Write `count` toy crystals from the `first` on as CIF files."""
    folder.mkdir(exist_ok=True)
    for structure in toy_structures()[first : first + count]:
        structure.to(str(folder / f"{structure.reduced_formula}.cif"))
    return folder


# ------------------------------------------------------------------------------------ campaigns


NEAREST = {"kind": "screening.testing.nearest_value:NearestValue"}
"""A surrogate that fits in no time: for others each worker, which ranks, imports scikit-learn."""


def toy_content(**changes: Any) -> dict[str, Any]:
    """Return the YAML of a toy campaign as a dictionary."""
    content = {
        "target": "toy",
        "objective": "toy",
        "engine": "emt",
        "sources": ["toy"],
        "sampler": {"kind": "random", "surrogate": NEAREST},
        "budget": 4,
        "batch_size": 2,
    }
    return content | changes


@pytest.fixture
def new_campaign(toy, database):
    """Create a campaign in the database: ``new_campaign(name, pool=8, budget=…, …)``."""
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.targets.engines import engine_config

    def create(name: str = "toy-1", pool: int = 8, **changes: Any) -> Campaign:
        config = CampaignConfig.model_validate(toy_content(**changes))
        engine = engine_config(config.engine)
        confirming = config.confirm and engine_config(config.confirm.engine)
        return Campaign.create(database, name, config, engine, toy_pool(pool), confirming)

    return create


@pytest.fixture
def work(tmp_path):
    """Be a worker in this process, until the campaign ends."""
    from screening.running.worker import work

    def run(campaign) -> None:
        # A campaign that would never end is paused: the test then fails instead of hanging.
        watchdog = threading.Timer(600, campaign.set_status, ["paused"])
        watchdog.start()
        try:
            work(campaign.database, campaign.name, tmp_path / "jobs")
        finally:
            watchdog.cancel()

    return run


@pytest.fixture(scope="session")
def dead_process():
    """Name of a process of this machine that has ended."""
    from screening.machine.process_names import name_of

    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = name_of(process.pid)
    process.communicate(b"\n")
    return name


# ------------------------------------------------------------------------------ the command line


@dataclass
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str


@pytest.fixture
def screen(toy, server_uri, database_name, tmp_path, monkeypatch, capsys):
    """Run ``matscreen …`` in this process, in an empty folder, with the test's database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCREEN_MONGODB_URI", server_uri)
    monkeypatch.setenv("SCREEN_DATABASE", database_name)
    monkeypatch.setenv("PYTHONPATH", TOY_PATH)
    # The program takes signals over; the tests take them back.
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}

    def screen(*arguments: object) -> Answer:
        from screening.cli import main

        monkeypatch.setattr("sys.argv", ["screen", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler)
        out, err = capsys.readouterr()
        return Answer(status, out, err)

    return screen
