"""Scripts of queue jobs."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from screening.machine.settings import Settings
from screening.machine.text_files import user_path
from screening.messages.errors import ScreenError
from screening.queues.config import JobShape, QueueConfig
from screening.queues.scheduler import DIALECTS, common_adapter, template_of

URI_FILE = "SCREEN_MONGODB_URI_FILE"


class UnreachableError(ScreenError):
    """The database is the embedded one, which only this machine reaches."""


def job_script(
    config: QueueConfig,
    shape: JobShape,
    name: str,
    log_name: str,
    module: list[str],
    settings: Settings,
) -> str:
    """Return a script that runs a module of this program.

    Parameters
    ----------
    name
        Name of the job, for people.
    log_name
        Name of the job's log without its ending; one word.
    module
        The module and its arguments.

    Raises
    ------
    ScreenError
        When something cannot be written into a script.
    """
    python = _written("the path of Python", sys.executable)
    mark = DIALECTS[config.q_type].mark
    values: dict[str, object] = {
        "job_name": name,
        "log_name": log_name,
        "walltime": shape.walltime,
        "nodes": shape.nodes,
        "ranks": shape.ranks,
        "cores": shape.cores,
        "cores_per_rank": shape.cores // shape.ranks,
        "gpus": shape.gpus or None,
        "memory_mb": shape.memory_mb,
        "memory_mb_per_core": shape.memory_mb and -(-shape.memory_mb // shape.cores),
        "select": _select(shape),
        "partition": shape.partition,
        "account": shape.account,
        "parallel_environment": shape.parallel_environment,
        "options": "\n".join(f"{mark} {option}" for option in shape.options),
        "exports": "\n".join(
            f"export {variable}={_written(variable, value)}"
            for variable, value in carried(config, settings).items()
        ),
        "setup": "\n".join(shape.setup),
        "command": " ".join((python, "-m", *map(shlex.quote, module))),
    }
    # FireWorks leaves out lines without a value, and warns of values that no line uses.
    template = template_of(config.q_type).read_text("utf-8")
    used = {
        key: str(value)
        for key, value in values.items()
        if value is not None and f"$${{{key}}}" in template
    }
    script: str = common_adapter(config.q_type, **used).get_script_str(".")
    return script


def write_script(settings: Settings, name: str, text: str) -> Path:
    """Write a script, which only the user can read, beside the logs; return its path."""
    logs = settings.directory.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{name}.sh"
    path.touch(0o700)
    path.write_text(text, "utf-8")
    return path


def carried(config: QueueConfig, settings: Settings) -> dict[str, str]:
    """Return the environment variables that a script sets: paths and names, never a password.

    Raises
    ------
    ScreenError
        When a variable that the queue's YAML names is not set.
    """
    variables = {
        "SCREEN_DIRECTORY": str(settings.directory.absolute()),
        "SCREEN_DATABASE": settings.database,
    }
    if URI_FILE in os.environ:
        variables[URI_FILE] = str(user_path(os.environ[URI_FILE], URI_FILE).absolute())
    for variable in config.environment:
        if variable not in os.environ:
            raise ScreenError(
                f"the queue's YAML carries variable {variable}, which is not set; set it, or take "
                "it off `environment`"
            )
        variables[variable] = os.environ[variable]
    return variables


def require_credentials(config: QueueConfig, settings: Settings, *, embedded: bool) -> None:
    """Raise unless jobs will find the database.

    Parameters
    ----------
    embedded
        Whether the user stated that every node is this machine.

    Raises
    ------
    UnreachableError
        When the database is the embedded one and the user did not state that.
    ScreenError
        When jobs cannot get the address.
    """
    if URI_FILE in os.environ:
        return
    if settings.mongodb_uri is None:
        if embedded:
            return
        raise UnreachableError(
            f"jobs on other machines cannot reach the embedded database: name a MongoDB in "
            f"{URI_FILE}"
        )
    if config.q_type != "SLURM":
        raise ScreenError(
            f"{config.q_type} does not carry the environment into its jobs, and an address with a "
            "password belongs into no script: write it into a file that only you can read, and "
            f"set {URI_FILE} to its path"
        )


def _select(shape: JobShape) -> str:
    parts = [str(shape.nodes), f"ncpus={shape.cores}", f"mpiprocs={shape.ranks}"]
    if shape.gpus:
        parts.append(f"ngpus={shape.gpus}")
    if shape.memory_mb:
        parts.append(f"mem={shape.memory_mb}mb")
    return ":".join(parts)


def _written(what: str, value: str) -> str:
    """Return a value as one word of shell."""
    # Grid Engine looks for options at the start of every line; FireWorks drops lines with $$.
    if not value.isprintable() or "$$" in value:
        raise ScreenError(
            f"{what}: has a line break, a control character or '$$' in it, which cannot be "
            "written into a script"
        )
    return shlex.quote(value)
