"""What steers a campaign: `matscreen pause`, `resume`, `cancel`, `retry` and `promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from screening.cli.opening import opened_campaign, refuse_cancelled
from screening.cli.options import CampaignGiven, CampaignOrNewest
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign


def pause(name: CampaignGiven) -> None:
    """Stop picking and starting jobs; running ones finish."""
    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        campaign.set_status("paused")
        say(f"campaign '{name}' is paused")


def resume(name: CampaignGiven) -> None:
    """Go on with a paused campaign."""
    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        campaign.set_status("active")
        say(f"campaign '{name}' is active; next: matscreen work {name}")


def cancel(name: CampaignGiven) -> None:
    """End a campaign: what is queued is dropped, results stay."""
    from screening.running.control import drop_queued

    with opened_campaign(name) as campaign:
        campaign.set_status("cancelled")
        dropped = counted(drop_queued(campaign), "queued candidate")
        say(f"campaign '{name}' is cancelled; {dropped} dropped")


def retry(
    name: CampaignGiven,
    candidate: Annotated[Optional[str], typer.Argument(help="Only this one.")] = None,
) -> None:
    """Queue failed candidates again."""
    from screening.running.advance import advance
    from screening.running.control import requeue

    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        key = None if candidate is None else _failed_candidate(campaign, candidate)
        count = requeue(campaign, key)
        if not count:
            raise ScreenError(f"no candidate of campaign '{name}' has failed; nothing to retry")
        advance(campaign)
        say(f"{counted(count, 'candidate')} queued again; next: matscreen work {campaign.name}")


def _failed_candidate(campaign: Campaign, key: str) -> str:
    """Return the id of a failed candidate of a campaign."""
    from screening.candidates.find import find_candidate

    document = find_candidate(campaign.database, key, {"campaigns": campaign.name})
    candidate_id: str = document["_id"]
    query = {"campaign": campaign.name, "candidate_id": candidate_id}
    states = [pick["state"] for pick in campaign.database.picks.find(query)]
    if not states:
        raise ScreenError(
            f"candidate '{candidate_id}' was not picked in campaign '{campaign.name}'"
        )
    if "failed" not in states:
        raise ScreenError(
            f"candidate '{candidate_id}' has not failed in campaign '{campaign.name}' "
            f"(state: {', '.join(states)})"
        )
    return candidate_id


def promote(
    engine: Annotated[str, typer.Option(help="Engine of higher fidelity, or its YAML.")],
    name: CampaignOrNewest = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the best candidates.")] = 5,
) -> None:
    """Queue the best candidates again, with a better engine."""
    from screening.running.advance import advance
    from screening.running.promotion import promote as queue
    from screening.targets.engines import check_kind, engine_config, require_engine

    better = engine_config(engine)
    require_engine(better)
    with opened_campaign(name) as campaign:
        refuse_cancelled(campaign)
        check_kind(better, campaign.config.resolved_objective().candidates)
        queued = queue(campaign, campaign.add_stage(better), top)
        advance(campaign)
        if not queued:
            raise ScreenError(
                f"campaign '{campaign.name}': none of its best {top} candidates is computed and "
                f"still to be done with '{better.name}'"
            )
        say(
            f"{counted(len(queued), 'candidate')} queued with {better.name}: "
            f"{', '.join(queued)}; next: matscreen work {campaign.name}"
        )
