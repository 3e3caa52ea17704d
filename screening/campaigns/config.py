"""A campaign's configuration: one YAML, validated, fingerprinted and stored with the campaign."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind, candidate_kind
from screening.choosing.config import SamplerConfig
from screening.machine import shipped_configs as shipped
from screening.machine.plugins import imported
from screening.messages.errors import ScreenError
from screening.messages.quantities import Quantity
from screening.messages.validation import nearest, types_of, validated
from screening.targets.constraints import Bound
from screening.targets.objectives import ENERGY_ABOVE_HULL, VERDICT, Objective, objective
from screening.targets.scale import Direction
from screening.targets.second_objective import SecondObjective


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
        Which number is optimised, a name in `screening.targets.objectives.OBJECTIVES` or the
        import path of an `Objective`, and which way.
    second_objective
        A second number to make good at the same time, also written ``also``; None leaves it at one.
    constraints
        What a result must fulfil, by field of its document; one that does not is infeasible.
    engine
        Shipped engine, or the path of an engine's YAML.
    confirm
        A better engine for the best candidates; None leaves it at one engine.
    prior
        Name of an earlier campaign.  Its results are the prior of the model: what is expected of
        candidates before they are computed.  It has a cheaper engine, or a cheaper objective of
        the same unit and scale.
    recipe
        Scientific settings of the flow; checked against the objective's recipe model.
    sources
        Where candidates come from.
    competitors
        Where crystals come from that candidates may decompose into, for an objective whose values
        depend on other results.  Those within the chemical systems of the candidates are all
        computed, by a campaign of their own and beside the budget.
    filters
        Which of them are looked at; fields are those of the filters of their kind.
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
    second_objective: SecondObjective | None = Field(
        None, validation_alias=AliasChoices("second_objective", "also")
    )
    constraints: dict[str, Bound] = Field(default_factory=dict)
    engine: str
    confirm: ConfirmConfig | None = None
    prior: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    sources: list[str] = Field(min_length=1)
    competitors: list[str] = Field(default_factory=list)
    filters: SerializeAsAny[CandidateFilters] = Field(
        default_factory=CandidateFilters, validate_default=True
    )
    sampler: SerializeAsAny[SamplerConfig] = Field(
        default_factory=lambda: SamplerConfig.model_validate({})
    )
    budget: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    refill_below: int = Field(1, gt=0)
    max_attempts: int = Field(2, gt=0)
    seed: int = Field(0, ge=0)

    @classmethod
    def chosen_by(cls, content: dict[str, Any]) -> type[CampaignConfig]:
        """Return the model whose filters are those of the objective's kind of candidates."""
        filters = _kind_of_objective(content.get("objective")).filters
        return create_model(cls.__name__, __base__=cls, filters=(filters, filters()))

    @field_validator("filters", mode="before")
    @classmethod
    def _filters_of_the_kind(cls, value: Any, info: ValidationInfo) -> Any:
        given = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        return _kind_of_objective(info.data.get("objective")).filters.model_validate(given)

    @model_validator(mode="after")
    def _one_value_has_one_prior(self) -> Self:
        if self.prior is not None and self.second_objective is not None:
            raise ValueError(
                "prior and second_objective exclude each other: a prior is for one objective"
            )
        return self

    @model_validator(mode="after")
    def _hull_is_of_one_engine(self) -> Self:
        field = ENERGY_ABOVE_HULL.value_field
        if field in self.constraints and self.confirm is not None:
            raise ValueError(
                f"constraints.{field} and confirm exclude each other: the hull of one engine says "
                "nothing of another's"
            )
        return self

    @model_validator(mode="after")
    def _competitors_matter(self) -> Self:
        if not self.competitors:
            return self
        if self.resolved_objective().derive is None:
            raise ValueError(
                f"competitors: a value of '{self.objective}' depends on no other results; drop them"
            )
        if self.confirm is not None:
            raise ValueError(
                "competitors and confirm exclude each other: the better engine would need energies "
                "of its own for all competitors; submit a campaign with that engine"
            )
        return self

    def resolved_objective(self) -> Objective:
        """Return the objective with this campaign's direction, and with what bounds it shows."""
        own, hull = objective(self.objective, self.direction), ENERGY_ABOVE_HULL
        if hull.value_field not in self.constraints or own.name == hull.name:
            return own
        # A bound that is met says nothing without its verdict, and a verdict without what is
        # missing.
        verdict = (Quantity(hull.value_field, hull.label, hull.unit), *VERDICT)
        return replace(own, shown_fields=(*own.shown_fields, *verdict))

    def kind(self) -> CandidateKind:
        """Return the kind of candidates that the objective's flow takes."""
        return candidate_kind(self.resolved_objective().candidates)

    def recipe_hash(self, engine: dict[str, Any]) -> str:
        """Return a fingerprint of everything that shapes a number: recipe and engine settings.

        Results are shared between campaigns that agree in it.
        """
        model = imported(self.resolved_objective().recipe)
        # Defaults are filled in first, so that spelling one out changes nothing.
        recipe = model.model_validate(self.recipe).model_dump(mode="json")
        content = json.dumps({"recipe": recipe, "engine": engine}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def _kind_of_objective(name: object) -> CandidateKind:
    """Return the kind of candidates of an objective; of one that is unknown, crystals."""
    try:
        return candidate_kind(objective(str(name), "minimize").candidates)
    except ScreenError:
        # What is wrong with the objective is said when it is used.
        return candidate_kind("crystal")


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
    content |= given
    config = validated(CampaignConfig, content, f"target '{target}'", options=given)
    recipe_model = imported(config.resolved_objective().recipe)
    recipe = validated(recipe_model, config.recipe, f"target '{target}', recipe")
    _check_fields(config, f"target '{target}'")
    # With all defaults filled in: a later version's defaults must not change a stored campaign.
    return config.model_copy(update={"recipe": recipe.model_dump(mode="json")})


def _check_fields(config: CampaignConfig, what: str) -> None:
    """Raise `ScreenError` where a constraint or the second objective names no field of a result."""
    kind = config.kind()
    # What results repeat of their candidates is a field of theirs, too.
    repeated = {name: kind.model.model_fields[name] for name in kind.repeated}
    known = {**repeated, **imported(config.resolved_objective().document).model_fields}
    named = [
        (f"constraints.{field}", field, bound.equals is None)
        for field, bound in config.constraints.items()
    ]
    if config.second_objective is not None:
        named.append(("second_objective", config.second_objective.field, True))
    if kind.name == ENERGY_ABOVE_HULL.candidates:
        # Any campaign of crystals may bound it; results of others have no such value of their own.
        field = ENERGY_ABOVE_HULL.value_field
        of_hull = {field: imported(ENERGY_ABOVE_HULL.document).model_fields[field]}
    else:
        of_hull = {}
    own = known
    for part, field, numeric in named:
        known = own | of_hull if part.startswith("constraints.") else own
        allowed = {int, float} if numeric else {bool, str}
        fitting = [
            name for name, field_info in known.items() if types_of(field_info.annotation) & allowed
        ]
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
