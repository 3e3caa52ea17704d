"""How a campaign says which sampler and which surrogate; their own models check their options."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from screening.choosing.samplers import SAMPLERS, Sampler
from screening.choosing.surrogates import SURROGATES, Surrogate
from screening.machine.plugins import PlugIns
from screening.messages.errors import ScreenError


class PlugInConfig(BaseModel, extra="forbid"):
    """What a plug-in is told: its `kind`, and options that its own model, `Options`, checks.

    A direct subclass stands for one extension point and has `plug_ins`; validating it gives the
    `Options` of the plug-in that `kind` names.  These inherit from that subclass, and hold its
    fields too.

    Attributes
    ----------
    kind : str
        Name of the plug-in, or its import path, ``package.module:attribute``.
    """

    plug_ins: ClassVar[PlugIns[Any]]

    kind: str

    @classmethod
    def chosen_by(cls, content: Any) -> type[Self]:
        """Return the model that checks a section: of an extension point, that of the plug-in."""
        if not (cls._is_extension_point() and isinstance(content, dict)):
            return cls
        kind: Any = content.get("kind", cls.model_fields["kind"].default)
        return cls.plug_ins.load(kind).Options if isinstance(kind, str) else cls

    @classmethod
    def _is_extension_point(cls) -> bool:
        return PlugInConfig in cls.__bases__

    @model_validator(mode="wrap")
    @classmethod
    def _checked_by_the_plug_in(
        cls, content: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        if not (cls._is_extension_point() and isinstance(content, dict)):
            return handler(content)
        try:
            model = cls.chosen_by(content)
        except ScreenError as error:
            problem = PydanticCustomError("plug_in", "{problem}", {"problem": str(error)})
            details = InitErrorDetails(type=problem, loc=("kind",), input=content["kind"])
            raise ValidationError.from_exception_data(cls.__name__, [details]) from error
        return handler(content) if model is cls else model.model_validate(content)


class SurrogateConfig(PlugInConfig):
    """Which model predicts the objective.

    Attributes
    ----------
    kind : str
        A name of `SURROGATES`, or an import path.
    """

    plug_ins = SURROGATES

    kind: str = "gaussian-process"


class SamplerConfig(PlugInConfig):
    """How candidates are picked; what all samplers are told.

    Attributes
    ----------
    kind : str
        A name of `SAMPLERS`, or an import path.
    initial : int
        Picks that spread over the pool before a model is asked.
    surrogate : SurrogateConfig
        Which model predicts, for the sampler and for rankings.
    """

    plug_ins = SAMPLERS

    kind: str = "expected-improvement"
    initial: int = Field(default=5, ge=1)
    surrogate: SerializeAsAny[SurrogateConfig] = Field(
        default_factory=lambda: SurrogateConfig.model_validate({})
    )


def build_sampler(config: SamplerConfig) -> Sampler:
    """Make the sampler that a campaign asks for."""
    return SAMPLERS.load(config.kind)(config)


def build_surrogate(config: SurrogateConfig, seed: int) -> Surrogate:
    """Make an unfitted model; the seed makes its predictions repeatable."""
    return SURROGATES.load(config.kind)(config, seed)
