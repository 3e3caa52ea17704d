"""How workers run on a cluster: one YAML a machine, `configs/queues/*.yaml` or the user's own.

The cores, GPUs and modules that an engine needs are stated here and not in the engine's YAML, which
is the same on every machine and part of the fingerprint of results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from screening.machine import shipped_configs as shipped
from screening.messages.validation import validated

WALLTIME = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])")
SECRET = re.compile(
    r"PASSW|SECRET|TOKEN|CREDENTIAL|API_?KEY|MONGO\w*_URI$|DATABASE_URL$", re.IGNORECASE
)
"""Environment variables whose value must not be written into a script."""


def _only(pattern: str, words: str) -> AfterValidator:
    """Return a validator that allows what a pattern matches, described in words."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(words)
        return value

    return AfterValidator(check)


# These go into lines that the scheduler or the shell reads, which may take none of them for more
# than a word.
Word = Annotated[
    str,
    _only(
        r"[A-Za-z0-9][A-Za-z0-9_.,:@+-]{0,99}",
        "use letters, digits and _ . , : @ + - without spaces, at most 100 of them and a letter or "
        "digit first, as 'ab123'",
    ),
]
Option = Annotated[
    str,
    _only(
        r"-[ -~]{1,300}",
        "give an option as it stands in a script, on one line, in ASCII and with its leading "
        "'-', as '--qos=normal'",
    ),
]
Variable = Annotated[
    str,
    _only(
        r"[A-Za-z_][A-Za-z0-9_]{0,99}",
        "give the name alone of an environment variable, in letters, digits and _, as "
        "'MY_LICENCE_SERVER'",
    ),
]
ShellLine = Annotated[
    str,
    _only(
        r"[^\r\n\x00]{0,1000}",
        "give each line of shell as an entry of its own, of at most 1000 characters, as "
        "'module load python'",
    ),
]


def _as_walltime(value: Any) -> Any:
    # YAML reads 24:00:00 without quotes as a number in base 60.
    if isinstance(value, int) and not isinstance(value, bool):
        hours, rest = divmod(value, 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return value


class JobShape(BaseModel):
    """What one queue job asks for and how many workers share it.

    Parameters
    ----------
    walltime
        Time, as H:MM:SS, after which the scheduler ends a job.
    reserve_s
        No new work is taken when less than this is left of the walltime: the time of the longest
        step of a candidate.
    idle_s
        A job ends when it had nothing to run for this time.
    workers_per_job
        Worker processes that share a job's cores and GPUs.
    nodes, ranks, cores, gpus
        Nodes of a job and, on each, MPI ranks, cores and GPUs.  Workers run on the first node;
        more than one, and ranks, are for the MPI programs they start.
    memory_mb
        Memory on each node; None leaves it to the scheduler.
    partition
        Slurm's partition; the queue of PBS and SGE.
    account
        Account or project that the job is charged to.
    parallel_environment
        SGE's name for the way cores are given to a job (``qconf -spl``).
    options
        More options of the scheduler, each as in its scripts: ``--qos=short``.
    setup
        Lines of shell that run before the workers, as ``module load …``.
    """

    model_config = ConfigDict(extra="forbid")

    walltime: Annotated[str, BeforeValidator(_as_walltime)] = "24:00:00"
    reserve_s: int = Field(3600, ge=0)
    idle_s: int = Field(300, gt=0)
    workers_per_job: int = Field(1, gt=0, le=1024)
    nodes: int = Field(1, gt=0)
    ranks: int = Field(1, gt=0)
    cores: int = Field(1, gt=0)
    gpus: int = Field(0, ge=0)
    memory_mb: int | None = Field(None, gt=0)
    partition: Word | None = None
    account: Word | None = None
    parallel_environment: Word | None = None
    options: list[Option] = Field(default_factory=list)
    setup: list[ShellLine] = Field(default_factory=list)

    @field_validator("walltime")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        match = WALLTIME.fullmatch(value)
        if match is None or not any(map(int, match.groups())):
            raise ValueError(f"expected H:MM:SS, as '24:00:00', not '{value}'")
        return value

    @field_validator("options", "setup")
    @classmethod
    def _no_template(cls, lines: list[str]) -> list[str]:
        # FireWorks drops every line with the mark of its own placeholders.
        if any("$$" in line for line in lines):
            raise ValueError("'$$' cannot be written here; in a shell $BASHPID says the same")
        return lines

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.reserve_s >= self.walltime_s:
            raise ValueError(
                f"reserve_s ({self.reserve_s}) leaves nothing of the walltime ({self.walltime})"
            )
        if self.cores % self.ranks:
            raise ValueError(f"{self.cores} cores cannot be shared by {self.ranks} ranks")
        return self

    @property
    def walltime_s(self) -> int:
        """The walltime in seconds."""
        return seconds_of(self.walltime)


def seconds_of(walltime: str) -> int:
    """Return the seconds of a time written as H:MM:SS."""
    hours, minutes, seconds = map(int, walltime.split(":"))
    return 3600 * hours + 60 * minutes + seconds


class QueueConfig(JobShape):
    """A cluster's queue.

    Parameters
    ----------
    q_type
        The scheduler.
    max_jobs
        Jobs of the user, of any program, that may be in the queue.
    poll_s
        Time between two looks of a running job whether there is work for more jobs.
    environment
        Names of variables whose values are written into the script.
    engines
        Fields of `JobShape` that are different for jobs of some engines, by the engines' names.
    """

    q_type: Literal["SLURM", "PBS", "SGE"]
    max_jobs: int = Field(4, gt=0)
    poll_s: int = Field(120, gt=0)
    environment: list[Variable] = Field(default_factory=list)
    engines: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("environment")
    @classmethod
    def _no_secrets(cls, names: list[str]) -> list[str]:
        for name in filter(SECRET.search, names):
            raise ValueError(
                f"'{name}' looks like a secret, which would be written into a script; keep it in a "
                "file that only you can read"
            )
        return names

    @model_validator(mode="after")
    def _engines_fit(self) -> Self:
        shapes: list[JobShape] = [self]
        for name in self.engines:
            try:
                shapes.append(self.shape_of(name))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(map(str, ("engines", name, *first["loc"])))
                message = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"{field}: {message}") from None
        several = any(shape.cores > 1 and shape.parallel_environment is None for shape in shapes)
        if self.q_type == "SGE" and several:
            raise ValueError("SGE gives several cores through a parallel_environment; name it")
        return self

    def shape_of(self, engine_name: str) -> JobShape:
        """Return what a job for an engine asks for."""
        general = self.model_dump(include=set(JobShape.model_fields))
        return JobShape.model_validate({**general, **self.engines.get(engine_name, {})})

    def profiles(self, engine_names: Iterable[str]) -> dict[tuple[str, ...], JobShape]:
        """Return the kinds of jobs: the engines that share one, and what it asks for."""
        kinds: list[tuple[JobShape, list[str]]] = []
        for name in engine_names:
            shape = self.shape_of(name)
            same = next((names for known, names in kinds if known == shape), None)
            if same is None:
                kinds.append((shape, [name]))
            else:
                same.append(name)
        return {tuple(names): shape for shape, names in kinds}


def load_queue_config(name_or_path: str) -> QueueConfig:
    """Return a shipped queue, or the one of a YAML file.

    Raises
    ------
    ScreenError
        When it is unknown or a field of it is wrong.
    """
    content = shipped.read("queues", name_or_path)
    return validated(QueueConfig, content, f"queue '{name_or_path}'")
