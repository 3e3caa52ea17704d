"""The bridge between a campaign and the physics: candidate + objective + engine → jobflow Flow.

The only place where `screening` builds Makers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening.candidates.candidate import LostInputsError
from screening.candidates.crystal import bare_structure
from screening.machine.plugins import imported
from screening.messages.refusal import Refusal
from screening.targets.constraints import violations
from screening.targets.engines import build_engine
from screening.targets.objectives import Objective

if TYPE_CHECKING:
    from fireworks import Workflow

    from screening.campaigns.config import CampaignConfig
    from screening.candidates.candidate import Candidate
    from screening.targets.engines import EngineConfig
    from workflows.target import TargetInputs, TargetMaker


def candidate_workflow(
    candidate: Candidate,
    config: CampaignConfig,
    engine: EngineConfig,
    tags: dict[str, Any],
    priority: int,
    inputs_hash: str = "",
) -> Workflow:
    """Return the FireWorks workflow that computes one candidate.

    Parameters
    ----------
    tags
        Put on the workflow and on every job, also those that are created while it runs, so that
        workers can ask for one campaign's jobs and outputs can be traced.
    priority
        Jobs with a higher number run first.
    inputs_hash
        Of the inputs, among those that origins of the candidate state, that the flow gets.
    """
    from jobflow.managers.fireworks import flow_to_workflow

    maker = _maker(config.resolved_objective(), config, engine)
    flow = maker.make(candidate.content(), _inputs(candidate, inputs_hash, maker))
    flow.update_metadata(tags, dynamic=True)
    flow.update_config({"manager_config": {"_priority": priority}}, dynamic=True)
    # store=None: the worker's own settings name the store, so that no address or password is
    # written into the Firework.
    workflow: Workflow = flow_to_workflow(flow, store=None)  # type: ignore[arg-type]  # documented
    workflow.metadata.update(tags, output_uuid=flow.output.uuid)
    return workflow


def estimate_cost(candidate: Candidate, config: CampaignConfig, engine: EngineConfig) -> float:
    """Return about what one candidate will cost, in the `cost_unit` of the objective's Maker."""
    maker = _maker(config.resolved_objective(), config, engine)
    return maker.estimate_cost(candidate.content())


def cost_unit(config: CampaignConfig) -> str:
    """Return what the costs of a campaign count, as force calls."""
    unit: str = imported(config.resolved_objective().maker).cost_unit
    return unit


def takes_inputs(config: CampaignConfig) -> bool:
    """Return whether the flow of a campaign takes anything that sources state of a candidate."""
    return bool(imported(config.resolved_objective().maker).inputs_model.model_fields)


def refusal(
    candidate: Candidate,
    config: CampaignConfig,
    engine: EngineConfig,
    inputs_hash: str | None = None,
) -> Refusal | None:
    """Return why a candidate need not be computed, or None.

    Either the objective's flow cannot take it, or what is known of its result beforehand breaks a
    constraint of the campaign.

    Parameters
    ----------
    inputs_hash
        Of the inputs that the flow gets; None takes those of the candidate's first origin, the only
        one of a candidate as its source has it.
    """
    maker = _maker(config.resolved_objective(), config, engine)
    if inputs_hash is None:
        inputs_hash = candidate.origins[0].inputs_hash
    try:
        content, inputs = candidate.content(), _inputs(candidate, inputs_hash, maker)
    except LostInputsError as error:
        return Refusal.of_words(str(error), [candidate.candidate_id])
    reason = maker.refusal(content, inputs)
    if reason is None and config.constraints:
        known = maker.known_beforehand(content, inputs)
        bounds = {field: bound for field, bound in config.constraints.items() if field in known}
        reason = next(iter(violations(known, bounds)), None)
    if reason is None:
        return None
    return Refusal.of_words(reason, [candidate.label, *candidate.elements])


UNSUPPORTED = "unsupported elements"
"""Code of the refusals whose reason is that the engine cannot compute these ``elements``."""


@dataclass(frozen=True)
class NotComputable:
    """Why nothing of a campaign can compute a candidate; a class, so that processes can be sent it.

    Parameters
    ----------
    config
        Of the campaign.
    engine
        That explores.
    """

    config: CampaignConfig
    engine: EngineConfig

    @cached_property
    def _supported(self) -> frozenset[str] | None:
        supported = self.engine.supported_elements()
        return None if supported is None else frozenset(supported)

    def __call__(self, candidate: Candidate) -> Refusal | None:
        """Return the reason, None where a candidate can be computed."""
        unsupported = self.of_elements(frozenset(candidate.elements))
        return unsupported or refusal(candidate, self.config, self.engine)

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return the reason where the engine does not take some of these elements."""
        if self._supported is not None and (other := elements - self._supported):
            return Refusal.of(
                "it contains {elements}, which engine '{engine}' does not support",
                UNSUPPORTED,
                elements=sorted(other),
                engine=self.engine.name,
            )
        return None


def _inputs(candidate: Candidate, inputs_hash: str, maker: TargetMaker) -> TargetInputs:
    """Return the inputs that the source states and the Maker takes, as the Maker's own model."""
    model = maker.inputs_model
    stated = candidate.inputs(inputs_hash)
    taken = {name: _built(value) for name, value in stated.items() if name in model.model_fields}
    return model.model_validate(taken)


def _built(value: Any) -> Any:
    """Return a stored value with its structures built, and nothing that a decoder would import."""
    if isinstance(value, list):
        return [_built(item) for item in value]
    if not isinstance(value, dict):
        return value
    if {"lattice", "sites"} <= value.keys():
        return bare_structure(value)
    return {key: _built(item) for key, item in value.items() if not key.startswith("@")}


def _maker(objective: Objective, config: CampaignConfig, engine: EngineConfig) -> TargetMaker:
    recipe = imported(objective.recipe).model_validate(config.recipe)
    maker: TargetMaker = imported(objective.maker)(engine=build_engine(engine), recipe=recipe)
    return maker
