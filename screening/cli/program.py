"""The command line: reads arguments, calls the rest, prints.  No logic lives here.

Heavy libraries are imported inside the commands that need them: ``--help`` and commands that only
read the database answer at once.  Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from screening.exports import FORMS
from screening.messages.errors import ScreenError
from screening.targets.objectives import candidate_figures
from screening.views.campaign_figures import FIGURES

app = typer.Typer(
    name="screen",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: rich takes longer to import than everything else that help needs.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="High-throughput virtual screening: campaigns that choose what to compute next.",
)


class Format(StrEnum):
    """Output for people or for machines."""

    table = "table"
    json = "json"


class RankFormat(StrEnum):
    """Output of `screen rank`."""

    table = "table"
    json = "json"
    csv = "csv"


class Scheduler(StrEnum):
    """Batch systems of clusters."""

    slurm = "slurm"
    pbs = "pbs"
    sge = "sge"


Name = Annotated[Optional[str], typer.Argument(help="Campaign; the newest one if left out.")]
NameGiven = Annotated[str, typer.Argument(help="Campaign.")]
FormatOption = Annotated[Format, typer.Option("--format", help="For people or for machines.")]
WorkersOption = Annotated[
    Optional[int],
    typer.Option(min=1, help="Worker processes on this machine. [default: one a core]"),
]


RankFormatOption = Annotated[RankFormat, typer.Option("--format", help="Output.")]
ValueKeyOption = Annotated[str, typer.Option(help="Field that holds the value.")]
MinimizeOption = Annotated[
    bool, typer.Option("--minimize/--maximize", help="Whether small or large is good.")
]
LogOption = Annotated[bool, typer.Option("--log", help="Model the logarithm of the value.")]
SurrogateOption = Annotated[
    Optional[str], typer.Option(help="gaussian-process (the default) or random-forest.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"matscreen {version('matscreen')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


@app.command()
def submit(
    target: Annotated[str, typer.Option(help="Shipped target, or a campaign YAML.")],
    source: Annotated[
        Optional[list[str]],
        typer.Option(
            help="phonondb-103, electrode-pairs, substitutions:YAML, icsd:FOLDER, "
            "optimade:PROVIDER?filter=FILTER, mp:QUERY, file or folder; repeatable."
        ),
    ] = None,
    engine: Annotated[Optional[str], typer.Option(help="Engine name, or an engine YAML.")] = None,
    budget: Annotated[Optional[int], typer.Option(help="Candidates to compute.")] = None,
    batch_size: Annotated[Optional[int], typer.Option(help="Candidates chosen at once.")] = None,
    name: Annotated[Optional[str], typer.Option(help="Campaign name.")] = None,
    prior: Annotated[
        Optional[str],
        typer.Option(help="Earlier campaign whose results are what is expected beforehand."),
    ] = None,
    seed: Annotated[Optional[int], typer.Option(help="Seed of everything random.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work the queue here, to the end.")] = False,
    workers: WorkersOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count, submit nothing.")
    ] = False,
) -> None:
    """Start a campaign: read crystals, queue the first batch."""
    from screening.cli import commands

    overrides = {
        "sources": source or None,
        "engine": engine,
        "budget": budget,
        "batch_size": batch_size,
        "prior": prior,
        "seed": seed,
    }
    commands.submit(target, overrides, name, wait=wait, workers=workers, dry_run=dry_run)


@app.command()
def work(name: Name = None, workers: WorkersOption = None) -> None:
    """Run queued jobs on this machine until the campaign has spent its budget."""
    from screening.cli import commands

    commands.work(name, workers)


@app.command()
def launch(
    name: Name = None,
    queue: Annotated[
        Optional[str],
        typer.Option(help="slurm, pbs, sge or a queue's YAML. [default: as launched before]"),
    ] = None,
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Stay, and keep up the number of jobs from here.")
    ] = False,
    poll_s: Annotated[
        float, typer.Option("--poll-s", min=1, help="With --daemon: seconds between two looks.")
    ] = 60,
    embedded: Annotated[
        bool,
        typer.Option("--embedded", help="The embedded database: every node is this machine."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the job script, submit nothing.")
    ] = False,
) -> None:
    """Queue jobs on a cluster; they run workers, and queue their successors."""
    from screening.cli import launch as commands

    commands.launch(name, queue, daemon=daemon, poll_s=poll_s, embedded=embedded, dry_run=dry_run)


@app.command()
def init(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Write the YAML of a cluster's queue.")
    ] = False,
    scheduler: Annotated[Optional[Scheduler], typer.Option(help="The cluster's scheduler.")] = None,
    partition: Annotated[Optional[str], typer.Option(help="Partition or queue.")] = None,
    account: Annotated[Optional[str], typer.Option(help="Account or project.")] = None,
    walltime: Annotated[Optional[str], typer.Option(help="H:MM:SS of a job.")] = None,
    cores: Annotated[Optional[int], typer.Option(help="Cores of a job.")] = None,
    gpus: Annotated[Optional[int], typer.Option(help="GPUs of a job.")] = None,
    workers_per_job: Annotated[
        Optional[int], typer.Option(help="Worker processes that share a job.")
    ] = None,
    max_jobs: Annotated[
        Optional[int], typer.Option(help="Jobs of yours that may be in the queue.")
    ] = None,
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("queue.yaml"),
) -> None:
    """Write a configuration into this folder; asks for what no option says, on a terminal."""
    from screening.cli import launch as commands

    if not cluster:
        raise ScreenError("init: say what to write; known: --cluster")
    given = {
        "q_type": None if scheduler is None else scheduler.value.upper(),
        "partition": partition,
        "account": account,
        "walltime": walltime,
        "cores": cores,
        "gpus": gpus,
        "workers_per_job": workers_per_job,
        "max_jobs": max_jobs,
    }
    commands.init_cluster(output, given)


@app.command()
def status(name: Name = None, format: FormatOption = Format.table) -> None:
    """Show how far a campaign is."""
    from screening.cli import commands

    commands.status(name, as_json=format is Format.json)


@app.command()
def rank(
    name: Name = None,
    top: Annotated[Optional[int], typer.Option(min=1, help="Only the best so many.")] = None,
    where: Annotated[Optional[str], typer.Option(help="MongoDB filter, as JSON.")] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Of two objectives, only what nothing beats in both.")
    ] = False,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Only what is not computed, by the model.")
    ] = False,
    bound: Annotated[
        Optional[float],
        typer.Option(help="With --predicted: rank by the chance of a better value than this."),
    ] = None,
    format: RankFormatOption = RankFormat.table,
) -> None:
    """Rank candidates: computed and predicted side by side."""
    from screening.cli import commands

    if bound is not None and not predicted:
        raise ScreenError("--bound: asks about predictions; give --predicted too")
    commands.rank(
        name,
        top,
        _json_filter(where),
        format.value,
        pareto=pareto,
        predicted=predicted,
        bound=bound,
    )


@app.command()
def replay(
    pool: Annotated[str, typer.Option(help="Source of crystals whose values are known.")],
    value_key: ValueKeyOption,
    minimize: MinimizeOption = True,
    log: LogOption = False,
    initial: Annotated[int, typer.Option(min=1, help="First picks, drawn at random.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Picks made at once.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Replays.")] = 20,
    sampler: Annotated[
        Optional[str],
        typer.Option(
            help="expected-improvement (the default), probability-of-improvement, "
            "lower-confidence-bound, thompson, greedy or random."
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
    """Replay the optimiser on crystals with known values: how soon does it find the best?"""
    from screening.cli import commands

    settings = {
        "kind": sampler,
        "initial": initial,
        "surrogate": None if surrogate is None else {"kind": surrogate},
    }
    commands.replay(
        pool,
        value_key,
        {key: value for key, value in settings.items() if value is not None},
        maximize=not minimize,
        log=log,
        batch_size=batch_size,
        seeds=seeds,
        top_fraction=top_fraction,
        prior_key=prior_key,
        workers=workers,
        as_json=format is Format.json,
    )


@app.command()
def predict(
    training: Annotated[str, typer.Option(help="Source of crystals whose values are known.")],
    value_key: ValueKeyOption,
    pool: Annotated[str, typer.Option(help="Source of crystals to rank.")],
    minimize: MinimizeOption = True,
    log: LogOption = False,
    bound: Annotated[
        Optional[float], typer.Option(help="Rank by the chance of a better value than this.")
    ] = None,
    filters: Annotated[
        Optional[str], typer.Option(help="Filters as YAML: 'experimental: true'.")
    ] = None,
    top: Annotated[Optional[int], typer.Option(min=1, help="Only the best so many.")] = 25,
    surrogate: SurrogateOption = None,
    workers: WorkersOption = None,
    format: RankFormatOption = RankFormat.table,
) -> None:
    """Rank a whole library by a model fitted to known values; computes nothing."""
    from screening.cli import commands

    commands.predict(
        training,
        value_key,
        pool,
        maximize=not minimize,
        log=log,
        bound=bound,
        filters=filters,
        top=top,
        surrogate=surrogate,
        workers=workers,
        format=format.value,
    )


@app.command()
def show(
    candidate: Annotated[str, typer.Argument(help="candidate_id, material_id or formula.")],
    format: FormatOption = Format.table,
) -> None:
    """Show all that is known about one candidate, and why it was picked."""
    from screening.cli import commands

    commands.show(candidate, as_json=format is Format.json)


@app.command()
def export(
    name: NameGiven,
    output: Annotated[Path, typer.Option("--output", "-o", help="File or folder to write.")],
    form: Annotated[str, typer.Option("--as", help=f"{', '.join(FORMS.names())}.")],
    candidates: Annotated[
        Optional[list[str]],
        typer.Argument(help="candidate_id, material_id or formula. [default: all]"),
    ] = None,
    top: Annotated[Optional[int], typer.Option(min=1, help="Only the best so many.")] = None,
    predicted: Annotated[
        bool,
        typer.Option("--predicted", help="Also what is not computed, as its source has it."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write structures, force constants or the ranking for other programs."""
    from screening.cli.export import export as write

    write(name, form, candidates or [], top, output, predicted=predicted, force=force)


@app.command()
def plot(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CANDIDATE|NAME",
            help="candidate_id, material_id or formula; or a campaign.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write, .png, .svg or .pdf; it is replaced."),
    ],
    kind: Annotated[
        Optional[str],
        typer.Option(
            help=f"{', '.join(FIGURES.names())} of a campaign; {', '.join(candidate_figures())} "
            "of a candidate. [default: the first that there is]"
        ),
    ] = None,
    campaign: Annotated[
        Optional[str], typer.Option(help="Campaign, where a candidate is in several.")
    ] = None,
    width_mm: Annotated[float, typer.Option("--width-mm", help="Width on paper, 70 to 400.")] = 85,
) -> None:
    """Draw a figure for print: of one candidate, or of a whole campaign."""
    from screening.cli import commands

    commands.plot(target, kind, output, campaign, width_mm)


@app.command()
def report(
    name: Name = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path(
        "report.html"
    ),
    top: Annotated[
        Optional[int],
        typer.Option(min=0, help="Details of the best so many only. [default: of all computed]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is no report.")
    ] = False,
) -> None:
    """Write a campaign into one HTML file: ranking, pictures, every computed candidate."""
    from screening.cli import commands

    commands.report(name, output, top, force=force)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    token_file: Annotated[
        Optional[Path],
        typer.Option(
            help="File of mode 600 with a token that readers must know. "
            "[default: one made for this run and printed]"
        ),
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let in every user of this machine.")
    ] = False,
) -> None:
    """Serve a dashboard of the campaigns, which follows them while they run."""
    from screening.cli import serve as commands

    commands.serve(host, port, token_file, no_token=no_token)


@app.command()
def promote(
    engine: Annotated[str, typer.Option(help="Engine of higher fidelity, or its YAML.")],
    name: Name = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the best candidates.")] = 5,
) -> None:
    """Queue the best candidates again, with a better engine."""
    from screening.cli import commands

    commands.promote(name, engine, top)


@app.command()
def retry(
    name: NameGiven,
    candidate: Annotated[Optional[str], typer.Argument(help="Only this one.")] = None,
) -> None:
    """Queue failed candidates again."""
    from screening.cli import commands

    commands.retry(name, candidate)


@app.command()
def pause(name: NameGiven) -> None:
    """Stop picking and starting jobs; running ones finish."""
    from screening.cli import commands

    commands.set_status(name, "paused")


@app.command()
def resume(name: NameGiven) -> None:
    """Go on with a paused campaign."""
    from screening.cli import commands

    commands.set_status(name, "active")


@app.command()
def cancel(name: NameGiven) -> None:
    """End a campaign: what is queued is dropped, results stay."""
    from screening.cli import commands

    commands.set_status(name, "cancelled")


@app.command()
def clean(
    older_than_h: Annotated[
        float, typer.Option(min=0.0, help="Spare what is younger, in hours.")
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Remove large values that no result and no job refers to any more."""
    from screening.cli import commands

    commands.clean(older_than_h=older_than_h, dry_run=dry_run)


@app.command()
def doctor(
    queue: Annotated[
        Optional[str],
        typer.Option(help="Also try a cluster with one short job: a queue as in `screen launch`."),
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=1, help="With --queue: how long to wait for the job.")
    ] = 300,
    format: FormatOption = Format.table,
) -> None:
    """Check this machine: packages, engines, database; say what to do about what is missing."""
    from screening.cli import doctor as checks

    if not checks.report(as_json=format is Format.json, queue=queue, wait_s=wait_s):
        raise typer.Exit(1)


def _json_filter(where: str | None) -> dict[str, Any] | None:
    if where is None:
        return None
    try:
        parsed = json.loads(where)
    except ValueError as error:
        raise ScreenError(
            f'--where: is no JSON ({error}); example: \'{{"elements": "Na"}}\''
        ) from None
    if not isinstance(parsed, dict):
        raise ScreenError('--where: expected a JSON object; example: \'{"elements": "Na"}\'')
    return parsed


def main() -> None:
    """Run the command line; an error the user can mend is one sentence and exit status 2."""
    import signal
    import sys

    from screening.messages.terminal import end_output, give_up_output, prepare_streams

    # A closed terminal or a queue system's signal must leave as cleanly as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    prepare_streams()
    status = _run()
    try:
        end_output()
    except BrokenPipeError:  # whoever read it has seen enough
        status = status or 1
    except OSError as error:
        status = _complain(f"the output cannot be written: {error.strerror}")
    give_up_output()
    sys.exit(status)


def _run() -> int | str | None:
    """Run the command; return its exit status, once what is wrong was said."""
    from screening.messages.terminal import FULL, give_up_output

    try:
        app()
    except SystemExit as ended:
        return ended.code
    except ScreenError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        _complain("interrupted", "")
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.errno not in FULL:
            raise
        give_up_output()
        return _complain(f"{error.filename or 'the output'} cannot be written: {error.strerror}")
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("pymongo", "bson"):
            raise
        # Its text names hosts and topologies over several lines; never the password.
        details = getattr(error, "details", None) or {}
        reason = details.get("codeName") or type(error).__name__
        return _complain(
            f"the database stopped answering or refused ({reason}); nothing stored is lost; "
            "check it with: screen doctor"
        )
    return 0


def _complain(message: str, start: str = "error: ") -> int:
    """Say what is wrong; return the exit status of an error the user can mend."""
    import contextlib
    import sys

    # Where nothing can be said, the exit status has to do.
    with contextlib.suppress(OSError):
        print(f"{start}{message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
