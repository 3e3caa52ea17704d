"""Opening FireWorks' LaunchPad, with this package's settings of FireWorks."""

from __future__ import annotations

import os
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo.database import Database as MongoDatabase

    from screening.store.safe_launchpad import SafeLaunchPad


def use_fireworks_settings() -> None:
    """Name FireWorks' configuration, before anybody imports FireWorks.

    FireWorks reads it when it is imported and takes its own defaults (a heartbeat an hour)
    otherwise; ``FW_CONFIG_FILE``, when the user has set it, is respected.
    """
    os.environ.setdefault("FW_CONFIG_FILE", str(resources.files("configs") / "fireworks.yaml"))


def open_launchpad(database: MongoDatabase[Any]) -> SafeLaunchPad:
    """Return the LaunchPad in a database, ready to use."""
    use_fireworks_settings()
    # Only now: importing FireWorks reads its settings, and takes longer than most commands.
    from screening.store.safe_launchpad import SafeLaunchPad

    launchpad = SafeLaunchPad(database)
    counters = launchpad.fw_id_assigner
    if counters.find_one({}) is None:
        # As LaunchPad.reset does, which would also delete what another program has just queued.
        counters.update_one(
            {"_id": -1}, {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}, upsert=True
        )
        launchpad.tuneup()
    return launchpad
