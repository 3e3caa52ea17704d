"""The ranking as last computed, kept in pieces: the top of 100,000 rows is one small document.

A ranking is made from every candidate, result and pick of a campaign.  It stays right until one of
them changes, which each writer notes: by a new ``revision`` of the campaign, or in a log of
``revisions``, for the results of an objective and recipe in one that other campaigns share.  Only
what was noted is then read again, all is put in order again, and of the rows those are made and
kept that are asked for: the first piece, unless it is more than that.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from screening.campaigns import hull_constraint
from screening.campaigns.changes import candidate_log, pick_log, result_log
from screening.campaigns.names import competitors_name
from screening.campaigns.prediction_cache import predictions
from screening.campaigns.predictions import MODEL_VERSION
from screening.campaigns.snapshot import CandidatesGoneError
from screening.ranking.build import rank
from screening.ranking.entries import RankedRow
from screening.store.cache import Cache, SingleFlight
from screening.targets.error_tables import tables_fingerprint

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign

RANKING_VERSION = 4
"""Raise it whenever the same data are ranked differently, or rows have other fields."""
PIECE = 1000
"""Rows in a document."""
MOST_IN_MEMORY = 4
"""Campaigns of which `RankingMemory` holds the rows, those asked for last."""


class RankingMemory:
    """Rows of the newest rankings, for a program that many ask for the same.

    Where several threads ask for a ranking that is not there, one of them computes it, and the
    others wait for it.
    """

    def __init__(self) -> None:
        self._rankings: SingleFlight[tuple[list[RankedRow], int]] = SingleFlight(MOST_IN_MEMORY)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Have `cached_ranking` ask this memory first, in the thread that calls it."""
        before = _memory.set(self)
        try:
            yield
        finally:
            _memory.reset(before)

    def ranking(self, campaign: Campaign, top: int | None) -> tuple[list[RankedRow], int]:
        """Return what `cached_ranking` does."""
        rows, total = self._rankings.get(
            (campaign.name,),
            lambda: revision_of(campaign),
            lambda revision: _kept(campaign, revision, top) or _computed(campaign, revision, top),
            lambda kept: len(kept[0]) >= (kept[1] if top is None else min(top, kept[1])),
        )
        return rows[:top], total


_memory: ContextVar[RankingMemory | None] = ContextVar("memory of rankings", default=None)


def cached_ranking(campaign: Campaign, top: int | None = None) -> tuple[list[RankedRow], int]:
    """Return the best rows of a campaign's ranking, all by default, and how many rows there are.

    Somebody who changed results by hand gets the new ranking after `forget`.
    """
    memory = _memory.get()
    if memory is not None:
        return memory.ranking(campaign, top)
    revision = revision_of(campaign)
    kept = _kept(campaign, revision, top)
    if kept is not None:
        return kept
    rows, total = _computed(campaign, revision, top)
    return rows[:top], total


def forget(campaign: Campaign) -> None:
    """Have the ranking computed again the next time."""
    campaign.database.rankings.delete_many({"campaign": campaign.name})
    # Programs that hold its rows in memory ask for the revision only.
    campaign.touch()


def revision_of(campaign: Campaign) -> str:
    """Return what changes whenever the ranking may."""
    campaigns, keys = [campaign], []
    # The prior's results shape predictions.
    earlier = campaign.prior_of(campaign.database, campaign.config)
    if earlier is not None:
        campaigns.append(earlier)
    for asked in campaigns:
        keys += [asked.result_key(stage) for stage in asked.stages]
        if hull_constraint.is_asked(asked.config):
            keys.append(hull_constraint.hull_key(asked.config, asked.engine))
    # What failed among competitors is told apart from what was not computed.
    database, names = campaign.database, (campaign.name, *_competing(campaign))
    documents = [database.campaigns.find_one({"_id": name}, {"revision": 1}) for name in names]
    own = [(document or {}).get("revision") for document in documents]
    logs = [
        *(pick_log(database, name) for name in names),
        *(result_log(database, key) for key in keys),
        candidate_log(database),
    ]
    tables = [tables_fingerprint(stage.engine) for stage in campaign.stages]
    versions = [RANKING_VERSION, MODEL_VERSION, campaign.kind.features_version, *tables]
    return json.dumps([versions, own, [log.now().version for log in logs]])


def _competing(campaign: Campaign) -> list[str]:
    """Return the campaigns of competitors whose energies a campaign's values depend on."""
    config = campaign.config
    named = [campaign.name] if config.competitors else []
    if hull_constraint.is_asked(config):
        named += hull_constraint.hull_campaigns(campaign.database, config, campaign.engine)
    return [competitors_name(name) for name in named]


def _computed(campaign: Campaign, revision: str, top: int | None) -> tuple[list[RankedRow], int]:
    """Work out and keep the rows that are asked for, or a piece of them where these are fewer."""
    most = None if top is None or top > PIECE else PIECE
    try:
        rows, total = _ranked(campaign, most)
    except CandidatesGoneError as error:
        # Somebody has deleted them: the campaign goes on without them.
        candidate_log(campaign.database).note(error.ids)
        rows, total = _ranked(campaign, most)
    _keep(campaign, revision, rows, total)
    return rows, total


def _ranked(campaign: Campaign, top: int | None) -> tuple[list[RankedRow], int]:
    snapshot = campaign.kept_snapshot()
    return rank(snapshot, predictions(campaign, snapshot), top=top), len(snapshot.pool)


def _kept(campaign: Campaign, revision: str, top: int | None) -> tuple[list[RankedRow], int] | None:
    cache = Cache(campaign.database.rankings)
    rows: list[dict[str, Any]] = []
    total = None
    piece = 0
    while total is None or len(rows) < min(total, total if top is None else top):
        text = cache.read(f"{campaign.name}/{piece}", revision)
        if text is None:
            return None
        content = json.loads(text)
        rows += content["rows"]
        total = content["total"]
        piece += 1
    return [RankedRow(**row) for row in rows[:top]], total


def _keep(campaign: Campaign, revision: str, rows: list[RankedRow], total: int) -> None:
    # Two may do this at once: each piece has the fingerprint of its ranking.
    Cache(campaign.database.rankings).write(
        {
            f"{campaign.name}/{first // PIECE}": json.dumps(
                {"total": total, "rows": [vars(row) for row in rows[first : first + PIECE]]}
            )
            for first in range(0, max(len(rows), 1), PIECE)
        },
        revision,
        campaign=campaign.name,
    )
