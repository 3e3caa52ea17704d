"""Large values (blobs) that no document refers to any more, and their removal.

A result that was delivered twice, or computed again after its worker died, leaves the blobs of the
first time behind.  A blob is kept as long as a document of ``results`` or ``job_outputs`` refers
to it.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening.store.database import Database

SPARED_H = 24.0
"""Age below which a blob is left alone: the document that refers to it may be on its way."""


@dataclass(frozen=True)
class UnreferencedBlobs:
    """Blobs that no document refers to.

    Parameters
    ----------
    ids
        Ids of their files in GridFS.
    size_mb
        Size of all of them together (MB).
    total
        Number of all blobs in the database, needed ones too.
    """

    ids: list[Any]
    size_mb: float
    total: int


def find_unreferenced(database: Database, older_than_h: float = SPARED_H) -> UnreferencedBlobs:
    """Find the blobs that no document refers to.

    Parameters
    ----------
    older_than_h
        Younger ones (hours) are left out.
    """
    blobs = database.blobs
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=older_than_h)
    # Listed before the references are read: blobs stored meanwhile are then not among them.
    files = list(blobs.find({}, {"metadata.blob_uuid": 1, "length": 1, "uploadDate": 1}))
    needed: set[str] = set()
    for collection in (database.results, database.job_outputs):
        for document in collection.find({}):
            needed.update(_references(document))
    unreferenced = [
        file
        for file in files
        if file.get("metadata", {}).get("blob_uuid") not in needed and file["uploadDate"] < before
    ]
    return UnreferencedBlobs(
        ids=[file["_id"] for file in unreferenced],
        size_mb=sum(file["length"] for file in unreferenced) / 1e6,
        total=len(files),
    )


def remove_unreferenced(database: Database, unreferenced: UnreferencedBlobs) -> None:
    """Delete blobs for good."""
    from gridfs.errors import NoFile

    bucket = database.blob_bucket
    for file_id in unreferenced.ids:
        with contextlib.suppress(NoFile):  # somebody else was faster
            bucket.delete(file_id)


def _references(content: Any) -> Iterator[str]:
    """Yield the ``blob_uuid`` of every reference in a document."""
    if isinstance(content, dict):
        if isinstance(content.get("blob_uuid"), str):
            yield content["blob_uuid"]
        content = content.values()
    elif not isinstance(content, list):
        return
    for part in content:
        # Long lists of numbers hold no reference, and are most of a document.
        if isinstance(part, dict | list):
            yield from _references(part)
