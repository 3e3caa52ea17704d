"""`matscreen work`: compute what is queued on this machine, and show how far it is."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from screening.cli.options import CampaignOrNewest, WorkersOption
from screening.cli.output import as_computed, duration
from screening.messages.stderr import say

if TYPE_CHECKING:
    from rich.live import Live

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.progress import Progress
    from screening.machine.settings import Settings


def work(name: CampaignOrNewest = None, workers: WorkersOption = None) -> None:
    """Run queued jobs on this machine until the campaign has spent its budget."""
    from screening.campaigns.campaign import Campaign
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    settings = Settings()
    with open_database(settings, must_exist=True) as database:
        work_to_the_end(Campaign.open(database, name), settings, workers)


def work_to_the_end(campaign: Campaign, settings: Settings, workers: int | None) -> None:
    """Work a campaign's queue to its end; the program ends with 1 where all candidates failed."""
    from screening.campaigns.competitors import in_turn

    campaign.check_active()
    for each in in_turn(campaign):
        progress = _work(each, settings, workers)
    if progress.exhausted and progress.failed and progress.failed == progress.picked:
        say("not one candidate gave a result: all failed")
        sys.exit(1)


def _work(campaign: Campaign, settings: Settings, workers: int | None) -> Progress:
    from screening.running.local_workers import default_workers, run_workers

    count = workers or settings.workers or default_workers(campaign.config.batch_size)
    try:
        with _watching(campaign) as on_poll:
            run_workers(campaign, settings, count, on_poll)
    except KeyboardInterrupt:
        say(f"\nstopped; nothing is lost; go on with: matscreen work {campaign.name}")
        sys.exit(130)
    progress = campaign.progress()
    say_finished(campaign, progress)
    return progress


def say_finished(campaign: Campaign, progress: Progress) -> None:
    """Say how a campaign ended and what to type next."""
    if progress.status != "active":
        say(f"campaign '{campaign.name}' is {progress.status}")
        return
    end = "finished" if progress.exhausted else "stopped before its end"
    say(f"campaign '{campaign.name}' {end}: {progress_line(campaign, progress)}")
    if progress.failed:
        say("why candidates failed: matscreen show CANDIDATE")
        say(f"to try them again: matscreen retry {campaign.name}")
    following = "rank" if progress.exhausted else "work"
    say(f"next: matscreen {following} {campaign.name}")


def progress_line(campaign: Campaign, progress: Progress, left_s: float | None = None) -> str:
    """Return how far a campaign is, in a line; `left_s` is the time left, None if not known."""
    parts = [
        f"round {progress.rounds}",
        f"{progress.computed} computed",
        *([f"{progress.infeasible} infeasible"] if progress.infeasible else []),
        f"{progress.unstable} unstable",
        f"{progress.failed} failed",
        f"{progress.running} running",
        f"{progress.queued} queued",
        f"budget {progress.budget}",
    ]
    if progress.to_confirm:
        parts.append(f"{progress.confirmed} of {progress.to_confirm} confirmed")
    if progress.best_value is not None:
        objective = campaign.objective
        parts.append(
            f"best {objective.label} {progress.best_value:.3g} {objective.unit}".rstrip()
            + f" ({progress.best_candidate}{as_computed(campaign)})"
        )
    if left_s is not None:
        parts.append(f"about {duration(left_s)} left")
    return ", ".join(parts)


@contextlib.contextmanager
def _watching(campaign: Campaign) -> Iterator[Callable[[], None]]:
    """Give a function that shows progress: live on a terminal, as lines elsewhere."""
    from screening.messages.plain_console import stderr_console

    console = stderr_console()
    started = time.monotonic()
    if not console.is_terminal:
        last = ""

        def print_changes() -> None:
            nonlocal last
            line = progress_line(campaign, campaign.progress())
            if line != last:
                say(f"[{time.monotonic() - started:5.0f} s] {line}")
                last = line

        yield print_changes
        print_changes()
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def refresh() -> None:
            _refresh(live, campaign, started)

        refresh()
        yield refresh


def _refresh(live: Live, campaign: Campaign, started: float) -> None:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from screening.campaigns.progress import progress_of
    from screening.campaigns.throughput import throughput_of

    snapshot = campaign.snapshot(rows=False, features=False)
    progress = progress_of(snapshot)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(campaign.name, "bold"),
        ProgressBar(total=progress.budget, completed=progress.done, width=40),
        f"{progress.done}/{progress.budget}",
    )
    line = progress_line(campaign, progress, throughput_of(snapshot, progress).left_s)
    live.update(Group(grid, Text(f"[{duration(time.monotonic() - started)}] {line}")))
