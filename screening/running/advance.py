"""One step of a campaign: recover → harvest → propose, whoever calls it.

No daemon: every worker calls `advance` between jobs.  One caller at a time holds the campaign's
lease; the unique numbers of picks and the keys of results keep budget and uniqueness even if a
lease is lost.  Every step can be repeated: a process killed anywhere in here leaves work that the
next `advance` finishes.
"""

from __future__ import annotations

from screening.campaigns.campaign import Campaign
from screening.campaigns.prediction_cache import predictions
from screening.ranking.cache import cached_ranking
from screening.running import lease
from screening.running.harvest import harvest
from screening.running.promotion import promote_configured
from screening.running.proposals import propose
from screening.running.recovery import recover


def advance(campaign: Campaign) -> bool:
    """Recover lost runs, take in finished candidates, and choose the next batch if it is time.

    Returns
    -------
    bool
        False when another process is doing it right now.
    """
    if not lease.take(campaign):
        return False
    try:
        recover(campaign)
        harvest(campaign)
        if campaign.status == "active":
            chosen = propose(campaign)
            if campaign.awaits_promotion() and campaign.is_explored():
                promote_configured(campaign)
            # Computed here, where scikit-learn is loaded: `matscreen rank` need not load it.
            if campaign.is_exhausted():
                cached_ranking(campaign, 1)
            elif chosen:
                predictions(campaign)
    finally:
        lease.give_back(campaign)
    return True
