"""The life of a pick: a candidate that a campaign chose to compute with one of its engines."""

from __future__ import annotations

from enum import StrEnum


class PickState(StrEnum):
    """State of a pick, as it is stored.

    ::

        claimed ──► queued ──► computed     the flow returned a value
           ▲  ▲        │  └──► unstable     the flow returned that there is no value, and why
           │  └────────┤                    its workflow was lost: it is submitted anew
           │           ├─────► cancelled    the campaign was cancelled first
           └────────── └─────► failed       every attempt raised, or its workers kept dying
          screen retry

    A pick that is still claimed can be cancelled too, or fail where no flow can be made for it.
    """

    CLAIMED = "claimed"
    QUEUED = "queued"
    COMPUTED = "computed"
    UNSTABLE = "unstable"
    FAILED = "failed"
    CANCELLED = "cancelled"


IN_FLIGHT = (PickState.CLAIMED, PickState.QUEUED)
"""States of a pick whose result is still expected, in the order that a pick passes through them."""
