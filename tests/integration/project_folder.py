"""A folder in which `screen` is run as a user does, with an embedded database of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy_objective
import yaml
from campaign_fixtures import MACHINE, TOY_PATH, toy_content, write_cifs

from screening.targets.objectives import OBJECTIVES

TIMEOUT_S = 600.0
"""After which a test fails instead of hanging; on no machine does anything here take so long."""


class Project:
    """A user's folder.

    Parameters
    ----------
    folder
        Holds ``crystals/``, YAML files and ``.screen/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        kept = {k: v for k, v in os.environ.items() if k not in {f"SCREEN_{m}" for m in MACHINE}}
        # The product itself must name the settings of FireWorks.
        kept.pop("FW_CONFIG_FILE", None)
        self.environment = kept | {"PYTHONPATH": TOY_PATH}

    def write(self, file: str, /, **content: Any) -> None:
        (self.folder / file).write_text(yaml.safe_dump(content))

    def write_toy(self, **changes: Any) -> None:
        """Write ``toy.yaml`` and its crystals; the toy keeps its diary in the folder."""
        recipe = {"folder": str(self.folder)} | changes.pop("recipe", {})
        # Alloys: of the face-centred metals symmetry is found in seven times the time.
        write_cifs(self.folder / "crystals", 10, first=7)
        content = {"sources": ["crystals"], "recipe": recipe, **changes}
        self.write("toy.yaml", **toy_content(**content))

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start ``matscreen …`` in a process group of its own, as a shell does."""
        program = subprocess.Popen(
            [sys.executable, "-m", "screening", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell's background job starts with SIGINT ignored, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.started.append(program)
        return program

    def screen(self, *arguments: object, status: int = 0) -> tuple[str, str]:
        """Run ``matscreen …`` to its end; return what it wrote to stdout and to stderr."""
        return self.finish(self.start(*arguments), status)

    def finish(self, program: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
        out, err = program.communicate(timeout=TIMEOUT_S)
        assert program.returncode == status, (program.returncode, out, err, self.logs())
        assert "Traceback" not in err
        return out, err

    def json(self, *arguments: object) -> Any:
        """Return what ``matscreen …`` answers to programs."""
        return json.loads(self.here(*arguments, "--format", "json"))

    def here(self, *arguments: object) -> str:
        """Run ``matscreen …`` in this process, without an interpreter of its own; return stdout."""
        from screening.cli import main

        out, status = io.StringIO(), None
        handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
        words = ["screen", *map(str, arguments)]
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
        ):
            patch.setitem(OBJECTIVES.built_in, "toy", toy_objective.PATH)
            patch.setattr("sys.argv", words)
            for name, value in self.environment.items():
                if name.startswith("SCREEN_"):
                    patch.setenv(name, value)
            try:
                main()
            except SystemExit as end:
                status = end.code
            finally:
                for each, handler in handlers.items():
                    signal.signal(each, handler)
        assert not status, (status, self.logs())
        return out.getvalue()

    def server(self) -> psutil.Process | None:
        """Return the process of the folder's server, if there is a live one."""
        try:
            state = json.loads((self.folder / ".screen" / "server.json").read_text())
            return psutil.Process(state["pid"])
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def logs(self) -> str:
        found = (self.folder / ".screen" / "logs").glob("*.log")
        return "\n".join(f"{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(found))

    @contextlib.contextmanager
    def database(self) -> Iterator[Any]:
        """Be one more client of the folder's database."""
        from screening.machine.settings import Settings
        from screening.store.database import open_database

        with open_database(Settings(directory=self.folder / ".screen")) as database:
            yield database

    def kill_started(self) -> None:
        for program in self.started:
            for process in family(program):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            with contextlib.suppress(ValueError):
                program.communicate()


def family(program: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return a program and its workers, the database server left out."""
    try:
        parent = psutil.Process(program.pid)
        members = [parent, *parent.children(recursive=True)]
        return [
            each for each in members if "screening.store.embedded_process" not in each.cmdline()
        ]
    except psutil.NoSuchProcess:
        return []


def kill_family(program: subprocess.Popen[str]) -> None:
    """Send SIGKILL to a program and its workers, as close to at once as can be."""
    processes = family(program)
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=TIMEOUT_S)
    program.communicate()


def wait_until(condition: Callable[[], Any], program: subprocess.Popen[str] | None = None) -> None:
    """Poll until `condition` holds; fail after a while, or when `program` has ended before."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert program is None or program.poll() is None, program.communicate()
        time.sleep(0.05)
