"""`matscreen add`: put the crystals of further sources into the pool of a campaign."""

from __future__ import annotations

from typing import Annotated

import typer

from screening.cli.intake import read_pool
from screening.cli.opening import opened_campaign, refuse_cancelled
from screening.cli.options import CampaignGiven, SourcesOption
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say


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
        if dry_run:
            say(f"{plan}; nothing was added")
            return
        if campaign.status == "active":
            advance(campaign)
        following = "rank" if campaign.is_exhausted() else "work"
        say(f"{plan}; next: matscreen {following} {name}")
