"""A campaign at a glance, and the list of all campaigns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import SUBMITTED
from screening.campaigns.progress import STATUS_COUNTS, progress_of
from screening.campaigns.snapshot import Snapshot, best_results
from screening.campaigns.throughput import throughput_of
from screening.intake.refusal_groups import alike
from screening.messages.refusal import Refusal
from screening.views.campaign_figures import figures_of
from screening.views.forms import (
    CampaignLine,
    CostShare,
    FigureView,
    OutcomeGroup,
    Overview,
    RefusalGroup,
)
from screening.views.numbers import finite
from screening.views.objective import objective_view
from screening.views.ranking import first_row

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import Outcome
    from screening.store.database import Database

FIRST_IDS = 20
"""Candidates that a group of like outcomes names."""


def campaigns(database: Database) -> list[CampaignLine]:
    """Return all campaigns whose pool is complete, the newest first."""
    fields = {"config.target": 1, "status": 1, "created_at": 1}
    documents = database.campaigns.find(SUBMITTED, fields, sort=[("created_at", -1), ("_id", 1)])
    return [
        CampaignLine(
            name=str(document["_id"]),
            target=document["config"]["target"],
            status=document["status"],
            created_at=document["created_at"],
        )
        for document in documents
    ]


def overview(campaign: Campaign) -> Overview:
    """Return a campaign at a glance.

    The best candidate is the first of the ranking that is computed: where a better engine has
    confirmed some, by what it found.
    """
    snapshot = campaign.snapshot(rows=False, features=False)
    progress = progress_of(snapshot)
    throughput = throughput_of(snapshot, progress)
    best = first_row(campaign, lambda row: row.outcome == "computed")
    config = campaign.config
    kept = campaign.database.campaigns.find_one({"_id": campaign.name}, {"revision": 1}) or {}
    counts = {name: int(getattr(progress, name)) for name in STATUS_COUNTS}
    if progress.to_confirm:
        counts |= {"confirmed": progress.confirmed, "to_confirm": progress.to_confirm}
    return Overview(
        name=campaign.name,
        description=config.description,
        target=config.target,
        status=progress.status,
        finished=progress.exhausted,
        created_at=campaign.created_at,
        revision=str(kept.get("revision") or ""),
        objective=objective_view(campaign),
        engines=[stage.engine.name for stage in campaign.stages],
        sampler=config.sampler.kind,
        seed=config.seed,
        prior=config.prior,
        pool=progress.pool,
        budget=config.budget,
        batch_size=config.batch_size,
        counts=counts,
        candidates_per_hour=throughput.candidates_per_hour,
        expected_end=throughput.expected_end,
        best_candidate_id=None if best is None else best.candidate_id,
        best_value=None if best is None else finite(best.value),
        best_expected_value=None if best is None else finite(best.expected_value),
        figures=[
            FigureView(name=figure.name, title=figure.title) for figure in figures_of(campaign)
        ],
        outcomes=_outcomes(snapshot),
        refusals=_refusals(campaign),
        remarks=campaign.ingested["remarks"],
        cost_by_engine=_cost_by_engine(snapshot),
        cost_by_step=_cost_by_step(campaign),
    )


def _outcomes(snapshot: Snapshot) -> list[OutcomeGroup]:
    """Return how the candidates of the pool ended, the most frequent first."""
    ended: list[tuple[Outcome, str, str]] = [
        (result["outcome"], _gist(result.get("reason") or ""), key)
        for key, (result, _) in best_results(snapshot).items()
        if key in snapshot.pool
    ]
    known = {key for _, _, key in ended}
    ended += [
        ("failed", str(pick.get("error") or ""), pick["candidate_id"])
        for pick in snapshot.picks
        if pick["state"] == "failed" and pick["candidate_id"] not in known
    ]
    by_outcome: dict[Outcome, list[tuple[str, str]]] = defaultdict(list)
    for outcome, reason, key in sorted(ended, key=lambda each: each[2]):
        by_outcome[outcome].append((reason, key))
    groups = [
        OutcomeGroup(
            outcome=outcome,
            reason=reason,
            count=len(places),
            candidate_ids=[found[place][1] for place in places[:FIRST_IDS]],
        )
        for outcome, found in by_outcome.items()
        for reason, places in alike([reason for reason, _ in found])
    ]
    return sorted(groups, key=lambda each: (-each.count, each.outcome, each.reason))


def _gist(reason: str) -> str:
    """Return a reason without what follows its colon, where that is details in numbers."""
    gist, colon, details = reason.partition(": ")
    return gist if colon and any(letter.isdigit() for letter in details) else reason


def _refusals(campaign: Campaign) -> list[RefusalGroup]:
    """Return why entries never became candidates, as far as reasons are kept."""
    refused = campaign.ingested["refusals"]
    groups = [
        RefusalGroup(
            reason=reason,
            count=len(places),
            example=str(refused[places[0]]["location"] or refused[places[0]]["material_id"]),
        )
        for reason, places in alike([Refusal.model_validate(entry["refusal"]) for entry in refused])
    ]
    return sorted(groups, key=lambda each: (-each.count, each.reason))


def _cost_by_engine(snapshot: Snapshot) -> list[CostShare]:
    picks = [*snapshot.picks, *snapshot.confirmation_picks]
    return _shares(
        (pick["engine"], pick.get("cost"), pick.get("cost_unit"), pick.get("wall_s"))
        for pick in picks
        if pick.get("wall_s") is not None
    )


def _cost_by_step(campaign: Campaign) -> list[CostShare]:
    """Return the cost of each step of what this campaign computed itself, dearest first."""
    query = {
        "campaign": campaign.name,
        "objective": campaign.objective.name,
        "recipe_hash": {"$in": [stage.recipe_hash for stage in campaign.stages]},
    }
    results = campaign.database.results.find(query, {"costs": 1})
    return _shares(
        (step["step"], step["cost"], step["cost_unit"], step["wall_s"])
        for result in results
        for step in result.get("costs") or []
    )


def _shares(costs: Iterable[tuple[str, Any, Any, Any]]) -> list[CostShare]:
    by_name: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for name, cost, unit, wall_s in costs:
        by_name[name, str(unit or "")].append((float(cost or 0), float(wall_s or 0.0)))
    shares = [
        CostShare(
            name=name,
            candidates=len(parts),
            cost=sum(cost for cost, _ in parts),
            cost_unit=unit,
            wall_h=sum(wall_s for _, wall_s in parts) / 3600,
        )
        for (name, unit), parts in by_name.items()
    ]
    return sorted(shares, key=lambda share: (-share.wall_h, share.name))
