"""Computed values that are kept to be computed no second time: in the database and in memory."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from screening.store.database import if_allowed

if TYPE_CHECKING:
    from pymongo.collection import Collection

Value = TypeVar("Value")


class Cache:
    """A collection of texts, compressed, each with a fingerprint of the data it was computed from.

    Every document may be deleted at any time.  People who may only read the database read the
    cache and leave it as it is.
    """

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection

    def read(self, key: str, fingerprint: str) -> bytes | None:
        """Return the text of a key in UTF-8; None where there is none of this fingerprint."""
        document = self._collection.find_one({"_id": key})
        if document is None or document["fingerprint"] != fingerprint:
            return None
        return zlib.decompress(document["content"])

    def read_compressed(self, keys: Sequence[str] | None = None) -> dict[str, bytes]:
        """Return the texts of some keys, or of all, by key and still compressed by zlib.

        For keys that are fingerprints themselves.
        """
        query = {} if keys is None else {"_id": {"$in": list(keys)}}
        return {str(stored["_id"]): stored["content"] for stored in self._collection.find(query)}

    def write(self, texts: Mapping[str, str], fingerprint: str = "", **fields: Any) -> None:
        """Store texts by key in place of older ones.

        Parameters
        ----------
        fields
            Stored in each document uncompressed, to be queried.
        """
        from pymongo import ReplaceOne

        documents = [
            {
                "_id": key,
                "fingerprint": fingerprint,
                "content": zlib.compress(text.encode(), 1),
                **fields,
            }
            for key, text in texts.items()
        ]
        if documents:
            with if_allowed():
                self._collection.bulk_write(
                    [ReplaceOne({"_id": new["_id"]}, new, upsert=True) for new in documents],
                    ordered=False,
                )


@dataclass
class _Slot(Generic[Value]):
    tag: str | None = None
    value: Value | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class SingleFlight(Generic[Value]):
    """The values last asked for, in memory: of several threads that ask, one computes.

    Parameters
    ----------
    size
        Values that are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._slots: OrderedDict[tuple[str, ...], _Slot[Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        key: tuple[str, ...],
        tag: Callable[[], str],
        compute: Callable[[str], Value],
        suffices: Callable[[Value], bool] = lambda _: True,
    ) -> Value:
        """Return the value of a key, computed where it is missing, has another tag or falls short.

        Parameters
        ----------
        tag
            Returns a word that changes whenever the data behind the value do.  Called when it is
            this thread's turn: one that has waited must not ask for a value that is outdated.
        compute
            Makes the value for a tag, while other threads that ask for the key wait.
        suffices
            Whether a value kept is all that is asked for.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            if len(self._slots) > self._size:
                self._slots.popitem(last=False)
        with slot.lock:
            present = tag()
            if slot.tag != present or slot.value is None or not suffices(slot.value):
                slot.value = compute(present)
                slot.tag = present
            return slot.value
