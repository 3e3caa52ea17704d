"""The ranking as last worked out, kept in pieces: the top of 100,000 rows is one small document.

Working out a ranking reads every candidate, result and pick of a campaign.  What came of it stays
right until one of them changes, which each writer tells by a new token: the campaign's own
``revision`` for its picks, and one in ``revisions`` for the results of an objective and recipe,
which other campaigns share.
"""

from __future__ import annotations

import contextlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.campaigns.predictions import MODEL_VERSION
from screening.candidates.crystal_features import FEATURES_VERSION
from screening.ranking.build import ranking
from screening.ranking.entries import RankedRow
from screening.store.database import if_allowed

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign

RANKING_VERSION = 2
"""Raise it whenever the same data are ranked differently, or rows have other fields."""
PIECE = 1000
"""Rows in a document."""
MOST_IN_MEMORY = 4
"""Campaigns of which `Memory` holds the rows, those asked for last."""


@dataclass
class _RankedRows:
    revision: str = ""
    rows: list[RankedRow] = field(default_factory=list)
    total: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Memory:
    """Rows of the newest rankings, for a program that many ask for the same.

    Of those who ask for a ranking that is not there, one works it out, and the others wait for it.
    """

    def __init__(self) -> None:
        self._ranked: OrderedDict[str, _RankedRows] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Have `cached_ranking` ask this memory first, in the thread that says so."""
        before = _memory.set(self)
        try:
            yield
        finally:
            _memory.reset(before)

    def ranking(self, campaign: Campaign, top: int | None) -> tuple[list[RankedRow], int]:
        """Return what `cached_ranking` does."""
        with self._lock:
            ranked = self._ranked.setdefault(campaign.name, _RankedRows())
            self._ranked.move_to_end(campaign.name)
            if len(self._ranked) > MOST_IN_MEMORY:
                self._ranked.popitem(last=False)
        with ranked.lock:
            # Asked for in here: who has waited would else want an older one than there is now.
            revision = revision_of(campaign)
            wanted = ranked.total if top is None else min(top, ranked.total)
            if ranked.revision != revision or len(ranked.rows) < wanted:
                found = _kept(campaign, revision, top) or _worked_out(campaign, revision)
                ranked.rows, ranked.total = found
                ranked.revision = revision
            return ranked.rows[:top], ranked.total


_memory: ContextVar[Memory | None] = ContextVar("memory of rankings", default=None)


def cached_ranking(campaign: Campaign, top: int | None = None) -> tuple[list[RankedRow], int]:
    """Return the best rows of a campaign's ranking, all by default, and how many rows there are.

    Somebody who changed results by hand gets the new ranking after `forget`.
    """
    memory = _memory.get()
    if memory is not None:
        return memory.ranking(campaign, top)
    revision = revision_of(campaign)
    found = _kept(campaign, revision, top)
    if found is not None:
        return found
    rows, total = _worked_out(campaign, revision)
    return rows[:top], total


def forget(campaign: Campaign) -> None:
    """Have the ranking worked out again the next time."""
    campaign.database.rankings.delete_many({"campaign": campaign.name})
    # Programs that hold its rows in memory ask for the revision only.
    campaign.touch()


def revision_of(campaign: Campaign) -> str:
    """Return what changes whenever the ranking may."""
    campaigns, hashes = [campaign], []
    # The prior's results shape predictions.
    earlier = campaign.prior_of(campaign.database, campaign.config)
    if earlier is not None:
        campaigns.append(earlier)
    for each in campaigns:
        hashes += [f"{each.objective.name}/{stage.recipe_hash}" for stage in each.stages]
    own = campaign.database.campaigns.find_one({"_id": campaign.name}, {"revision": 1}) or {}
    shared = [campaign.database.revisions.find_one({"_id": key}) for key in hashes]
    versions = [RANKING_VERSION, MODEL_VERSION, FEATURES_VERSION]
    return json.dumps(
        [versions, own.get("revision"), [(each or {}).get("token") for each in shared]]
    )


def _worked_out(campaign: Campaign, revision: str) -> tuple[list[RankedRow], int]:
    rows = ranking(campaign)
    _keep(campaign, revision, rows)
    return rows, len(rows)


def _kept(campaign: Campaign, revision: str, top: int | None) -> tuple[list[RankedRow], int] | None:
    rows: list[dict[str, Any]] = []
    total = None
    piece = 0
    while total is None or len(rows) < min(total, total if top is None else top):
        document = campaign.database.rankings.find_one({"_id": f"{campaign.name}/{piece}"})
        if document is None or document["revision"] != revision:
            return None
        rows += json.loads(zlib.decompress(document["rows"]))
        total = document["total"]
        piece += 1
    return [RankedRow(**each) for each in rows[:top]], total


def _keep(campaign: Campaign, revision: str, rows: list[RankedRow]) -> None:
    documents = [
        {
            "_id": f"{campaign.name}/{first // PIECE}",
            "campaign": campaign.name,
            "revision": revision,
            "total": len(rows),
            "rows": zlib.compress(
                json.dumps([vars(row) for row in rows[first : first + PIECE]]).encode(), 1
            ),
        }
        for first in range(0, max(len(rows), 1), PIECE)
    ]
    from pymongo import ReplaceOne

    # People who may only read still get their ranking, just not faster the next time.
    with if_allowed():
        kept = campaign.database.rankings
        # Two may do this at once, each piece says of which ranking it is.
        kept.bulk_write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in documents])
