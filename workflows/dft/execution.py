"""Running a program as a process: time limit, end with its parent, scratch folder, last words."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from workflows.errors import EngineError

TAIL_CHARACTERS = 3000
GRACE_S = 5.0
_LIBC = ctypes.CDLL(None)
PREFIX = "matscreen-"
SEPARATOR = "+"
"""Between host, process and the rest of a folder's name; not found in host names."""


class ProgramFailure(EngineError):  # noqa: N818 - reads as what it is
    """A program crashed, ran out of time or did not converge.

    Parameters
    ----------
    reason
        One line.
    tail
        The end of its output.
    """

    def __init__(self, reason: str, tail: str = "") -> None:
        super().__init__(f"{reason}\n{tail}" if tail else reason)
        self.reason = reason
        self.tail = tail


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder below ``TMPDIR`` that is gone afterwards, whatever happens.

    One that a killed process of this machine left behind is removed now.
    """
    base = Path(tempfile.gettempdir())
    host = platform.node()
    for left in base.glob(f"{PREFIX}{host}{SEPARATOR}*"):
        pid = left.name.split(SEPARATOR)[1]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{host}{SEPARATOR}{os.getpid()}{SEPARATOR}", dir=base)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_program(
    command: Sequence[str],
    folder: Path,
    *,
    timeout_s: float,
    log: str = "output.txt",
) -> None:
    """Run a command in `folder`, output and errors into `log`.

    Raises
    ------
    ProgramFailure
        When it cannot be started, ends with another status than 0, or runs out of time.
    """
    name = Path(command[0]).name
    with open(folder / log, "ab") as output:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()) if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise ProgramFailure(f"'{command[0]}' cannot be started: {error.strerror}") from error
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # Asked first, so that a program can take its own children with it.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            _kill(process)
            raise ProgramFailure(
                f"{name} was not done after {timeout_s / 3600:.3g} h", tail(folder / log)
            ) from None
        except BaseException:
            _kill(process)
            raise
    if status != 0:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise ProgramFailure(f"{name} {how}", tail(folder / log))


def tail(path: Path) -> str:
    """Return the last characters of a text file, or nothing where there is none."""
    if not path.exists():
        return ""
    return path.read_text(errors="replace")[-TAIL_CHARACTERS:].strip()


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The whole group: an MPI launcher has children of its own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_with(parent: int) -> Callable[[], None]:
    # A worker that is killed must not leave a calculation behind that nobody waits for.
    pr_set_pdeathsig = 1

    def ask_for_signal() -> None:
        _LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_signal
