"""The database that this process has opened, for what jobs load by an import path.

A job knows no address of a database, which may hold a password; a worker has opened it before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database

_OPENED: list[Database] = []


@contextlib.contextmanager
def known_as_opened(database: Database) -> Iterator[None]:
    """Let `opened_database` return this one for the time."""
    _OPENED.append(database)
    try:
        yield
    finally:
        _OPENED.remove(database)


def opened_database() -> Database:
    """Return the database that was opened last.

    Raises
    ------
    ScreenError
        When this process has none open.
    """
    if not _OPENED:
        raise ScreenError("no database is open in this process; open one with open_database")
    return _OPENED[-1]
