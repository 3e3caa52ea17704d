"""The bridge between a campaign and the physics: candidate + objective + engine → jobflow Flow.

The only place where `screening` builds Makers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from screening.candidates.candidate import bare_structure
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
    flow = maker.make(candidate.pymatgen_structure(), **_inputs(candidate, inputs_hash, maker.make))
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
    return int(maker.estimate_force_calls(candidate.pymatgen_structure()))


def refusal(
    candidate: Candidate,
    config: CampaignConfig,
    engine: EngineConfig,
    inputs_hash: str | None = None,
) -> str | None:
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
    structure = candidate.pymatgen_structure()
    if hasattr(maker, "refusal"):
        reason = maker.refusal(structure, **_inputs(candidate, inputs_hash, maker.refusal))
    if reason is None and config.constraints and hasattr(maker, "foreknown"):
        known = maker.foreknown(structure, **_inputs(candidate, inputs_hash, maker.foreknown))
        bounds = {field: each for field, each in config.constraints.items() if field in known}
        reason = next(iter(violations(known, bounds)), None)
    return reason


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
