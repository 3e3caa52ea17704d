"""How many queue jobs a campaign has, and the queuing of more.

Whoever is there does it: `screen launch`, and the queue jobs themselves, while they run and when
they end.  The campaign's document keeps one record a queue job.  A job is first written down, by
an update that fails when anybody else wrote one since the records were read, and submitted then:
of two who find room for one job, one gets it.
"""

from __future__ import annotations

import datetime
import os
import platform
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.queues.config import JobShape, QueueConfig
from screening.queues.scheduler import JobState, scheduler
from screening.queues.script import job_script

RESERVATION_S = 120.0
"""Time within which a job that was written down is submitted, and listed by the scheduler."""
MAX_FAILED_JOBS = 3
"""Queue jobs that may fail one after the other before no more are queued."""
KEPT_RECORDS = 100
"""Records of jobs that have ended, kept for people."""
TRIES = 5

End = Literal["done", "idle", "signal", "failed", "unfit", "vanished"]
"""How a queue job ended: in order, after running nothing, stopped from outside, because no worker
could run, because the machine cannot be used, without a word."""
FAILURES: tuple[End, ...] = ("idle", "failed", "unfit", "vanished")
"""Ends after which the same job, queued again, would likely end the same way."""


class KeepFailingError(ScreenError):
    """The last queue jobs of a campaign have all failed."""


@dataclass(frozen=True)
class QueueState:
    """A campaign's queue jobs.

    Parameters
    ----------
    pending, running
        As the scheduler says; None where it cannot be asked.
    ended
        Jobs that have ended, as far as they are remembered.
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


# ------------------------------------------------------------------------------------- records


def store_queue(campaign: Campaign, config: QueueConfig) -> None:
    """Keep a queue's configuration with the campaign, and forget earlier failures."""
    # A queue YAML is without secrets: its model has no place for one.
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
    queue = _queue(campaign)
    return _config(campaign, queue) if "config" in queue else None


def set_record(campaign: Campaign, ticket: str, **fields: Any) -> None:
    """Write into the record of one queue job; None takes a field away."""
    changes = {f"queue.jobs.{ticket}.{key}": value for key, value in fields.items()}
    kept = {key: value for key, value in changes.items() if value is not None}
    gone = {key: "" for key, value in changes.items() if value is None}
    update = {"$set": kept} if kept else {}
    if gone:
        update["$unset"] = gone
    # Only a record that is there: one too old to be kept must not come back in part.
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
    record = _queue(campaign).get("jobs", {}).get(ticket)
    if record is None:
        raise ScreenError(f"campaign '{campaign.name}' knows of no queue job '{ticket}'")
    return dict(record)


def note_trouble(campaign: Campaign, message: str) -> None:
    """Keep why no job could be queued, for `screen status`."""
    trouble = {"message": message, "machine": platform.node(), "at": now()}
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$set": {"queue.trouble": trouble}}
    )


def queue_state(campaign: Campaign) -> QueueState | None:
    """Return what became of a campaign's queue jobs; None when it was never launched."""
    queue = _queue(campaign)
    if "config" not in queue:
        return None
    config = _config(campaign, queue)
    records = list(queue.get("jobs", {}).values())
    states: list[JobState] | None
    try:
        listed = scheduler(config.q_type).jobs()
        states = [listed[r["job_id"]] for r in records if r.get("job_id") in listed]
    except ScreenError:
        states = None
    trouble = queue.get("trouble", {})
    return QueueState(
        scheduler=config.q_type,
        max_jobs=config.max_jobs,
        pending=None if states is None else states.count("pending"),
        running=None if states is None else states.count("running"),
        ended=sum("ended_at" in record for record in records),
        trouble=f"{trouble['message']} (on {trouble['machine']})" if trouble else "",
    )


def _queue(campaign: Campaign) -> dict[str, Any]:
    document = campaign.database.campaigns.find_one({"_id": campaign.name}, {"queue": 1}) or {}
    return dict(document.get("queue", {}))


def _config(campaign: Campaign, queue: Mapping[str, Any]) -> QueueConfig:
    what = f"the queue of campaign '{campaign.name}', stored by another version"
    return validated(QueueConfig, queue["config"], what)


# ------------------------------------------------------------------------------ how many, and who


def jobs_needed(
    campaign: Campaign, profiles: Mapping[tuple[str, ...], JobShape]
) -> dict[tuple[str, ...], int]:
    """Return how many queue jobs there is work for, by the engines that share a kind of job."""
    if campaign.status != "active" or campaign.is_exhausted():
        return dict.fromkeys(profiles, 0)
    fireworks = campaign.database.launchpad.fireworks
    needed = {}
    for engines, shape in profiles.items():
        runnable = fireworks.count_documents(
            {
                "spec.campaign": campaign.name,
                "spec.engine": {"$in": list(engines)},
                "state": {"$in": ["READY", "RESERVED", "RUNNING"]},
            }
        )
        needed[engines] = -(-runnable // shape.workers_per_job)
    if not any(needed.values()):
        # Something is in flight that nobody can run yet: one job to drive the campaign.
        needed[next(iter(needed))] = 1
    return needed


def plan(needed: Mapping[tuple[str, ...], int], room: int) -> list[tuple[str, ...]]:
    """Return which kinds of jobs to queue, in turns, when there is room for so many."""
    left = dict(needed)
    chosen: list[tuple[str, ...]] = []
    while len(chosen) < room and any(count > 0 for count in left.values()):
        for engines in left:
            if left[engines] > 0 and len(chosen) < room:
                left[engines] -= 1
                chosen.append(engines)
    return chosen


def is_alive(
    record: Mapping[str, Any], listed: Mapping[str, JobState], moment: datetime.datetime
) -> bool:
    """Return whether a queue job runs or will, by its record and the scheduler's list."""
    if "ended_at" in record:
        return False
    if record.get("job_id") in listed:
        return True
    # Just submitted, or about to be: the list may be older.  What has started must be on it, for
    # records are read before the list.
    return "started_at" not in record and bool(
        record["reserved_at"] > moment - datetime.timedelta(seconds=RESERVATION_S)
    )


def failed_in_a_row(
    records: Iterable[Mapping[str, Any]],
    since: datetime.datetime,
    progress_at: datetime.datetime | None,
) -> int:
    """Return how many of the queue jobs that ended last have failed, one after the other.

    Parameters
    ----------
    since
        What was queued before does not count.
    progress_at
        When a candidate finished last: to have had no work before that is no failure.
    """
    ended = [r for r in records if "ended_at" in r and r["reserved_at"] >= since]
    ended.sort(key=lambda record: record["ended_at"], reverse=True)
    count = 0
    for record in ended:
        if record["end"] not in FAILURES:
            break
        idle = record["end"] == "idle"
        count += not (idle and progress_at is not None and record["ended_at"] <= progress_at)
    return count


def last_finish(campaign: Campaign) -> datetime.datetime | None:
    """Return when a candidate of a campaign finished last."""
    query = {"campaign": campaign.name, "finished_at": {"$exists": True}}
    pick = campaign.database.picks.find_one(query, sort=[("finished_at", -1)])
    return None if pick is None else pick["finished_at"]


def top_up(campaign: Campaign, settings: Settings) -> list[str]:
    """Queue as many jobs as there is work and room for; return their numbers.

    Raises
    ------
    ScreenError
        When the scheduler cannot be asked or refuses, or the last jobs have all failed.
    """
    try:
        submitted = _top_up(campaign, settings)
    except ScreenError as error:
        note_trouble(campaign, str(error))
        raise
    if submitted:
        campaign.database.campaigns.update_one(
            {"_id": campaign.name}, {"$unset": {"queue.trouble": ""}}
        )
    return submitted


def _top_up(campaign: Campaign, settings: Settings) -> list[str]:
    for _ in range(TRIES):
        queue = _queue(campaign)
        config = _config(campaign, queue)
        campaign.reload_stages()
        profiles = config.profiles(stage.engine.name for stage in campaign.stages)
        needed = jobs_needed(campaign, profiles)
        if not any(needed.values()):
            return []
        listed = scheduler(config.q_type).jobs()
        moment = now()
        gone = _vanished(queue.get("jobs", {}), listed, moment)
        records = queue.get("jobs", {}) | gone
        failed = failed_in_a_row(records.values(), queue["launched_at"], last_finish(campaign))
        if failed >= MAX_FAILED_JOBS:
            _swap(campaign, queue, gone)
            raise KeepFailingError(
                f"the last {failed} queue jobs of campaign '{campaign.name}' failed or had nothing "
                f"to do, so no more are queued; see {settings.directory.absolute() / 'logs'}, and "
                f"go on with: screen launch {campaign.name}"
            )
        new = {
            secrets.token_hex(4): {
                "engines": list(engines),
                "shape": profiles[engines].model_dump(mode="json"),
                "poll_s": config.poll_s,
                "reserved_at": moment,
                "reserved_by": f"{platform.node()}:{os.getpid()}",
            }
            for engines in _chosen(config, needed, records, listed, moment)
        }
        if not new and not gone:
            return []
        if _swap(campaign, queue, gone | new):
            return _submit(campaign, config, new, settings)
    return []  # others were faster each time, and did it


def _chosen(
    config: QueueConfig,
    needed: Mapping[tuple[str, ...], int],
    records: Mapping[str, Mapping[str, Any]],
    listed: Mapping[str, JobState],
    moment: datetime.datetime,
) -> list[tuple[str, ...]]:
    """Return which kinds of jobs to queue now."""
    alive = [record for record in records.values() if is_alive(record, listed, moment)]
    counts = Counter(tuple(record["engines"]) for record in alive)
    missing = {engines: count - counts[engines] for engines, count in needed.items()}
    # A job that says that it ended is as good as gone, though the scheduler may still list it.
    leaving = {record.get("job_id") for record in records.values() if "ended_at" in record}
    unlisted = sum(record.get("job_id") not in listed for record in alive)
    room = config.max_jobs - len(listed.keys() - leaving) - unlisted
    return plan(missing, room)


def _vanished(
    records: Mapping[str, Mapping[str, Any]],
    listed: Mapping[str, JobState],
    moment: datetime.datetime,
) -> dict[str, dict[str, Any]]:
    """Return the ends of jobs that are gone without a word: killed, or failed before they began."""
    gone: End = "vanished"
    return {
        ticket: {**record, "ended_at": moment, "end": gone}
        for ticket, record in records.items()
        if "ended_at" not in record and not is_alive(record, listed, moment)
    }


def _swap(
    campaign: Campaign, queue: Mapping[str, Any], records: Mapping[str, dict[str, Any]]
) -> bool:
    """Write records, unless somebody else wrote any since `queue` was read."""
    version = queue["version"]
    ended = [each for each in queue.get("jobs", {}).items() if "ended_at" in each[1]]
    ended.sort(key=lambda each: each[1]["ended_at"])
    surplus = [ticket for ticket, _ in ended[:-KEPT_RECORDS] if ticket not in records]
    update: dict[str, Any] = {
        "$set": {f"queue.jobs.{ticket}": record for ticket, record in records.items()},
        "$inc": {"queue.version": 1},
    }
    if surplus:
        update["$unset"] = {f"queue.jobs.{ticket}": "" for ticket in surplus}
    if not update["$set"]:
        del update["$set"]
    swapped = campaign.database.campaigns.update_one(
        {"_id": campaign.name, "queue.version": version}, update
    )
    return bool(swapped.modified_count == 1)


def _submit(
    campaign: Campaign,
    config: QueueConfig,
    records: Mapping[str, Mapping[str, Any]],
    settings: Settings,
) -> list[str]:
    """Submit jobs that were written down; those that cannot be are struck off again."""
    left = list(records)
    submitted = []
    try:
        for ticket, record in records.items():
            shape = JobShape.model_validate(record["shape"])
            path = _write_script(campaign, config, shape, ticket, settings)
            number = scheduler(config.q_type).submit(path)
            left.remove(ticket)
            set_record(campaign, ticket, job_id=number)
            submitted.append(number)
    finally:
        if left:
            unset = {f"queue.jobs.{ticket}": "" for ticket in left}
            campaign.database.campaigns.update_one({"_id": campaign.name}, {"$unset": unset})
    return submitted


def _write_script(
    campaign: Campaign, config: QueueConfig, shape: JobShape, ticket: str, settings: Settings
) -> Path:
    logs = settings.directory.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    name = f"{campaign.name}-{ticket}"
    module = ["screening.queues.driver", campaign.name, ticket]
    script = job_script(config, shape, f"screen-{campaign.name}", name, module, settings)
    path = logs / f"{name}.sh"
    path.touch(0o700)
    path.write_text(script, "utf-8")
    return path
