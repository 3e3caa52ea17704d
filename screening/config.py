"""A campaign's configuration: one YAML, validated, fingerprinted and stored with the campaign."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from screening import shipped
from screening.constraints import Bound
from screening.errors import ScreenError
from screening.filters import FilterConfig
from screening.objectives import Direction, Objective, load, objective
from screening.pareto import SecondObjective
from screening.samplers import SamplerConfig

Model = TypeVar("Model", bound=BaseModel)


class ConfirmConfig(BaseModel):
    """A second, better engine for the best of a campaign.

    Parameters
    ----------
    engine
        Shipped engine, or the path of an engine's YAML; its fidelity must be higher.
    top
        How many of the best candidates it computes, once the budget of the first is spent.
    """

    model_config = ConfigDict(extra="forbid")

    engine: str
    top: int = Field(gt=0)


class CampaignConfig(BaseModel):
    """What a campaign does.

    Parameters
    ----------
    target
        Name of the target: the YAML it came from.
    description
        One sentence for people.
    objective, direction
        Which number is optimised (a key of `screening.objectives.OBJECTIVES`), and which way.
    also
        A second number to make good at the same time; None leaves it at one.
    constraints
        What a result must fulfil, by field of its document; one that does not is infeasible.
    engine
        Shipped engine, or the path of an engine's YAML.
    confirm
        A better engine for the best candidates; None leaves it at one engine.
    prior
        An earlier campaign whose results are what is expected of candidates beforehand: a cheaper
        engine's, or a cheaper objective of the same unit and scale; None expects nothing.
    recipe
        Scientific settings of the flow; checked against the objective's recipe model.
    sources
        Where crystals come from.
    filters
        Which of them are looked at.
    sampler
        How the next batch is chosen.
    budget
        Candidates this campaign may compute, whatever their outcome.
    batch_size
        Candidates chosen at once.
    refill_below
        A new batch is chosen when fewer than this many candidates are queued or running.  1 waits
        for a whole batch (picks do not depend on which worker was faster); `batch_size` keeps
        every worker busy.
    max_attempts
        Times a candidate is tried before it counts as failed.
    seed
        Seed of everything random.
    """

    model_config = ConfigDict(extra="forbid")

    target: str
    description: str = ""
    objective: str
    direction: Direction = "minimize"
    also: SecondObjective | None = None
    constraints: dict[str, Bound] = Field(default_factory=dict)
    engine: str
    confirm: ConfirmConfig | None = None
    prior: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    sources: list[str] = Field(min_length=1)
    filters: FilterConfig = Field(default_factory=FilterConfig)
    sampler: SamplerConfig = Field(default_factory=SamplerConfig)
    budget: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    refill_below: int = Field(1, gt=0)
    max_attempts: int = Field(2, gt=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_value_has_one_prior(self) -> Self:
        if self.prior is not None and self.also is not None:
            raise ValueError("prior and also exclude each other: a prior is for one objective")
        return self

    def resolved_objective(self) -> Objective:
        """Return the objective with this campaign's direction."""
        return objective(self.objective, self.direction)

    def recipe_hash(self, engine: dict[str, Any]) -> str:
        """Return a fingerprint of everything that shapes a number: recipe and engine settings.

        Results are shared between campaigns that agree in it.
        """
        model = load(self.resolved_objective().recipe)
        # Defaults are filled in first, so that spelling one out changes nothing.
        recipe = model.model_validate(self.recipe).model_dump(mode="json")
        content = json.dumps({"recipe": recipe, "engine": engine}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def load_campaign_config(target: str, overrides: dict[str, Any]) -> CampaignConfig:
    """Read a target (shipped name or YAML path) with the command line's values on top.

    Raises
    ------
    ScreenError
        When the target is unknown or a field of it is wrong.
    """
    content = shipped.read("targets", target)
    content.setdefault("target", target)
    given = {key: value for key, value in overrides.items() if value is not None}
    config = validated(CampaignConfig, {**content, **given}, f"target '{target}'", options=given)
    recipe_model = load(config.resolved_objective().recipe)
    recipe = validated(recipe_model, config.recipe, f"target '{target}', recipe")
    _check_fields(config, f"target '{target}'")
    # With all defaults filled in: a later version's defaults must not change a stored campaign.
    return config.model_copy(update={"recipe": recipe.model_dump(mode="json")})


def check_choice(option: str, given: str | None, known: Collection[str]) -> None:
    """Raise `ScreenError` where an option of the command line is none of the names known."""
    if given is not None and given not in known:
        raise ScreenError(f"{option} '{given}': unknown; {nearest(given, known)}")


def _check_fields(config: CampaignConfig, what: str) -> None:
    """Raise `ScreenError` where a constraint or the second objective names no field of a result."""
    known = load(config.resolved_objective().document).model_fields
    named = [
        (f"constraints.{field}", field, bound.equals is None)
        for field, bound in config.constraints.items()
    ]
    if config.also is not None:
        named.append(("also", config.also.field, True))
    for part, field, numeric in named:
        allowed = {int, float} if numeric else {bool, str}
        fitting = [name for name, each in known.items() if _kinds(each.annotation) & allowed]
        if field not in known:
            raise ScreenError(
                f"{what}: {part}: results of '{config.objective}' have no field '{field}'; "
                + nearest(field, fitting)
            )
        if field not in fitting:
            raise ScreenError(
                f"{what}: {part}: field '{field}' is no "
                + ("number" if numeric else "true or false, and no text; give min or max")
            )


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that a field may have."""
    return set(get_args(annotation) or (annotation,))


def validated(
    model: type[Model], content: dict[str, Any], what: str, options: Collection[str] = ()
) -> Model:
    """Return `content` as `model`.

    Parameters
    ----------
    options
        Fields that the command line gave, to be named as its options.

    Raises
    ------
    ScreenError
        Naming the field of `what` that is wrong, and the remedy.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ScreenError(_explain(error, model, what, options)) from None


def _explain(
    error: ValidationError, model: type[BaseModel], what: str, options: Collection[str]
) -> str:
    """Return one complaint of pydantic as one sentence a user can act on."""
    # A misspelt field is also a missing one; the misspelling is what the user can see.
    complaints = error.errors(include_url=False)
    first = min(complaints, key=lambda each: each["type"] != "extra_forbidden")
    # pydantic names the branch of a union and the key of a mapping as if they were fields.
    path = [str(part) for part in first["loc"] if part not in ("bool", "str", "[key]")]
    if path and path[0] in options:
        subject = f"--{path[0].replace('_', '-')}"
    else:
        subject = f"{what}: field '{'.'.join(path)}'" if path else what
    if first["type"] == "extra_forbidden":
        return f"{subject} is unknown; {nearest(path[-1], _fields_beside(model, path))}"
    if first["type"] == "missing":
        return f"{subject} is missing"
    message = first["msg"].removeprefix("Value error, ")
    if message.startswith("Input should "):
        message = f" must {message.removeprefix('Input should ')}"
    else:
        message = f": {message[:1].lower()}{message[1:]}"
    value = first["input"]
    # Whoever writes NAME=VALUE there may have written a password.
    said = (
        not path
        or "environment" in path
        or isinstance(value, dict)
        or (isinstance(value, str) and repr(value) in message)
    )
    return f"{subject}{message}" + ("" if said else f", not {value!r}")


def nearest(name: str, known: Collection[str]) -> str:
    """Return what an unknown name may have meant."""
    close = [each for each in known if name in each.split("_")]
    close += difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"


def _fields_beside(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the fields known at the place of an unknown one."""
    for part in path[:-1]:
        if part not in model.model_fields:  # the key of a mapping, or the place in a list
            continue
        # A part that may be left out is a union with None.
        kinds = _kinds(model.model_fields[part].annotation)
        inner = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
        if len(inner) != 1:
            return []
        [model] = inner
    return list(model.model_fields)
