"""Moments in UTC, as MongoDB and FireWorks keep them."""

from __future__ import annotations

import datetime


def now() -> datetime.datetime:
    """Return the time in UTC, in the milliseconds MongoDB keeps."""
    moment = datetime.datetime.now(datetime.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def as_utc(moment: datetime.datetime | str) -> datetime.datetime:
    """Return a stored moment with its time zone, which is always UTC; FireWorks keeps text."""
    if isinstance(moment, str):
        moment = datetime.datetime.fromisoformat(moment)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
