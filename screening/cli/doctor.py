"""`matscreen doctor`: what is installed, what can run, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Optional

import typer

from screening.cli.options import Format, FormatOption
from screening.cli.output import print_json
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

PACKAGES = (
    "pymatgen",
    "atomate2",
    "jobflow",
    "fireworks",
    "pymongo",
    "phonopy",
    "phono3py",
    "symfc",
    "scikit-optimize",
)


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Parameters
    ----------
    essential
        Whether nothing can run without it.
    """

    name: str
    ok: bool
    found: str
    essential: bool = True


def doctor(
    queue: Annotated[
        Optional[str],
        typer.Option(help="Also try a cluster with one short job: as `matscreen launch` does."),
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=1, help="With --queue: how long to wait for the job.")
    ] = 300,
    format: FormatOption = Format.table,
) -> None:
    """Check this machine: packages, engines, database; say what to do about what is missing."""
    from screening.machine import shipped_configs

    checks = [_python(), _machine(), _command(), *map(_package, PACKAGES)]
    checks += [_engine(name) for name in shipped_configs.names("engines")]
    checks.append(_attempt("database", _database))
    if queue is not None:
        checks += _queue(queue, wait_s)
    if format is Format.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            mark = "ok" if check.ok else ("MISSING" if check.essential else "not here")
            print(f"{mark:8s}  {check.name:22s}  {check.found}")
    if not all(check.ok for check in checks if check.essential):
        raise typer.Exit(1)


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, f"{platform.python_version()}; 3.11 or newer is needed")


def _machine() -> Check:
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return Check("machine", True, f"{cores} usable cores, {memory:.0f} GiB memory")


def _command() -> Check:
    """Say which `screen` the shell finds: on clusters it may be GNU Screen."""
    ours = Path(sys.executable).parent / "screen"
    found = shutil.which("screen")
    if found is None:
        return Check("command", True, "no `screen` on PATH; use matscreen or python -m screening")
    if Path(found).resolve() == ours.resolve():
        return Check("command", True, f"`screen` is this program ({found})")
    return Check("command", True, f"`screen` is another program ({found}): use matscreen instead")


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed; run, in a clone of this project: make install")


def _engine(name: str) -> Check:
    from screening.targets.engines import engine_config, require_engine

    config = engine_config(name)
    try:
        require_engine(config)
    except ScreenError as error:
        return Check(f"engine {name}", False, str(error), essential=False)
    return Check(f"engine {name}", True, config.description, essential=False)


def _database() -> str:
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    settings = Settings()
    with open_database(settings) as database:
        count = database.campaigns.count_documents({})
    embedded = f"embedded server in {settings.directory.absolute()}"
    kind = embedded if settings.mongodb_uri is None else settings.address_variable
    holds = counted(count, "campaign")
    return f"{kind} answers; database '{settings.database}' holds {holds}"


def _queue(name_or_path: str, wait_s: float) -> list[Check]:
    from screening.queues.check import try_queue

    checks = []
    try:
        for seen in try_queue(name_or_path, wait_s, say):
            checks.append(Check("queue", seen.ok, seen.found))
    except ScreenError as error:
        checks.append(Check("queue", False, str(error)))
    return checks


def _attempt(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except ScreenError as error:
        return Check(name, False, str(error))
