"""The lease of a campaign: one caller at a time carries it on.

It spares work and keeps nothing right: budget and uniqueness hold even if a lease is lost.
"""

from __future__ import annotations

import datetime

from screening.campaigns.campaign import Campaign
from screening.machine.clock import as_utc, now
from screening.machine.process_names import is_dead_here, this_process

LEASE_S = 120.0
"""Time after which a lease that was not given back is free (s)."""


def take(campaign: Campaign) -> bool:
    """Take the lease, or extend this process's own; return whether this process holds it."""
    moment = now()
    me = this_process()
    lease = {"owner": me, "until": moment + datetime.timedelta(seconds=LEASE_S)}
    campaigns = campaign.database.campaigns
    document = campaigns.find_one({"_id": campaign.name}, {"lease": 1})
    held = (document or {}).get("lease")
    free = (
        held is None
        or held["owner"] == me
        or as_utc(held["until"]) < moment
        or is_dead_here(held["owner"])
    )
    if not free:
        return False
    # The lease just read must still be there: of two who saw it free, one wins.
    same = {"lease": held} if held is not None else {"lease": {"$exists": False}}
    changed = campaigns.update_one({"_id": campaign.name, **same}, {"$set": {"lease": lease}})
    return changed.modified_count == 1


def give_back(campaign: Campaign) -> None:
    """Free the lease if this process holds it."""
    campaign.database.campaigns.update_one(
        {"_id": campaign.name, "lease.owner": this_process()}, {"$unset": {"lease": ""}}
    )
