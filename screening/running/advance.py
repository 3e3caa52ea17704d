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


def advance(campaign: Campaign, *, thorough: bool = True) -> bool:
    """Recover lost runs, take in finished candidates, and choose the next batch if it is time.

    Parameters
    ----------
    thorough
        Whether to look for what a crash left, and to keep predictions for readers: each takes as
        long as all the rest.

    Returns
    -------
    bool
        False when another process is doing it right now.
    """
    if not lease.take(campaign):
        return False
    try:
        if thorough:
            recover(campaign)
        harvest(campaign)
        this_round = propose(campaign)
        if this_round.active:
            if not this_round.in_flight and campaign.awaits_promotion() and campaign.is_explored():
                promote_configured(campaign)
            # Computed here, where scikit-learn is loaded: `matscreen rank` need not load it.
            if this_round.proposals:
                if thorough:
                    predictions(campaign, this_round.snapshot)
            elif not this_round.in_flight and campaign.is_exhausted():
                cached_ranking(campaign, 1)
    finally:
        lease.give_back(campaign)
    return True
