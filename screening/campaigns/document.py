"""The document of a campaign: its configuration, engines and status."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.campaigns.changes import pick_log
from screening.campaigns.config import CampaignConfig
from screening.campaigns.pick_states import PickState
from screening.campaigns.results import result_key
from screening.campaigns.snapshot import Status
from screening.campaigns.stages import EngineStage, check_confirming, stage_document, stages_of
from screening.candidates.kinds import CandidateKind
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.store.job_queue import JobQueue

if TYPE_CHECKING:
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig
    from screening.targets.objectives import Objective


def _known(picks: Sequence[Mapping[str, Any]], extensions: Sequence[str]) -> dict[str, int]:
    """Return what changes whenever a sampler may want something again.

    Candidates that failed and were retried successfully are as many picks as before.
    """
    failed = sum(pick["state"] == PickState.FAILED for pick in picks)
    return {"picks": len(picks), "failed": failed, "extensions": len(extensions)}


class CampaignDocument:
    """A campaign without its candidates, picks and results.

    Parameters
    ----------
    database
        Where it is stored.
    document
        Its document in ``campaigns``.
    """

    def __init__(self, database: Database, document: Mapping[str, Any]) -> None:
        self.database = database
        self.name = str(document["_id"])
        self._where = f"campaign '{self.name}', stored by another version"
        self.config = validated(CampaignConfig, document["config"], self._where)
        self.stages = stages_of(document, self._where)
        self.engine = self.stages[0].engine
        self.recipe_hash = self.stages[0].recipe_hash
        self.created_at: datetime.datetime = document["created_at"]
        self.ingested: dict[str, Any] = document["ingested"]

    @property
    def objective(self) -> Objective:
        """What this campaign optimises."""
        return self.config.resolved_objective()

    @property
    def kind(self) -> CandidateKind:
        """The kind of its candidates."""
        return self.config.kind()

    @property
    def queue(self) -> JobQueue:
        """This campaign's jobs on FireWorks' LaunchPad."""
        return JobQueue(self.database, self.name)

    @property
    def status(self) -> Status:
        """Whether the campaign is active, paused or cancelled, as the database has it now."""
        status: Status = self._document()["status"]
        return status

    def extensions(self) -> list[str]:
        """Return the tokens of the complete extensions of the pool."""
        return list(self._document().get("extensions", []))

    def set_promoted(self, extensions: list[str]) -> None:
        """Note that the best candidates were sent on, unless the pool was extended meanwhile.

        Parameters
        ----------
        extensions
            Those that the pool had before the best were looked for.
        """
        same = {"extensions": extensions} if extensions else {"extensions": {"$exists": False}}
        query = {"_id": self.name, **same}
        self.database.campaigns.update_one(query, {"$set": {"promoted": True}})

    def set_converged(self, picks: Sequence[Mapping[str, Any]], because: str = "") -> None:
        """Note that with these picks the sampler wants nothing more of the present pool.

        Parameters
        ----------
        because
            Why it cannot go on, empty where it has found what it looks for.
        """
        state = {**_known(picks, self.extensions()), "because": because}
        self.database.campaigns.update_one({"_id": self.name}, {"$set": {"converged": state}})
        self.note([])

    @staticmethod
    def converged_at(document: Mapping[str, Any], picks: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether the sampler wanted nothing more of the pool with these picks."""
        marked = {**document.get("converged", {})}
        marked.pop("because", None)
        return bool(marked == _known(picks, document.get("extensions", [])))

    def why_ended(self) -> str:
        """Return why the sampler could not go on when it last wanted nothing more, or nothing."""
        return str(self._document().get("converged", {}).get("because", ""))

    def _document(self) -> dict[str, Any]:
        """Return what of its document may change."""
        fields = ("status", "promoted", "confirming", "extensions", "converged", "revision")
        document = self.database.campaigns.find_one({"_id": self.name}, dict.fromkeys(fields, 1))
        if document is None:
            raise ScreenError(f"campaign '{self.name}' is no longer in the database")
        return document

    def stage(self, engine_name: str) -> EngineStage:
        """Return the stage of an engine's name, also one added since the campaign was opened."""
        if all(stage.engine.name != engine_name for stage in self.stages):
            self.reload()
        for stage in self.stages:
            if stage.engine.name == engine_name:
                return stage
        raise ScreenError(f"campaign '{self.name}' has no engine '{engine_name}'")

    def reload(self) -> Status:
        """Read again which engines confirm, as somebody may have added one; return the status."""
        document = self._document()
        self._take_stages(document)
        status: Status = document["status"]
        return status

    def _take_stages(self, document: Mapping[str, Any]) -> None:
        confirming = document.get("confirming", [])
        if len(confirming) != len(self.stages) - 1:
            first = {"engine": self.engine.model_dump(), "recipe_hash": self.recipe_hash}
            self.stages[1:] = stages_of({**first, "confirming": confirming}, self._where)[1:]

    def add_stage(self, engine: EngineConfig) -> EngineStage:
        """Add an engine that confirms, or return it where it is known already.

        Raises
        ------
        ScreenError
            When its fidelity is not above that of the engine that explores, or another engine
            of the same name was used before.
        """
        check_confirming(self.engine, engine)
        document = stage_document(self.config, engine)
        for stage in self.stages:
            if stage.engine.name == engine.name:
                if stage.recipe_hash != document["recipe_hash"]:
                    raise ScreenError(
                        f"engine '{engine.name}': its settings are not those that campaign "
                        f"'{self.name}' used before; give the changed engine another name"
                    )
                return stage
        self.database.campaigns.update_one({"_id": self.name}, {"$push": {"confirming": document}})
        self.touch()
        added = EngineStage(engine, document["recipe_hash"])
        self.stages.append(added)
        return added

    def result_key(self, stage: EngineStage | None = None) -> dict[str, str]:
        """Return the fields that the results of an engine share, by default the exploring one's."""
        return result_key(self.config, stage or self.stages[0])

    def check_active(self) -> None:
        """Raise `ScreenError` where nothing more may be computed for the campaign.

        It is paused or cancelled, or its recipe or the files of an engine are no longer those of
        its results: numbers of two kinds would stand in one ranking.
        """
        if (status := self.status) != "active":
            remedy = f"; go on with: matscreen resume {self.name}" if status == "paused" else ""
            raise ScreenError(f"campaign '{self.name}' is {status}{remedy}")
        for stage in self.stages:
            # Those of DFT programs are made from files too, which need not be on this machine.
            if stage.engine.kind != "ase":
                continue
            if self.config.recipe_hash(stage.engine.fingerprint()) != stage.recipe_hash:
                raise ScreenError(
                    f"campaign '{self.name}' was submitted by an earlier version, or with other "
                    f"files of engine '{stage.engine.name}' than are here: what would be computed "
                    "now is not comparable with its results; submit it again under another name, "
                    "or go on with that version and those files"
                )

    def note(self, pick_ids: Sequence[str]) -> None:
        """Say that picks have changed, and with them perhaps the ranking."""
        pick_log(self.database, self.name).note(pick_ids)

    def touch(self) -> None:
        """Say that anything of the campaign may have changed."""
        self.database.campaigns.update_one(
            {"_id": self.name}, {"$set": {"revision": uuid.uuid4().hex}}
        )

    def set_status(self, status: Status) -> None:
        """Pause, resume or cancel."""
        self.database.campaigns.update_one({"_id": self.name}, {"$set": {"status": status}})
