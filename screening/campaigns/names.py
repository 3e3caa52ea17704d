"""Names of campaigns."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from screening.machine.process_names import is_dead_here
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name_is_free(database: Database, name: str) -> None:
    """Raise `ScreenError` when a campaign of that name exists or the name is unusable."""
    if not NAME_PATTERN.fullmatch(name):
        raise ScreenError(
            f"campaign name '{name}': use letters, digits, '.', '_' and '-', at most 63, "
            "starting with a letter or digit"
        )
    existing = database.campaigns.find_one({"_id": name}, {"status": 1, "submitted_by": 1})
    if existing is None:
        return
    if existing["status"] == "submitting" and is_dead_here(existing["submitted_by"]):
        database.campaigns.delete_one({"_id": name, "status": "submitting"})
        return
    raise ScreenError(taken(name))


def new_name(database: Database, target: str) -> str:
    """Return a free name: the target's and a number."""
    used = {campaign["_id"] for campaign in database.campaigns.find({}, {"_id": 1})}
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(target).stem)[:50].strip("-._") or "campaign"
    return next(f"{stem}-{n}" for n in range(1, len(used) + 2) if f"{stem}-{n}" not in used)


def competitors_name(name: str) -> str:
    """Return the name of the campaign that computes the competitors of another."""
    return name + _COMPETITORS


def competed_for_name(name: str) -> str | None:
    """Return the name of the campaign that one of competitors belongs to, None for others."""
    return name.removesuffix(_COMPETITORS) if name.endswith(_COMPETITORS) else None


_COMPETITORS = "-competitors"


def taken(name: str) -> str:
    """Return what to say where a name is taken."""
    return (
        f"campaign '{name}' exists already; continue it with: matscreen work {name}, or give "
        "another --name"
    )
