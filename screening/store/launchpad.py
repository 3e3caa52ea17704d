"""FireWorks' LaunchPad, set up for short heartbeats, safe counters and recovery."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireworks import LaunchPad


def open_launchpad(uri: str, database: str) -> LaunchPad:
    """Return the LaunchPad in `database`, ready to use.

    FireWorks reads its configuration when it is imported and takes its own defaults (a heartbeat
    an hour) otherwise; ``FW_CONFIG_FILE``, when the user has set it, is respected.
    """
    os.environ.setdefault("FW_CONFIG_FILE", str(resources.files("configs") / "fireworks.yaml"))
    launchpad = _launchpad_class()(host=uri, name=database, uri_mode=True, strm_lvl="ERROR")
    # It is connected; its `to_dict`, and with it its repr, would say the address and the password.
    launchpad.host = None
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
    if launchpad.workflows.find_one({"nodes": fw_id}, {"_id": 1}) is None:
        return  # somebody else was faster
    # FireWorks prints what it deletes; stdout belongs to the command's own output.
    with contextlib.redirect_stdout(io.StringIO()):
        launchpad.delete_wf(fw_id)


@functools.cache
def _launchpad_class() -> type[LaunchPad]:
    # Made on first use: importing FireWorks takes longer than most commands.
    from fireworks import LaunchPad

    class SafeCounterLaunchPad(LaunchPad):  # type: ignore[misc]  # FireWorks is untyped
        """LaunchPad whose numbers stay unique on servers with a weak find-and-modify.

        FireWorks takes a number as what ``find_one_and_update`` says was there before.  The
        embedded server adds up correctly but may answer two callers with the same old document;
        two runs with one number then end each other's jobs.
        """

        def get_new_fw_id(self, quantity: int = 1) -> int:
            """Return the first of `quantity` new Firework numbers."""
            return _next(self.fw_id_assigner, "next_fw_id", quantity)

        def get_new_launch_id(self) -> int:
            """Return a new launch number."""
            return _next(self.fw_id_assigner, "next_launch_id", 1)

    return SafeCounterLaunchPad


def _next(counters: Any, field: str, quantity: int) -> int:
    """Return a counter's value and advance it, by compare and swap."""
    while True:
        value = int(counters.find_one({"_id": -1})[field])
        swap = counters.update_one({"_id": -1, field: value}, {"$set": {field: value + quantity}})
        if swap.modified_count == 1:
            return value
