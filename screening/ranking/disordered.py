"""Disordered crystals in a ranking: what their ordered approximants come to together."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from screening.ranking.entries import RankedRow
from screening.targets.scale import Scale


@dataclass(frozen=True)
class Disordered:
    """One disordered crystal.

    Attributes
    ----------
    name : str
        Its formula.
    entries : list of str
        Names of the entries that it stands in, sorted.
    candidate_ids : list of str
        Of its approximants that have a value, the best first.
    value : float
        Mean over these, on the model's scale: of a logarithmic objective the geometric mean.
    spread : float or None
        Standard deviation there, a decimal logarithm of a logarithmic objective; None of one.
    """

    name: str
    entries: list[str]
    candidate_ids: list[str]
    value: float
    spread: float | None


def disordered_crystals(
    rows: Iterable[RankedRow], origins: Mapping[str, Iterable[Mapping[str, Any]]], scale: Scale
) -> list[Disordered]:
    """Return the disordered crystals of a ranking, the best first.

    Two of one formula are two: they are told apart by the digits of the crystal that their
    approximants were made of, and, where an older version stored none, by their entries.

    Parameters
    ----------
    rows
        In their order.
    origins
        Those of candidates, by id, as they are stored: one candidate may be an approximant of
        several crystals.
    scale
        Of the values.
    """
    groups: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    entries: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in rows:
        if row.outcome != "computed" or row.value is None:
            continue
        for origin in origins.get(row.candidate_id, ()):
            stated = origin["properties"]
            if stated.get("disordered_from") is None:
                continue
            entry = str(origin["material_id"])
            digits = stated.get("disordered_id")
            own = (str(digits),) if digits else (str(origin["source"]), entry)
            key = (str(stated["disordered_from"]), *own)
            groups[key][row.candidate_id] = scale.to_model(row.value)
            entries[key].add(entry)
    found = []
    for key, members in groups.items():
        values = list(members.values())
        mean = statistics.fmean(values)
        spread = statistics.stdev(values) if len(values) > 1 else None
        value = scale.from_model(mean)
        crystal = Disordered(key[0], sorted(entries[key]), list(members), value, spread)
        found.append((mean, key, crystal))
    return [crystal for _, _, crystal in sorted(found, key=lambda each: each[:2])]
