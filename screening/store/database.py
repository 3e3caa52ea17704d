"""One connection to everything a campaign stores.

Three places: this project's own collections, jobflow's JobStore (job outputs, large values in
GridFS) and the FireWorks LaunchPad (what is queued and running).  All live in one database.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.messages.errors import ScreenError
from screening.store.embedded import embedded_server, has_database

if TYPE_CHECKING:
    from gridfs import GridFSBucket
    from jobflow import JobStore
    from pymongo import MongoClient
    from pymongo.collection import Collection
    from pymongo.database import Database as MongoDatabase

    from screening.machine.settings import Settings
    from screening.store.safe_launchpad import SafeLaunchPad

UNAUTHORIZED = 13
"""MongoDB's error code for a user who may only read."""


class Database:
    """The collections of this project, jobflow's job store and FireWorks' LaunchPad.

    Parameters
    ----------
    uri
        MongoDB connection string; may hold a password, so it is never printed.
    name
        Name of the database.
    """

    def __init__(self, uri: str, name: str) -> None:
        from pymongo import MongoClient

        self.name = name
        # What the address itself says about waiting comes first.
        waits = "serverselectiontimeoutms" in uri.lower()
        patience: dict[str, Any] = {} if waits else {"serverSelectionTimeoutMS": 10_000}
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri, tz_aware=True, **patience)

    def __repr__(self) -> str:
        """Name the database, not its address: the address may hold a password."""
        return f"Database({self.name!r})"

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        """Return a collection of the database, one of FireWorks' or jobflow's too."""
        return self._client[self.name][name]

    @property
    def campaigns(self) -> Collection[dict[str, Any]]:
        """Campaigns: configuration, status, what was ingested."""
        return self.collection("campaigns")

    @property
    def candidates(self) -> Collection[dict[str, Any]]:
        """Crystals, each once, with their origins and features."""
        return self.collection("candidates")

    @property
    def picks(self) -> Collection[dict[str, Any]]:
        """Candidates that a campaign chose to compute: why, and in which state they are."""
        return self.collection("picks")

    @property
    def results(self) -> Collection[dict[str, Any]]:
        """Finished calculations, one a candidate, objective, engine and recipe."""
        return self.collection("results")

    @property
    def predictions(self) -> Collection[dict[str, Any]]:
        """The surrogate's last predictions, one document a campaign; a cache."""
        return self.collection("predictions")

    @property
    def parsed_entries(self) -> Collection[dict[str, Any]]:
        """What parsing made of entries of sources, by the fingerprint of their text; a cache."""
        return self.collection("parsed_entries")

    @property
    def refused_cells(self) -> Collection[dict[str, Any]]:
        """Cells that a fitted potential gave no number for, by its content and theirs."""
        return self.collection("refused_cells")

    @property
    def given_cells(self) -> Collection[dict[str, Any]]:
        """Cells that the fit of a potential begins with, by the content of all that it is given."""
        return self.collection("given_cells")

    @property
    def rankings(self) -> Collection[dict[str, Any]]:
        """Rankings as last computed, in pieces; a cache."""
        return self.collection("rankings")

    @property
    def thermodynamics(self) -> Collection[dict[str, Any]]:
        """What Monte Carlo found with the cluster expansion of a campaign; a cache."""
        return self.collection("thermodynamics")

    @property
    def revisions(self) -> Collection[dict[str, Any]]:
        """Logs of what has changed last; see `screening.store.change_log`."""
        return self.collection("revisions")

    @property
    def job_outputs(self) -> Collection[dict[str, Any]]:
        """Outputs of jobs, as jobflow stores them."""
        return self.collection("job_outputs")

    @property
    def blobs(self) -> Collection[dict[str, Any]]:
        """The files of the GridFS bucket that holds large values of job outputs."""
        return self.collection("job_blobs.files")

    @property
    def blob_bucket(self) -> GridFSBucket:
        """The GridFS bucket that holds large values of job outputs."""
        from gridfs import GridFSBucket

        return GridFSBucket(self._client[self.name], "job_blobs")

    def large_values(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return large values by their ids (``blob_uuid``), read together; none that are gone."""
        query = {"metadata.blob_uuid": any_of(ids)}
        files = {file["_id"]: file for file in self.blobs.find(query)}
        # GridFSBucket asks for one file at a time, which takes most of the time of reading many.
        pieces: dict[Any, list[tuple[int, bytes]]] = defaultdict(list)
        chunks = self.collection("job_blobs.chunks")
        for chunk in chunks.find({"files_id": any_of(list(files))}, {"_id": 0}):
            pieces[chunk["files_id"]].append((chunk["n"], chunk["data"]))
        values = {}
        for key, file in files.items():
            content = b"".join(data for _, data in sorted(pieces[key]))
            if len(content) != file["length"]:
                continue
            metadata = file["metadata"]
            # As maggma's GridFSStore writes them.
            if metadata.get("compression") == "zlib":
                content = zlib.decompress(content)
            values[str(metadata["blob_uuid"])] = json.loads(content)["data"]
        return values

    @property
    def checks(self) -> Collection[dict[str, Any]]:
        """Documents that jobs of `matscreen doctor --queue` write; empty at all other times."""
        return self.collection("checks")

    def check(self) -> None:
        """Raise `ScreenError` unless the server answers and lets us in."""
        from pymongo.errors import OperationFailure, PyMongoError

        try:
            self._client.admin.command("ping")
            self.campaigns.find_one({}, {"_id": 1})
        except OperationFailure as error:
            raise ScreenError(
                f"MongoDB refused database '{self.name}' ({_reason(error)}); check the user, "
                "password and authSource in SCREEN_MONGODB_URI (or SCREEN_MONGODB_URI_FILE)"
            ) from None
        except PyMongoError as error:
            # The driver's word: an address of mongodb+srv:// names none of them.
            nodes = self._client.topology_description.server_descriptions()
            hosts = ", ".join(f"{host}:{port}" for host, port in sorted(nodes))
            raise ScreenError(
                f"MongoDB at {hosts} does not answer ({type(error).__name__}); check "
                "SCREEN_MONGODB_URI (or SCREEN_MONGODB_URI_FILE), or unset it to use the embedded "
                "server"
            ) from None

    def prepare(self, indexes: Mapping[str, Sequence[tuple[list[tuple[str, int]], bool]]]) -> None:
        """Create those of the indexes that are missing, by collection: keys, and whether unique."""
        for collection, wanted in indexes.items():
            existing = self.collection(collection).index_information()
            known = [list(map(tuple, index["key"])) for index in existing.values()]
            for keys, unique in wanted:
                if keys not in known:
                    self.collection(collection).create_index(keys, unique=unique)

    @property
    def _of_libraries(self) -> MongoDatabase[dict[str, Any]]:
        """The database as FireWorks and jobflow read it: they compare dates without time zone."""
        options = self._client.codec_options.with_options(tz_aware=False, tzinfo=None)
        return self._client.get_database(self.name, codec_options=options)

    @functools.cached_property
    def launchpad(self) -> SafeLaunchPad:
        """FireWorks' queue in this database; its counters are created on first use."""
        from screening.store.launchpad import open_launchpad

        return open_launchpad(self._of_libraries)

    @functools.cached_property
    def job_store(self) -> JobStore:
        """jobflow's store in this database: ``job_outputs``, large values in GridFS."""
        from screening.store.job_store import open_job_store

        return open_job_store(self._of_libraries)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@contextlib.contextmanager
def open_database(settings: Settings, *, must_exist: bool = False) -> Iterator[Database]:
    """Connect to the database that the settings name, or to an embedded one started for the time.

    Parameters
    ----------
    must_exist
        Refuse to make a new embedded database.

    Raises
    ------
    ScreenError
        When no server can be reached.
    """
    with contextlib.ExitStack() as stack:
        if settings.mongodb_uri is None:
            directory = settings.directory.absolute()
            if must_exist and not has_database(directory):
                raise ScreenError(
                    f"no campaign in {directory}; start one with matscreen submit, or run this in "
                    "the folder where you submitted, or set SCREEN_DIRECTORY or SCREEN_MONGODB_URI"
                )
            uri = stack.enter_context(embedded_server(directory))
        else:
            uri = settings.mongodb_uri.get_secret_value()
        database = _connect(uri, settings)
        stack.callback(database.close)
        database.check()
        _OPENED.append(database)
        stack.callback(_OPENED.remove, database)
        yield database


_OPENED: list[Database] = []
"""Those that this process has open: jobs know no address, which may hold a password."""


def opened_database() -> Database:
    """Return the database that this process opened last, for what jobs load by an import path.

    Raises
    ------
    ScreenError
        When it has none open.
    """
    if not _OPENED:
        raise ScreenError("no database is open in this process; open one with open_database")
    return _OPENED[-1]


def _connect(uri: str, settings: Settings) -> Database:
    from pymongo.errors import ConfigurationError, InvalidURI

    try:
        # Without a scheme the driver takes it for a host, and waits for it.
        if not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError
        return Database(uri, settings.database)
    except (ConfigurationError, InvalidURI, ValueError) as error:
        from dns.exception import DNSException

        if isinstance(error.__cause__, DNSException):
            name = uri.removeprefix("mongodb+srv://").rpartition("@")[2]
            raise ScreenError(
                f"{settings.address_variable}: DNS gives no servers for "
                f"'{re.split('[/?]', name)[0]}' ({type(error.__cause__).__name__}); check the name "
                "and the network, or give the servers themselves, as mongodb://host:port"
            ) from None
        # The driver's message may quote the string, and with it the password.
        raise ScreenError(
            f"{settings.address_variable} is no MongoDB connection string; expected "
            "mongodb://[user:password@]host[:port]/[?options], or mongodb+srv:// with one name and "
            "no port, with special characters in the password percent-encoded"
        ) from None
    except OSError as error:
        raise ScreenError(
            f"{settings.address_variable} names a file of TLS that cannot be read: "
            f"{error.filename} ({error.strerror})"
        ) from None


def any_of(values: Sequence[str]) -> Any:
    """Return the part of a query that asks for any of some values; of one, as servers like it."""
    return values[0] if len(values) == 1 else {"$in": list(values)}


@contextlib.contextmanager
def if_allowed() -> Iterator[None]:
    """Write to a cache; people who may only read do without."""
    from pymongo.errors import OperationFailure

    try:
        yield
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise


def _reason(error: Exception) -> str:
    details = getattr(error, "details", None) or {}
    return str(details.get("codeName") or type(error).__name__)
