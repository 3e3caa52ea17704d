"""Find a secret in everything a campaign wrote: the database, folders, output."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import bson


def places(
    secret: str,
    *,
    texts: Mapping[str, str] | None = None,
    folders: Iterable[Path] = (),
    database: Any = None,
) -> list[str]:
    """Return where a secret stands, as it is or percent-encoded; empty when nowhere.

    Parameters
    ----------
    texts
        What programs said, by a name for it.
    folders
        Searched whole: names of files and folders, contents, targets of links.
    database
        pymongo's database; every document of every collection, files of GridFS put together.
    """
    found = list(_said(texts or {})) + [
        each for folder in folders for each in _written(Path(folder))
    ]
    if database is not None:
        found += _stored(database)
    return sorted({place for place, content in found if _holds(content, secret.encode())})


def _holds(content: bytes, secret: bytes) -> bool:
    forms = (content, unquote_to_bytes(content), unquote_to_bytes(content.replace(b"+", b" ")))
    return any(secret in form for form in forms)


def _said(texts: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for name, text in texts.items():
        yield name, text.encode()


def _written(folder: Path) -> Iterator[tuple[str, bytes]]:
    assert folder.is_dir(), folder
    for path in folder.rglob("*"):
        yield str(path), str(path).encode()
        if path.is_symlink():
            yield str(path), str(path.readlink()).encode()
        elif path.is_file():
            content = path.read_bytes()
            yield str(path), content
            if path.suffix == ".gz":
                yield str(path), _unpacked(content)


def _unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return b""


def _stored(database: Any) -> Iterator[tuple[str, bytes]]:
    names = database.list_collection_names()
    assert names, "the database is empty"
    for name in names:
        yield name, name.encode()
        pieces: dict[Any, bytes] = {}
        order = [("files_id", 1), ("n", 1)] if name.endswith(".chunks") else [("_id", 1)]
        for document in database[name].find(sort=order):
            yield f"{name} {document['_id']}", bson.encode(document)
            if name.endswith(".chunks"):
                file = document["files_id"]
                pieces[file] = pieces.get(file, b"") + document["data"]
        for file, content in pieces.items():
            yield f"{name} of {file}", content
            # maggma packs values on request.
            try:
                yield f"{name} of {file}", zlib.decompress(content)
            except zlib.error:
                continue
