"""jobflow's store of job outputs, on the connection that the database has already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridfs import GridFS
from jobflow import JobStore
from maggma.stores import GridFSStore, MongoStore

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database as MongoDatabase


def open_job_store(database: MongoDatabase[Any]) -> JobStore:
    """Return the store of a database: ``job_outputs``, with large values in GridFS.

    maggma's stores would each open a connection of their own, with its threads and its login: of a
    thousand workers, thousands.  They hold no address either, which their names would show.
    """
    outputs = _on(database["job_outputs"])
    return JobStore(outputs, additional_stores={"data": _LargeValues(database)})


def _on(collection: Collection[Any]) -> Any:
    """Return maggma's store of a collection that is connected."""
    connected: Any = MongoStore.from_collection  # maggma is typed in part
    return connected(collection)


class _LargeValues(GridFSStore):
    """Large values in the GridFS bucket ``job_blobs``."""

    def __init__(self, database: MongoDatabase[Any]) -> None:
        super().__init__(database.name, "job_blobs", key="blob_uuid")
        self._coll = GridFS(database, self.collection_name)
        self._files_collection = database[f"{self.collection_name}.files"]
        self._chunks_collection = database[f"{self.collection_name}.chunks"]
        files = _on(self._files_collection)
        files.last_updated_field = f"metadata.{self.last_updated_field}"
        files.key = self.key
        self._fs = files
