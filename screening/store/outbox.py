"""Results of finished jobs on disk, until the database has them.

A job that took a day must not be lost because MongoDB restarts in its last second.  The result of
a job, its documents and what FireWorks is to do next, is written to a file first, then delivered,
and the file is removed when all of it has arrived.  If the worker is killed in between, the next
worker that takes up the job finds the file and delivers it instead of computing again.  Delivering
twice changes nothing: documents have keys of their own.
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

from screening.machine.atomic_files import write_whole
from screening.messages.stderr import say
from screening.store.database_retry import with_retry

if TYPE_CHECKING:
    from fireworks import Firework, FWAction
    from jobflow import JobStore

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a disk, or of the user's share of it, that is full."""


@dataclass(frozen=True)
class JobResult:
    """What a finished job returned.

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

    def keep(self, key: str, result: JobResult) -> None:
        """Write a result so that it survives the end of this process and of the machine."""
        import bson

        document = {"updates": result.updates, "action": result.action}
        content = zlib.compress(bson.encode(document), 1)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(key), hashlib.sha256(content).digest() + content)

    def find(self, key: str) -> JobResult | None:
        """Return a result that waits, None where there is none or the file is damaged."""
        import bson

        path = self._path(key)
        try:
            written = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, content = written[:32], written[32:]
        if hashlib.sha256(content).digest() != digest:
            say(f"{path} is damaged and set aside; its job is computed again")
            path.replace(path.with_suffix(".damaged"))
            return None
        return JobResult(**bson.decode(zlib.decompress(content)))

    def drop(self, key: str) -> None:
        """Forget a result that was delivered."""
        self._path(key).unlink(missing_ok=True)

    def sweep(self, awaited: Callable[[str], bool]) -> None:
        """Remove results whose jobs are completed or deleted.

        Parameters
        ----------
        awaited
            Returns whether the job of a uuid is still to be completed.
        """
        for path in self._folder.glob("*.*"):
            # Damaged files too, and files that a killed worker had begun to write.
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
        Where the result waits, and where it is delivered.
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
        """Deliver the result that waits, or compute, keep and deliver one."""
        if hasattr(self, "fw_id"):
            self._task.fw_id = self.fw_id
        try:
            return self._run(fw_spec)
        except SystemExit:
            self.unfit = "the database does not answer"
            raise

    def _run(self, fw_spec: dict[str, Any]) -> FWAction:
        from fireworks import FWAction

        result = self._outbox.find(self.key)
        if result is None:
            try:
                result = with_retry(self._compute, fw_spec)
            except OSError as error:
                if error.errno in DISK_FULL:
                    self.unfit = _reason(error)
                raise
            try:
                self._outbox.keep(self.key, result)
            except OSError as error:
                # It is not on the disk, but still in memory, and is delivered from there.
                self.unfit = _reason(error)
        with_retry(self._deliver, result)
        action: FWAction = FWAction.from_dict(result.action)
        return action

    def to_dict(self) -> dict[str, Any]:
        """Return the Firetask's own form, which FireWorks stores with an error."""
        form: dict[str, Any] = self._task.to_dict()
        return form

    def _compute(self, fw_spec: dict[str, Any]) -> JobResult:
        from jobflow import SETTINGS

        recorded = _recording(self._store)
        SETTINGS.JOB_STORE = recorded
        try:
            action = self._task.run_task(fw_spec)
        finally:
            SETTINGS.JOB_STORE = self._store
        return JobResult(recorded.updates, action.to_dict())

    def _deliver(self, result: JobResult) -> None:
        for update in result.updates:
            self._store.update(**update)


def _reason(error: OSError) -> str:
    return f"{error.strerror}: {error.filename or os.getcwd()}"


def job_key(task: Any) -> str:
    """Return the key of a job: its uuid, and which of its replacements it is."""
    job = task["job"]
    uuid, index = (job["uuid"], job["index"]) if isinstance(job, dict) else (job.uuid, job.index)
    return f"{uuid}-{index}"


def through_outbox(firework: Firework, outbox: Outbox, store: JobStore) -> OutboxJob | None:
    """Have the result of a claimed job go through the outbox; None where it is no jobflow job."""
    tasks = firework.tasks
    if len(tasks) != 1 or "job" not in tasks[0]:
        return None
    job = OutboxJob(tasks[0], outbox, store)
    firework.tasks = [job]
    return job


def _recording(store: JobStore) -> Any:
    """Return a store that reads from `store` and only records what is to be written."""
    from jobflow import JobStore
    from monty.json import jsanitize

    class Recording(JobStore):
        """Job store that records the arguments of `update`."""

        def __init__(self) -> None:
            # jobflow annotates its stores in a way that mypy cannot follow.
            blobs: Any = vars(store)["additional_stores"]
            super().__init__(store.docs_store, additional_stores=blobs)
            self.updates: list[dict[str, Any]] = []

        def update(self, docs: Any, key: Any = None, save: Any = None) -> None:
            """Record the documents as plain data."""
            documents = docs if isinstance(docs, list) else [docs]
            plain = [jsanitize(document, strict=True, allow_bson=True) for document in documents]
            self.updates.append({"docs": plain, "key": key, "save": save})

    return Recording()
