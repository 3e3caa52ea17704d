"""Calls of the scheduler's own programs, and FireWorks' queue adapter where it helps."""

from __future__ import annotations

import functools
import os
import pwd
import re
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from screening.messages.errors import ScreenError
from screening.store.launchpad import use_fireworks_settings

if TYPE_CHECKING:
    from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter

ANSWER_TIMEOUT_S = 60.0
"""Time within which a busy scheduler must answer (s); FireWorks would give up after five."""

JobState = Literal["pending", "running"]


@dataclass(frozen=True)
class Dialect:
    """Programs of a scheduler, and how to read their answers.

    Parameters
    ----------
    mark
        Beginning of the lines of a script that hold options.
    listing
        Command that lists the jobs of a user, without the user's name, its last argument.
    state_column
        Column of that list with the state, counted from 0; the first has the job's number.
    pending, ended
        States, as regular expressions; all other states are running.
    cancel
        Program that takes a job off the queue.
    faults
        Error messages of its programs where it is installed and does not work, as regular
        expressions, each with the cause in words.
    """

    mark: str
    listing: tuple[str, ...]
    state_column: int
    pending: str
    ended: str
    cancel: str
    faults: tuple[tuple[str, str], ...]

    def cause(self, complaint: str) -> str | None:
        """Return why the scheduler does not work, None where the complaint is another one."""
        for pattern, cause in self.faults:
            if re.search(pattern, complaint, re.IGNORECASE):
                return cause
        return None


DIALECTS = {
    "SLURM": Dialect(
        "#SBATCH",
        ("squeue", "-h", "-o", "%A %t", "-u"),
        1,
        "PD|RD|RF|RH|RQ|SE",
        "CG",
        "scancel",
        (
            (
                "could not establish a configuration source|unable to process configuration file",
                "Slurm is installed on this machine, but not set up (no slurm.conf was found)",
            ),
            (
                "munge encode failed",
                "Slurm's authentication service (munged) does not run on this machine",
            ),
            (
                "unable to contact slurm controller|socket timed out|connection refused"
                "|zero bytes were transmitted",
                "Slurm's controller (slurmctld) does not answer",
            ),
        ),
    ),
    "PBS": Dialect(
        "#PBS",
        ("qstat", "-u"),
        9,
        "[HQTW]",
        "[CFX]",
        "qdel",
        (
            (
                "no default server|conf variables not found|pbsconf error",
                "PBS is installed on this machine, but not set up (it names no server)",
            ),
            ("cannot connect to server|connection refused", "the PBS server does not answer"),
        ),
    ),
    "SGE": Dialect(
        "#$",
        ("qstat", "-u"),
        4,
        ".*[qE].*",
        "d.*",
        "qdel",
        (
            (
                "sge_root|cell directory",
                "Grid Engine is installed on this machine, but not set up (SGE_ROOT is not set, or "
                "wrong)",
            ),
            (
                "unable to contact qmaster|commlib error|connection refused",
                "the master of Grid Engine (qmaster) does not answer",
            ),
        ),
    ),
}


def template_of(q_type: str) -> Path:
    """Return the template of a scheduler's scripts, in FireWorks' format."""
    return Path(str(resources.files("configs") / "queues" / f"{q_type.lower()}.template"))


class Scheduler:
    """One scheduler on this machine.

    Parameters
    ----------
    q_type
        Key of `DIALECTS`.
    """

    def __init__(self, q_type: str) -> None:
        self.q_type = q_type
        self.dialect = DIALECTS[q_type]

    def jobs(self) -> dict[str, JobState]:
        """Return the states of the user's jobs, of any program, by number.

        Raises
        ------
        ScreenError
            When the scheduler cannot be asked here.
        """
        states: dict[str, JobState] = {}
        for line in self._run([*self.dialect.listing, _user()]).splitlines():
            number = re.match(r"\s*(\d+)", line)
            columns = line.split()
            if number is None or len(columns) <= self.dialect.state_column:
                continue
            state = columns[self.dialect.state_column]
            if re.fullmatch(self.dialect.ended, state):
                continue
            pending = re.fullmatch(self.dialect.pending, state)
            states[number[1]] = "pending" if pending else "running"
        return states

    def submit(self, script: Path) -> str:
        """Submit a script in its own folder, where the job's log goes too; return its number.

        Raises
        ------
        ScreenError
            With the scheduler's message, when it refuses.
        """
        adapter = common_adapter(self.q_type)
        program = adapter.q_commands[self.q_type]["submit_cmd"]
        answer = self._run([program, script.name], folder=script.parent)
        try:
            number: str = adapter._parse_jobid(answer)
        except RuntimeError:
            raise ScreenError(f"{program} gave no job number; it said: {answer.strip()}") from None
        return number

    def cancel(self, number: str) -> None:
        """Take a job off the queue."""
        self._run([self.dialect.cancel, number])

    def _run(self, command: list[str], folder: Path | None = None) -> str:
        # FireWorks runs these programs too, but does not show their error messages.
        # A job's own variables must not change the jobs that it submits.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name == "SLURM_CONF" or not name.startswith("SLURM_")
        }
        try:
            answer = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=ANSWER_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            raise ScreenError(
                f"no program '{command[0]}' here; is this a machine of the cluster, and is its "
                f"scheduler {self.q_type}?"
            ) from None
        except subprocess.TimeoutExpired:
            raise ScreenError(
                f"{command[0]} did not answer within {ANSWER_TIMEOUT_S:.0f} s; try again later"
            ) from None
        if answer.returncode != 0:
            reason = " ".join(answer.stderr.split()) or f"exit status {answer.returncode}"
            cause = self.dialect.cause(reason)
            if cause is not None:
                raise ScreenError(
                    f"{cause}, so `{command[0]}` cannot be used; run this on the cluster's login "
                    "node, and where that is this machine, ask its administrator or try again later"
                )
            raise ScreenError(f"{command[0]} refused: {reason}")
        return answer.stdout


def _user() -> str:
    # Not $LOGNAME, which stays somebody else's after `su`: jobs belong to the user's number.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container
        return str(os.getuid())


def common_adapter(q_type: str, **values: str) -> CommonAdapter:
    """Return FireWorks' adapter of a scheduler, with the values of a script."""
    use_fireworks_settings()
    from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter

    return CommonAdapter(q_type, template_file=str(template_of(q_type)), **values)


@functools.cache
def scheduler(q_type: str) -> Scheduler:
    """Return the scheduler of that kind."""
    return Scheduler(q_type)
