"""Trying again what a database did not answer, as while its server is restarted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from screening.messages.stderr import say

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

RETRY_FOR_S = 3600.0
"""Time for which a worker waits for the database; it then ends, and its results are kept."""
PAUSES_S = (0.2, 20.0)
"""Shortest and longest pause between two tries."""
EX_TEMPFAIL = 75
"""Exit status of a worker that could go on elsewhere or later, but not here and now."""


def with_retry(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a function that may be repeated, again and again while the database does not answer.

    Raises
    ------
    SystemExit
        With status `EX_TEMPFAIL` when it does not answer for `RETRY_FOR_S`.
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
        wait=wait_random_exponential(multiplier=PAUSES_S[0], max=PAUSES_S[1]),
        stop=stop_after_delay(RETRY_FOR_S),
        before_sleep=tell,
    )
    try:
        return retrying(function, *args, **kwargs)
    except RetryError:
        say(f"the database did not answer for {RETRY_FOR_S / 60:.0f} minutes; giving up")
        sys.exit(EX_TEMPFAIL)
