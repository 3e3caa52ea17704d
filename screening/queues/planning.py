"""How many queue jobs a campaign needs, and the queuing of more.

`matscreen launch` does it, and so do queue jobs, while they run and when they end.  A job
is first written down in the campaign's document, by an update that fails when another process
wrote one since the records were read, and submitted then: of two processes that find room for one
job, one submits it.
"""

from __future__ import annotations

import datetime
import os
import platform
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.queues.config import JobShape, QueueConfig
from screening.queues.job_records import (
    End,
    Record,
    forget,
    note_trouble,
    queue_of,
    set_record,
    swap_records,
)
from screening.queues.scheduler import JobState, scheduler
from screening.queues.script import job_script, write_script

RESERVATION_S = 120.0
"""Time within which a job that was written down is submitted and listed by the scheduler (s)."""
MAX_FAILED_JOBS = 3
"""Queue jobs that may fail one after the other before no more are queued."""
TRIES = 5
"""Times that records are read again because another process has changed them meanwhile."""
FAILURES: tuple[End, ...] = ("idle", "failed", "unfit", "vanished")
"""Ends after which the same job, queued again, would likely end the same way."""

Engines = tuple[str, ...]
"""Names of the engines that share one kind of queue job."""


class KeepFailingError(ScreenError):
    """The last queue jobs of a campaign have all failed."""


def jobs_needed(campaign: Campaign, profiles: Mapping[Engines, JobShape]) -> dict[Engines, int]:
    """Return how many queue jobs of each kind there is work for."""
    if campaign.status != "active" or campaign.is_exhausted():
        return dict.fromkeys(profiles, 0)
    needed = {
        engines: -(-campaign.queue.count_runnable(engines) // shape.workers_per_job)
        for engines, shape in profiles.items()
    }
    if not any(needed.values()):
        # Candidates are in flight whose jobs cannot run yet: one queue job advances the campaign.
        needed[next(iter(needed))] = 1
    return needed


def plan(needed: Mapping[Engines, int], room: int) -> list[Engines]:
    """Return the kinds of the jobs to queue, in turns, when there is room for a number of them."""
    left = dict(needed)
    chosen: list[Engines] = []
    while len(chosen) < room and any(count > 0 for count in left.values()):
        for engines in left:
            if left[engines] > 0 and len(chosen) < room:
                left[engines] -= 1
                chosen.append(engines)
    return chosen


def is_alive(record: Record, listed: Mapping[str, JobState], moment: datetime.datetime) -> bool:
    """Return whether a queue job runs or will, by its record and the scheduler's list."""
    if "ended_at" in record:
        return False
    if record.get("job_id") in listed:
        return True
    # Just submitted, or about to be: the list may be older.  A job that has started must be on it,
    # for records are read before the list.
    return "started_at" not in record and bool(
        record["reserved_at"] > moment - datetime.timedelta(seconds=RESERVATION_S)
    )


def failed_in_a_row(
    records: Iterable[Record],
    since: datetime.datetime,
    progress_at: datetime.datetime | None,
) -> int:
    """Return how many of the queue jobs that ended last have failed, one after the other.

    Parameters
    ----------
    since
        Jobs queued before do not count.
    progress_at
        When a candidate finished last: a job that found no work before that has not failed.
    """
    ended = [
        record for record in records if "ended_at" in record and record["reserved_at"] >= since
    ]
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
        forget(campaign, "trouble")
    return submitted


def _top_up(campaign: Campaign, settings: Settings) -> list[str]:
    for _ in range(TRIES):
        queue = queue_of(campaign)
        if queue is None:
            return []
        config = queue.config
        campaign.reload()
        profiles = config.profiles(stage.engine.name for stage in campaign.stages)
        needed = jobs_needed(campaign, profiles)
        if not any(needed.values()):
            return []
        listed = scheduler(config.q_type).jobs()
        moment = now()
        gone = _vanished(queue.records, listed, moment)
        records = {**queue.records, **gone}
        failed = failed_in_a_row(records.values(), queue.launched_at, last_finish(campaign))
        if failed >= MAX_FAILED_JOBS:
            swap_records(campaign, queue, gone)
            raise KeepFailingError(
                f"the last {failed} queue jobs of campaign '{campaign.name}' failed or had nothing "
                f"to do, so no more are queued; see {settings.directory.absolute() / 'logs'}, and "
                f"go on with: matscreen launch {campaign.name}"
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
        if swap_records(campaign, queue, {**gone, **new}):
            return _submit(campaign, config, new, settings)
    return []  # other processes were faster each time, and have queued the jobs


def _chosen(
    config: QueueConfig,
    needed: Mapping[Engines, int],
    records: Mapping[str, Record],
    listed: Mapping[str, JobState],
    moment: datetime.datetime,
) -> list[Engines]:
    """Return the kinds of the jobs to queue now."""
    alive = [record for record in records.values() if is_alive(record, listed, moment)]
    counts = Counter(tuple(record["engines"]) for record in alive)
    missing = {engines: count - counts[engines] for engines, count in needed.items()}
    # A job whose record says that it ended is leaving, though the scheduler may still list it.
    leaving = {record.get("job_id") for record in records.values() if "ended_at" in record}
    unlisted = sum(record.get("job_id") not in listed for record in alive)
    room = config.max_jobs - len(listed.keys() - leaving) - unlisted
    return plan(missing, room)


def _vanished(
    records: Mapping[str, Record],
    listed: Mapping[str, JobState],
    moment: datetime.datetime,
) -> dict[str, Record]:
    """Return new records of jobs that the scheduler no longer lists and that noted no end."""
    gone: End = "vanished"
    return {
        ticket: {**record, "ended_at": moment, "end": gone}
        for ticket, record in records.items()
        if "ended_at" not in record and not is_alive(record, listed, moment)
    }


def _submit(
    campaign: Campaign,
    config: QueueConfig,
    records: Mapping[str, Record],
    settings: Settings,
) -> list[str]:
    """Submit jobs that were written down; the records of those that cannot be are deleted."""
    left = list(records)
    submitted = []
    try:
        for ticket, record in records.items():
            shape = JobShape.model_validate(record["shape"])
            path = _script(campaign, config, shape, ticket, settings)
            number = scheduler(config.q_type).submit(path)
            left.remove(ticket)
            set_record(campaign, ticket, job_id=number)
            submitted.append(number)
    finally:
        if left:
            forget(campaign, *(f"jobs.{ticket}" for ticket in left))
    return submitted


def _script(
    campaign: Campaign, config: QueueConfig, shape: JobShape, ticket: str, settings: Settings
) -> Path:
    name = f"{campaign.name}-{ticket}"
    module = ["screening.queues.driver", campaign.name, ticket]
    text = job_script(config, shape, f"screen-{campaign.name}", name, module, settings)
    return write_script(settings, name, text)
