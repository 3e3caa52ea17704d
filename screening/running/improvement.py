"""What a new version of a fitted potential computes again: what it changes, and what was refused.

Versions are engines of their own, and their results stand side by side in a campaign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.pick_states import PickState
from screening.campaigns.stages import EngineStage
from screening.choosing.observations import Proposal
from screening.running.harvest import error_name
from screening.running.promotion import queue_confirmations
from screening.store.fitted_potentials import fit_of, large_value
from screening.targets.engines import FittedEngineConfig

if TYPE_CHECKING:
    from workflows.potentials.potential import Potential


def fitted_stages(campaign: Campaign) -> list[EngineStage]:
    """Return the stages whose engine is a fitted potential, in the order they were added."""
    return [stage for stage in campaign.stages if isinstance(stage.engine, FittedEngineConfig)]


def refused(campaign: Campaign, stage: EngineStage) -> list[str]:
    """Return the candidates that lie outside the domain of a stage's potential, sorted."""
    query = {
        "campaign": campaign.name,
        "engine": stage.engine.name,
        "state": PickState.FAILED,
    }
    return sorted(
        pick["candidate_id"]
        for pick in campaign.database.picks.find(query)
        if error_name(pick.get("traceback", "")) == "OutsideDomain"
    )


def recompute(campaign: Campaign, stage: EngineStage) -> list[str]:
    """Queue with a new version what earlier ones refused, and what it changes; return the ids.

    Nothing is queued twice.
    """
    earlier = [each for each in fitted_stages(campaign) if each is not stage]
    proposals: dict[str, Proposal] = {}
    for before in reversed(earlier):
        for key in refused(campaign, before):
            reason = f"{before.engine.name} refused it"
            proposals.setdefault(key, Proposal(key, reason))
        for key in _changed(campaign, before, stage):
            reason = f"{before.engine.name} differs by more than the error it expects"
            proposals.setdefault(key, Proposal(key, reason))
    done = campaign.results(stage).keys()
    wanted = [proposals[key] for key in sorted(proposals.keys() - done)]
    return queue_confirmations(campaign, stage, wanted)


def _changed(campaign: Campaign, before: EngineStage, stage: EngineStage) -> list[str]:
    """Return the candidates with a result of an earlier version that a new one changes."""
    from pymatgen.core import Structure

    from workflows.potentials.changes import changes

    old, new = _potential(campaign, before), _potential(campaign, stage)
    pool = campaign.snapshot(features=False).pool
    fields = ("candidate_id", "outcome", "reason", "structure")
    stored = campaign.database.results.find(campaign.result_key(before), dict.fromkeys(fields, 1))
    return sorted(
        result["candidate_id"]
        for result in stored
        if result["candidate_id"] in pool and result.get("structure")
        # What relaxation lost is no crystal that could be displaced.
        if not str(result.get("reason") or "").startswith("lost in relaxation")
        if changes(old, new, Structure.from_dict(result["structure"]))
    )


def _potential(campaign: Campaign, stage: EngineStage) -> Potential:
    from workflows.potentials.potential import Potential, PotentialNumbers

    engine: Any = stage.engine
    stored = fit_of(campaign.database, engine.potential)
    numbers = large_value(campaign.database, stored, "numbers")
    return Potential(PotentialNumbers.model_validate(numbers))
