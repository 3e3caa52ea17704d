"""Engines by name: `configs/engines/*.yaml`, or the user's own YAML, as `workflows` engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from screening import shipped
from screening.config import validated
from screening.errors import ScreenError

if TYPE_CHECKING:
    from workflows.engines import AseEngine


class EngineConfig(BaseModel):
    """One engine's YAML.

    Parameters
    ----------
    kind
        Row of `workflows.engines.ENGINE_KINDS`.
    description, licence
        For people choosing.
    calculator, arguments, elements, distributions, install_hint, inline_supercells
        See `workflows.engines.AseEngine`.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: str = "ase"
    description: str = ""
    licence: str = ""
    calculator: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    elements: list[str] | None = None
    distributions: list[str] = Field(default_factory=list)
    install_hint: str = ""
    inline_supercells: int = Field(64, ge=0)

    def fingerprint(self) -> dict[str, Any]:
        """Return what shapes this engine's numbers, versions left out."""
        return self.model_dump(mode="json", include={"kind", "calculator", "arguments"})

    def supported_elements(self) -> frozenset[str] | None:
        """Return the elements it knows; None for any."""
        return None if self.elements is None else frozenset(self.elements)


def engine_config(name_or_path: str) -> EngineConfig:
    """Return an engine's configuration.

    Raises
    ------
    ScreenError
        When the engine is unknown or its YAML is wrong.
    """
    content = shipped.read("engines", name_or_path)
    return validated(EngineConfig, content, f"engine '{name_or_path}'")


def build_engine(config: EngineConfig) -> AseEngine:
    """Return the engine that flows use.

    Raises
    ------
    ScreenError
        When its kind is unknown or its package is not installed.
    """
    from workflows.engines import ENGINE_KINDS

    if config.kind not in ENGINE_KINDS:
        known = ", ".join(sorted(ENGINE_KINDS))
        raise ScreenError(f"engine '{config.name}': kind '{config.kind}' unknown; known: {known}")
    fields = config.model_dump(exclude={"kind", "description", "licence"})
    engine = ENGINE_KINDS[config.kind](**fields)
    missing = engine.missing()
    if missing is not None:
        raise ScreenError(f"engine '{config.name}' cannot run: {missing}")
    return engine
