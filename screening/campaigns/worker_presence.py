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

LOST_AFTER_S = 600.0
"""Silence after which a run on another machine counts as lost (s); its heartbeat is a minute."""
QUIET_S = 30.0
"""Time within which a worker between two jobs advances the campaign (s), if there is one."""
LOOK_AGAIN_S = 1.0
"""Pause before a second look, where the first found dead workers only (s)."""


@dataclass(frozen=True)
class WorkerPresence:
    """Who computes a campaign.

    Parameters
    ----------
    present
        Whether a worker runs a job or advances the campaign, or has just done so.
    dead
        Number of runs whose worker is dead and that were not put back yet.
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
    for name, heard_at in campaign.queue.runs():
        silent = moment - heard_at > datetime.timedelta(seconds=LOST_AFTER_S)
        gone = is_dead_here(name) or (silent and not is_alive_here(name))
        dead += gone
        present = present or not gone
    fields = {"lease": 1, "advanced_at": 1}
    known = campaign.database.campaigns.find_one({"_id": campaign.name}, fields) or {}
    lease = known.get("lease")
    if lease is not None and as_utc(lease["until"]) > moment and not is_dead_here(lease["owner"]):
        present = True
    last = known.get("advanced_at")
    # Where runs are dead, the last to advance the campaign may have been one of their workers.
    if not dead and last is not None:
        present = present or moment - as_utc(last) < datetime.timedelta(seconds=QUIET_S)
    return WorkerPresence(present, dead)
