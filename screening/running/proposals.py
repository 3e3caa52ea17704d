"""The next batch: candidates that the sampler proposes are claimed under numbers of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from screening.campaigns.campaign import Campaign
from screening.campaigns.snapshot import Snapshot
from screening.campaigns.training_data import feature_matrix, for_search, training_data
from screening.choosing.config import build_sampler
from screening.choosing.observations import Proposal, SearchEndedError
from screening.running import lease
from screening.running.picks import new_pick
from screening.running.submission import fill_queue

DUPLICATE = 11000
"""MongoDB's error code for a second document with a value that must be unique."""


@dataclass(frozen=True)
class Round:
    """What `propose` found and did.

    Attributes
    ----------
    in_flight
        Candidates that were queued or running, counted up to `CampaignConfig.refill_below`.
    active
        Whether the campaign is, unless that many were in flight.
    proposals
        What it has claimed.
    snapshot
        What the campaign knew, where that was asked.
    """

    in_flight: int
    active: bool = True
    proposals: Sequence[Proposal] = ()
    snapshot: Snapshot | None = None


def propose(campaign: Campaign) -> Round:
    """Choose the next batch of an active campaign with few enough in flight, and queue it."""
    in_flight = campaign.in_flight(campaign.config.refill_below)
    if in_flight >= campaign.config.refill_below:
        return Round(in_flight)
    if campaign.status != "active":
        return Round(in_flight, active=False)
    if campaign.count_picks() >= campaign.config.budget or campaign.is_converged():
        return Round(in_flight)
    snapshot = campaign.snapshot(rows=False)
    chosen = _chosen(campaign, snapshot, in_flight)
    return Round(in_flight, proposals=chosen, snapshot=snapshot)


def _chosen(campaign: Campaign, snapshot: Snapshot, in_flight: int) -> list[Proposal]:
    """Choose and queue the next batch; return what of it is ours."""
    picks, features = snapshot.picks, snapshot.pool_features
    wanted = min(campaign.config.batch_size - in_flight, campaign.config.budget - len(picks))
    if wanted <= 0:
        return []
    observations = training_data(snapshot)
    known = {*observations.ids, *observations.infeasible_ids, *observations.pending_ids}
    known.update(pick["candidate_id"] for pick in picks)
    available = [candidate_id for candidate_id in features if candidate_id not in known]
    if not available:
        return []
    # Seeded by how far the campaign is: the same data give the same picks, in any process.
    seed = campaign.config.seed + len(picks)
    sampler = build_sampler(campaign.config.sampler)
    because = ""
    try:
        proposals = sampler.propose(
            for_search(snapshot, observations, seed),
            available,
            feature_matrix(features, available),
            wanted,
            seed,
        )
    except SearchEndedError as error:
        proposals, because = [], str(error)
    if campaign.config.second_objective is not None:
        # Predictions of two objectives combined are on no scale that a table could show.
        proposals = [
            replace(proposal, predicted_mean=None, predicted_std=None) for proposal in proposals
        ]
    if not proposals and not observations.pending_ids:
        campaign.set_converged(picks, because)
        return []
    proposals = _with_values(snapshot, proposals)
    this_round = 1 + max((pick["round"] for pick in picks), default=0)
    claimed = _claim(campaign, proposals, len(picks) + 1, this_round)
    fill_queue(campaign)
    return proposals[:claimed]


def _with_values(snapshot: Snapshot, proposals: list[Proposal]) -> list[Proposal]:
    """Return proposals that predict the value, where the sampler predicts what it follows from."""
    if snapshot.objective.learned_field is None:
        return proposals
    means = {
        proposal.candidate_id: proposal.predicted_mean
        for proposal in proposals
        if proposal.predicted_mean is not None
    }
    values = snapshot.objective.predicted_values(means, snapshot.explored, snapshot.pool)
    return [
        replace(proposal, predicted_mean=values.get(proposal.candidate_id))
        for proposal in proposals
    ]


def _claim(campaign: Campaign, proposals: list[Proposal], first: int, this_round: int) -> int:
    """Claim candidates under successive numbers of the budget; return how many are ours.

    Another process may have claimed a number or a candidate meanwhile; what comes after it is left
    to the next round.
    """
    from pymongo.errors import BulkWriteError

    new = [
        {
            "_id": f"{campaign.name}/{proposal.candidate_id}",
            **new_pick(campaign, campaign.engine.name, proposal, number, this_round),
        }
        for number, proposal in enumerate(proposals, start=first)
    ]
    # A lease that ran out belongs to another.
    if not new or not lease.take(campaign):
        return 0
    ids = [pick["_id"] for pick in new]
    campaign.note(ids)
    try:
        campaign.database.picks.insert_many(new, ordered=True)
    except BulkWriteError as error:
        if any(write["code"] != DUPLICATE for write in error.details["writeErrors"]):
            raise
        return int(error.details["nInserted"])
    finally:
        campaign.note(ids)
    return len(new)
