"""`matscreen improve`: the next version of a campaign's fitted potential, and what it computes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.options import CampaignOrNewest, WorkersOption
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.stages import EngineStage

MOST_JOINING = 20
"""Refused candidates that join the family of the next fit: each costs time in all its rounds."""


def improve(
    name: CampaignOrNewest = None,
    budget: Annotated[
        Optional[int],
        typer.Option(min=2, help="Cells to label at most. [default: as for the version before]"),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work the queue here, to the end.")] = False,
    workers: WorkersOption = None,
) -> None:
    """Fit a campaign's potential again with what it refused; compute that and what changes.

    Does the next step that there is to do; without --wait, call it again when the fit is finished.
    """
    from screening.campaigns.campaign import Campaign
    from screening.cli.opening import opened_campaign, refuse_cancelled
    from screening.cli.submit import start_campaign
    from screening.running.improvement import fitted_stages, refused

    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        stages = fitted_stages(campaign)
        if not stages:
            raise ScreenError(
                f"campaign '{campaign.name}': its engine is '{campaign.engine.name}'; only "
                "potentials of matscreen fit improve, as --engine fitted:NAME"
            )
        latest = stages[-1]
        if latest is not stages[0] and _compute_again(campaign, latest, wait, workers):
            return
        if not campaign.is_exhausted():
            raise ScreenError(
                f"campaign '{campaign.name}': not finished; matscreen work {campaign.name}, and "
                "then improve"
            )
        outside = refused(campaign, latest)
        if not outside:
            raise ScreenError(
                f"campaign '{campaign.name}': '{latest.engine.name}' has refused none of its "
                "candidates; there is nothing to improve"
            )
        following = _next_name(latest.engine.name)
        if not campaign.database.campaigns.find_one({"_id": following}, {"_id": 1}):
            config = _next_fit(campaign, latest, outside, budget)
            start_campaign(config, following, wait=wait, workers=workers)
        fit = Campaign.open(campaign.database, following)
        if not fit.is_exhausted():
            say(f"then: matscreen work {following}, and matscreen improve {campaign.name} again")
            return
        stage = _next_stage(campaign, following)
        if not _compute_again(campaign, stage, wait, workers):
            say(f"'{stage.engine.name}' has nothing to compute in campaign '{campaign.name}'")


def _compute_again(campaign: Campaign, stage: EngineStage, wait: bool, workers: int | None) -> bool:
    """Queue what a version is to compute; whether there was anything."""
    from screening.cli.work import work_to_the_end
    from screening.machine.settings import Settings
    from screening.running.advance import advance
    from screening.running.improvement import recompute

    queued = recompute(campaign, stage)
    if not queued:
        return False
    advance(campaign)
    say(f"{counted(len(queued), 'candidate')} queued with {stage.engine.name}: {', '.join(queued)}")
    if wait:
        work_to_the_end(campaign, Settings(), workers)
    else:
        say(f"next: matscreen work {campaign.name}")
    return True


def _next_name(engine: str) -> str:
    """Return the name of the next version: salts, salts-2, salts-3."""
    name = engine.removeprefix("fitted:")
    if "/" in name:
        raise ScreenError(
            f"engine '{engine}': one of several potentials of a campaign; fit the next version by "
            "hand, with matscreen fit --after"
        )
    numbered = re.fullmatch(r"(.+)-(\d+)", name)
    return f"{name}-2" if numbered is None else f"{numbered[1]}-{int(numbered[2]) + 1}"


def _next_stage(campaign: Campaign, name: str) -> EngineStage:
    """Return the stage of a version that is fitted, which is added unless it is there."""
    from screening.targets.engines import engine_config, require_engine

    better = engine_config(f"fitted:{name}")
    require_engine(better)
    return campaign.add_stage(better)


def _next_fit(
    campaign: Campaign, latest: EngineStage, outside: list[str], budget: int | None
) -> Any:
    """Return the configuration of the next fit: the last one's, with what was refused."""
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import load_campaign_config
    from screening.potentials.engine import HIGHEST_FIDELITY
    from screening.sources.family import AFTER, GIVEN
    from screening.store.fitted_potentials import GIVEN_CRYSTALS, given_cells, keep_given
    from screening.targets.engines import FittedEngineConfig

    engine = latest.engine
    assert isinstance(engine, FittedEngineConfig)
    if engine.fidelity >= HIGHEST_FIDELITY:
        raise ScreenError(
            f"'{engine.name}' is the last version that can follow from the one before; fit one "
            "afresh with matscreen fit, and its crystals in --source"
        )
    database = campaign.database
    last = Campaign.open(database, engine.name.removeprefix("fitted:")).config
    (source,) = last.sources
    family, *given = source.split(GIVEN)
    family = family.partition(AFTER)[0]
    crystals = [
        crystal for digits in given for crystal in given_cells(database, digits, GIVEN_CRYSTALS)
    ]
    joining = outside[:MOST_JOINING]
    crystals += [campaign.candidate(key).content().as_dict() for key in joining]
    digits = keep_given(database, GIVEN_CRYSTALS, crystals)
    say(
        f"{len(joining)} of {counted(len(outside), 'candidate')} that {engine.name} refused join "
        "the family"
    )
    recipe = dict(last.recipe)
    if budget is not None:
        recipe |= {"max_labels": budget, "first_labels": min(5, budget)}
    overrides = {
        "sources": [f"{family}{AFTER}{engine.potential}{GIVEN}{digits}"],
        "engine": last.engine,
        "recipe": recipe,
        "budget": 1,
    }
    return load_campaign_config("fitted-potential", overrides)
