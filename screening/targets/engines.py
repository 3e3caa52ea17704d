"""Engines by name: `configs/engines/*.yaml`, or the user's own YAML, as `workflows` engines."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from screening.machine import shipped_configs as shipped
from screening.machine.plugins import PlugIns, imported
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from workflows.dft.programs import PROGRAMS, load_program
from workflows.dft.settings import SAFE_TO_CHANGE

if TYPE_CHECKING:
    from workflows.engines import Engine


class EngineConfig(BaseModel):
    """What every engine's YAML has.

    Parameters
    ----------
    help
        What engines of this kind are, in a sentence.
    engine_class
        Import path of a class that is a `workflows.engines.Engine`.
    kind
        Name in `ENGINE_KINDS`, or an import path.
    description, licence
        For people choosing.
    fidelity
        Of two results for one crystal, the one of the engine with the higher number is ranked:
        0 toys, 10 to 19 potentials, 20 and more first principles; potentials that were fitted to
        one stand below it, below 0 where it is a toy.
    elements
        Chemical symbols it may be given; None for all it knows.
    candidates
        Kinds of candidates that it computes; None for all.
    inline_supercells
        See `workflows.engines.Engine`.
    """

    model_config = ConfigDict(extra="forbid")
    help: ClassVar[str]
    engine_class: ClassVar[str]

    name: str
    kind: str
    description: str = ""
    licence: str = ""
    fidelity: int = Field(0, ge=-5)
    elements: list[str] | None = None
    candidates: list[str] | None = None
    inline_supercells: int = Field(64, ge=0)

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        raise NotImplementedError

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        raise NotImplementedError

    def supported_elements(self) -> frozenset[str] | None:
        """Return the elements that the engine takes; None for any."""
        from workflows.errors import EngineError

        try:
            return build_engine(self).supported_elements()
        except EngineError as error:
            raise ScreenError(f"engine '{self.name}': {error}") from None


NOT_OF_THE_ENGINE = {"kind", "description", "licence", "fidelity", "candidates"}
"""Fields of a configuration that the engine itself does not have."""


class AseEngineConfig(EngineConfig):
    """An ASE calculator inside the worker's process; see `workflows.engines.AseEngine`."""

    help: ClassVar[str] = "An ASE calculator, inside the worker's process."
    engine_class: ClassVar[str] = "workflows.engines.AseEngine"
    kind: Literal["ase"] = "ase"
    calculator: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    distributions: list[str] = Field(default_factory=list)
    install_hint: str = ""

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out.

        Files among the arguments count by their content and not by their path.
        """
        shaping = self.model_dump(mode="json", include={"kind", "calculator", "arguments"})
        return {**shaping, "arguments": _with_contents(shaping["arguments"])}

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        return self.model_dump(exclude=NOT_OF_THE_ENGINE)


class DftEngineConfig(EngineConfig):
    """A DFT program, one process a supercell; see `workflows.dft.engine.DftEngine`."""

    help: ClassVar[str] = "A first-principles program, one process a supercell."
    engine_class: ClassVar[str] = "workflows.dft.engine.DftEngine"
    kind: str
    inline_supercells: int = Field(0, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    retries: list[dict[str, Any]] = Field(default_factory=list)
    prior: AseEngineConfig | None = None
    timeout_h: float = Field(24.0, gt=0)
    force_floor_ev_per_a: float = Field(1e-3, gt=0)
    stress_floor_gpa: float = Field(0.05, gt=0)
    stress_convergence_gpa: float = Field(0.05, gt=0)

    @field_validator("prior", mode="before")
    @classmethod
    def _named_prior(cls, value: Any) -> Any:
        # Whole, for a stored campaign: what a name stands for may change.
        return shipped.read("engines", value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fill_in_settings(self) -> Self:
        model = load_program(self.kind).Settings
        for changes in self.retries:
            if wrong := sorted(changes.keys() - SAFE_TO_CHANGE):
                raise ValueError(
                    f"retries: {wrong[0]} would change the result of one supercell among many; "
                    f"a retry may change {', '.join(sorted(SAFE_TO_CHANGE))}"
                )
            model.model_validate({**self.settings, **changes})
        # With all defaults: a later version's defaults must not change a stored campaign.
        self.settings = model.model_validate(self.settings).model_dump(mode="json")
        return self

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        shaping = {"kind", "settings", "force_floor_ev_per_a", "stress_floor_gpa"}
        shaping |= {"stress_convergence_gpa"}
        program = load_program(self.kind)
        potentials = program.fingerprint(program.Settings.model_validate(self.settings))
        return {
            **self.model_dump(mode="json", include=shaping),
            "potentials": potentials,
            "prior": None if self.prior is None else self.prior.fingerprint(),
        }

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        fields = self.model_dump(exclude={*NOT_OF_THE_ENGINE, "prior"})
        prior = None if self.prior is None else build_engine(self.prior)
        return {**fields, "program": self.kind, "prior": prior}


class RadonPyEngineConfig(EngineConfig):
    """RadonPy and LAMMPS; see `workflows.amorphous.engine.RadonPyEngine`."""

    help: ClassVar[str] = "RadonPy: GAFF2 and molecular dynamics of amorphous polymers by LAMMPS."
    engine_class: ClassVar[str] = "workflows.amorphous.engine.RadonPyEngine"
    kind: Literal["radonpy"] = "radonpy"
    charges: Literal["gasteiger", "RESP"] = "gasteiger"
    mpi_processes: int = Field(0, ge=0)
    threads: int = Field(0, ge=0)
    gpus: int = Field(0, ge=0)
    timeout_h: float = Field(240.0, gt=0)

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        return self.model_dump(mode="json", include={"kind", "charges"})

    def supported_elements(self) -> frozenset[str] | None:
        """Return those of GAFF2's elements that the engine may be given."""
        known = super().supported_elements()
        asked = None if self.elements is None else frozenset(self.elements)
        return asked if known is None or asked is None else known & asked

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        machine = {"name", "charges", "mpi_processes", "threads", "gpus", "timeout_h"}
        return self.model_dump(include=machine)


class FittedEngineConfig(EngineConfig):
    """A potential that this database holds; see `workflows.potentials`."""

    help: ClassVar[str] = "A potential that `matscreen fit` has made, as fitted:NAME."
    engine_class: ClassVar[str] = "workflows.engines.AseEngine"
    kind: Literal["fitted"] = "fitted"
    inline_supercells: int = Field(2000, ge=0)
    potential: str
    label_engine: str = ""

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers: the content of the potential."""
        return {"kind": self.kind, "potential": self.potential}

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        return {
            "name": self.name,
            "elements": self.elements,
            "inline_supercells": self.inline_supercells,
            "calculator": "screening.potentials.engine.calculator",
            "arguments": {"potential": self.potential},
            "distributions": ["pypolymlp"],
            "install_hint": "run, in a clone of this project: pip install '.[fitted]'",
        }


ENGINE_KINDS: PlugIns[type[EngineConfig]] = PlugIns(
    "kind of engine",
    "matscreen.engine_kinds",
    {
        "ase": f"{__name__}:AseEngineConfig",
        "radonpy": f"{__name__}:RadonPyEngineConfig",
        "fitted": f"{__name__}:FittedEngineConfig",
        **dict.fromkeys(PROGRAMS, f"{__name__}:DftEngineConfig"),
    },
)
"""Models of engines' YAMLs; an engine itself needs no row, only its YAML."""


NAMED_ENGINES: PlugIns[Callable[[str], dict[str, Any]]] = PlugIns(
    "collection of engines",
    "matscreen.named_engines",
    {"fitted": "screening.potentials.engine:fitted_engine"},
)
"""Functions that return the content of an engine's YAML for what follows the colon of its name."""


def parse_engine(content: Mapping[str, Any], what: str) -> EngineConfig:
    """Return an engine's configuration from the content of its YAML or its stored form.

    Raises
    ------
    ScreenError
        When its kind is unknown or a field is wrong.
    """
    try:
        model = ENGINE_KINDS.load(str(content.get("kind", "ase")))
    except ScreenError as error:
        raise ScreenError(f"{what}: {error}") from None
    return validated(model, dict(content), what)


def engine_config(name_or_path: str) -> EngineConfig:
    """Return an engine's configuration.

    Raises
    ------
    ScreenError
        When the engine is unknown or its YAML is wrong.
    """
    collection, colon, name = name_or_path.partition(":")
    if colon and collection in NAMED_ENGINES.names():
        content = NAMED_ENGINES.load(collection)(name)
    else:
        content = shipped.read("engines", name_or_path)
    return parse_engine(content, f"engine '{name_or_path}'")


def build_engine(config: EngineConfig) -> Engine:
    """Return the engine that flows use, which may need what this machine does not have."""
    engine: Engine = imported(config.engine_class)(**config.engine_fields())
    return engine


def require_engine(config: EngineConfig) -> None:
    """Raise `ScreenError` when an engine cannot run on this machine, or lacks what flows ask for.

    A calculator of the user's own is loaded to see what it computes; those of shipped engines,
    which are tested, are not: some take seconds.
    """
    from workflows.engines import AseEngine

    engine = build_engine(config)
    reason = engine.missing()
    if (
        reason is None
        and isinstance(engine, AseEngine)
        and isinstance(config, AseEngineConfig)
        and config.name not in shipped.names("engines")
    ):
        reason = engine.incapable()
    if reason is not None:
        raise ScreenError(f"engine '{config.name}' cannot run: {reason}")


def check_kind(config: EngineConfig, kind: str) -> None:
    """Raise `ScreenError` when an engine computes no candidates of a kind."""
    taken = config.candidates
    if taken is not None and kind not in taken:
        raise ScreenError(
            f"engine '{config.name}' computes candidates of kind {', '.join(taken)}, and those of "
            f"this objective are of kind {kind}; choose another engine"
        )


def _with_contents(value: Any) -> Any:
    """Return a configuration with each path of an existing file or folder as a hash of its content.

    A text is a path where it has a slash or an ending, as in ``/models/mine`` and ``mine.pth``: the
    name of a model, as ``medium``, is never one, whatever lies in the working directory.
    """
    if isinstance(value, dict):
        return {key: _with_contents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_contents(item) for item in value]
    if isinstance(value, str) and (os.sep in value or Path(value).suffix) and os.path.exists(value):
        return f"sha256:{_content_hash(Path(value))}"
    return value


def _content_hash(path: Path) -> str:
    """Return the sha256 of a file, or of the names and hashes of all files in a folder."""
    if not path.is_dir():
        status = path.stat()
        return _file_hash(str(path.resolve()), status.st_size, status.st_mtime_ns)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{_content_hash(file)}\n".encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=1024)
def _file_hash(path: str, size: int, mtime_ns: int) -> str:
    # Size and time only tell whether the hash that is remembered still holds.
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
