"""A campaign: submitted, opened, extended, and what it knows as one snapshot."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from screening.campaigns import pool as pools
from screening.campaigns.campaign_data import CampaignRecords
from screening.campaigns.config import CampaignConfig
from screening.campaigns.names import check_name_is_free, taken
from screening.campaigns.prior_campaign import check_same_scale, prior_values
from screening.campaigns.progress import Progress, progress_of
from screening.campaigns.results import Results, as_seen, of_inputs, read_results
from screening.campaigns.snapshot import FeaturesOnDemand, PoolRow, Snapshot
from screening.campaigns.stages import stage_document
from screening.intake.ingest import Pool
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

SUBMITTED = {"status": {"$ne": "submitting"}}
"""Campaigns whose pool is complete."""


def activate(database: Database, names: list[str]) -> None:
    """Let campaigns begin together that were created and not started."""
    database.campaigns.update_many({"_id": {"$in": names}}, {"$set": {"status": "active"}})


class Campaign(CampaignRecords):
    """One campaign in the database.

    Parameters
    ----------
    database
        Where it is stored.
    document
        Its document in ``campaigns``.
    """

    @classmethod
    def open(cls, database: Database, name: str | None = None) -> Campaign:
        """Return the campaign of that name, or the newest one.

        Raises
        ------
        ScreenError
            When there is none.
        """
        if name is None:
            document = database.campaigns.find_one(SUBMITTED, sort=[("created_at", -1)])
            if document is None:
                raise ScreenError(
                    "there is no campaign yet; start one with: matscreen submit --target low-kappa"
                )
            return cls(database, document)
        document = database.campaigns.find_one({"_id": name, **SUBMITTED})
        if document is None:
            known = sorted(other["_id"] for other in database.campaigns.find(SUBMITTED, {"_id": 1}))
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise ScreenError(
                f"campaign '{name}': unknown; {hint}known: {', '.join(known) or 'none'}"
            )
        return cls(database, document)

    @classmethod
    def prior_of(cls, database: Database, config: CampaignConfig) -> Campaign | None:
        """Return the campaign whose results are the prior, None where none is named.

        Raises
        ------
        ScreenError
            When it is not there, or its results are on another scale.
        """
        if config.prior is None:
            return None
        earlier = cls.open(database, config.prior)
        check_same_scale(config.prior, earlier.objective, config.resolved_objective())
        return earlier

    @classmethod
    def create(
        cls,
        database: Database,
        name: str,
        config: CampaignConfig,
        engine: EngineConfig,
        pool: Pool,
        confirming: EngineConfig | None = None,
        *,
        beside: Campaign | None = None,
        start: bool = True,
    ) -> Campaign:
        """Store a new campaign and its pool.

        The name is reserved first and the campaign becomes active last: a submit that was
        interrupted in between leaves nothing that a later campaign of that name would take in.

        Parameters
        ----------
        beside
            A campaign that was created and not started, and becomes active with this one.
        start
            Whether it becomes active.

        Raises
        ------
        ScreenError
            When the name is taken.
        """
        from pymongo.errors import DuplicateKeyError

        check_name_is_free(database, name)
        document = {
            "_id": name,
            "config": config.model_dump(mode="json"),
            **stage_document(config, engine),
            "confirming": [] if confirming is None else [stage_document(config, confirming)],
            "promoted": False,
            "status": "submitting",
            "submitted_by": this_process(),
            "created_at": now(),
            # What was kept of a campaign of this name, deleted by hand, is not of this one.
            "revision": uuid.uuid4().hex,
            "ingested": pools.ingested(pool),
        }
        try:
            database.campaigns.insert_one(document)
        except DuplicateKeyError:
            raise ScreenError(taken(name)) from None
        pools.store_pool(database, name, pool)
        if start:
            activate(database, [name] if beside is None else [name, beside.name])
        return cls(database, document)

    def snapshot(self, *, rows: bool = True, features: bool = True) -> Snapshot:
        """Return what the campaign knows now.

        Parameters
        ----------
        rows
            Read label, facts and first origin of the candidates, and not only their ids.
        features
            Read features and prior, which takes seconds for tens of thousands of candidates.
        """
        # The order matters, because other processes write meanwhile.  Engines before picks: an
        # engine is added before its picks.  Picks before results: a result is stored before its
        # pick ends, so every pick that has ended has its result here.  The pool is that of the
        # extensions of the first read, of which ids and features may be kept from before.
        document = self._document()
        self._take_stages(document)
        picks, confirmation_picks = self.picks(), self.confirmation_picks()
        running = len(self.queue.running_picks())
        inputs = self._stated_inputs(document)
        stored = {
            stage.engine.name: read_results(self.database, self.config, stage, inputs)
            for stage in self.stages
        }
        found = self._features_of(document) if features else None
        if rows or self.objective.derive is not None:
            pool = pools.read_rows(self.database, self._members(document), self.kind)
        else:
            pool = dict.fromkeys(self._ids_of(document), PoolRow())
        return self._assembled(
            document,
            picks,
            confirmation_picks,
            running,
            stored,
            pool,
            found,
            self.prior() if features else None,
        )

    def kept_snapshot(self) -> Snapshot:
        """Return what a ranking needs of a snapshot, with only what has changed read anew.

        Rankings and predictions from it are those from `snapshot`.  Picks have only some fields,
        and those in flight may be one state behind; features are read when they are asked for.
        """
        # The order matters as in `snapshot`.
        document = self._document()
        self._take_stages(document)
        picks = sorted(
            self._kept.picks(document).values(), key=lambda pick: (pick["number"], pick["_id"])
        )
        running = len(self.queue.running_picks())
        results = {stage.engine.name: self._kept.results(document, stage) for stage in self.stages}
        pool, inputs = self._kept.pool(document)
        return self._assembled(
            document,
            [pick for pick in picks if pick["engine"] == self.engine.name],
            sorted(
                (pick for pick in picks if pick["engine"] != self.engine.name),
                key=lambda pick: pick["claimed_at"],
            ),
            running,
            {
                stage.engine.name: of_inputs(
                    self.database, self.config, stage, inputs, results[stage.engine.name]
                )
                for stage in self.stages
            },
            pool,
            FeaturesOnDemand(sorted(pool), lambda: self._features_of(document)),
            self.prior(),
        )

    def _assembled(
        self,
        document: Mapping[str, Any],
        picks: list[dict[str, Any]],
        confirmation_picks: list[dict[str, Any]],
        running: int,
        stored: Mapping[str, Results],
        pool: Mapping[str, PoolRow],
        features: Mapping[str, list[float]] | None,
        prior: Mapping[str, float] | None,
    ) -> Snapshot:
        """Return the snapshot of what was read, with results as the campaign judges them."""
        judged_with = pool if self.objective.derive is None else self._with_competitors(pool)
        return Snapshot(
            name=self.name,
            config=self.config,
            objective=self.objective,
            status=document["status"],
            promoted=bool(document.get("promoted")),
            converged=self.converged_at(document, picks),
            stages=tuple(self.stages),
            picks=picks,
            confirmation_picks=confirmation_picks,
            running=running,
            results={
                engine: as_seen(self.config, results, judged_with)
                for engine, results in stored.items()
            },
            pool=pool,
            features=features,
            prior=prior,
            read_at=now(),
        )

    def progress(self) -> Progress:
        """Return how far the campaign is."""
        return progress_of(self.snapshot(rows=False, features=False))

    def prior(self) -> dict[str, float] | None:
        """Return what the earlier campaign computed, on this one's model scale, by candidate id.

        None where no campaign is named.
        """
        earlier = self.prior_of(self.database, self.config)
        if earlier is None:
            return None
        return prior_values(earlier.snapshot(rows=False, features=False), self.objective)

    def extend_pool(self, pool: Pool) -> int:
        """Add candidates; return how many of them the campaign did not have yet.

        Those it has already get the new origins.  Readers see the old pool or the new one.
        Interrupted, it is to be called again.

        Raises
        ------
        ScreenError
            When the campaign is cancelled.
        """
        new = pools.extend_pool(self.database, self.name, pool)
        document = self.database.campaigns.find_one({"_id": self.name}, {"ingested": 1})
        self.ingested = (document or {}).get("ingested", self.ingested)
        return new

    def awaits_promotion(self) -> bool:
        """Return whether the best candidates are still to be sent on, as configured."""
        return self.config.confirm is not None and not self._document().get("promoted")

    def is_exhausted(self) -> bool:
        """Return whether nothing is in flight and nothing more may or can be picked."""
        self.reload()
        # What is in flight is asked before all else because that is cheap, and once more after
        # all else because others claim the last candidates between two queries.
        if self.in_flight(1, confirming=True) or not self.is_explored():
            return False
        return not self.awaits_promotion() and not self.in_flight(1, confirming=True)

    def is_explored(self) -> bool:
        """Return whether the engine that explores has nothing more to do."""
        return not self.in_flight(1) and self._is_picked() and not self.in_flight(1)

    def is_converged(self) -> bool:
        """Return whether the sampler has found what it looks for and wants nothing more."""
        document = self._document()
        return "converged" in document and self.converged_at(document, self.picks())

    def _is_picked(self) -> bool:
        """Return whether the budget is spent, the pool known or the search converged."""
        picks, document = self.picks(), self._document()
        if len(picks) >= self.config.budget or self.converged_at(document, picks):
            return True
        known = {pick["candidate_id"] for pick in picks} | self.results().keys()
        return known.issuperset(self._ids_of(document))
