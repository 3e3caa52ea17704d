"""FireWorks' LaunchPad, set up for short heartbeats and safe recovery."""

from __future__ import annotations

import contextlib
import io
import os
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fireworks import LaunchPad


def open_launchpad(uri: str, database: str) -> LaunchPad:
    """Return the LaunchPad in `database`, ready to use.

    FireWorks reads its configuration when it is imported and takes its own defaults (a heartbeat
    an hour) otherwise; ``FW_CONFIG_FILE``, when the user has set it, is respected.
    """
    os.environ.setdefault("FW_CONFIG_FILE", str(resources.files("configs") / "fireworks.yaml"))
    from fireworks import LaunchPad

    launchpad = LaunchPad(host=uri, name=database, uri_mode=True, strm_lvl="ERROR")
    counters = launchpad.fw_id_assigner
    if counters.find_one({}) is None:
        # What LaunchPad.reset does, without its deleting of what another program just queued.
        counters.update_one(
            {"_id": -1}, {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}, upsert=True
        )
        launchpad.tuneup()
    return launchpad


def delete_workflow(launchpad: LaunchPad, fw_id: int) -> None:
    """Take a finished workflow off the LaunchPad, which is a queue and no archive."""
    # FireWorks prints what it deletes; stdout belongs to the command's own output.
    with contextlib.redirect_stdout(io.StringIO()):
        launchpad.delete_wf(fw_id)
