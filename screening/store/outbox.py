"""Results of finished jobs on disk, until the database has them.

A job that took a day must not be lost because MongoDB restarts in its last second.  What a job
gave, its documents and what FireWorks is to do next, is written to a file first, then delivered,
and the file is removed when all of it has arrived.  Whoever takes up the job later, because its
worker was killed in between, finds the file and delivers it instead of computing again.
Delivering twice changes nothing: documents have keys of their own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.messages.stderr import say
from screening.store.database_retry import patiently

if TYPE_CHECKING:
    from fireworks import Firework, FWAction
    from jobflow import JobStore

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Kept:
    """What a finished job gave.

    Attributes
    ----------
    updates : list of dict
        Arguments of `JobStore.update`: ``docs``, ``key``, ``save``.
    action : dict
        The FWAction, serialised: jobs that it creates, data that it stores.
    """

    updates: list[dict[str, Any]]
    action: dict[str, Any]


class Outbox:
    """A folder of results that were not delivered yet.

    Parameters
    ----------
    folder
        On a file system that all workers share, so that any of them can deliver.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, key: str, kept: Kept) -> None:
        """Write a result so that it survives the end of this process and of the machine."""
        import bson

        content = zlib.compress(bson.encode({"updates": kept.updates, "action": kept.action}), 1)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        written = path.with_suffix(f".{os.getpid()}")
        try:
            with written.open("wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
                file.flush()
                os.fsync(file.fileno())
            written.replace(path)
            # The name, too, has to survive.
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            written.unlink(missing_ok=True)

    def find(self, key: str) -> Kept | None:
        """Return a result that waits, None where there is none or the file is damaged."""
        import bson

        path = self._path(key)
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, content = found[:32], found[32:]
        if hashlib.sha256(content).digest() != digest:
            say(f"{path} is damaged and set aside; its job is computed again")
            path.replace(path.with_suffix(".damaged"))
            return None
        return Kept(**bson.decode(zlib.decompress(content)))

    def drop(self, key: str) -> None:
        """Forget a result that was delivered."""
        self._path(key).unlink(missing_ok=True)

    def sweep(self, awaited: Callable[[str], bool]) -> None:
        """Remove results that nobody waits for, as their jobs are done or gone.

        Parameters
        ----------
        awaited
            Whether the job of an identity (its uuid) is still to be completed.
        """
        for path in self._folder.glob("*.*"):
            # Also damaged ones, and what a worker that was killed had begun to write.
            if not awaited(path.stem.rpartition("-")[0]):
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.result"


class OutboxJob:
    """A job of jobflow whose result goes through the outbox; stands in for its Firetask.

    Parameters
    ----------
    task
        The Firetask of jobflow.
    outbox, store
        Where the result waits, and where it belongs.
    """

    fw_name = "OutboxJob"

    def __init__(self, task: Any, outbox: Outbox, store: JobStore) -> None:
        self._task = task
        self._outbox = outbox
        self._store = store
        self.key = job_key(task)
        self.unfit: str | None = None
        """Why this machine can run no job; None while it can."""

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Deliver what is kept, or compute, keep and deliver it."""
        if hasattr(self, "fw_id"):
            self._task.fw_id = self.fw_id
        try:
            return self._run(fw_spec)
        except SystemExit:
            self.unfit = "the database stays away"
            raise

    def _run(self, fw_spec: dict[str, Any]) -> FWAction:
        from fireworks import FWAction

        kept = self._outbox.find(self.key)
        if kept is None:
            try:
                kept = patiently(self._compute, fw_spec)
            except OSError as error:
                if error.errno in DISK_FULL:
                    self.unfit = _reason(error)
                raise
            try:
                self._outbox.keep(self.key, kept)
            except OSError as error:
                # Not on the disk, but still in memory: it is delivered all the same.
                self.unfit = _reason(error)
        patiently(self._deliver, kept)
        action: FWAction = FWAction.from_dict(kept.action)
        return action

    def to_dict(self) -> dict[str, Any]:
        """Return the Firetask's own form, which FireWorks stores with an error."""
        form: dict[str, Any] = self._task.to_dict()
        return form

    def _compute(self, fw_spec: dict[str, Any]) -> Kept:
        from jobflow import SETTINGS

        recorded = _recording(self._store)
        SETTINGS.JOB_STORE = recorded
        try:
            action = self._task.run_task(fw_spec)
        finally:
            SETTINGS.JOB_STORE = self._store
        return Kept(recorded.updates, action.to_dict())

    def _deliver(self, kept: Kept) -> None:
        for update in kept.updates:
            self._store.update(**update)


def _reason(error: OSError) -> str:
    return f"{error.strerror}: {error.filename or os.getcwd()}"


def job_key(task: Any) -> str:
    """Return what tells a job from all others: its identity, and which of its replacements."""
    job = task["job"]
    uuid, index = (job["uuid"], job["index"]) if isinstance(job, dict) else (job.uuid, job.index)
    return f"{uuid}-{index}"


def through_outbox(firework: Firework, outbox: Outbox, store: JobStore) -> OutboxJob | None:
    """Make a claimed job keep its result; None where it is no job of jobflow."""
    tasks = firework.tasks
    if len(tasks) != 1 or "job" not in tasks[0]:
        return None
    kept = OutboxJob(tasks[0], outbox, store)
    firework.tasks = [kept]
    return kept


def _recording(store: JobStore) -> Any:
    """Return a store that reads like `store` and only takes down what is to be written."""
    from jobflow import JobStore
    from monty.json import jsanitize

    class Recording(JobStore):
        """Keeps the arguments of `update`."""

        def __init__(self) -> None:
            # jobflow annotates its stores in a way that mypy cannot follow.
            blobs: Any = vars(store)["additional_stores"]
            super().__init__(store.docs_store, additional_stores=blobs)
            self.updates: list[dict[str, Any]] = []

        def update(self, docs: Any, key: Any = None, save: Any = None) -> None:
            """Take it down, as plain data."""
            documents = docs if isinstance(docs, list) else [docs]
            plain = [jsanitize(each, strict=True, allow_bson=True) for each in documents]
            self.updates.append({"docs": plain, "key": key, "save": save})

    return Recording()
