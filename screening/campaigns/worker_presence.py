"""Whether workers are present: who computes a campaign now, as far as its database can tell."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening.machine.clock import as_utc, now
from screening.machine.process_names import is_alive_here, is_dead_here

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign

HEARD_S = 600.0
"""Silence after which a run on another machine is given up."""
QUIET_S = 30.0
"""Time after which somebody between two jobs would have been heard of: a worker that waits drives
the campaign every few seconds."""
LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class WorkerPresence:
    """Who computes a campaign.

    Parameters
    ----------
    present
        Whether somebody computes, or drives the campaign, or has just done so.
    dead
        Runs whose worker is gone and that nobody has put back yet.
    """

    present: bool
    dead: int


def worker_presence(campaign: Campaign) -> WorkerPresence:
    """Return who computes a campaign; takes a second where some workers are seen to have died."""
    presence = _look(campaign)
    if presence.dead and not presence.present:
        # One that lives may be between two jobs.
        time.sleep(LOOK_AGAIN_S)
        presence = _look(campaign)
    return presence


def _look(campaign: Campaign) -> WorkerPresence:
    moment = now()
    present, dead = False, 0
    for name, heard_at in campaign.database.runs(campaign.name):
        silent = moment - as_utc(heard_at) > datetime.timedelta(seconds=HEARD_S)
        gone = is_dead_here(name) or (silent and not is_alive_here(name))
        dead += gone
        present = present or not gone
    fields = {"lease": 1, "advanced_at": 1}
    known = campaign.database.campaigns.find_one({"_id": campaign.name}, fields) or {}
    lease = known.get("lease")
    if lease is not None and as_utc(lease["until"]) > moment and not is_dead_here(lease["owner"]):
        present = True
    last = known.get("advanced_at")
    # With dead runs about, the last to drive the campaign may be one of them.
    if not dead and last is not None:
        present = present or moment - as_utc(last) < datetime.timedelta(seconds=QUIET_S)
    return WorkerPresence(present, dead)
