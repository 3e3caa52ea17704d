"""What a person sees: tables on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import csv
import datetime
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from screening.ranking import RankedRow, as_records

if TYPE_CHECKING:
    from rich.live import Live

    from screening.campaign import Campaign, Progress
    from screening.ingest import Pool

SHOWN_REFUSALS = 20


def say(message: str) -> None:
    """Print a message for a person, to stderr."""
    _stderr().print(message, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON to stdout; dates become ISO strings, NaN becomes null."""
    print(json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False))


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[], None]]:
    """Show a running count on a terminal, nothing elsewhere."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = _stderr()
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (SpinnerColumn(), TextColumn(f"{what}: {{task.completed}}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda: progress.advance(task)


def pool(found: Pool) -> None:
    """Say what ingesting took and refused, and why."""
    merged = f", {found.duplicates} of them merged as duplicates" if found.duplicates else ""
    taken = len(found.candidates)
    say(f"{taken + found.duplicates} entries taken{merged}, {len(found.refused)} refused")
    counts = found.refusal_counts()
    if len(found.refused) <= SHOWN_REFUSALS:
        for entry in found.refused:
            say(f"  refused {entry.location or entry.material_id}: {entry.reason}")
        return
    for reason, count in counts.most_common(SHOWN_REFUSALS):
        say(f"  refused {count} ×: {reason}")
    if len(counts) > SHOWN_REFUSALS:
        say(f"  and {len(counts) - SHOWN_REFUSALS} more reasons, kept with the campaign")


# ------------------------------------------------------------------------------------ progress


@contextlib.contextmanager
def watching(campaign: Campaign) -> Iterator[Callable[[], None]]:
    """Give a function that shows progress: live on a terminal, as lines elsewhere."""
    console = _stderr()
    started = time.monotonic()
    if not console.is_terminal:
        last = ""

        def print_changes() -> None:
            nonlocal last
            line = _progress_line(campaign, campaign.progress(), None)
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
    from rich.progress_bar import ProgressBar

    progress = campaign.progress()
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        f"[bold]{campaign.name}[/bold]",
        ProgressBar(total=progress.budget, completed=progress.done, width=40),
        f"{progress.done}/{progress.budget}",
    )
    elapsed = time.monotonic() - started
    live.update(
        _stacked(grid, f"[{_duration(elapsed)}] {_progress_line(campaign, progress, elapsed)}")
    )


def _stacked(*parts: Any) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(*(Text(part) if isinstance(part, str) else part for part in parts))


def _progress_line(campaign: Campaign, progress: Progress, elapsed_s: float | None) -> str:
    parts = [
        f"round {progress.rounds}",
        f"{progress.measured} measured",
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
            f"best {objective.label} {progress.best_value:.3g} {objective.unit} "
            f"({progress.best_candidate})"
        )
    left = _time_left_s(progress, elapsed_s)
    if left is not None:
        parts.append(f"about {_duration(left)} left")
    return ", ".join(parts)


def _time_left_s(progress: Progress, elapsed_s: float | None) -> float | None:
    """Return the time left at the pace so far; None until there is a pace."""
    if elapsed_s is None or not progress.done or progress.exhausted:
        return None
    parallel = max(1, progress.running)
    to_do = min(progress.budget, progress.pool) - progress.done
    if progress.mean_candidate_s is None or to_do <= 0:
        return None
    return progress.mean_candidate_s * to_do / parallel


def finished(campaign: Campaign) -> None:
    """Say how a campaign ended and what to type next."""
    progress = campaign.progress()
    if progress.status != "active":
        say(f"campaign '{campaign.name}' is {progress.status}")
        return
    end = "finished" if progress.exhausted else "stopped before its end"
    say(f"campaign '{campaign.name}' {end}: {_progress_line(campaign, progress, None)}")
    if progress.failed:
        say(f"why candidates failed: screen show CANDIDATE; again: screen retry {campaign.name}")
    following = "rank" if progress.exhausted else "work"
    say(f"next: screen {following} {campaign.name}")


# -------------------------------------------------------------------------------------- status


def status(campaign: Campaign, progress: Progress, *, as_json: bool) -> None:
    """Print a campaign's progress."""
    objective = campaign.objective
    facts = {
        "campaign": campaign.name,
        "target": campaign.config.target,
        "status": progress.status,
        "finished": progress.exhausted,
        "engine": campaign.engine.name,
        "confirming_engines": [level.engine.name for level in campaign.levels[1:]],
        "confirmed": progress.confirmed,
        "to_confirm": progress.to_confirm,
        "pool": progress.pool,
        "budget": progress.budget,
        "rounds": progress.rounds,
        "picked": progress.picked,
        "measured": progress.measured,
        "unstable": progress.unstable,
        "failed": progress.failed,
        "cancelled": progress.cancelled,
        "running": progress.running,
        "queued": progress.queued,
        f"best_{objective.value_field}": progress.best_value,
        "best_candidate_id": progress.best_candidate,
        "mean_candidate_s": progress.mean_candidate_s,
    }
    if as_json:
        print_json(facts)
        return
    table = Table(title=f"{campaign.name}: {campaign.config.description}", show_header=False)
    for key, value in facts.items():
        if isinstance(value, list):
            value = ", ".join(value)
        table.add_row(key.replace("_", " "), "–" if value in (None, "") else _short(value))
    _stdout().print(table)


# ------------------------------------------------------------------------------------- ranking


def ranking(campaign: Campaign, rows: list[RankedRow], total: int, format: str) -> None:
    """Print ranked rows as a table, JSON or CSV."""
    objective = campaign.objective
    records = as_records(rows, objective.value_field, objective.error_field, objective.logarithmic)
    if format == "json":
        print_json(records)
    elif format == "csv":
        names = list(records[0]) if records else ["rank"]
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        _ranking_table(campaign, rows, total)


def _ranking_table(campaign: Campaign, rows: list[RankedRow], total: int) -> None:
    objective = campaign.objective
    table = Table(
        title=f"{campaign.name}: {campaign.config.description}",
        caption=(
            f"{len(rows)} of {total} candidates; bold: measured, value ± its error bar; dim: "
            "predicted by the surrogate, with a factor of one standard deviation"
            if objective.logarithmic
            else f"{len(rows)} of {total} candidates; bold: measured; dim: predicted"
        ),
    )
    table.add_column("rank", justify="right")
    table.add_column("candidate")
    table.add_column("material")
    table.add_column("outcome")
    table.add_column(f"{objective.label} / {objective.unit}", justify="right")
    table.add_column("predicted", justify="right")
    table.add_column("engine")
    if any(row.exploration_value or row.expected_value for row in rows):
        table.add_column("of the other engine", justify="right")
    styles = {"measured": "bold", "predicted": "dim", "unstable": "yellow", "failed": "red"}
    for row in rows:
        value = "" if row.value is None else f"{row.value:.3g}"
        if row.value is not None and row.value_error is not None:
            value += f" ± {row.value_error:.2g}"
        table.add_row(
            str(row.rank),
            row.candidate_id,
            row.material_id,
            row.outcome,
            value,
            _prediction(row, logarithmic=objective.logarithmic),
            row.engine or "",
            *([_other_engine(row)] if len(table.columns) > 7 else []),
            style=styles[row.outcome],
        )
    _stdout().print(table)


def _other_engine(row: RankedRow) -> str:
    if row.exploration_value is not None:
        return f"explored {row.exploration_value:.3g}"
    return "" if row.expected_value is None else f"expected {row.expected_value:.3g}"


def _prediction(row: RankedRow, *, logarithmic: bool) -> str:
    if row.predicted_value is None:
        return ""
    if row.predicted_std is None:
        return f"{row.predicted_value:.3g}"
    if logarithmic:
        return f"{row.predicted_value:.3g} ×/÷ {10**row.predicted_std:.2g}"
    return f"{row.predicted_value:.3g} ± {row.predicted_std:.2g}"


# ----------------------------------------------------------------------------------- candidate


def candidate(
    document: dict[str, Any],
    picks: list[dict[str, Any]],
    results: list[dict[str, Any]],
    *,
    as_json: bool,
) -> None:
    """Print one candidate: the crystal, why it was picked, what was found."""
    if as_json:
        print_json({"candidate": document, "picks": picks, "results": results})
        return
    out = _stdout()
    origins = ", ".join(f"{each['material_id']} ({each['source']})" for each in document["origins"])
    out.print(
        f"[bold]{document['_id']}[/bold]: {document['formula']}, space group "
        f"{document['space_group_number']}, {document['n_sites']} atoms; from {origins}",
        highlight=False,
    )
    for pick in picks:
        out.print(_pick_table(pick))
    for result in results:
        out.print(_result_table(result))
    if not results:
        say("no result yet")


def _pick_table(pick: dict[str, Any]) -> Table:
    table = Table(title=f"picked by {pick['campaign']}", show_header=False, title_justify="left")
    hidden = {"_id", "campaign", "candidate_id", "result_id", "traceback"}
    for key, value in pick.items():
        if key not in hidden and value is not None:
            table.add_row(key.replace("_", " "), _short(value))
    return table


def _result_table(result: dict[str, Any]) -> Table:
    table = Table(
        title=f"{result['objective']}, {result['engine']}", show_header=False, title_justify="left"
    )
    for key, value in result.items():
        if isinstance(value, int | float | str | bool) and key not in {"_id", "candidate_id"}:
            table.add_row(key, _short(value))
    for mesh in result.get("meshes", []):
        size = "×".join(map(str, mesh["mesh"]))
        table.add_row(f"kappa on {size}", f"{mesh['kappa_300k_w_per_m_k']:.4g} W/m/K")
    for cost in result.get("costs", []):
        table.add_row(
            f"cost of {cost['step']}", f"{cost['force_calls']} force calls, {cost['wall_s']:.1f} s"
        )
    return table


# ------------------------------------------------------------------------------------- details


def _stderr() -> Console:
    return Console(stderr=True)


def _stdout() -> Console:
    # Piped into a file a table must not be folded to 80 columns.
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)
