"""What a campaign's document says of its queue jobs: one record a job, and the queue's YAML."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.queues.config import QueueConfig
from screening.queues.scheduler import JobState, scheduler

KEPT_RECORDS = 100
"""Records of jobs that have ended, kept for people to read."""

Record = Mapping[str, Any]
"""Record of a queue job, as it is stored; docs/data-model.md lists its fields."""

End = Literal["done", "idle", "signal", "failed", "unfit", "vanished"]
"""How a queue job ended.

``done``: normally; ``idle``: it ran no job; ``signal``: stopped from outside; ``failed``: no worker
could run; ``unfit``: the machine cannot be used; ``vanished``: the scheduler no longer lists it.
"""


@dataclass(frozen=True)
class Queue:
    """The queue that a campaign was launched on, and the records of its jobs by their tickets.

    Parameters
    ----------
    version
        Changes whenever records of new jobs are written.
    """

    config: QueueConfig
    launched_at: datetime.datetime
    version: int
    records: Mapping[str, Record]
    trouble: Mapping[str, Any]


@dataclass(frozen=True)
class QueueState:
    """A campaign's queue jobs.

    Parameters
    ----------
    pending, running
        Numbers of jobs that the scheduler lists; None where it cannot be asked.
    ended
        Number of jobs that have ended, of those whose records are kept.
    trouble
        Why the last attempt to queue a job failed; empty when it did not.
    """

    scheduler: str
    max_jobs: int
    pending: int | None
    running: int | None
    ended: int
    trouble: str

    def nothing_left(self) -> bool:
        """Return whether the scheduler says that no job is left."""
        return self.pending == 0 and self.running == 0


def store_queue(campaign: Campaign, config: QueueConfig) -> None:
    """Store a queue's configuration with the campaign, and forget earlier failures."""
    # The YAML of a queue holds no secrets: its model has no field for one.
    campaign.database.campaigns.update_one(
        {"_id": campaign.name},
        {
            "$set": {"queue.config": config.model_dump(mode="json"), "queue.launched_at": now()},
            "$unset": {"queue.trouble": ""},
            "$inc": {"queue.version": 1},
        },
    )


def stored_queue(campaign: Campaign) -> QueueConfig | None:
    """Return the configuration of the queue that a campaign was launched on."""
    queue = queue_of(campaign)
    return None if queue is None else queue.config


def set_record(campaign: Campaign, ticket: str, **fields: Any) -> None:
    """Write fields into the record of one queue job; None deletes a field."""
    changes = {f"queue.jobs.{ticket}.{key}": value for key, value in fields.items()}
    kept = {key: value for key, value in changes.items() if value is not None}
    gone = {key: "" for key, value in changes.items() if value is None}
    update = {"$set": kept} if kept else {}
    if gone:
        update["$unset"] = gone
    # Only into a record that is there: one that was too old to be kept must not come back in part.
    campaign.database.campaigns.update_one(
        {"_id": campaign.name, f"queue.jobs.{ticket}": {"$exists": True}}, update
    )


def record_of(campaign: Campaign, ticket: str) -> dict[str, Any]:
    """Return the record of one queue job.

    Raises
    ------
    ScreenError
        When there is none.
    """
    queue = queue_of(campaign)
    if queue is None or ticket not in queue.records:
        raise ScreenError(f"campaign '{campaign.name}' has no queue job '{ticket}'")
    return dict(queue.records[ticket])


def note_trouble(campaign: Campaign, message: str) -> None:
    """Store why no job could be queued, for `matscreen status`."""
    trouble = {"message": message, "machine": platform.node(), "at": now()}
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$set": {"queue.trouble": trouble}}
    )


def queue_state(campaign: Campaign) -> QueueState | None:
    """Return how many queue jobs a campaign has; None when it was never launched."""
    queue = queue_of(campaign)
    if queue is None:
        return None
    records = list(queue.records.values())
    states: list[JobState] | None
    try:
        listed = scheduler(queue.config.q_type).jobs()
        job_ids = [record.get("job_id") for record in records]
        states = [listed[job_id] for job_id in job_ids if job_id in listed]
    except ScreenError:
        states = None
    trouble = queue.trouble
    return QueueState(
        scheduler=queue.config.q_type,
        max_jobs=queue.config.max_jobs,
        pending=None if states is None else states.count("pending"),
        running=None if states is None else states.count("running"),
        ended=sum("ended_at" in record for record in records),
        trouble=f"{trouble['message']} (on {trouble['machine']})" if trouble else "",
    )


def queue_of(campaign: Campaign) -> Queue | None:
    """Return the queue that a campaign was launched on; None when it was not."""
    document = campaign.database.campaigns.find_one({"_id": campaign.name}, {"queue": 1}) or {}
    queue = document.get("queue", {})
    if "config" not in queue:
        return None
    what = f"the queue of campaign '{campaign.name}', stored by another version"
    return Queue(
        config=validated(QueueConfig, queue["config"], what),
        launched_at=queue["launched_at"],
        version=queue["version"],
        records=queue.get("jobs", {}),
        trouble=queue.get("trouble", {}),
    )


def forget(campaign: Campaign, *fields: str) -> None:
    """Delete fields of the queue: ``trouble``, or records as ``jobs.TICKET``."""
    unset = {f"queue.{field}": "" for field in fields}
    campaign.database.campaigns.update_one({"_id": campaign.name}, {"$unset": unset})


def swap_records(campaign: Campaign, queue: Queue, records: Mapping[str, Record]) -> bool:
    """Write records, unless another process wrote any since `queue` was read; return whether."""
    ended = [ticket for ticket, record in queue.records.items() if "ended_at" in record]
    ended.sort(key=lambda ticket: queue.records[ticket]["ended_at"])
    surplus = [ticket for ticket in ended[:-KEPT_RECORDS] if ticket not in records]
    update: dict[str, Any] = {
        "$set": {f"queue.jobs.{ticket}": record for ticket, record in records.items()},
        "$inc": {"queue.version": 1},
    }
    if surplus:
        update["$unset"] = {f"queue.jobs.{ticket}": "" for ticket in surplus}
    if not update["$set"]:
        del update["$set"]
    swapped = campaign.database.campaigns.update_one(
        {"_id": campaign.name, "queue.version": queue.version}, update
    )
    return bool(swapped.modified_count == 1)
