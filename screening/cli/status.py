"""`matscreen status`: how far a campaign is, how fast it runs, and whether workers compute it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignOrNewest, Format, FormatOption
from screening.cli.output import as_computed, duration, print_json, stdout, title_of
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.progress import Progress
    from screening.campaigns.throughput import Throughput
    from screening.campaigns.worker_presence import WorkerPresence
    from screening.queues.job_records import QueueState


def status(name: CampaignOrNewest = None, format: FormatOption = Format.table) -> None:
    """Show how far a campaign is."""
    from screening.campaigns.competitors import in_turn
    from screening.campaigns.progress import progress_of
    from screening.campaigns.throughput import throughput_of
    from screening.campaigns.worker_presence import worker_presence
    from screening.queues.job_records import queue_state

    with opened_campaign(name) as campaign:
        snapshot = campaign.snapshot(rows=False, features=False)
        progress = progress_of(snapshot)
        jobs = queue_state(campaign)
        goes_on = progress.status == "active" and not progress.exhausted
        # Of queue jobs the scheduler knows.
        there = worker_presence(campaign) if goes_on and jobs is None else None
        throughput = throughput_of(snapshot, progress)
        if format is Format.json:
            print_json(_facts(campaign, progress, throughput, jobs, there))
            return
        _print_table(campaign, progress, throughput, jobs)
        if jobs is not None and jobs.trouble:
            say(f"the last attempt to queue a job failed: {jobs.trouble}")
        if goes_on and jobs is not None and jobs.nothing_left():
            first = in_turn(campaign)[0]
            if first is campaign:
                say(f"no queue job is left; continue with: matscreen launch {campaign.name}")
            else:
                say(f"its competitors come first; how far: matscreen status {first.name}")
        if there is not None and not there.present:
            died = f" ({there.dead} died)" if there.dead else ""
            say(f"no worker is running{died}; continue with: matscreen work {campaign.name}")


def _facts(
    campaign: Campaign,
    progress: Progress,
    throughput: Throughput,
    jobs: QueueState | None,
    there: WorkerPresence | None,
) -> dict[str, Any]:
    """Return all that is known of a campaign, for programs.

    Parameters
    ----------
    jobs
        Its jobs on a cluster, where it was launched on one.
    there
        Whether anybody computes it; None where it is over, or a cluster's scheduler knows.
    """
    from screening.campaigns.progress import STATUS_COUNTS

    because = campaign.why_ended() if progress.converged else ""
    return {
        "campaign": campaign.name,
        "target": campaign.config.target,
        "status": progress.status,
        "finished": progress.exhausted,
        "converged": progress.converged and not because,
        "ended_because": because,
        "engine": campaign.engine.name,
        "confirming_engines": [stage.engine.name for stage in campaign.stages[1:]],
        "confirmed": progress.confirmed,
        "to_confirm": progress.to_confirm,
        "pool": progress.pool,
        "entries": {
            key: campaign.ingested[key] for key in ("taken", "duplicates", "refused", "remarks")
        },
        **{name: getattr(progress, name) for name in STATUS_COUNTS},
        f"best_{campaign.objective.value_field}": progress.best_value,
        "best_candidate_id": progress.best_candidate,
        "mean_candidate_s": progress.mean_candidate_s,
        **asdict(throughput),
        "queue_jobs": None if jobs is None else asdict(jobs),
        "workers_present": None if there is None else there.present,
    }


def _print_table(
    campaign: Campaign, progress: Progress, throughput: Throughput, jobs: QueueState | None
) -> None:
    from rich.table import Table

    rows = _progress_rows(campaign, progress) | _throughput_rows(throughput, progress)
    if jobs is not None:
        rows["queue jobs"] = (
            f"unknown: {jobs.scheduler} cannot be asked here"
            if jobs.running is None
            else f"{jobs.running} running, {jobs.pending} pending ({jobs.scheduler})"
        )
    table = Table(title=title_of(campaign), show_header=False)
    for label, value in rows.items():
        table.add_row(label, str(value))
    stdout().print(table)


def _progress_rows(campaign: Campaign, progress: Progress) -> dict[str, Any]:
    from screening.campaigns.progress import STATUS_COUNTS

    objective = campaign.objective
    best, mean_s = progress.best_value, progress.mean_candidate_s
    rows: dict[str, Any] = {
        "target": campaign.config.target,
        "status": _status(campaign, progress),
        "engine": ", then ".join(stage.engine.name for stage in campaign.stages),
        "pool": counted(progress.pool, "candidate"),
        **{name.replace("_", " "): getattr(progress, name) for name in STATUS_COUNTS},
    }
    if progress.to_confirm:
        rows["confirmed"] = f"{progress.confirmed} of {progress.to_confirm}"
    rows[f"best {objective.label}"] = (
        "–"
        if best is None
        else f"{best:.3g} {objective.unit}".rstrip()
        + f" ({progress.best_candidate}{as_computed(campaign)})"
    )
    rows["mean time a candidate"] = (
        "–" if mean_s is None else f"{mean_s:.1f} s" if mean_s < 60 else duration(mean_s)
    )
    return rows


def _status(campaign: Campaign, progress: Progress) -> str:
    if not (progress.exhausted and progress.status == "active"):
        return progress.status
    if not progress.converged:
        return "finished"
    because = campaign.why_ended()
    if because:
        return (
            f"ended: {because}; what failed is computed again by: matscreen retry {campaign.name}"
        )
    return "finished: the search has converged"


def _throughput_rows(throughput: Throughput, progress: Progress) -> dict[str, Any]:
    per_hour, end = throughput.candidates_per_hour, throughput.expected_end
    unknown = "–" if progress.exhausted else "unknown"
    if per_hour is not None:
        rate = f"{per_hour:.0f}" if per_hour >= 100 else f"{per_hour:.2g}"
    return {
        "lost a worker": throughput.lost,
        "retried": throughput.retried,
        "cost": f"{throughput.cost:g} {throughput.cost_unit}".rstrip(),
        "candidates an hour": unknown if per_hour is None else rate,
        "expected end": unknown if end is None else f"{end:%Y-%m-%d %H:%M} UTC",
    }
