"""What a person sees: tables on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from screening.campaigns.progress import STATUS_COUNTS
from screening.candidates.candidate import SHOWN_FACTS
from screening.cli.fitted_table import Column, fitting
from screening.exports.csv_cells import write_csv
from screening.intake.refusals import LeftOut, summed_up
from screening.messages.quantities import heading, unit_of
from screening.messages.stderr import PlainConsole, counted, say, stderr_console
from screening.messages.terminal import encodes
from screening.ranking.entries import RankedRow
from screening.ranking.records import as_records
from screening.targets.objectives import OBJECTIVES, Objective

if TYPE_CHECKING:
    from rich.live import Live

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.progress import Progress
    from screening.campaigns.throughput import Throughput
    from screening.campaigns.worker_presence import WorkerPresence
    from screening.choosing.surrogates import Calibration
    from screening.intake.ingest import Pool
    from screening.queues.queue_jobs import QueueState
    from screening.studies.library import Library
    from screening.studies.replay import Table as Table_

SAY_EVERY_S = 30.0
SHOWN_REFUSALS = 20
FACT_HEADINGS = {"energy_above_hull_ev_per_atom": "above hull / eV/atom", "band_gap_ev": "gap / eV"}
SHOWN_ELEMENTS = 10
_STYLES = {
    "computed": "bold",
    "predicted": "dim",
    "infeasible": "yellow",
    "unstable": "yellow",
    "failed": "red",
}
"""Of a row of a ranking, by its outcome."""


def print_json(value: Any) -> None:
    """Print JSON to stdout; dates become ISO strings, NaN becomes null."""
    text = json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False)
    # JSON has a way to write what the terminal has not.
    print(text if encodes(text) else json.dumps(_plain(value), indent=2, allow_nan=False))


def print_plain(text: str) -> None:
    """Print text as it is to stdout."""
    print(text)


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[], None]]:
    """Show a running count: live on a terminal, now and then elsewhere."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = stderr_console()
    if not console.is_terminal:
        yield _now_and_then(what)
        return
    columns = (SpinnerColumn(), TextColumn(f"{what}: {{task.completed}}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda: progress.advance(task)


def _now_and_then(what: str) -> Callable[[], None]:
    """Return what counts, and says so every half minute, for logs."""
    done, said = 0, time.monotonic()

    def count() -> None:
        nonlocal done, said
        done += 1
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            say(f"{what}: {done}")

    return count


def pool(found: Pool, engine_name: str, *, kept: bool) -> None:
    """Say what ingesting took and refused, and why.

    Parameters
    ----------
    kept
        Whether the campaign will keep the reasons.
    """
    taken, refused = len(found.candidates), len(found.refused)
    read = taken + found.duplicates + refused
    say(
        f"{counted(read, 'entry', 'entries')} read, {counted(taken, 'candidate')}, "
        f"{counted(found.duplicates, 'duplicate')}, {refused} refused"
    )
    if found.noted:
        name, note = found.noted[0]
        say(
            f"  {counted(len(found.noted), 'entry', 'entries')} read or changed beyond the choice "
            f"of the cell, as 'screen show' tells; first: {name}: {note}"
        )
    others = [entry for entry in found.refused if entry.unsupported]
    if len(others) > 1:
        names = sorted({name for entry in others for name in entry.unsupported})
        more = ", …" if len(names) > SHOWN_ELEMENTS else ""
        example = others[0].location or others[0].material_id
        say(
            f"  {len(others)} contain elements that engine '{engine_name}' does not support "
            f"({', '.join(names[:SHOWN_ELEMENTS])}{more})" + (f"; first: {example}" * bool(example))
        )
    else:
        others = []
    rest = [each for each in found.refused if not (others and each.unsupported)]
    reasons = summed_up((each.location or each.material_id, each.reason) for each in rest)
    _left_out(reasons, "refused", ", kept with the campaign" if kept else "")
    remarks(found.remarks)


def remarks(of_sources: list[str]) -> None:
    """Say what sources left out before it was an entry."""
    for remark in of_sources:
        say(f"  {remark}")


def _left_out(reasons: list[LeftOut], verb: str, kept: str = "") -> None:
    """Say why entries were left out, a line a reason.

    Parameters
    ----------
    kept
        Where those are that are not shown.
    """
    for each in reasons[:SHOWN_REFUSALS]:
        if each.count == 1 and each.example:
            say(f"  {verb} {each.example}: {each.reason}")
        else:
            first = f"; first: {each.example}" if each.example else ""
            say(f"  {verb} {each.count} ×: {each.reason}{first}")
    if len(reasons) > SHOWN_REFUSALS:
        say(f"  and {counted(len(reasons) - SHOWN_REFUSALS, 'more reason')}{kept}")


# ------------------------------------------------------------------------------------ progress


@contextlib.contextmanager
def watching(campaign: Campaign) -> Iterator[Callable[[], None]]:
    """Give a function that shows progress: live on a terminal, as lines elsewhere."""
    console = stderr_console()
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
        Text(campaign.name, "bold"),
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
            + f" ({progress.best_candidate})"
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
    to_do = min(progress.budget, progress.pool - progress.already_computed) - progress.done
    if progress.mean_candidate_s is None or to_do <= 0:
        return None
    return progress.mean_candidate_s * to_do / parallel


def finished(campaign: Campaign, progress: Progress) -> None:
    """Say how a campaign ended and what to type next."""
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


def status(
    campaign: Campaign,
    progress: Progress,
    pace: Throughput,
    jobs: QueueState | None,
    there: WorkerPresence | None,
    *,
    as_json: bool,
) -> None:
    """Print a campaign's progress.

    Parameters
    ----------
    jobs
        Its jobs on a cluster, where it was launched on one.
    there
        Whether anybody computes it; None where it is over, or a cluster's scheduler knows.
    """
    objective = campaign.objective
    facts = {
        "campaign": campaign.name,
        "target": campaign.config.target,
        "status": progress.status,
        "finished": progress.exhausted,
        "engine": campaign.engine.name,
        "confirming_engines": [stage.engine.name for stage in campaign.stages[1:]],
        "confirmed": progress.confirmed,
        "to_confirm": progress.to_confirm,
        "pool": progress.pool,
        "entries": {
            **{key: campaign.ingested[key] for key in ("taken", "duplicates", "refused")},
            # Earlier versions stored none.
            "remarks": campaign.ingested.get("remarks", []),
        },
        **{name: getattr(progress, name) for name in STATUS_COUNTS},
        f"best_{objective.value_field}": progress.best_value,
        "best_candidate_id": progress.best_candidate,
        "mean_candidate_s": progress.mean_candidate_s,
        **asdict(pace),
        "queue_jobs": None if jobs is None else asdict(jobs),
        "workers_present": None if there is None else there.present,
    }
    if as_json:
        print_json(facts)
        return
    table = Table(title=_title(campaign), show_header=False)
    rows = _status_rows(campaign, progress) | _pace_rows(pace, progress)
    if jobs is not None:
        rows["queue jobs"] = _queue_jobs(jobs)
    for label, value in rows.items():
        table.add_row(label, str(value))
    _stdout().print(table)
    if jobs is not None and jobs.trouble:
        say(f"the last attempt to queue a job failed: {jobs.trouble}")
    if progress.status == "active" and not progress.exhausted and jobs and jobs.nothing_left():
        say(f"no queue job is left; go on with: screen launch {campaign.name}")
    if there is not None and not there.present:
        died = f": {counted(there.dead, 'worker')} died at work" if there.dead else ""
        say(f"nobody computes now{died}; go on with: screen work {campaign.name}")


def _title(campaign: Campaign) -> str:
    return ": ".join(filter(None, (campaign.name, campaign.config.description)))


def _status_rows(campaign: Campaign, progress: Progress) -> dict[str, Any]:
    objective = campaign.objective
    ended = progress.exhausted and progress.status == "active"
    best, pace = progress.best_value, progress.mean_candidate_s
    rows: dict[str, Any] = {
        "target": campaign.config.target,
        "status": "finished" if ended else progress.status,
        "engine": ", then ".join(stage.engine.name for stage in campaign.stages),
        "pool": counted(progress.pool, "candidate"),
        **{name.replace("_", " "): getattr(progress, name) for name in STATUS_COUNTS},
    }
    if progress.to_confirm:
        rows["confirmed"] = f"{progress.confirmed} of {progress.to_confirm}"
    rows[f"best {objective.label}"] = (
        "–" if best is None else f"{best:.3g} {objective.unit} ({progress.best_candidate})"
    )
    rows["mean time a candidate"] = (
        "–" if pace is None else f"{pace:.1f} s" if pace < 60 else _duration(pace)
    )
    return rows


def _pace_rows(pace: Throughput, progress: Progress) -> dict[str, Any]:
    per_hour, end = pace.candidates_per_hour, pace.expected_end
    unknown = "–" if progress.exhausted else "unknown"
    return {
        "lost a worker": pace.lost,
        "retried": pace.retried,
        "force calls": pace.force_calls,
        "candidates an hour": unknown if per_hour is None else _rounded(per_hour),
        "expected end": unknown if end is None else f"{end:%Y-%m-%d %H:%M} UTC",
    }


def _rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"


def _queue_jobs(jobs: QueueState) -> str:
    if jobs.running is None:
        return f"unknown: {jobs.scheduler} cannot be asked here"
    return f"{jobs.running} running, {jobs.pending} pending ({jobs.scheduler})"


# ------------------------------------------------------------------------------------- ranking


def ranking(
    campaign: Campaign,
    rows: list[RankedRow],
    total: int,
    format: str,
    bound: float | None = None,
) -> None:
    """Print ranked rows as a table, JSON or CSV.

    Parameters
    ----------
    bound
        What the chances of the rows are about, in the unit of the objective.
    """
    objective = campaign.objective
    records = as_records(rows, objective)
    if format == "json":
        print_json(records)
    elif format == "csv":
        write_csv(records, sys.stdout)
    else:
        _ranking_table(campaign, rows, total, bound)


def calibration(campaign: Campaign, found: dict[str, float] | None, values: int) -> None:
    """Say how good the model's predictions are, or why that is not known.

    Parameters
    ----------
    values
        Results that the model was fitted to.
    """
    from screening.campaigns.predictions import MIN_CALIBRATED

    if found is None:
        say(
            f"how good the model is, is not known yet: each result is left out once from "
            f"{MIN_CALIBRATED} results with a value on, and there are {values}"
        )
        return
    objective = campaign.objective
    how_good = _how_good(found, objective.unit, log=objective.logarithmic)
    say(f"the model on {found['n']} results, each left out once: {how_good}")


def _how_good(found: Mapping[str, float], unit: str, *, log: bool) -> str:
    """Put a calibration's fields in words."""
    error = (
        f"a factor of {10 ** found['rms']:.2g}" if log else f"{found['rms']:.2g} {unit}".rstrip()
    )
    return (
        f"typical error {error}, {100 * found['within_one_std']:.0f} % within one standard "
        f"deviation (68 % is right), rank correlation {found['rank_correlation']:.2f}"
    )


def _ranking_table(
    campaign: Campaign, rows: list[RankedRow], total: int, bound: float | None
) -> None:
    objective, also = campaign.objective, campaign.config.second_objective
    nothing = [row.outcome == "predicted" and row.predicted_value is None for row in rows]
    only_predicted = all(row.outcome == "predicted" for row in rows)
    label = f"predicted {objective.label}" if only_predicted else "predicted"
    predicted = heading(label, objective.unit)
    beside = {each.field: each.heading for each in objective.shown_fields}
    if also is not None:
        beside.setdefault(also.field, also.field.replace("_", " "))
    ranks = ["" if no else str(row.rank) for row, no in zip(rows, nothing, strict=True)]
    outcomes = [
        "not computed" if no else row.outcome for row, no in zip(rows, nothing, strict=True)
    ]
    # Where all are predicted the caption says it.
    alike = only_predicted and not any(nothing)
    outcome = [] if alike else [Column("outcome", outcomes)]
    columns = [
        Column("rank", ranks, True),
        # The id is what other commands ask for.
        Column("candidate", [row.candidate_id for row in rows]),
        Column("material", [row.material_id for row in rows], expendable=9),
        *outcome,
        Column(objective.heading, [_with_error(row.value, row.value_error) for row in rows], True),
        Column(
            predicted,
            [_prediction(row.predicted_value, row.predicted_std, objective) for row in rows],
            True,
        ),
        *(
            Column(heading, [_plainly(row.shown_fields.get(field)) for row in rows], True, number)
            for number, (field, heading) in enumerate(beside.items(), start=1)
        ),
        Column("engine", [row.engine or "" for row in rows], expendable=8),
    ]
    if also is not None:
        columns.append(Column("front", ["yes" if row.on_front else "" for row in rows]))
    if any(row.exploration_value or row.expected_value for row in rows):
        columns.append(
            Column(
                heading("of the other engine", objective.unit),
                [_other_engine(row) for row in rows],
                True,
            )
        )
    if bound is not None:
        chances = [f"{100 * (row.chance or 0):.0f} %" for row in rows]
        columns.append(Column(_chance_heading(objective, bound), chances, True))
    spread = "with a factor of one" if objective.logarithmic else "± one"
    by_model = f"predicted by the surrogate, {spread} standard deviation"
    computed = "computed, value ± its error bar" if objective.error_field else "computed"
    key = by_model if only_predicted else f"bold: {computed}; dim: {by_model}"
    _print_fitting(
        columns,
        title=_title(campaign),
        caption=f"{len(rows)} of {total} candidates; {key}",
        styles=[] if only_predicted else [_STYLES[row.outcome] for row in rows],
        elsewhere=" (--format csv has them)",
    )


def _chance_heading(objective: Objective, bound: float) -> str:
    """Say of what a chance is: P(κ(300 K) < 1 W/m/K)."""
    sign = "<" if objective.direction == "minimize" else ">"
    return f"P({objective.label} {sign} {bound:g} {objective.unit}".rstrip() + ")"


def _plainly(value: Any) -> str:
    return "" if value is None else _short(round(value, 3) if isinstance(value, float) else value)


def _other_engine(row: RankedRow) -> str:
    if row.exploration_value is not None:
        return f"explored {_digits(row.exploration_value)}"
    return "" if row.expected_value is None else f"expected {_digits(row.expected_value)}"


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return ""
    if error is None:
        return _digits(value)
    if not 1e-6 < error < 1e4:
        return f"{_digits(value)} ± {_digits(error, 2)}"
    # Two digits of the error, rounded before they are counted, and the value to the same place.
    decimals = max(1 - math.floor(math.log10(float(f"{error:.1e}"))), 0)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def _digits(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, zeros at its end among them."""
    return f"{value:#.{digits}g}".rstrip(".")


def _prediction(
    value: float | None, std: float | None, objective: Objective, unit: str = ""
) -> str:
    if value is None:
        return ""
    number = f"{_digits(value)} {unit}".rstrip()
    if std is None:
        return number
    if objective.logarithmic:
        return f"{number} ×/÷ {_digits(10**std, 2)}"
    return f"{number} ± {_digits(std, 2)}"


# ----------------------------------------------------------------------------------- candidate


def replay(found: dict[str, Any], *, maximize: bool) -> None:
    """Print what a sampler took, beside a greedy model and random choice."""
    from screening.studies.replay import MIN_REPLAYS

    for reason, count in found["left_out"].items():
        say(f"left out {count} ×: {reason}")
    crystals, best = counted(found["crystals"], "crystal"), found["best"]
    prior = ", with a prior" if found["with_prior"] else ""
    extreme = "largest" if maximize else "smallest"
    few = found["seeds"] < MIN_REPLAYS
    spread = (
        f"the fewest and the most; an interval needs {MIN_REPLAYS} replays"
        if few
        else "its 95 % interval over the replays"
    )
    table = Table(
        title=f"{crystals}, {extreme}: {best}; {counted(found['seeds'], 'replay')}{prior}",
        caption=f"mean number of evaluations, with {spread}",
    )
    table.add_column("sampler")
    table.add_column("to the best", justify="right")
    goals = ["best", "top_fraction"] if found["top_crystals"] > 1 else ["best"]
    if len(goals) > 1:
        table.add_column(f"to one of the best {found['top_crystals']}", justify="right")
    for name, prefix in ((found["sampler"], ""), ("greedy", "greedy_"), ("random", "random_")):
        cells = []
        for goal in goals:
            mean = found[f"{prefix}mean_evaluations_to_{goal}"]
            if prefix == "random_":  # its mean is known exactly
                cells.append(f"{mean:.1f}")
                continue
            if few:
                low, high = found[f"{prefix}range_of_evaluations_to_{goal}"]
                around = f"{low}–{high}"
            else:
                low, high = found[f"{prefix}interval_95_of_mean_evaluations_to_{goal}"]
                around = f"{low:.1f}–{high:.1f}"
            cells.append(f"{mean:.1f}" + (f" ({around})" if low < high else ""))
        if name != found["sampler"] or not prefix:
            table.add_row(name, *cells)
    _stdout().print(table)
    if found["sampler"] == "random":
        return
    times = found["times_fewer_than_random"]
    say(
        f"{times:.1f} times fewer evaluations than random choice"
        if times > 1.05
        else "no better than random choice"
    )


def predicted_library(
    rows: list[dict[str, Any]],
    library: Library,
    table: Table_,
    calibrated: Calibration,
    value_key: str,
    *,
    maximize: bool,
    log: bool,
    bound: float | None,
    format: str,
) -> None:
    """Print the best of a library with predictions in the unit of the table.

    Parameters
    ----------
    bound
        What the chances of the rows are about, in that unit.
    """

    def plain(scaled: float) -> float:
        signed = -scaled if maximize else scaled
        return 10**signed if log else signed

    taken, refused = len(library.facts), sum(each.count for each in library.refused)
    say(
        f"{counted(taken + library.duplicates + refused, 'entry', 'entries')} read, "
        f"{counted(taken, 'crystal')}, {counted(library.duplicates, 'duplicate')}, "
        f"{refused} left out; the model knows {counted(len(table.values), 'value')}"
    )
    _left_out(library.refused, "left out")
    remarks(library.remarks)
    _left_out(table.left_out, "the model left out")
    unit = unit_of(value_key)
    say(f"each of them left out once: {_how_good(asdict(calibrated), unit, log=log)}")
    std_name = "predicted_log10_std" if log else f"predicted_{value_key}_std"
    records = [
        {
            **{key: each for key, each in row.items() if not key.startswith("predicted_")},
            f"predicted_{value_key}": plain(row["predicted_mean"]),
            std_name: row["predicted_std"],
        }
        for row in rows
    ]
    if format == "json":
        print_json(records)
        return
    if format == "csv":
        write_csv(records, sys.stdout)
        return

    def prediction(record: dict[str, Any]) -> str:
        value, std = _digits(record[f"predicted_{value_key}"]), record[std_name]
        return f"{value} ×/÷ {_digits(10**std, 2)}" if log else f"{value} ± {_digits(std, 2)}"

    named = "predicted" if unit else f"predicted {value_key.replace('_', ' ')}"
    columns = [
        Column("rank", [str(record["rank"]) for record in records], True),
        Column("candidate", [record["candidate_id"] for record in records]),
        Column("material", [record["material_id"] for record in records], expendable=8),
        Column(heading(named, unit), [prediction(record) for record in records], True),
    ]
    if bound is not None:
        chance = f"P(value {'>' if maximize else '<'} {bound:g} {unit}".rstrip() + ")"
        chances = [f"{100 * record['chance']:.0f} %" for record in records]
        columns.append(Column(chance, chances, True))
    columns += [
        Column(
            FACT_HEADINGS.get(name, name),
            [_plainly(record.get(name)) for record in records],
            True,
            expendable=number,
        )
        for number, name in enumerate(SHOWN_FACTS, start=1)
    ]
    columns.append(Column("nearest", [record["nearest"] for record in records], expendable=7))
    _print_fitting(
        columns,
        title=f"the best {len(rows)} of {taken} crystals by predicted {value_key}",
        caption="predictions with one standard deviation; nearest: of the crystals the model knows",
        elsewhere=" (--format csv has them)",
    )


def candidate(
    document: dict[str, Any],
    picks: list[dict[str, Any]],
    results: list[dict[str, Any]],
    objectives: Mapping[str, Objective],
    broken: Mapping[str, str],
    places: list[Place],
    *,
    as_json: bool,
) -> None:
    """Print one candidate: the crystal, what was found, why it was picked.

    Parameters
    ----------
    objectives
        Of the campaigns that picked it, by name.
    broken
        How it breaks the constraints of these campaigns.
    places
        Where it stands in the ranking of each campaign whose pool it is in.
    """
    if as_json:
        print_json(
            {
                "candidate": document,
                "picks": picks,
                "results": results,
                "infeasible": broken,
                "standings": [_place_record(each) for each in places],
            }
        )
        return
    out = _stdout()
    origins = ", ".join(f"{each['material_id']} ({each['source']})" for each in document["origins"])
    facts = (
        f": {document['formula']}, space group {document['space_group_number']}, "
        f"{counted(document['n_sites'], 'atom')}; from {origins}"
    )
    out.print(Text.assemble((document["_id"], "bold"), facts), highlight=False)
    for origin in document["origins"]:
        if origin.get("note"):
            said = f"{origin['material_id']}: {origin['note']}"
            out.print(said, highlight=False, markup=False, soft_wrap=True)
    for result in results:
        out.print(_finding(result), highlight=False, soft_wrap=True)
    for name, reason in broken.items():
        out.print(f"infeasible in {name}: {reason}", highlight=False, soft_wrap=True)
    for place in places:
        out.print(_place(place), highlight=False, soft_wrap=True)
    for pick in picks:
        out.print(_pick_table(pick, objectives.get(pick["campaign"])))
    for result in results:
        out.print(_result_table(result))
    for pick in picks:
        if pick["state"] == "failed" and "traceback" in pick:
            out.print(f"why it failed in {pick['campaign']}:", highlight=False, markup=False)
            out.print(pick["traceback"], highlight=False, soft_wrap=True)
    if not results:
        say("no result yet")


@dataclass(frozen=True)
class Place:
    """Where a candidate stands in the ranking of a campaign.

    Parameters
    ----------
    total
        Candidates that are ranked.
    prior_value
        What the campaign that is the prior found for it, in the objective's unit.
    """

    campaign: Campaign
    row: RankedRow
    total: int
    prior_value: float | None


def _place(place: Place) -> str:
    campaign, row, objective = place.campaign, place.row, place.campaign.objective
    words = [f"engine {campaign.engine.name}"]
    if campaign.config.prior is not None:
        found = place.prior_value
        said = "no value of it" if found is None else f"{found:.3g} {objective.unit}".rstrip()
        words.append(f"prior {campaign.config.prior}: {said}")
    where = f"in {campaign.name} ({'; '.join(words)})"
    if row.outcome != "predicted":
        return f"rank {row.rank} of {place.total} {where}: {row.outcome}"
    if row.predicted_value is None:
        return f"not computed {where}, and not predicted: a model needs two results with a value"
    expected = _prediction(row.predicted_value, row.predicted_std, objective, objective.unit)
    return (
        f"rank {row.rank} of {place.total} {where}: not computed, predicted {objective.label} = "
        f"{expected}"
    )


def _place_record(place: Place) -> dict[str, Any]:
    campaign, objective = place.campaign, place.campaign.objective
    [record] = as_records([place.row], campaign.objective)
    return {
        "campaign": campaign.name,
        "prior": campaign.config.prior,
        f"prior_{objective.value_field}": place.prior_value,
        "candidates": place.total,
        **{key: record[key] for key in ("rank", "outcome")},
        **{key: each for key, each in record.items() if key.startswith("predicted_")},
    }


def _finding(result: dict[str, Any]) -> str:
    objective = OBJECTIVES.get(result["objective"])
    value = None if objective is None else result.get(objective.value_field)
    if objective is None or value is None:
        return f"{result['outcome']}, {result['engine']}: {result.get('reason') or 'no value'}"
    number = _with_error(value, objective.error_of(result))
    return f"{objective.label} = {number} {objective.unit}".rstrip() + f", {result['engine']}"


def _pick_table(pick: dict[str, Any], objective: Objective | None) -> Table:
    table = Table(title=f"picked by {pick['campaign']}", show_header=False, title_justify="left")
    hidden = {"_id", "campaign", "candidate_id", "result_id", "traceback", "predicted_std"}
    for key, value in pick.items():
        if key in hidden or value is None:
            continue
        if key == "predicted_mean":
            if objective is not None:
                mean, std = objective.from_model(value), pick["predicted_std"]
                table.add_row("predicted", _prediction(mean, std, objective, objective.unit))
        elif key == "rank":
            by = "acquisition" if pick["acquisition"] is not None else "value"
            table.add_row(f"rank by {by}", _short(value))
        else:
            table.add_row(key.replace("_", " "), _short(value))
    return table


def _result_table(result: dict[str, Any]) -> Table:
    table = Table(
        title=f"{result['objective']}, {result['engine']}", show_header=False, title_justify="left"
    )
    hidden = {"_id", "candidate_id", "output_uuid", "recipe_hash", "inputs_hash", "schema_version"}
    for key, value in result.items():
        if isinstance(value, int | float | str | bool) and value != "" and key not in hidden:
            table.add_row(key, _short(value))
    no_fit_error = result.get("kappa_300k_fit_error_w_per_m_k") is None
    if no_fit_error and result.get("third_order_route") == "random-pairs":
        table.add_row("fit error", "not known (too few pairs)")
    for mesh in result.get("meshes", []):
        size = "×".join(map(str, mesh["mesh"]))
        table.add_row(f"kappa on {size}", f"{mesh['kappa_300k_w_per_m_k']:.4g} W/m/K")
    for cost in result.get("costs", []):
        calls = counted(cost["force_calls"], "force call")
        table.add_row(f"cost of {cost['step']}", f"{calls}, {cost['wall_s']:.1f} s")
    return table


# ------------------------------------------------------------------------------------- details


def _print_fitting(columns: list[Column], **options: Any) -> None:
    out = _stdout()
    # Lines that are too long all the same are the terminal's to fold.
    out.print(fitting(columns, out.width, **options), crop=False)


def _stdout() -> Console:
    # Names and reasons come from others: a bracket in them is a bracket.  Piped into a file a
    # table must not be folded to 80 columns.
    console = PlainConsole(markup=False)
    return console if console.is_terminal else PlainConsole(width=160, markup=False)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return ", ".join(map(_short, value))
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
