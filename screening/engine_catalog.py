"""Engines by name: `configs/engines/*.yaml`, or the user's own YAML, as `workflows` engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from screening import shipped
from screening.config import validated
from screening.errors import ScreenError
from workflows.dft.settings import MAGNETIC_MOMENT_MU_B, SAFE_TO_CHANGE, SETTINGS

if TYPE_CHECKING:
    from workflows.engines import Engine


class EngineConfig(BaseModel):
    """What every engine's YAML has.

    Parameters
    ----------
    kind
        Row of `CONFIGS` here and of `workflows.engines.ENGINE_KINDS`.
    description, licence
        For people choosing.
    fidelity
        Of two results for one crystal, the one of the engine with the higher number is ranked:
        0 toys, 10 to 19 potentials, 20 and more first principles.
    elements
        Chemical symbols it may be given; None for all it knows.
    inline_supercells
        See `workflows.engines.Engine`.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: str
    description: str = ""
    licence: str = ""
    fidelity: int = Field(0, ge=0)
    elements: list[str] | None = None
    inline_supercells: int = Field(64, ge=0)

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        raise NotImplementedError

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        raise NotImplementedError

    def supported_elements(self) -> frozenset[str] | None:
        """Return the elements it knows; None for any."""
        return None if self.elements is None else frozenset(self.elements)


class AseEngineConfig(EngineConfig):
    """An ASE calculator inside the worker's process; see `workflows.engines.AseEngine`."""

    kind: Literal["ase"] = "ase"
    calculator: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    distributions: list[str] = Field(default_factory=list)
    install_hint: str = ""

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        return self.model_dump(mode="json", include={"kind", "calculator", "arguments"})

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        return self.model_dump(exclude={"kind", "description", "licence", "fidelity"})


class DftEngineConfig(EngineConfig):
    """A DFT program, one process a supercell; see `workflows.dft.engine.DftEngine`."""

    kind: Literal["gpaw", "espresso", "vasp"]
    inline_supercells: int = Field(0, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    retries: list[dict[str, Any]] = Field(default_factory=list)
    timeout_h: float = Field(24.0, gt=0)
    force_floor_ev_per_a: float = Field(1e-3, gt=0)
    stress_floor_gpa: float = Field(0.05, gt=0)

    @model_validator(mode="after")
    def _fill_in_settings(self) -> Self:
        model = SETTINGS[self.kind]
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
        from workflows.dft.programs import load_program

        shaping = {"kind", "settings", "force_floor_ev_per_a", "stress_floor_gpa"}
        settings = SETTINGS[self.kind].model_validate(self.settings)
        potentials = load_program(self.kind).fingerprint(settings)
        return {**self.model_dump(mode="json", include=shaping), "potentials": potentials}

    def engine_fields(self) -> dict[str, Any]:
        """Return the keyword arguments of the engine's class."""
        fields = self.model_dump(exclude={"kind", "description", "licence", "fidelity"})
        return {**fields, "program": self.kind}

    def supported_elements(self) -> frozenset[str] | None:
        """Return the elements with a pseudopotential and a cut-off, as far as spin allows."""
        from workflows.dft.programs import load_program
        from workflows.errors import EngineError

        try:
            known = load_program(self.kind).known_elements(
                SETTINGS[self.kind].model_validate(self.settings)
            )
        except EngineError as error:
            raise ScreenError(f"engine '{self.name}': {error}") from None
        if self.settings["spin"] == "off":
            known -= set(MAGNETIC_MOMENT_MU_B)
        return frozenset(known if self.elements is None else known & set(self.elements))


CONFIGS: dict[str, type[EngineConfig]] = {
    "ase": AseEngineConfig,
    **dict.fromkeys(SETTINGS, DftEngineConfig),
}


def parse_engine(content: Mapping[str, Any], what: str) -> EngineConfig:
    """Return an engine's configuration from the content of its YAML or its stored form.

    Raises
    ------
    ScreenError
        When its kind is unknown or a field is wrong.
    """
    kind = content.get("kind", "ase")
    if kind not in CONFIGS:
        raise ScreenError(f"{what}: kind '{kind}' unknown; known: {', '.join(sorted(CONFIGS))}")
    return validated(CONFIGS[kind], dict(content), what)


def engine_config(name_or_path: str) -> EngineConfig:
    """Return an engine's configuration.

    Raises
    ------
    ScreenError
        When the engine is unknown or its YAML is wrong.
    """
    return parse_engine(shipped.read("engines", name_or_path), f"engine '{name_or_path}'")


def build_engine(config: EngineConfig) -> Engine:
    """Return the engine that flows use, which may need what this machine does not have."""
    from screening.objectives import load
    from workflows.engines import ENGINE_KINDS

    engine: Engine = load(ENGINE_KINDS[config.kind])(**config.engine_fields())
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
        and config.name not in shipped.names("engines")
    ):
        reason = engine.incapable()
    if reason is not None:
        raise ScreenError(f"engine '{config.name}' cannot run: {reason}")
