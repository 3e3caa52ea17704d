"""`matscreen add`: put the crystals of further sources into the pool of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from screening.cli.intake import read_competitors, read_pool
from screening.cli.opening import opened_campaign, refuse_cancelled
from screening.cli.options import CampaignGiven, SourcesOption
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.intake.ingest import Pool


def add(
    name: CampaignGiven,
    source: SourcesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count, add nothing.")
    ] = False,
) -> None:
    """Add candidates to a campaign: read crystals, by the filters that the campaign has."""
    from screening.running.advance import advance
    from screening.sources import open_source

    if not source:
        raise ScreenError("--source: name where the crystals to add come from")
    sources = [open_source(spec) for spec in source]
    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        database = campaign.database
        pool = read_pool(sources, campaign.config, campaign.engine, database, kept=not dry_run)
        if dry_run:
            known = campaign.snapshot(rows=False, features=False).pool
            new = len(pool.candidates.keys() - known.keys())
        else:
            new = campaign.extend_pool(pool)
        plan = f"{counted(new, 'candidate')} of {len(pool.candidates)} new to campaign '{name}'"
        if campaign.config.competitors:
            plan += f"; {_add_competitors(campaign, pool, dry_run=dry_run)}"
        if dry_run:
            say(f"{plan}; nothing was added")
            return
        if campaign.status == "active":
            advance(campaign)
        following = "rank" if campaign.is_exhausted() else "work"
        say(f"{plan}; next: matscreen {following} {name}")


def _add_competitors(campaign: Campaign, pool: Pool, *, dry_run: bool) -> str:
    """Add what competes with new candidates to the campaign of competitors; say how many."""
    from screening.campaigns.competitors import competitors_of, extend_competitors, systems_of
    from screening.running.advance import advance

    competing = competitors_of(campaign)
    if competing is None:
        raise ScreenError(
            f"campaign '{campaign.name}' has lost its campaign of competitors; submit a new one"
        )
    refuse_cancelled(competing)
    found = read_competitors(
        campaign.config, campaign.engine, campaign.database, systems_of(pool), kept=not dry_run
    )
    if dry_run:
        known = competing.snapshot(rows=False, features=False).pool
        new = len(found.candidates.keys() - known.keys())
    else:
        new = extend_competitors(competing, found)
        competing = competitors_of(campaign)
        if competing is not None and competing.status == "active":
            advance(competing)
    return f"{counted(new, 'new competitor')} beside the budget"
