"""The bridge between a campaign and the physics: candidate + objective + engine → jobflow Flow.

The only place where `screening` builds Makers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening.candidates.crystal import bare_structure
from screening.candidates.refusal import Refusal
from screening.targets.constraints import violations
from screening.targets.engines import build_engine
from screening.targets.objectives import Objective, load

if TYPE_CHECKING:
    from fireworks import Workflow

    from screening.campaigns.config import CampaignConfig
    from screening.candidates.candidate import Candidate
    from screening.targets.engines import EngineConfig


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
    flow = maker.make(candidate.content(), **_inputs(candidate, inputs_hash, maker.make))
    flow.update_metadata(tags, dynamic=True)
    flow.update_config({"manager_config": {"_priority": priority}}, dynamic=True)
    # store=None: the worker's own settings name the store, so that no address or password is
    # written into the Firework.
    workflow: Workflow = flow_to_workflow(flow, store=None)  # type: ignore[arg-type]  # documented
    workflow.metadata.update(tags, output_uuid=flow.output.uuid)
    return workflow


def estimate_force_calls(candidate: Candidate, config: CampaignConfig, engine: EngineConfig) -> int:
    """Return about how many force calls one candidate will take."""
    maker = _maker(config.resolved_objective(), config, engine)
    return int(maker.estimate_force_calls(candidate.content()))


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
    reason: str | None = None
    if not hasattr(maker, "refusal") and not (config.constraints and hasattr(maker, "foreknown")):
        return None
    if inputs_hash is None:
        inputs_hash = candidate.origins[0].inputs_hash
    content = candidate.content()
    if hasattr(maker, "refusal"):
        reason = maker.refusal(content, **_inputs(candidate, inputs_hash, maker.refusal))
    if reason is None and config.constraints and hasattr(maker, "foreknown"):
        known = maker.foreknown(content, **_inputs(candidate, inputs_hash, maker.foreknown))
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
        if self._supported is not None and (other := set(candidate.elements) - self._supported):
            return Refusal.of(
                "it contains {elements}, which engine '{engine}' does not support",
                UNSUPPORTED,
                elements=sorted(other),
                engine=self.engine.name,
            )
        return refusal(candidate, self.config, self.engine)


def _inputs(candidate: Candidate, inputs_hash: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return those of the inputs that a function of the Maker takes, as it takes them."""
    taken = inspect.signature(function).parameters
    return {
        name: INPUTS[name](value)
        for name, value in candidate.inputs(inputs_hash).items()
        if name in taken and name in INPUTS
    }


def _dielectric(content: dict[str, Any]) -> Any:
    from workflows.documents import DielectricDocument

    return DielectricDocument.model_validate(
        {**content, "structure": bare_structure(content["structure"])}
    )


INPUTS: dict[str, Callable[[Any], Any]] = {
    "dielectric": _dielectric,
    "charged": bare_structure,
    "working_ion": str,
    "remaining_fraction": float,
    "oxidation_states": dict,
    "energy_above_hull_ev_per_atom": float,
}
"""Inputs that sources may state, and what makes the Maker's argument of each."""


def _maker(objective: Objective, config: CampaignConfig, engine: EngineConfig) -> Any:
    recipe = load(objective.recipe).model_validate(config.recipe)
    return load(objective.maker)(engine=build_engine(engine), recipe=recipe)
