"""Which documents have changed lately: what was made of many follows by reading these again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo import UpdateOne
    from pymongo.collection import Collection

LENGTH = 256
"""Changes that a log remembers; somebody who has missed more reads everything again."""
_NOTHING = ""


@dataclass(frozen=True)
class Moment:
    """Where a log stands.

    Attributes
    ----------
    token : str
        Another one whenever anything may have changed.
    count : int
        Changes so far.
    recent : list of str
        Ids of the documents that changed last, the newest last.
    """

    token: str
    count: int
    recent: Sequence[str]

    @property
    def version(self) -> str:
        """What changes with every change."""
        return f"{self.token}/{self.count}"

    def since(self, version: str) -> list[str] | None:
        """Return the ids that have changed since a version; None where that is not known."""
        token, _, count = version.rpartition("/")
        missed = self.count - int(count or 0)
        if token != self.token or not 0 <= missed <= len(self.recent):
            return None
        newest = self.recent[len(self.recent) - missed :]
        return [key for key in dict.fromkeys(newest) if key != _NOTHING]


class ChangeLog:
    """The last changes of a set of documents, in one document of ``revisions``.

    Counter and ids change together, in one update: whoever knows a count knows what came later.
    A change is noted when its document is stored; where a program may be killed between the two,
    also before, so that no version stands for two contents.

    Parameters
    ----------
    revisions
        The collection.
    key
        Which documents.
    """

    def __init__(self, revisions: Collection[dict[str, Any]], key: str) -> None:
        self._revisions = revisions
        self._key = key

    def note(self, ids: Sequence[str]) -> None:
        """Say that documents have changed; without ids, that something beside them has."""
        note_together([(self, ids)])

    def note_all(self) -> None:
        """Say that any of the documents may have changed."""
        self._revisions.update_one({"_id": self._key}, _anything(), upsert=True)

    def update(self, ids: Sequence[str]) -> UpdateOne:
        """Return the update of ``revisions`` that notes these changes."""
        from pymongo import UpdateOne

        noted = list(ids) or [_NOTHING]
        change = {
            "$inc": {"count": len(noted)},
            "$push": {"recent": {"$each": noted, "$slice": -LENGTH}},
            "$setOnInsert": {"token": uuid.uuid4().hex},
        }
        many = len(noted) > LENGTH
        return UpdateOne({"_id": self._key}, _anything() if many else change, upsert=True)

    def now(self) -> Moment:
        """Return where the log stands."""
        stored = self._revisions.find_one({"_id": self._key}) or {}
        return Moment(stored.get("token", ""), stored.get("count", 0), stored.get("recent", []))


def note_together(changes: Sequence[tuple[ChangeLog, Sequence[str]]]) -> None:
    """Note changes in several logs of one collection, in one round trip."""
    revisions = changes[0][0]._revisions
    revisions.bulk_write([log.update(ids) for log, ids in changes])


def _anything() -> dict[str, Any]:
    return {"$set": {"token": uuid.uuid4().hex}}
