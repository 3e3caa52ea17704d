"""The lease of a campaign: one caller at a time carries it on.

It spares work and keeps nothing right: budget and uniqueness hold even if a lease is lost.
"""

from __future__ import annotations

import datetime

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.machine.process_names import is_dead_here, this_process

LEASE_S = 120.0
"""Time after which a lease that was not given back is free (s)."""


def take(campaign: Campaign) -> bool:
    """Take the lease, or extend this process's own; return whether this process holds it."""
    moment = now()
    me = this_process()
    lease = {"owner": me, "until": moment + datetime.timedelta(seconds=LEASE_S)}
    campaigns = campaign.database.campaigns
    # One round trip in most cases: nobody has it, we have it, or it ran out.
    gone = [
        {"lease": {"$exists": False}},
        {"lease.owner": me},
        {"lease.until": {"$lt": moment}},
    ]
    query = {"_id": campaign.name, "$or": gone}
    if campaigns.update_one(query, {"$set": {"lease": lease}}).matched_count == 1:
        return True
    document = campaigns.find_one({"_id": campaign.name}, {"lease": 1})
    held = (document or {}).get("lease")
    if held is None or not is_dead_here(held["owner"]):
        return False
    # The lease just read must still be there: of two who saw it free, one wins.
    query = {"_id": campaign.name, "lease": held}
    return campaigns.update_one(query, {"$set": {"lease": lease}}).matched_count == 1


def give_back(campaign: Campaign) -> None:
    """Free the lease if this process holds it."""
    campaign.database.campaigns.update_one(
        {"_id": campaign.name, "lease.owner": this_process()}, {"$unset": {"lease": ""}}
    )
