"""FireWorks' LaunchPad, made safe where two workers or a restarted database break FireWorks' own.

Importing this file imports FireWorks, which reads its settings then: `screening.store.launchpad`
does both in their order.
"""

from __future__ import annotations

import contextlib
import datetime
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad
from fireworks.fw_config import GRIDFS_FALLBACK_COLLECTION
from gridfs import GridFS

from screening.store.database_retry import with_retry
from screening.store.outbox import through_outbox

if TYPE_CHECKING:
    from jobflow import JobStore
    from pymongo.database import Database as MongoDatabase

    from screening.store.outbox import Outbox, OutboxJob

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

    def ping_launch(self, *args: Any, **kwargs: Any) -> None:
        """Store a heartbeat; one that the database does not answer is left to the next."""
        from pymongo.errors import ConnectionFailure, InvalidOperation

        # The thread that sends them may do so once more after the connection was closed.
        with contextlib.suppress(ConnectionFailure, InvalidOperation):
            super().ping_launch(*args, **kwargs)

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
