"""What `screen launch` and `screen init --cluster` do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from screening.campaigns.campaign import Campaign
from screening.cli import console
from screening.machine import shipped_configs as shipped
from screening.machine.settings import Settings
from screening.machine.text_files import user_path
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say
from screening.messages.validation import validated
from screening.queues.config import WALLTIME, QueueConfig, load_queue_config, seconds_of
from screening.queues.queue_jobs import (
    KeepFailingError,
    jobs_needed,
    queue_state,
    store_queue,
    stored_queue,
    top_up,
)
from screening.queues.script import UnreachableError, job_script, require_credentials
from screening.store.database import open_database
from screening.store.database_retry import patiently

EMBEDDED_WARNING = (
    "--embedded: the database is in this program and listens to this machine only; every node "
    "must be this machine, and this program must stay"
)


def launch(
    name: str | None,
    queue: str | None,
    *,
    daemon: bool,
    poll_s: float,
    embedded: bool,
    dry_run: bool,
) -> None:
    """Queue jobs that run workers of a campaign; they queue their successors."""
    settings = Settings()
    with open_database(settings, must_exist=True) as database:
        campaign = Campaign.open(database, name)
        campaign.check_active()
        config = load_queue_config(queue) if queue is not None else stored_queue(campaign)
        if config is None:
            raise ScreenError(
                f"campaign '{campaign.name}' was not launched yet: name its queue with --queue, as "
                f"{', '.join(shipped.names('queues'))}, or the path of a YAML"
            )
        try:
            _require_credentials(config, settings, embedded=embedded)
        except ScreenError as error:
            if not dry_run:
                raise
            say(f"warning: as things are, these jobs would fail: {error}")
        if settings.mongodb_uri is None and embedded:
            say(EMBEDDED_WARNING)
            # The server ends with its last client, and the first job must not be it.
            daemon = True
        if dry_run:
            _show(campaign, config, settings)
            return
        from screening.running.advance import advance

        store_queue(campaign, config)
        advance(campaign)
        if campaign.is_exhausted():
            say(f"campaign '{campaign.name}' is finished; next: screen rank")
            return
        submitted = top_up(campaign, settings)
        _say_submitted(campaign, submitted)
        if daemon:
            _keep_up(campaign, settings, poll_s)
        elif submitted:
            say(
                f"they queue their successors until the campaign is finished; you may log out; "
                f"next: screen status {campaign.name}"
            )


def _require_credentials(config: QueueConfig, settings: Settings, *, embedded: bool) -> None:
    try:
        require_credentials(config, settings, embedded=embedded)
    except UnreachableError as error:
        raise ScreenError(f"{error}; where every node is this machine, give --embedded") from None


def _say_submitted(campaign: Campaign, numbers: list[str]) -> None:
    state = queue_state(campaign)
    if numbers:
        say(f"{counted(len(numbers), 'job')} queued: {', '.join(numbers)}")
    elif state is not None and state.nothing_left():
        say(
            f"no job queued: your other jobs are as many as max_jobs allows ({state.max_jobs}); "
            "wait for them, allow more, or stay with --daemon"
        )
    else:
        say("no job queued: there are as many as there is work and room for")


def _keep_up(campaign: Campaign, settings: Settings, poll_s: float) -> None:
    """Keep up the number of queue jobs from here, to the campaign's end."""
    from screening.running.advance import advance

    say(f"keeping up the number of jobs, every {poll_s:g} s; Ctrl-C ends only this")
    try:
        while patiently(lambda: campaign.status == "active" and not campaign.is_exhausted()):
            time.sleep(poll_s)
            patiently(advance, campaign)
            try:
                numbers = patiently(top_up, campaign, settings)
            except KeepFailingError:
                raise
            except ScreenError as error:
                # A scheduler that is busy or restarted answers later.
                say(f"{error}; trying again in {poll_s:g} s")
                continue
            if numbers:
                _say_submitted(campaign, numbers)
    except KeyboardInterrupt:
        say(f"\nstopped; queue jobs go on; again with: screen launch {campaign.name}")
        sys.exit(130)
    console.finished(campaign, campaign.progress())


def _show(campaign: Campaign, config: QueueConfig, settings: Settings) -> None:
    """Print the scripts that would be submitted."""
    profiles = config.profiles(stage.engine.name for stage in campaign.stages)
    needed = jobs_needed(campaign, profiles)
    for engines, shape in profiles.items():
        count = counted(needed[engines], "job")
        say(f"{', '.join(engines)}: there is work for {count}; nothing was submitted")
        module = ["screening.queues.driver", campaign.name, "TICKET"]
        name = f"screen-{campaign.name}"
        script = job_script(config, shape, name, f"{campaign.name}-TICKET", module, settings)
        console.print_plain(script)


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
"""What `screen init --cluster` asks for, by field of the YAML, with what it proposes."""


def init_cluster(path: Path, given: dict[str, Any]) -> None:
    """Write a queue's YAML, asking on a terminal for what is not given.

    Raises
    ------
    ScreenError
        When the file is there, or a value is wrong.
    """
    import yaml

    path = user_path(path, "--output")
    if path.exists():
        raise ScreenError(f"file '{path}' exists; give another one with --output")
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK):
        raise ScreenError(f"cannot write into folder {folder}; give another file with --output")
    stated = {field: answer for field, answer in given.items() if answer is not None}
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
        f"# A cluster's queue, for: screen launch CAMPAIGN --queue {path.name}\n"
        "# Every field is explained in docs/how-to/cluster.md.\n"
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    except OSError as error:
        if not isinstance(error, FileExistsError):
            path.unlink(missing_ok=True)
        raise ScreenError(f"cannot write {path} ({error.strerror})") from None
    say(f"wrote {path}; next: screen doctor --queue {path}")


def _asked(field: str, question: str, proposed: Any, answers: dict[str, Any]) -> Any:
    """Return the answer to a question, asked until it is one that a queue can have.

    Parameters
    ----------
    answers
        What was answered before: fields are judged together, as cores and the scheduler.
    """
    import typer

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
    proposals = {field: proposed for field, (_, proposed) in QUESTIONS.items()}
    content = _with_proposals(proposals | answers)
    return validated(QueueConfig, content, "the queue", options=options)


def _with_proposals(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, and add what nobody was asked for, as an example to change."""
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
