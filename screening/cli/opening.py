"""The database and the campaign that a command is about."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.store.database import Database


@contextlib.contextmanager
def existing_database() -> Iterator[Database]:
    """Open the database that this machine is set up for; `ScreenError` where there is none yet."""
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    with open_database(Settings(), must_exist=True) as database:
        yield database


@contextlib.contextmanager
def opened_campaign(name: str | None) -> Iterator[Campaign]:
    """Open the campaign of a name, or the newest one; `ScreenError` where there is none."""
    from screening.campaigns.campaign import Campaign

    with existing_database() as database:
        yield Campaign.open(database, name)


def refuse_cancelled(campaign: Campaign) -> None:
    """Raise `ScreenError` where a campaign is cancelled."""
    if campaign.status == "cancelled":
        raise ScreenError(
            f"campaign '{campaign.name}' is cancelled, which is final; submit a new one"
        )
