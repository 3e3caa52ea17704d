"""`matscreen submit`: check all, read the sources, store the campaign, queue its first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.intake import read_competitors, read_pool
from screening.cli.options import (
    CompetitorsOption,
    EngineOption,
    SourcesOption,
    WorkersOption,
)
from screening.cli.work import work_to_the_end
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig
    from screening.intake.ingest import Pool
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

CONFIRMED = 5
"""Candidates that a better engine computes again, where nobody says how many."""
ESTIMATED_CANDIDATES = 5
"""Candidates whose cost a dry run estimates, to estimate the budget's."""


def submit(
    target: Annotated[str, typer.Option(help="Shipped target, or a campaign YAML.")],
    source: SourcesOption = None,
    competitors: CompetitorsOption = None,
    engine: EngineOption = None,
    budget: Annotated[Optional[int], typer.Option(help="Candidates to compute.")] = None,
    batch_size: Annotated[Optional[int], typer.Option(help="Candidates chosen at once.")] = None,
    name: Annotated[Optional[str], typer.Option(help="Campaign name.")] = None,
    prior: Annotated[
        Optional[str],
        typer.Option(help="Earlier campaign whose results are what is expected beforehand."),
    ] = None,
    confirm: Annotated[
        Optional[str],
        typer.Option(help="Better engine that computes the best candidates again, at the end."),
    ] = None,
    top: Annotated[
        Optional[int], typer.Option(min=1, help="How many of them. [default: 5]")
    ] = None,
    seed: Annotated[Optional[int], typer.Option(help="Seed of everything random.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work the queue here, to the end.")] = False,
    workers: WorkersOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count, submit nothing.")
    ] = False,
) -> None:
    """Start a campaign: read crystals, queue the first batch."""
    from screening.campaigns.config import load_campaign_config

    overrides = {
        "sources": source or None,
        "competitors": competitors or None,
        "engine": engine,
        "budget": budget,
        "batch_size": batch_size,
        "prior": prior,
        "confirm": _confirm(confirm, top),
        "seed": seed,
    }
    config = load_campaign_config(target, overrides)
    start_campaign(config, name, wait=wait, workers=workers, dry_run=dry_run)


def start_campaign(
    config: CampaignConfig,
    name: str | None,
    *,
    wait: bool = False,
    workers: int | None = None,
    dry_run: bool = False,
) -> None:
    """Check all, read the sources, store the campaign and queue its first batch.

    Parameters
    ----------
    name
        Of the campaign; None makes one of its target.
    wait
        Work the queue here, to the end.
    workers
        How many then.
    dry_run
        Read and count, submit nothing.
    """
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.competitors import (
        check_competitors_name,
        create_competitors,
        systems_of,
    )
    from screening.campaigns.indexes import indexes
    from screening.campaigns.names import check_name_is_free, new_name
    from screening.campaigns.stages import check_confirming
    from screening.machine.settings import Settings
    from screening.sources import open_source
    from screening.store.database import open_database
    from screening.targets.engines import check_kind, engine_config, require_engine
    from screening.targets.objectives import ENERGY_ABOVE_HULL

    exploring = engine_config(config.engine)
    kind = config.resolved_objective().candidates
    check_kind(exploring, kind)
    require_engine(exploring)
    confirming = None
    if config.confirm is not None:
        confirming = engine_config(config.confirm.engine)
        check_confirming(exploring, confirming)
        check_kind(confirming, kind)
        require_engine(confirming)
    sources = [open_source(spec) for spec in config.sources]
    settings = Settings()
    with open_database(settings) as database:
        database.prepare(indexes())
        name = name or new_name(database, config.target)
        check_name_is_free(database, name)
        check_competitors_name(database, name, config)
        if config.prior is not None:
            Campaign.prior_of(database, config)
        pool = read_pool(sources, config, exploring, database, kept=not dry_run)
        unknown = _not_computed_yet(database, config, exploring, pool)
        plan = _plan(config, exploring, len(pool.candidates), len(unknown))
        competing = None
        if config.competitors:
            competing = read_competitors(
                config, exploring, database, systems_of(pool), kept=not dry_run
            )
            unknown_too = _not_computed_yet(database, config, exploring, competing)
            plan += (
                f"; beside the budget, {len(unknown_too)} of "
                f"{counted(len(competing.candidates), 'competitor')} have no energy yet"
            )
        elif config.objective == ENERGY_ABOVE_HULL.name:
            say(
                "no competitors are named: candidates are compared with each other and with what "
                "other campaigns computed by this engine and recipe"
            )
        if dry_run:
            say(plan)
            say(f"{_estimate(pool, unknown, config, exploring)}nothing was submitted")
            return
        from screening.running.advance import advance

        others = None
        if competing is not None:
            others = create_competitors(database, name, config, exploring, competing)
        # Both or none become active: a submit that was killed can be repeated.
        campaign = Campaign.create(
            database, name, config, exploring, pool, confirming, beside=others
        )
        if others is not None:
            advance(others)
        advance(campaign)
        say(f"campaign '{name}': {plan}")
        if campaign.is_exhausted() and (others is None or others.is_exhausted()):
            say(f"next: matscreen rank {name}")
        elif wait:
            work_to_the_end(campaign, settings, workers)
        else:
            say(f"next: matscreen work {name}")


def _confirm(engine: str | None, top: int | None) -> dict[str, Any] | None:
    """Return the section ``confirm`` of a campaign, or None where no engine is named."""
    if engine is not None:
        return {"engine": engine, "top": CONFIRMED if top is None else top}
    if top is not None:
        raise ScreenError("--top is how many candidates --confirm computes again: name its engine")
    return None


def _not_computed_yet(
    database: Database, config: CampaignConfig, engine: EngineConfig, pool: Pool
) -> list[str]:
    """Return the candidates that no earlier campaign has computed the same way, sorted."""
    same = {"objective": config.objective, "recipe_hash": config.recipe_hash(engine.fingerprint())}
    known = {
        result["candidate_id"]
        for result in database.results.find(same, {"candidate_id": 1, "inputs_hash": 1})
        if result.get("inputs_hash", "") == pool.inputs.get(result["candidate_id"], "")
    }
    return sorted(pool.candidates.keys() - known)


def _plan(config: CampaignConfig, engine: EngineConfig, total: int, unknown: int) -> str:
    """Say what a campaign will compute."""
    known, of_which = "", counted(total, "candidate")
    if unknown < total:
        known = f"{total - unknown} of {of_which} with a result from earlier campaigns; "
        of_which = f"the other {unknown}"
    if not unknown:
        return f"{known}nothing is left to compute"
    confirm = config.confirm
    confirmed = f" and the best {confirm.top} with {confirm.engine}" if confirm else ""
    return (
        f"{known}{min(config.budget, unknown)} of {of_which} will be computed with "
        f"{engine.name}{confirmed}, {config.batch_size} at a time (budget {config.budget})"
    )


def _estimate(pool: Pool, ids: list[str], config: CampaignConfig, engine: EngineConfig) -> str:
    """Say what candidates will cost; empty where there are none."""
    if not ids:
        return ""
    from screening.campaigns.flows import cost_unit, estimate_cost

    # Spread over the pool, so that small and large crystals both count.
    step = max(1, len(ids) // ESTIMATED_CANDIDATES)
    sample = ids[::step][:ESTIMATED_CANDIDATES]
    costs = [round(estimate_cost(pool.candidates[key], config, engine)) for key in sample]
    computed = min(config.budget, len(ids))
    mean = sum(costs) / len(costs)
    varied = min(costs) < max(costs)
    spread = f" ({min(costs)} to {max(costs)} in a sample of {len(costs)})" if varied else ""
    return (
        f"estimated {cost_unit(config)}: {mean:.0f} a candidate{spread}, "
        f"{mean * computed:.0f} for {counted(computed, 'candidate')}; "
    )
