"""Disordered crystals in a ranking: what their ordered approximants come to together."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from screening.ranking.entries import RankedRow
from screening.targets.scale import Scale


@dataclass(frozen=True)
class Disordered:
    """One disordered crystal.

    Attributes
    ----------
    name : str
        Its formula.
    candidate_ids : list of str
        Of its approximants that have a value, the best first.
    value : float
        Mean over these, on the model's scale: of a logarithmic objective the geometric mean.
    spread : float or None
        Standard deviation there, a decimal logarithm of a logarithmic objective; None of one.
    """

    name: str
    candidate_ids: list[str]
    value: float
    spread: float | None


def disordered_crystals(
    rows: Iterable[RankedRow], stands_for: Mapping[str, str], scale: Scale
) -> list[Disordered]:
    """Return the disordered crystals of a ranking, the best first.

    Parameters
    ----------
    rows
        In their order.
    stands_for
        By candidate id, the disordered crystal that it is an approximant of.
    scale
        Of the values.
    """
    groups: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in rows:
        if row.outcome == "computed" and row.value is not None and row.candidate_id in stands_for:
            value = scale.to_model(row.value)
            groups[stands_for[row.candidate_id]].append((row.candidate_id, value))
    found = []
    for name, members in groups.items():
        values = [value for _, value in members]
        mean = statistics.fmean(values)
        spread = statistics.stdev(values) if len(values) > 1 else None
        found.append((mean, Disordered(name, [key for key, _ in members], mean, spread)))
    return [
        Disordered(group.name, group.candidate_ids, scale.from_model(mean), group.spread)
        for mean, group in sorted(found, key=lambda pair: (pair[0], pair[1].name))
    ]
