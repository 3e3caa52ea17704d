"""Why entries of a source were left out, in few lines: by reason, with counts and an example.

A library has thousands of entries that cannot be used.  Their reasons name sites, elements, numbers
and places, so that hardly two are the same text; what they say is of a few kinds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])")
_REST = re.compile(
    r"(?<=the same entry as ).+|(?<=a site holds ).+|(?<=its CIF lacks )[^;]+(?=; is it truncated)"
)
"""Places, species with their shares, and tags, in sentences that end with them."""
_QUOTED = re.compile(r"'[^']*'")
_CRYSTAL = re.compile(r"(?<![\w'])(?!CIF\b)(?:[A-Z][a-z]?[\d.]*)+(?![\w'])[+-]?")
"""Elements and formulas."""
_LIST = re.compile(r"…+(?: \(?…+\)?)?(?:(?:, | and |-)…+(?: \(?…+\)?)?)*")
"""Several of them, with their shares."""


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


def summed_up(refusals: Iterable[tuple[str, str]]) -> list[LeftOut]:
    """Count the reasons of entries, given as place and reason, the most frequent first."""
    refused = list(refusals)
    groups = [
        LeftOut(reason, len(places), refused[places[0]][0])
        for reason, places in alike([reason for _, reason in refused])
    ]
    return sorted(groups, key=lambda group: -group.count)


def alike(reasons: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return reasons, like ones as one, and at which places of the list each was.

    Reasons are one where they differ in numbers alone, or in the elements, sites and names that
    they are about.
    """
    found: dict[str, list[int]] = defaultdict(list)
    for place, reason in enumerate(reasons):
        found[_kind(reason)].append(place)
    return [(_in_one([reasons[each] for each in places]), places) for places in found.values()]


def _kind(reason: str, *, quoted: bool = False) -> str:
    """Return a reason without what it is about; names in quotes can be left in."""
    bare = _REST.sub("…", reason)
    for part in (_NUMBER, _CRYSTAL) if quoted else (_QUOTED, _NUMBER, _CRYSTAL):
        bare = part.sub("…", bare)
    return _LIST.sub("…", bare)


def _in_one(reasons: Sequence[str]) -> str:
    """Return reasons of one kind as one, with the range of each number where that is all."""
    if len(set(reasons)) == 1:
        return reasons[0]
    # A number that is part of a name is no range.
    rests = {tuple(_REST.findall(reason)) for reason in reasons}
    if len(rests) > 1 or len({_NUMBER.sub("…", reason) for reason in reasons}) > 1:
        same_names = len({tuple(_QUOTED.findall(reason)) for reason in reasons}) == 1
        return _kind(reasons[0], quoted=same_names)
    columns = zip(*(_NUMBER.findall(reason) for reason in reasons), strict=True)
    ranges = []
    for column in columns:
        low, high = min(column, key=float), max(column, key=float)
        ranges.append(low if float(low) == float(high) else f"{low} to {high}")
    found = iter(ranges)
    return _NUMBER.sub(lambda match: next(found), reasons[0])
