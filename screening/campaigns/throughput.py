"""How fast a campaign gets on, what it has cost, and when it may end."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.machine.clock import now

if TYPE_CHECKING:
    from screening.campaigns.progress import Progress
    from screening.campaigns.snapshot import Snapshot

RECENT = 20
"""Candidates finished last that the speed is taken from."""


@dataclass(frozen=True)
class Throughput:
    """Cost and speed of a campaign.

    Parameters
    ----------
    lost, retried
        Candidates under which a worker died, and those tried again after an error.
    cost, cost_unit
        Spent on candidates that this campaign computed.
    candidates_per_hour
        Over those finished last; None until two have.
    expected_end
        At that speed; None where nobody can know.
    """

    lost: int
    retried: int
    cost: float
    cost_unit: str
    candidates_per_hour: float | None
    expected_end: datetime.datetime | None

    @property
    def left_s(self) -> float | None:
        """Time until the expected end, from now on."""
        if self.expected_end is None:
            return None
        return max((self.expected_end - now()).total_seconds(), 0.0)


def throughput_of(snapshot: Snapshot, progress: Progress) -> Throughput:
    """Return how fast a campaign gets on.

    Parameters
    ----------
    progress
        Of the same snapshot.
    """
    picks = [*snapshot.picks, *snapshot.confirmation_picks]
    per_hour = candidates_per_hour(snapshot.picks, None if progress.exhausted else snapshot.read_at)
    return Throughput(
        lost=sum(pick["lost"] > 0 for pick in picks),
        retried=sum(pick["attempts"] > 1 for pick in picks),
        cost=sum(float(pick.get("cost") or 0) for pick in picks),
        cost_unit=next((pick["cost_unit"] for pick in picks if pick.get("cost_unit")), ""),
        candidates_per_hour=per_hour,
        expected_end=_expected_end(snapshot, progress, per_hour),
    )


def candidates_per_hour(
    picks: Sequence[dict[str, Any]], until: datetime.datetime | None
) -> float | None:
    """Return how many of the candidates finished last did so in an hour.

    Parameters
    ----------
    until
        End of the time counted: now, so that a halt is seen; None for the last finish.
    """
    finished = sorted(pick["finished_at"] for pick in picks if "finished_at" in pick)[-RECENT:]
    if len(finished) < 2:
        return None
    hours = ((until or finished[-1]) - finished[0]).total_seconds() / 3600
    return (len(finished) - 1) / hours if hours > 0 else None


def _expected_end(
    snapshot: Snapshot, progress: Progress, per_hour: float | None
) -> datetime.datetime | None:
    # Confirming goes at the speed of another engine, of which nothing may be known.
    confirms = snapshot.config.confirm is not None or progress.to_confirm > 0
    goes_on = progress.status == "active" and not progress.exhausted and progress.running > 0
    if per_hour is None or confirms or not goes_on:
        return None
    to_do = min(progress.budget, progress.pool - progress.already_computed) - progress.done
    return snapshot.read_at + datetime.timedelta(hours=max(to_do, 0) / per_hour)
