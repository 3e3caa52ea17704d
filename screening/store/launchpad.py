"""FireWorks' LaunchPad, set up for short heartbeats, safe claims, delivery and recovery."""

from __future__ import annotations

import contextlib
import datetime
import functools
import io
import os
from importlib import resources
from typing import TYPE_CHECKING, Any

from screening.store.database_retry import patiently
from screening.store.outbox import through_outbox

if TYPE_CHECKING:
    from fireworks import LaunchPad
    from jobflow import JobStore

    from screening.store.outbox import Outbox, OutboxJob

CLAIMED_AMONG = 10
"""Jobs at the head of the queue that a worker tries to claim before it looks again."""


def use_fireworks_settings() -> None:
    """Name FireWorks' configuration, before anybody imports FireWorks.

    FireWorks reads it when it is imported and takes its own defaults (a heartbeat an hour)
    otherwise; ``FW_CONFIG_FILE``, when the user has set it, is respected.
    """
    os.environ.setdefault("FW_CONFIG_FILE", str(resources.files("configs") / "fireworks.yaml"))


def open_launchpad(uri: str, database: str) -> LaunchPad:
    """Return the LaunchPad in `database`, ready to use."""
    use_fireworks_settings()
    launchpad = _launchpad_class()(host=uri, name=database, uri_mode=True, strm_lvl="ERROR")
    # It is connected; its `to_dict`, and with it its repr, would say the address and the password.
    launchpad.host = None
    counters = launchpad.fw_id_assigner
    if counters.find_one({}) is None:
        # What LaunchPad.reset does, without its deleting of what another program just queued.
        counters.update_one(
            {"_id": -1}, {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}, upsert=True
        )
        launchpad.tuneup()
    return launchpad


def delete_workflow(launchpad: LaunchPad, fw_id: int) -> None:
    """Take a finished workflow off the LaunchPad, which is a queue and no archive."""
    if launchpad.workflows.find_one({"nodes": fw_id}, {"_id": 1}) is None:
        return  # somebody else was faster
    # FireWorks prints what it deletes; stdout belongs to the command's own output.
    with contextlib.redirect_stdout(io.StringIO()):
        launchpad.delete_wf(fw_id)


@functools.cache
def _launchpad_class() -> type[LaunchPad]:
    # Made on first use: importing FireWorks takes longer than most commands.
    from fireworks import LaunchPad

    class SafeLaunchPad(LaunchPad):  # type: ignore[misc]  # FireWorks is untyped
        """LaunchPad that holds where FireWorks' own breaks.

        **Weak find-and-modify.**  FireWorks takes a number, and a job, as what
        ``find_one_and_update`` says was there before.  The embedded server may answer two callers
        with the same old document: two runs with one number end each other's jobs, and two workers
        run one job.  Here both go by compare and swap.

        **A database that is away.**  Results go through an outbox, and their delivery waits.
        """

        outbox: Outbox | None = None
        """Where results of jobs wait for their delivery; None delivers directly."""
        job_store: JobStore | None = None
        """Where they belong."""
        running: OutboxJob | None = None
        """The job that this process runs now, or ran last."""

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

        def complete_launch(
            self, launch_id: int, action: Any = None, state: str = "COMPLETED"
        ) -> Any:
            """Note the end of a run, once the database is there."""
            running = self.running
            if running is not None and running.unfit and state != "COMPLETED":
                return None  # not the job's fault: the worker puts it back
            done = patiently(super().complete_launch, launch_id, action, state)
            if running is not None and self.outbox is not None and state == "COMPLETED":
                mine = {"launches": launch_id}
                # A run that was given up meanwhile completes nothing: who runs the job again
                # still wants its result.
                if patiently(self.fireworks.find_one, mine, {"_id": 1}) is not None:
                    self.outbox.drop(running.key)
            return done

        def ping_launch(self, *args: Any, **kwargs: Any) -> None:
            """Say that a run is alive; when nobody hears it, say it the next time."""
            from pymongo.errors import ConnectionFailure

            with contextlib.suppress(ConnectionFailure):
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
                # A few at once: others are after the first one too.
                found = list(
                    self.fireworks.find(ready, {"fw_id": 1}).sort(order).limit(CLAIMED_AMONG)
                )
                if not found:
                    return None
                for each in found:
                    mine = {"fw_id": each["fw_id"], "state": "READY"}
                    taken = {
                        "$set": {
                            "state": "RESERVED",
                            "updated_on": datetime.datetime.now(datetime.UTC),
                        }
                    }
                    if self.fireworks.update_one(mine, taken).modified_count == 1:
                        claimed = super()._get_a_fw_to_run(None, each["fw_id"], checkout=False)
                        if claimed is not None:
                            return claimed

    return SafeLaunchPad


def _next(counters: Any, field: str, quantity: int) -> int:
    """Return a counter's value and advance it, by compare and swap."""
    while True:
        value = int(counters.find_one({"_id": -1})[field])
        swap = counters.update_one({"_id": -1, field: value}, {"$set": {field: value + quantity}})
        if swap.modified_count == 1:
            return value
