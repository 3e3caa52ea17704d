"""The best candidates are sent on to a better engine, which confirms them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from screening.campaigns.campaign import Campaign
from screening.campaigns.flows import refusal
from screening.campaigns.stages import EngineStage
from screening.choosing.observations import Proposal
from screening.ranking.build import ranking
from screening.running.picks import new_pick
from screening.running.submission import fill_queue


def promote_configured(campaign: Campaign) -> None:
    """Send the best candidates on to the engine that the campaign's configuration names."""
    confirm = campaign.config.confirm
    if confirm is None or len(campaign.stages) < 2:
        return
    extensions = campaign.extensions()
    promote(campaign, campaign.stages[1], confirm.top)
    fill_queue(campaign)
    campaign.set_promoted(extensions)


def promote(campaign: Campaign, stage: EngineStage, top: int) -> list[str]:
    """Claim the best candidates for a better engine; return their ids.

    The next `advance` queues them.

    Of those that the better engine can take, the best `top` by the ranking count, whether
    computed by the engine that explores or confirmed already; those that the better engine has
    computed or is computing are not queued again.  A crystal that the exploring engine calls
    unstable counts where the ranking has an expectation of it.
    """
    done = set(campaign.results(stage))
    supported = stage.engine.supported_elements()

    def takes(candidate_id: str) -> bool:
        candidate = campaign.candidate(candidate_id)
        if supported is not None and not supported.issuperset(candidate.elements):
            return False
        inputs_hash = campaign.inputs_hash(candidate_id)
        return refusal(candidate, campaign.config, stage.engine, inputs_hash) is None

    computed = (
        row
        for row in ranking(campaign)
        if row.outcome == "computed"
        or (row.outcome == "unstable" and row.expected_value is not None)
    )
    best = itertools.islice((row for row in computed if takes(row.candidate_id)), top)
    proposals = [
        Proposal(row.candidate_id, f"promoted: rank {row.rank} with {row.engine}", rank=row.rank)
        for row in best
        if row.candidate_id not in done
    ]
    return queue_confirmations(campaign, stage, proposals)


def queue_confirmations(
    campaign: Campaign, stage: EngineStage, proposals: Sequence[Proposal]
) -> list[str]:
    """Claim candidates for an engine that was added; return the ids of those it did not have yet.

    The next `advance` queues them.
    """
    number = sum(pick["engine"] == stage.engine.name for pick in campaign.confirmation_picks())
    names = {
        proposal.candidate_id: f"{campaign.name}/{proposal.candidate_id}/{stage.engine.name}"
        for proposal in proposals
    }
    campaign.note(list(names.values()))
    queued: list[str] = []
    for proposal in proposals:
        pick = new_pick(campaign, stage.engine.name, proposal, number + 1, 0)
        pick["_id"] = names[proposal.candidate_id]
        if _insert(campaign, pick):
            number = pick["number"]
            queued.append(proposal.candidate_id)
    campaign.note(list(names.values()))
    return queued


def _insert(campaign: Campaign, pick: dict[str, Any]) -> bool:
    """Store a confirmation under the first free number from its own on; False if it is there."""
    from pymongo.errors import DuplicateKeyError

    while True:
        try:
            campaign.database.picks.insert_one(pick)
        except DuplicateKeyError:
            if campaign.database.picks.find_one({"_id": pick["_id"]}, {"_id": 1}) is not None:
                return False
            pick["number"] += 1
        else:
            return True
