"""The life of a pick: a candidate that a campaign chose to compute with one of its engines."""

from __future__ import annotations

from enum import StrEnum


class PickState(StrEnum):
    """State of a pick, as it is stored.

    ::

        claimed ──► queued ──┬──► computed     the flow returned a value
           ▲           │     ├──► unstable     the flow returned why there is no value
           ├───────────┘     ├──► cancelled    the campaign was cancelled first
           │    crash        └──► failed       each attempt raised, or its workers kept dying
           │                        │
           └────────────────────────┘
                  matscreen retry

    A pick is claimed again where a crash left a workflow that cannot go on.  A claimed pick too can
    be cancelled, and fails where no flow can be made for its candidate.
    """

    CLAIMED = "claimed"
    QUEUED = "queued"
    COMPUTED = "computed"
    UNSTABLE = "unstable"
    FAILED = "failed"
    CANCELLED = "cancelled"


IN_FLIGHT = (PickState.CLAIMED, PickState.QUEUED)
"""States of a pick whose result is still expected, in the order that a pick passes through them."""
