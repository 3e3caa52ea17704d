"""FireWorks' LaunchPad, made safe where two workers or a restarted database break FireWorks' own.

Importing this file imports FireWorks, which reads its settings then: `screening.store.launchpad`
does both in their order.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad, Workflow
from fireworks.fw_config import GRIDFS_FALLBACK_COLLECTION
from gridfs import GridFS

from screening.store.database_retry import with_retry
from screening.store.outbox import through_outbox

if TYPE_CHECKING:
    from jobflow import JobStore
    from pymongo.database import Database as MongoDatabase

    from screening.store.outbox import Outbox, OutboxJob

FRESH_S = 20.0
"""Time after a claim or a heartbeat in which another heartbeat says nothing new (s)."""
CLAIMED_AMONG = 10
"""Jobs at the head of the queue that a worker tries to claim before it looks again."""


class SafeLaunchPad(LaunchPad):  # type: ignore[misc]  # FireWorks is untyped
    """LaunchPad whose jobs are claimed once and whose results are not lost.

    **Weak find-and-modify.**  FireWorks takes numbers and jobs from the old document that
    ``find_one_and_update`` returns.  The embedded server may return the same old document to two
    callers: two runs of one number would end each other's jobs, and two workers would run one job.
    Here both are taken by compare and swap.

    **A database that does not answer.**  Results go through an outbox, and their delivery waits.

    Parameters
    ----------
    database
        The database, connected; FireWorks would open a connection of its own.
    """

    outbox: Outbox | None = None
    """Where results of jobs wait for their delivery; None delivers directly."""
    job_store: JobStore | None = None
    """Where results are delivered."""
    running: OutboxJob | None = None
    """The job that this process runs now, or ran last."""
    _heard: tuple[int, float] = (0, 0.0)
    """The run that was claimed or sent a heartbeat last, and when."""

    def __init__(self, database: MongoDatabase[Any]) -> None:
        never = {"connect": False}
        super().__init__(
            name=database.name, strm_lvl="ERROR", uri_mode=True, mongoclient_kwargs=never
        )
        self.connection = database.client
        self.db = database
        for collection in ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows"):
            setattr(self, collection, database[collection])
        if GRIDFS_FALLBACK_COLLECTION is not None:  # as the user's FireWorks settings say
            self.gridfs_fallback = GridFS(database, GRIDFS_FALLBACK_COLLECTION)

    def get_new_fw_id(self, quantity: int = 1) -> int:
        """Return the first of `quantity` new Firework numbers."""
        return _next(self.fw_id_assigner, "next_fw_id", quantity)

    def get_new_launch_id(self) -> int:
        """Return a new launch number."""
        return _next(self.fw_id_assigner, "next_launch_id", 1)

    def checkout_fw(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Claim a job; where there is an outbox, its result goes through it."""
        firework, launch_id = super().checkout_fw(*args, **kwargs)
        if launch_id is not None:
            self._heard = launch_id, time.monotonic()
        self.running = None
        if firework is not None and self.outbox is not None and self.job_store is not None:
            self.running = through_outbox(firework, self.outbox, self.job_store)
        return firework, launch_id

    def complete_launch(self, launch_id: int, action: Any = None, state: str = "COMPLETED") -> Any:
        """Store the end of a run as soon as the database answers."""
        running = self.running
        if running is not None and running.unfit and state != "COMPLETED":
            return None  # the machine failed and not the job: the worker puts the job back
        done = with_retry(super().complete_launch, launch_id, action, state)
        if running is not None and self.outbox is not None and state == "COMPLETED":
            # A run that was given up meanwhile completes nothing: the worker that runs the job
            # again still needs its result.
            of_this_run = {"launches": launch_id}
            if with_retry(self.fireworks.find_one, of_this_run, {"_id": 1}) is not None:
                self.outbox.drop(running.key)
        return done

    def ping_launch(
        self, launch_id: int, ptime: datetime.datetime | None = None, checkpoint: Any = None
    ) -> None:
        """Store a heartbeat; one that the database does not answer is left to the next.

        FireWorks sends three for a job however short it is, one of them to go on in the middle of a
        job (``checkpoint``), which nothing here does.
        """
        from pymongo.errors import ConnectionFailure, InvalidOperation

        run, heard_at = self._heard
        if ptime is None and run == launch_id and time.monotonic() - heard_at < FRESH_S:
            return
        # The thread that sends them may do so once more after the connection was closed.
        with contextlib.suppress(ConnectionFailure, InvalidOperation):
            super().ping_launch(launch_id, ptime, checkpoint)
            self._heard = launch_id, time.monotonic()

    def add_wfs(self, workflows: Sequence[Workflow]) -> None:
        """Store several workflows as `add_wf` does one: first all jobs, then the workflows."""
        for workflow in workflows:
            for fw_id in workflow.root_fw_ids:
                workflow.id_fw[fw_id].state = workflow.fw_states[fw_id] = "READY"
        jobs = [job for workflow in workflows for job in workflow.id_fw.values()]
        numbers = self._upsert_fws(jobs, reassign_all=True)
        for workflow in workflows:
            workflow._reassign_ids({old: numbers[old] for old in workflow.id_fw})
        self.workflows.insert_many([workflow.to_db_dict() for workflow in workflows])

    def delete_jobs(self, jobs: dict[str, Any], workflows: dict[str, Any]) -> None:
        """Delete jobs with their runs, and then their workflows, unless somebody else has.

        Parameters
        ----------
        jobs, workflows
            Queries.
        """
        runs: list[int] = []
        for job in self.fireworks.find(jobs, {"launches": 1, "archived_launches": 1}):
            runs += [*job.get("launches", []), *job.get("archived_launches", [])]
        for launch_id in runs:
            if self.gridfs_fallback is not None:
                for file in self.gridfs_fallback.find({"metadata.launch_id": launch_id}):
                    self.gridfs_fallback.delete(file._id)
            self.launches.delete_one({"launch_id": launch_id})
        self.fireworks.delete_many(jobs)
        self.workflows.delete_many(workflows)

    def _get_a_fw_to_run(
        self,
        query: dict[str, Any] | None = None,
        fw_id: int | None = None,
        checkout: bool = True,
    ) -> Any:
        if fw_id is not None or not checkout:
            return super()._get_a_fw_to_run(query, fw_id, checkout)
        ready = {**(query or {}), "state": "READY"}
        order = [("spec._priority", -1), ("fw_id", 1)]
        while True:
            # Several at once: other workers try to claim the first one too.
            jobs = self.fireworks.find(ready, {"fw_id": 1}).sort(order).limit(CLAIMED_AMONG)
            if not (fw_ids := [job["fw_id"] for job in jobs]):
                return None
            for head in fw_ids:
                reserved = {"state": "RESERVED", "updated_on": datetime.datetime.now(datetime.UTC)}
                swap = self.fireworks.update_one(
                    {"fw_id": head, "state": "READY"}, {"$set": reserved}
                )
                if swap.modified_count == 1:
                    claimed = super()._get_a_fw_to_run(None, head, checkout=False)
                    if claimed is not None:
                        return claimed


def _next(counters: Any, field: str, quantity: int) -> int:
    """Return a counter's value and advance it, by compare and swap."""
    while True:
        value = int(counters.find_one({"_id": -1})[field])
        swap = counters.update_one({"_id": -1, field: value}, {"$set": {field: value + quantity}})
        if swap.modified_count == 1:
            return value
