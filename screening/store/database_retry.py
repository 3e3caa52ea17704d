"""Waiting for a database that is away: for minutes, as when its server is restarted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from screening.messages.stderr import say

Given = ParamSpec("Given")
Result = TypeVar("Result")

PATIENCE_S = 3600.0
"""How long a worker waits for the database before it gives up; nothing is lost then either."""
PAUSE_S = (0.2, 20.0)
"""Shortest and longest wait between two tries."""
EX_TEMPFAIL = 75
"""Exit status of a worker that could go on elsewhere or later, but not here and now."""


def patiently(
    function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """Call a function that may be repeated, again and again while the database is away.

    Raises
    ------
    SystemExit
        With status `EX_TEMPFAIL` when the database stays away.
    """
    from pymongo.errors import ConnectionFailure
    from tenacity import (
        RetryCallState,
        RetryError,
        Retrying,
        retry_if_exception_type,
        stop_after_delay,
        wait_random_exponential,
    )

    def tell(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            say("the database does not answer; waiting for it")

    retrying = Retrying(
        retry=retry_if_exception_type(ConnectionFailure),
        wait=wait_random_exponential(multiplier=PAUSE_S[0], max=PAUSE_S[1]),
        stop=stop_after_delay(PATIENCE_S),
        before_sleep=tell,
    )
    try:
        return retrying(function, *args, **kwargs)
    except RetryError:
        say(f"the database did not answer for {PATIENCE_S / 60:.0f} minutes; giving up")
        sys.exit(EX_TEMPFAIL)
