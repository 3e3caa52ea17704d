"""`matscreen init --cluster`: the YAML of a cluster's queue, from options and answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.messages.errors import ScreenError
from screening.messages.stderr import say

if TYPE_CHECKING:
    from screening.queues.config import QueueConfig


class Scheduler(StrEnum):
    """Batch systems of clusters."""

    slurm = "slurm"
    pbs = "pbs"
    sge = "sge"


QUESTIONS: dict[str, tuple[str, Any]] = {
    "q_type": ("Scheduler (slurm, pbs or sge)", "slurm"),
    "partition": ("Partition or queue (empty for the cluster's default)", ""),
    "account": ("Account or project (empty for none)", ""),
    "walltime": ("Walltime of a job, H:MM:SS", "24:00:00"),
    "cores": ("Cores of a job", 4),
    "gpus": ("GPUs of a job", 0),
    "workers_per_job": ("Workers that share a job", 1),
    "max_jobs": ("Jobs of yours that may be in the queue", 4),
}
"""What `matscreen init --cluster` asks for, by field of the YAML, with what it proposes."""


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
    _write_queue(output, {field: value for field, value in given.items() if value is not None})


def _write_queue(path: Path, stated: dict[str, Any]) -> None:
    """Write a queue's YAML, asking on a terminal for what is not stated.

    Raises
    ------
    ScreenError
        When the file is there, or a value is wrong.
    """
    import yaml

    from screening.machine.text_files import user_path

    path = user_path(path, "--output")
    if path.exists():
        raise ScreenError(f"file '{path}' exists; give another one with --output")
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK):
        raise ScreenError(f"cannot write into folder {folder}; give another file with --output")
    # Before anything is asked: what an option says wrongly must not cost the answers.
    checked = _queue_of(stated, options=stated)
    asks = sys.stdin.isatty()
    answers: dict[str, Any] = {}
    for field, (question, proposed) in QUESTIONS.items():
        if field in stated or not asks:
            answers[field] = getattr(checked, field)
        else:
            answers[field] = _asked(field, question, proposed, answers)
    content = _with_proposals(answers)
    comment = (
        f"# A cluster's queue, for: matscreen launch CAMPAIGN --queue {path.name}\n"
        "# Every field is explained in docs/how-to/cluster.md.\n"
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    except OSError as error:
        if not isinstance(error, FileExistsError):
            path.unlink(missing_ok=True)
        raise ScreenError(f"cannot write {path} ({error.strerror})") from None
    say(f"wrote {path}; next: matscreen doctor --queue {path}")


def _asked(field: str, question: str, proposed: Any, answers: dict[str, Any]) -> Any:
    """Return the answer to a question, asked until it is one that a queue can have.

    Parameters
    ----------
    answers
        What was answered before: fields are judged together, as cores and the scheduler.
    """

    def checked(answer: Any) -> Any:
        try:
            return getattr(_queue_of(answers | {field: answer}, options=[field]), field)
        except ScreenError as error:
            reason = str(error).removeprefix(f"--{field.replace('_', '-')}").removeprefix(":")
            raise typer.BadParameter(reason.strip()) from None

    return typer.prompt(
        question, default=proposed, show_default=proposed != "", value_proc=checked, err=True
    )


def _queue_of(answers: dict[str, Any], options: Collection[str]) -> QueueConfig:
    """Return the queue that answers describe; those not given yet are as proposed."""
    from screening.messages.validation import validated
    from screening.queues.config import QueueConfig

    proposals = {field: proposed for field, (_, proposed) in QUESTIONS.items()}
    content = _with_proposals(proposals | answers)
    return validated(QueueConfig, content, "the queue", options=options)


def _with_proposals(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, and add what nobody was asked for, as an example to change."""
    from screening.queues.config import WALLTIME, seconds_of

    stated = {field: answer for field, answer in content.items() if answer not in ("", None)}
    stated["q_type"] = str(stated.get("q_type", "")).upper()
    more: dict[str, Any] = {"setup": []}
    if stated["q_type"] == "SGE":
        more["parallel_environment"] = "smp"
    walltime = str(stated.get("walltime"))
    if WALLTIME.fullmatch(walltime):
        # Half of a short walltime: the default hour would leave nothing of it.
        more["reserve_s"] = min(3600, seconds_of(walltime) // 2)
    return stated | more
