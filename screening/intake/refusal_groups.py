"""Why entries of a source were left out, in few lines: by reason, with counts and an example."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from screening.messages.refusal import Refusal, in_one


@dataclass(frozen=True)
class LeftOut:
    """Entries that were left out for one reason.

    Parameters
    ----------
    reason
        Half a sentence; what differs among them is a range, or “…”.
    count
        How many there are.
    example
        File and place of the first, empty where that is not known.
    """

    reason: str
    count: int
    example: str


def summed_up(refusals: Iterable[tuple[str, Refusal | str]]) -> list[LeftOut]:
    """Count the reasons of entries, given as place and reason, the most frequent first."""
    refused = list(refusals)
    groups = [
        LeftOut(reason, len(places), refused[places[0]][0])
        for reason, places in alike([reason for _, reason in refused])
    ]
    return sorted(groups, key=lambda group: -group.count)


def alike(reasons: Sequence[Refusal | str]) -> list[tuple[str, list[int]]]:
    """Return reasons, those of one kind as one, and at which places of the list each was.

    Finished sentences are of one kind where they differ in numbers alone.
    """
    refusals = [
        Refusal.of_words(reason) if isinstance(reason, str) else reason for reason in reasons
    ]
    groups: dict[str, list[int]] = defaultdict(list)
    for place, refusal in enumerate(refusals):
        groups[refusal.kind].append(place)
    return [(in_one([refusals[place] for place in places]), places) for places in groups.values()]
