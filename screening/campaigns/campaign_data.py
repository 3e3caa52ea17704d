"""The candidates, picks and results of a campaign, each read from the database when asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from screening.campaigns import pool as pools
from screening.campaigns.competing_rows import competing_rows, with_failures
from screening.campaigns.document import CampaignDocument
from screening.campaigns.inputs import own_inputs
from screening.campaigns.kept_records import KeptRecords
from screening.campaigns.pick_states import IN_FLIGHT
from screening.campaigns.results import Results, as_seen, read_results, whole_results
from screening.campaigns.snapshot import PoolRow
from screening.candidates.kinds import from_document
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.campaigns.stages import EngineStage
    from screening.candidates.candidate import Candidate
    from screening.store.database import Database


class CampaignRecords(CampaignDocument):
    """A campaign with what is stored of its candidates, picks and results."""

    def __init__(self, database: Database, document: Mapping[str, Any]) -> None:
        super().__init__(database, document)
        self._features: tuple[list[Any], dict[str, list[float]]] | None = None
        self._ids: tuple[list[Any], list[str]] | None = None
        self._kept = KeptRecords(self)

    # ------------------------------------------------------------------------- picks

    def picks(self) -> list[dict[str, Any]]:
        """Return the picks of the engine that explores, in the order they were made."""
        query = {"campaign": self.name, "engine": self.engine.name}
        return list(self.database.picks.find(query, sort=[("number", 1)]))

    def count_picks(self) -> int:
        """Return how many picks the engine that explores has."""
        query = {"campaign": self.name, "engine": self.engine.name}
        return self.database.picks.count_documents(query)

    def confirmation_picks(self) -> list[dict[str, Any]]:
        """Return what was sent on to better engines, in that order."""
        query = {"campaign": self.name, "engine": {"$ne": self.engine.name}}
        return list(self.database.picks.find(query, sort=[("claimed_at", 1), ("number", 1)]))

    def in_flight(self, at_most: int, *, confirming: bool = False) -> int:
        """Return how many candidates are queued or running, counted up to a number.

        Parameters
        ----------
        confirming
            Count those of better engines instead of those of the engine that explores.
        """
        stages = self.stages[1:] if confirming else self.stages[:1]
        count = 0
        # One state at a time, and no further than needed: by index, however many have ended.  In
        # the order that a pick passes through them, so that none slips by between two queries.
        for stage, state in itertools.product(stages, IN_FLIGHT):
            query = {"campaign": self.name, "state": state}
            if len(self.stages) > 1:
                query["engine"] = stage.engine.name
            if count < at_most:
                picks = self.database.picks.find(query, {"_id": 1}, limit=at_most - count)
                count += len(list(picks))
        return count

    # ------------------------------------------------------------------------- pool

    def candidate(self, candidate_id: str) -> Candidate:
        """Return a candidate of the pool."""
        return from_document(self._candidate_document(candidate_id))

    def _candidate_document(self, candidate_id: str) -> dict[str, Any]:
        document = self.database.candidates.find_one({"_id": candidate_id})
        if document is None:
            raise ScreenError(f"candidate '{candidate_id}' is no longer in the database")
        return document

    def pool_features(self) -> dict[str, list[float]]:
        """Return the features of every candidate of the pool by id, sorted by id."""
        return self._features_of(self._document())

    def _features_of(self, document: Mapping[str, Any]) -> dict[str, list[float]]:
        # Loading tens of thousands takes seconds, and only an extension changes them.
        pool = _pool_of(document)
        if self._features is None or self._features[0] != pool:
            self._features = None
            query = self._members(document)
            self._features = pool, pools.read_features(self.database, query, self.kind)
        return self._features[1]

    def _ids_of(self, document: Mapping[str, Any]) -> list[str]:
        """Return the ids of all candidates of the pool."""
        # As with features: a loop that reads a million of them every round does little else.  One
        # that is deleted by hand stays until the program ends.
        pool = _pool_of(document)
        if self._features is not None and self._features[0] == pool:
            return list(self._features[1])
        if self._ids is None or self._ids[0] != pool:
            self._ids = pool, pools.read_ids(self.database, self._members(document))
        return self._ids[1]

    def _members(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the filter of the candidates that the campaign has by its document."""
        return pools.members(self.name, document.get("extensions", []))

    def candidate_and_inputs(self, candidate_id: str) -> tuple[Candidate, str]:
        """Return a candidate of the pool and the fingerprint of its inputs, empty without any."""
        document = self._candidate_document(candidate_id)
        return from_document(document), self._inputs_hash_of(document)

    def _inputs_hash_of(self, document: dict[str, Any]) -> str:
        if not document.get("campaign_inputs"):
            return ""
        return own_inputs(self.name, self.extensions(), [document])[document["_id"]]

    # ------------------------------------------------------------------------- results

    def results(self, stage: EngineStage | None = None) -> Results:
        """Return the results of an engine, by default the exploring one, whoever computed them.

        Outcome and reason are this campaign's: a result that breaks one of its constraints is
        ``infeasible``.
        """
        stored = self._stored_results(stage or self.stages[0])
        return as_seen(self.config, stored, self._rows_to_derive())

    def result(self, candidate_id: str, engine: str | None = None) -> dict[str, Any] | None:
        """Return the whole result of one candidate, or None where there is none.

        Outcome and reason are this campaign's, as in `results`.

        Parameters
        ----------
        engine
            Name of the engine; None takes the one of highest fidelity that has a result.

        Raises
        ------
        ScreenError
            When the campaign has no such engine.
        """
        stages = self.stages if engine is None else [self.stage(engine)]
        inputs = {candidate_id: self.inputs_hash(candidate_id)}
        return self._whole(stages, inputs).get(candidate_id)

    def whole_results(self, stored: Iterable[Mapping[str, Any]]) -> Results:
        """Return the whole results of several candidates, by id, read together.

        Of each that of the engine of highest fidelity that has one, as in `result`.

        Parameters
        ----------
        stored
            Their documents in ``candidates``.
        """
        return self._whole(self.stages, own_inputs(self.name, self.extensions(), stored))

    def _whole(self, stages: list[EngineStage], inputs: Mapping[str, str]) -> Results:
        rows, derived = self._rows_to_derive(), {}
        if self.objective.derive is not None:
            derived = {
                stage.engine.name: self.objective.derived(self._stored_results(stage), rows)
                for stage in stages
            }
        return whole_results(self.database, self.config, stages, inputs, derived)

    def _rows_to_derive(self) -> dict[str, PoolRow]:
        if self.objective.derive is None:
            return {}
        query = self._members(self._document())
        return self._with_competitors(pools.read_rows(self.database, query, self.kind))

    def _with_competitors(self, rows: Mapping[str, PoolRow]) -> dict[str, PoolRow]:
        """Return rows and those of the competitors, which are marked, as are failures."""
        own = with_failures(self.database, self.name, rows)
        if not self.config.competitors:
            return own
        return {**own, **competing_rows(self.database, self.name, self.kind)}

    def _stored_results(self, stage: EngineStage) -> Results:
        inputs = self._stated_inputs(self._document())
        return read_results(self.database, self.config, stage, inputs)

    def _stated_inputs(self, document: Mapping[str, Any]) -> dict[str, str]:
        """Return the fingerprint of the inputs of the candidates that have any, by id.

        Those count that the campaign has by its document.
        """
        query = {"campaign_inputs.campaign": self.name}
        stored = self.database.candidates.find(query, {"campaign_inputs": 1})
        return own_inputs(self.name, document.get("extensions", []), stored)

    def inputs_hash(self, candidate_id: str) -> str:
        """Return the fingerprint of the inputs of one candidate's flow, empty without any."""
        document = self.database.candidates.find_one({"_id": candidate_id}, {"campaign_inputs": 1})
        return self._inputs_hash_of(document or {})


def _pool_of(document: Mapping[str, Any]) -> list[Any]:
    """Return a list that differs where the candidates do: another campaign, or an extension."""
    return [document.get("created_at"), *document.get("extensions", [])]
