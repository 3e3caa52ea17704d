"""`matscreen replay`: how soon a sampler finds the best of candidates whose values are known."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from screening.cli.options import (
    Format,
    FormatOption,
    LogOption,
    MinimizeOption,
    SurrogateOption,
    ValueKeyOption,
    WorkersOption,
)
from screening.cli.output import counting, print_json, say_remarks, stdout
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say


def replay(
    pool: Annotated[str, typer.Option(help="Source of candidates whose values are known.")],
    value_key: ValueKeyOption,
    minimize: MinimizeOption = True,
    log: LogOption = False,
    initial: Annotated[int, typer.Option(min=1, help="First picks, drawn at random.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Picks made at once.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Replays.")] = 20,
    sampler: Annotated[
        Optional[str],
        typer.Option(
            help="<screening.choosing.samplers:SAMPLERS>. [default: expected-improvement]"
        ),
    ] = None,
    surrogate: SurrogateOption = None,
    top_fraction: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Part of the table that counts as good.")
    ] = 0.01,
    prior_key: Annotated[
        Optional[str], typer.Option(help="Field with an estimate that is known beforehand.")
    ] = None,
    workers: WorkersOption = None,
    format: FormatOption = Format.table,
) -> None:
    """Replay the optimiser on known values: how soon does it find the best?"""
    from screening.candidates.kinds import candidate_kind
    from screening.choosing.config import SamplerConfig
    from screening.choosing.samplers import SAMPLERS
    from screening.choosing.surrogates import SURROGATES
    from screening.machine.threads import usable_cores
    from screening.messages.validation import check_plug_in, validated
    from screening.sources import open_source
    from screening.sources.record import kind_of, remarks_of
    from screening.studies.known_values import read_table
    from screening.studies.replay import report
    from screening.targets.scale import Scale

    check_plug_in("--sampler", sampler, SAMPLERS.names())
    check_plug_in("--surrogate", surrogate, SURROGATES.names())
    settings = {
        "kind": sampler,
        "initial": initial,
        "surrogate": None if surrogate is None else {"kind": surrogate},
    }
    stated = {field: value for field, value in settings.items() if value is not None}
    config = validated(SamplerConfig, stated, "the sampler")
    workers = workers or usable_cores()
    source = open_source(pool)
    kind = candidate_kind(kind_of(source))
    with counting("entries read") as on_entry:
        table = read_table(
            source.records(),
            value_key,
            kind=kind,
            scale=Scale(direction="minimize" if minimize else "maximize", logarithmic=log),
            prior_key=prior_key,
            workers=workers,
            on_entry=on_entry,
        )
    say_remarks(remarks_of(source))
    if config.initial >= len(table.values) and prior_key is None:
        raise ScreenError(
            f"--initial {config.initial}: there are {len(table.values)} {kind.plural}, and all "
            "would be drawn at random"
        )
    with counting("replays") as on_run:
        summary = report(
            table,
            config,
            seeds=seeds,
            batch_size=batch_size,
            top_fraction=top_fraction,
            workers=workers,
            on_run=on_run,
        )
    if format is Format.json:
        print_json(summary)
    else:
        _print(summary, kind.plural, maximize=not minimize)


def _print(summary: dict[str, Any], plural: str, *, maximize: bool) -> None:
    """Print what a sampler took, beside a greedy model and random choice."""
    from rich.table import Table

    from screening.studies.replay import MIN_REPLAYS

    for reason, count in summary["left_out"].items():
        say(f"left out {count} ×: {reason}")
    candidates, best = f"{summary['candidates']} {plural}", summary["best"]
    prior = ", with a prior" if summary["with_prior"] else ""
    extreme = "largest" if maximize else "smallest"
    spread = (
        f"the fewest and the most; an interval needs {MIN_REPLAYS} replays"
        if summary["seeds"] < MIN_REPLAYS
        else "its 95 % interval over the replays"
    )
    table = Table(
        title=f"{candidates}, {extreme}: {best}; {counted(summary['seeds'], 'replay')}{prior}",
        caption=f"mean number of evaluations, with {spread}",
    )
    table.add_column("sampler")
    table.add_column("to the best", justify="right")
    goals = ["best", "top_fraction"] if summary["top_candidates"] > 1 else ["best"]
    if len(goals) > 1:
        table.add_column(f"to one of the best {summary['top_candidates']}", justify="right")
    rows = {summary["sampler"]: ""}
    for name in ("greedy", "random"):
        rows.setdefault(name, f"{name}_")
    for name, prefix in rows.items():
        table.add_row(name, *(_evaluations(summary, prefix, goal) for goal in goals))
    stdout().print(table)
    if summary["sampler"] == "random":
        return
    times = summary["times_fewer_than_random"]
    say(
        f"{times:.1f} times fewer evaluations than random choice"
        if times > 1.05
        else "no better than random choice"
    )


def _evaluations(summary: dict[str, Any], prefix: str, goal: str) -> str:
    """Return the mean number of evaluations to a goal, with its spread."""
    mean = f"{summary[f'{prefix}mean_evaluations_to_{goal}']:.1f}"
    if prefix == "random_":  # its mean is known exactly
        return mean
    interval = summary[f"{prefix}interval_95_of_mean_evaluations_to_{goal}"]
    low, high = interval or summary[f"{prefix}range_of_evaluations_to_{goal}"]
    around = f"{low}–{high}" if interval is None else f"{low:.1f}–{high:.1f}"
    return f"{mean} ({around})" if low < high else mean
