"""A campaign: its pool, its picks and its results, read from and written to the database."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import itertools
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from screening.campaigns.config import CampaignConfig
from screening.campaigns.pick_states import IN_FLIGHT
from screening.candidates.candidate import Candidate
from screening.candidates.kinds import from_document, to_document
from screening.intake.ingest import Pool
from screening.machine.clock import now
from screening.machine.process_names import is_dead_here, this_process
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.store.database import any_of, if_allowed
from screening.store.queue import JobQueue
from screening.targets.constraints import is_known, violations
from screening.targets.engines import EngineConfig, parse_engine
from screening.targets.objectives import Objective

if TYPE_CHECKING:
    from screening.store.database import Database

Status = Literal["active", "paused", "cancelled"]
SUBMITTED = {"status": {"$ne": "submitting"}}
"""Campaigns whose pool is complete."""
STORED_AT_ONCE = 500
"""Candidates of a pool that are written at a time."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class EngineStage:
    """One engine of a campaign: the first explores, the others confirm."""

    engine: EngineConfig
    recipe_hash: str


class Campaign:
    """One campaign in the database.

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
        self.config = validated(CampaignConfig, document["config"], self._stored)
        self.engine = parse_engine(document["engine"], self._stored)
        self.recipe_hash = str(document["recipe_hash"])
        self.levels = [EngineStage(self.engine, self.recipe_hash)]
        self.levels += self._confirming(document)
        self.created_at: datetime.datetime = document["created_at"]
        self.ingested: dict[str, Any] = document["ingested"]
        self._features: dict[str, list[float]] | None = None

    def _confirming(self, document: Mapping[str, Any]) -> list[EngineStage]:
        return [
            EngineStage(parse_engine(each["engine"], self._stored), str(each["recipe_hash"]))
            for each in document.get("confirming", [])
        ]

    @property
    def _stored(self) -> str:
        return f"campaign '{self.name}', stored by another version"

    # ------------------------------------------------------------------ opening and creating

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
                    "there is no campaign yet; start one with: screen submit --target low-kappa"
                )
            return cls(database, document)
        document = database.campaigns.find_one({"_id": name, **SUBMITTED})
        if document is None:
            known = sorted(each["_id"] for each in database.campaigns.find(SUBMITTED, {"_id": 1}))
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise ScreenError(
                f"campaign '{name}': unknown; {hint}known: {', '.join(known) or 'none'}"
            )
        return cls(database, document)

    @classmethod
    def create(
        cls,
        database: Database,
        name: str,
        config: CampaignConfig,
        engine: EngineConfig,
        pool: Pool,
        confirming: EngineConfig | None = None,
    ) -> Campaign:
        """Store a new campaign and its pool.

        The name is reserved first and the campaign becomes active last: a submit that was
        interrupted in between leaves nothing that a later campaign of that name would take in.

        Raises
        ------
        ScreenError
            When the name is taken.
        """
        from pymongo.errors import DuplicateKeyError

        check_name_is_free(database, name)
        campaign = {
            "_id": name,
            "config": config.model_dump(mode="json"),
            "engine": engine.model_dump(mode="json"),
            "recipe_hash": config.recipe_hash(engine.fingerprint()),
            "confirming": [] if confirming is None else [_level_document(config, confirming)],
            "promoted": False,
            "status": "submitting",
            "submitted_by": this_process(),
            "created_at": now(),
            # What was kept of a campaign of this name, deleted by hand, is not of this one.
            "revision": uuid.uuid4().hex,
            "ingested": {
                "taken": len(pool.candidates),
                "duplicates": pool.duplicates,
                "refused": len(pool.refused),
                "refusals": [
                    {
                        "location": entry.location,
                        "material_id": entry.material_id,
                        "reason": entry.reason,
                        "refusal": entry.refusal.model_dump(mode="json"),
                    }
                    for entry in pool.refused[:1000]
                ],
                "remarks": pool.remarks,
            },
        }
        try:
            database.campaigns.insert_one(campaign)
        except DuplicateKeyError:
            raise ScreenError(_taken(name)) from None
        _store_pool(database, name, pool)
        created = cls(database, campaign)
        created.set_status("active")
        return created

    # ------------------------------------------------------------------------------- reading

    @property
    def objective(self) -> Objective:
        """What this campaign optimises."""
        return self.config.resolved_objective()

    @property
    def queue(self) -> JobQueue:
        """This campaign's jobs on FireWorks' LaunchPad."""
        return JobQueue(self.database, self.name)

    @property
    def status(self) -> Status:
        """Whether the campaign is active, paused or cancelled, as the database has it now."""
        document = self.database.campaigns.find_one({"_id": self.name}, {"status": 1})
        if document is None:
            raise ScreenError(f"campaign '{self.name}' is no longer in the database")
        status: Status = document["status"]
        return status

    @property
    def result_key(self) -> dict[str, str]:
        """The part of a result that must agree for this campaign to learn from it."""
        return self.result_key_of(self.levels[0])

    def result_key_of(self, level: EngineStage) -> dict[str, str]:
        """Return the part of a result that names what one of the engines computed."""
        return {"objective": self.objective.name, "recipe_hash": level.recipe_hash}

    def level(self, engine_name: str) -> EngineStage:
        """Return the level of an engine's name, also one added since the campaign was opened."""
        if all(level.engine.name != engine_name for level in self.levels):
            self.reload_levels()
        for level in self.levels:
            if level.engine.name == engine_name:
                return level
        raise ScreenError(f"campaign '{self.name}' has no engine '{engine_name}'")

    def reload_levels(self) -> None:
        """Read again which engines confirm: somebody may have added one."""
        document = self.database.campaigns.find_one({"_id": self.name}, {"confirming": 1}) or {}
        self.levels[1:] = self._confirming(document)

    def add_level(self, engine: EngineConfig) -> EngineStage:
        """Add an engine that confirms, or return it where it is known already.

        Raises
        ------
        ScreenError
            When its fidelity is not above that of the engine that explores, or another engine
            of the same name was used before.
        """
        check_confirming(self.engine, engine)
        document = _level_document(self.config, engine)
        for level in self.levels:
            if level.engine.name == engine.name:
                if level.recipe_hash != document["recipe_hash"]:
                    raise ScreenError(
                        f"engine '{engine.name}': its settings are not those that campaign "
                        f"'{self.name}' used before; give the changed engine another name"
                    )
                return level
        self.database.campaigns.update_one({"_id": self.name}, {"$push": {"confirming": document}})
        self.touch()
        added = EngineStage(engine, document["recipe_hash"])
        self.levels.append(added)
        return added

    def picks(self) -> list[dict[str, Any]]:
        """Return the picks of the engine that explores, in the order they were made."""
        query = {"campaign": self.name, "engine": self.engine.name}
        return list(self.database.picks.find(query, sort=[("number", 1)]))

    def in_flight(self, at_most: int, *, confirming: bool = False) -> int:
        """Return how many candidates are queued or running, counted up to a number.

        Parameters
        ----------
        confirming
            Count those of better engines instead of those of the engine that explores.
        """
        levels = self.levels[1:] if confirming else self.levels[:1]
        found = 0
        # One state at a time, and no further than needed: by index, however many have ended.  In
        # the order that a pick passes through them, so that none slips by between two queries.
        for level, state in itertools.product(levels, IN_FLIGHT):
            query = {"campaign": self.name, "state": state}
            if len(self.levels) > 1:
                query["engine"] = level.engine.name
            if found < at_most:
                picks = self.database.picks.find(query, {"_id": 1}, limit=at_most - found)
                found += len(list(picks))
        return found

    def confirmation_picks(self) -> list[dict[str, Any]]:
        """Return what was sent on to better engines, in that order."""
        query = {"campaign": self.name, "engine": {"$ne": self.engine.name}}
        return list(self.database.picks.find(query, sort=[("claimed_at", 1), ("number", 1)]))

    def awaits_promotion(self) -> bool:
        """Return whether the best candidates are still to be sent on, as configured."""
        if self.config.confirm is None:
            return False
        document = self.database.campaigns.find_one({"_id": self.name}, {"promoted": 1})
        return document is not None and not document["promoted"]

    def candidate(self, candidate_id: str) -> Candidate:
        """Return a candidate of the pool."""
        document = self.database.candidates.find_one({"_id": candidate_id})
        if document is None:
            raise ScreenError(f"candidate '{candidate_id}' is no longer in the database")
        return from_document(document)

    def pool_features(self) -> dict[str, list[float]]:
        """Return the features of every candidate of the pool, by id, in a fixed order.

        Features of an older version are computed again.  They are read once: a pool does not
        change, and loading tens of thousands takes seconds.
        """
        if self._features is None:
            self._features = self._load_features()
        return self._features

    def _load_features(self) -> dict[str, list[float]]:
        kind = self.config.kind()
        fields = {"features": 1, "features_version": 1}
        documents = list(self.database.candidates.find({"campaigns": self.name}, fields))
        found = {}
        for document in sorted(documents, key=lambda each: str(each["_id"])):
            key = document["_id"]
            if document["features_version"] != kind.features_version:
                changed = kind.with_features(self.candidate(key)).model_dump(include=set(fields))
                document |= changed
                with if_allowed():
                    self.database.candidates.update_one({"_id": key}, {"$set": changed})
            found[key] = document["features"]
        return found

    def results(self, level: EngineStage | None = None) -> dict[str, dict[str, Any]]:
        """Return results of this objective, engine and recipe, whoever computed them.

        Outcome and reason are this campaign's: a result that breaks one of its constraints is
        ``infeasible``.

        Parameters
        ----------
        level
            Engine asked about; None for the one that explores.
        """
        objective = self.objective
        fields = {
            *("candidate_id", "outcome", "reason", "campaign", "engine", objective.value_field),
            *self.config.constraints,
            *(each.field for each in objective.beside),
        }
        if objective.error_field is not None:
            fields.add(objective.error_field)
        if self.config.also is not None:
            fields.add(self.config.also.field)
        projection = dict.fromkeys(sorted(fields | {"inputs_hash"}), 1)
        query = self.result_key_of(level or self.levels[0])
        documents = self.database.results.find(query, projection)
        stated = self._stated_inputs()
        return {
            each["candidate_id"]: self._judged(each)
            for each in documents
            if each.get("inputs_hash", "") == stated.get(each["candidate_id"], "")
        }

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
        levels = [self.level(engine)] if engine is not None else self.levels
        inputs = self.inputs_hash(candidate_id)
        for level in sorted(levels, key=lambda level: -level.engine.fidelity):
            query = {"candidate_id": candidate_id, **self.result_key_of(level)}
            for document in self.database.results.find(query):
                if document.get("inputs_hash", "") == inputs:
                    return self._judged(document)
        return None

    def whole_results(self, stored: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the whole results of several candidates, by id, read together.

        Of each that of the engine of highest fidelity that has one, as in `result`.

        Parameters
        ----------
        stored
            Their documents in ``candidates``.
        """
        inputs = {str(each["_id"]): self._own_inputs(each) for each in stored}
        found: dict[str, dict[str, Any]] = {}
        for level in sorted(self.levels, key=lambda level: -level.engine.fidelity):
            query = {"candidate_id": any_of(list(inputs)), **self.result_key_of(level)}
            for document in self.database.results.find(query):
                key = document["candidate_id"]
                if key not in found and document.get("inputs_hash", "") == inputs[key]:
                    found[key] = self._judged(document)
        return found

    def _stated_inputs(self) -> dict[str, str]:
        """Return the fingerprint of the inputs that the sources stated, by candidate."""
        query = {"campaign_inputs.campaign": self.name}
        documents = self.database.candidates.find(query, {"campaign_inputs": 1})
        return {str(each["_id"]): self._own_inputs(each) for each in documents}

    def inputs_hash(self, candidate_id: str) -> str:
        """Return the fingerprint of the inputs of one candidate's flow, empty without any."""
        document = self.database.candidates.find_one({"_id": candidate_id}, {"campaign_inputs": 1})
        return self._own_inputs(document or {})

    def _own_inputs(self, document: Mapping[str, Any]) -> str:
        stated = document.get("campaign_inputs", [])
        mine = (str(each["inputs_hash"]) for each in stated if each["campaign"] == self.name)
        return next(mine, "")

    def _judged(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result as this campaign sees it: infeasible where it breaks a constraint."""
        if result["outcome"] != "computed":
            return result
        broken = violations(result, self.config.constraints)
        also = self.config.also
        if also is not None and not is_known(result.get(also.field)):
            broken.append(f"{also.field} is not known")
        if not broken:
            return result
        return {**result, "outcome": "infeasible", "reason": "; ".join(broken)}

    def progress(self) -> Progress:
        """Return how far the campaign is."""
        picks = self.picks()
        results = self.results()
        infeasible = {key for key, each in results.items() if each["outcome"] == "infeasible"}
        states = [
            "infeasible"
            if pick["state"] == "computed" and pick["candidate_id"] in infeasible
            else pick["state"]
            for pick in picks
        ]
        running = len(self.queue.running_picks())
        objective = self.objective
        members = self.database.candidates.find({"campaigns": self.name}, {"_id": 1})
        pool = {each["_id"] for each in members}
        values = [
            (result[objective.value_field], key)
            for key, result in results.items()
            if key in pool and objective.is_usable(result)
        ]
        best = None
        if values:
            best = (min if self.config.direction == "minimize" else max)(values)
        confirming = [pick["state"] for pick in self.confirmation_picks()]
        in_flight = sum(state in IN_FLIGHT for state in [*states, *confirming])
        return Progress(
            budget=self.config.budget,
            pool=len(pool),
            already_computed=len(pool & results.keys() - {pick["candidate_id"] for pick in picks}),
            picked=len(picks),
            computed=states.count("computed"),
            infeasible=states.count("infeasible"),
            unstable=states.count("unstable"),
            failed=states.count("failed"),
            cancelled=states.count("cancelled"),
            running=min(running, in_flight),
            queued=in_flight - min(running, in_flight),
            rounds=max((pick["round"] for pick in picks), default=0),
            confirmed=sum(state in ("computed", "unstable") for state in confirming),
            to_confirm=len(confirming),
            best_value=best[0] if best else None,
            best_candidate=best[1] if best else None,
            mean_candidate_s=_mean_wall_s(picks),
            status=self.status,
            exhausted=self.is_exhausted(picks),
        )

    def is_exhausted(self, picks: list[dict[str, Any]] | None = None) -> bool:
        """Return whether nothing is in flight and nothing more may or can be picked."""
        self.reload_levels()
        # What is in flight is asked before all else because that is cheap, and once more after
        # all else because others claim the last candidates between two queries.
        if self.in_flight(1, confirming=True) or not self.is_explored(picks):
            return False
        return not self.awaits_promotion() and not self.in_flight(1, confirming=True)

    def is_explored(self, picks: list[dict[str, Any]] | None = None) -> bool:
        """Return whether the engine that explores has nothing more to do."""
        return not self.in_flight(1) and self._is_picked(picks) and not self.in_flight(1)

    def _is_picked(self, picks: list[dict[str, Any]] | None) -> bool:
        """Return whether the budget is spent or the pool known; true once, it stays true."""
        picks = self.picks() if picks is None else picks
        if len(picks) >= self.config.budget:
            return True
        known = {pick["candidate_id"] for pick in picks} | set(self.results())
        pool = self.database.candidates.find({"campaigns": self.name}, {"_id": 1})
        return all(each["_id"] in known for each in pool)

    # ------------------------------------------------------------------------------- control

    def check_active(self) -> None:
        """Raise `ScreenError` where nothing more may be computed for the campaign.

        It is paused or cancelled, or an earlier version or another model file computed it: numbers
        of two kinds would stand in one ranking.
        """
        if (status := self.status) != "active":
            remedy = f"; go on with: screen resume {self.name}" if status == "paused" else ""
            raise ScreenError(f"campaign '{self.name}' is {status}{remedy}")
        for level in self.levels:
            # Those of DFT programs are made from files too, which need not be on this machine.
            if level.engine.kind != "ase":
                continue
            if self.config.recipe_hash(level.engine.fingerprint()) != level.recipe_hash:
                raise ScreenError(
                    f"campaign '{self.name}' was submitted by an earlier version, whose recipe is "
                    "another one, or with a model file that has changed or is not here: what would "
                    "be computed now is not comparable with its results; submit it again under "
                    "another name, or go on with that version or file"
                )

    def touch(self) -> None:
        """Say that a pick has changed, and with it perhaps the ranking."""
        self.database.campaigns.update_one(
            {"_id": self.name}, {"$set": {"revision": uuid.uuid4().hex}}
        )

    def set_status(self, status: Status) -> None:
        """Pause, resume or cancel."""
        self.database.campaigns.update_one({"_id": self.name}, {"$set": {"status": status}})


@dataclass(frozen=True)
class Progress:
    """How far a campaign is: counts of candidates, best value, pace.

    `already_computed` candidates need no pick: another campaign has computed them.
    """

    budget: int
    pool: int
    already_computed: int
    picked: int
    computed: int
    infeasible: int
    unstable: int
    failed: int
    cancelled: int
    running: int
    queued: int
    rounds: int
    confirmed: int
    to_confirm: int
    best_value: float | None
    best_candidate: str | None
    mean_candidate_s: float | None
    status: Status
    exhausted: bool

    @property
    def done(self) -> int:
        """Candidates that ended, in whatever way."""
        return self.computed + self.infeasible + self.unstable + self.failed + self.cancelled


STATUS_COUNTS = (
    *("already_computed", "budget", "rounds", "picked", "computed"),
    *("infeasible", "unstable"),
    *("failed", "cancelled", "running", "queued"),
)
"""Fields of `Progress` that a status lists, in this order."""


def check_confirming(exploring: EngineConfig, confirming: EngineConfig) -> None:
    """Raise `ScreenError` unless the second engine is better than the first."""
    if confirming.fidelity <= exploring.fidelity:
        raise ScreenError(
            f"engine '{confirming.name}' (fidelity {confirming.fidelity}) cannot confirm results "
            f"of '{exploring.name}' (fidelity {exploring.fidelity}); choose a better one"
        )


def _level_document(config: CampaignConfig, engine: EngineConfig) -> dict[str, Any]:
    return {
        "engine": engine.model_dump(mode="json"),
        "recipe_hash": config.recipe_hash(engine.fingerprint()),
    }


def _store_pool(database: Database, name: str, pool: Pool) -> None:
    from pymongo import UpdateOne
    from pymongo.errors import BulkWriteError

    # What an interrupted submit of the same name left behind is not of this pool.
    database.candidates.update_many(
        {"campaigns": name},
        {"$pull": {"campaigns": name, "campaign_inputs": {"campaign": name}}},
    )
    stored = {each["_id"] for each in database.candidates.find({}, {"_id": 1})}
    ids = list(pool.candidates)
    for first in range(0, len(ids), STORED_AT_ONCE):
        block = ids[first : first + STORED_AT_ONCE]
        documents = {key: _pool_member(name, pool, key) for key in block}
        if stored.isdisjoint(block):
            # Servers take new documents several times faster than updates.
            new = [
                {**document, **{field: [each] for field, each in mine.items()}}
                for document, mine in documents.values()
            ]
            with contextlib.suppress(BulkWriteError):  # another campaign stored some meanwhile
                database.candidates.insert_many(new, ordered=False)
                continue
        updates = [
            UpdateOne({"_id": key}, {"$set": document, "$addToSet": mine}, upsert=True)
            for key, (document, mine) in documents.items()
        ]
        database.candidates.bulk_write(updates, ordered=False)


def _pool_member(name: str, pool: Pool, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a candidate's document, and what this campaign adds to its lists."""
    mine: dict[str, Any] = {"campaigns": name}
    if inputs_hash := pool.inputs.get(key):
        mine["campaign_inputs"] = {"campaign": name, "inputs_hash": inputs_hash}
    return to_document(pool.candidates[key]), mine


def check_name_is_free(database: Database, name: str) -> None:
    """Raise `ScreenError` when a campaign of that name exists or the name is unusable."""
    if not NAME_PATTERN.fullmatch(name):
        raise ScreenError(
            f"campaign name '{name}': use letters, digits, '.', '_' and '-', at most 63, "
            "starting with a letter or digit"
        )
    taken = database.campaigns.find_one({"_id": name}, {"status": 1, "submitted_by": 1})
    if taken is None:
        return
    if taken["status"] == "submitting" and is_dead_here(taken["submitted_by"]):
        database.campaigns.delete_one({"_id": name, "status": "submitting"})
        return
    raise ScreenError(_taken(name))


def new_name(database: Database, target: str) -> str:
    """Return a free name: the target's and a number."""
    taken = {each["_id"] for each in database.campaigns.find({}, {"_id": 1})}
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(target).stem)[:50].strip("-._") or "campaign"
    return next(f"{stem}-{n}" for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)


def _mean_wall_s(picks: list[dict[str, Any]]) -> float | None:
    walls = [pick["wall_s"] for pick in picks if pick.get("wall_s") is not None]
    return float(np.mean(walls)) if walls else None


def _taken(name: str) -> str:
    return (
        f"campaign '{name}' exists already; continue it with: screen work {name}, or give another "
        "--name"
    )
