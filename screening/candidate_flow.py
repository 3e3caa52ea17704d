"""The bridge between a campaign and the physics: candidate + objective + engine → jobflow Flow.

The only place where `screening` builds Makers.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from screening.engine_catalog import build_engine
from screening.objectives import Objective, load

if TYPE_CHECKING:
    from fireworks import Workflow

    from screening.candidate import Candidate
    from screening.config import CampaignConfig
    from screening.engine_catalog import EngineConfig


def candidate_workflow(
    candidate: Candidate,
    config: CampaignConfig,
    engine: EngineConfig,
    tags: dict[str, Any],
    priority: int,
) -> Workflow:
    """Return the FireWorks workflow that computes one candidate.

    Parameters
    ----------
    tags
        Put on the workflow and on every job, also those that are created while it runs, so that
        workers can ask for one campaign's jobs and outputs can be traced.
    priority
        Jobs with a higher number run first.
    """
    from jobflow.managers.fireworks import flow_to_workflow
    from pymatgen.core import Structure

    from workflows.documents import DielectricDocument

    maker = _maker(config.resolved_objective(), config, engine)
    known = {}
    if (
        candidate.dielectric is not None
        and "dielectric" in inspect.signature(maker.make).parameters
    ):
        known["dielectric"] = DielectricDocument.model_validate(
            {
                **candidate.dielectric,
                "structure": Structure.from_dict(candidate.dielectric["structure"]),
            }
        )
    flow = maker.make(candidate.pymatgen_structure(), **known)
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


def _maker(objective: Objective, config: CampaignConfig, engine: EngineConfig) -> Any:
    recipe = load(objective.recipe).model_validate(config.recipe)
    return load(objective.maker)(engine=build_engine(engine), recipe=recipe)
