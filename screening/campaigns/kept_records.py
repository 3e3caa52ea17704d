"""Candidates, picks and results of a campaign as tables that are kept: only what changed is read.

All rows are read again where the campaign has another ``revision``: it was made anew under its
name, its pool was extended, an engine was added, or `CampaignDocument.touch` was called.  Those of
one table are where its rows have other fields, as with another table of errors, and where more
has changed than a log remembers (`screening.store.change_log.LENGTH`).  What is made of rows, as
predictions and total errors, is not kept here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.campaigns import pool as pools
from screening.campaigns.changes import candidate_log, pick_log, result_log
from screening.campaigns.results import read_stored, result_fields, result_key
from screening.campaigns.snapshot import PoolRow
from screening.store.kept_table import KeptTable

if TYPE_CHECKING:
    from screening.campaigns.document import CampaignDocument
    from screening.campaigns.stages import EngineStage

VERSION = 1
"""Raise it whenever rows of tables have other fields."""
PICK_FIELDS = (
    *("campaign", "candidate_id", "engine", "number", "state", "claimed_at"),
    *("predicted_mean", "predicted_std"),
)
"""Fields of picks that a ranking and predictions need."""


class KeptRecords:
    """The kept tables of one campaign, held in memory as long as this lives.

    Parameters
    ----------
    campaign
        The campaign.
    """

    def __init__(self, campaign: CampaignDocument) -> None:
        self._campaign = campaign
        self._database = campaign.database
        self._tables: dict[str, KeptTable] = {}

    def _table(self, name: str) -> KeptTable:
        kept, campaign = self._database.rankings, self._campaign.name
        return self._tables.setdefault(name, KeptTable(kept, campaign, name))

    def _fingerprint(self, document: Mapping[str, Any], *parts: Any) -> str:
        return json.dumps([VERSION, document.get("revision"), *parts])

    def picks(self, document: Mapping[str, Any]) -> Mapping[str, dict[str, Any]]:
        """Return the picks of all engines by their ids, with `PICK_FIELDS`.

        Of those in flight the state may be an earlier one.
        """
        name, picks = self._campaign.name, self._database.picks
        projection = dict.fromkeys(PICK_FIELDS, 1)

        def read(ids: Sequence[str] | None) -> dict[str, dict[str, Any]]:
            if ids is None:
                return {pick["_id"]: pick for pick in picks.find({"campaign": name}, projection)}
            each = (picks.find_one({"_id": key}, projection) for key in ids)
            return {pick["_id"]: pick for pick in each if pick is not None}

        fingerprint = self._fingerprint(document)
        return self._table("picks").rows(fingerprint, pick_log(self._database, name), read)

    def results(
        self, document: Mapping[str, Any], stage: EngineStage
    ) -> Mapping[str, dict[str, Any]]:
        """Return the results of an engine, as `screening.campaigns.results.read_stored`."""
        database, config = self._database, self._campaign.config
        key = result_key(config, stage)
        fingerprint = self._fingerprint(document, key, result_fields(config, stage))
        return self._table(f"results {stage.recipe_hash}").rows(
            fingerprint,
            result_log(database, key),
            lambda ids: read_stored(database, config, stage, ids),
        )

    def pool(self, document: Mapping[str, Any]) -> tuple[dict[str, PoolRow], dict[str, str]]:
        """Return the rows of the candidates, and the fingerprints of their inputs, by id."""
        database, name, kind = self._database, self._campaign.name, self._campaign.kind
        extensions = list(document.get("extensions", []))
        facts = [kind.label_field, *(fact.field for fact in kind.facts)]
        rows = self._table("candidates").rows(
            self._fingerprint(document, extensions, facts),
            candidate_log(database),
            lambda ids: pools.row_and_inputs(database, name, extensions, kind, ids),
        )
        inputs = {key: row["inputs_hash"] for key, row in rows.items() if row["inputs_hash"]}
        pool = {
            key: PoolRow(row["label"], row["facts"], row["material_id"])
            for key, row in rows.items()
        }
        return pool, inputs
