"""Blobs that nothing refers to any more, and their removal.

A result that was delivered twice, or computed again after its worker died, leaves the blobs of the
first time behind.  What a document of ``results`` or ``job_outputs`` refers to is kept.
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
class Garbage:
    """Blobs without any reference.

    Parameters
    ----------
    ids
        Of their files in GridFS.
    size_mb
        All together.
    total
        How many blobs there are, with those that are needed.
    """

    ids: list[Any]
    size_mb: float
    total: int


def find_garbage(database: Database, older_than_h: float = SPARED_H) -> Garbage:
    """Look for blobs that nothing refers to."""
    blobs = database.blobs
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=older_than_h)
    # Listed before the references are read: what comes meanwhile is not among them.
    files = list(blobs.find({}, {"metadata.blob_uuid": 1, "length": 1, "uploadDate": 1}))
    needed: set[str] = set()
    for collection in (database.results, database.job_outputs):
        for document in collection.find({}):
            needed.update(_references(document))
    idle = [
        each
        for each in files
        if each.get("metadata", {}).get("blob_uuid") not in needed and each["uploadDate"] < before
    ]
    return Garbage(
        [each["_id"] for each in idle], sum(each["length"] for each in idle) / 1e6, len(files)
    )


def remove_garbage(database: Database, garbage: Garbage) -> None:
    """Delete blobs for good."""
    from gridfs.errors import NoFile

    bucket = database.blob_bucket
    for file_id in garbage.ids:
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
    for each in content:
        # Long lists of numbers hold none, and are most of a document.
        if isinstance(each, dict | list):
            yield from _references(each)
