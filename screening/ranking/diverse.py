"""The best of a campaign that are unlike each other, with what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.choosing.diverse import diverse
from screening.choosing.feature_scaling import FeatureScaling
from screening.ranking.entries import RankedRow
from screening.store.database import any_of

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign

MOST_DIFFERENCES = 3
"""Features named of two candidates."""


@dataclass(frozen=True)
class Difference:
    """A feature in which a candidate differs from another one.

    Attributes
    ----------
    feature : str
        Its name.
    value, other : float
        Of the candidate and of the other one.
    """

    feature: str
    value: float
    other: float


@dataclass(frozen=True)
class Proposal:
    """One candidate of a batch.

    Attributes
    ----------
    row : RankedRow
        Its place in the ranking.
    like : RankedRow or None
        The most similar one of the batch that is better; None for the best.
    distance : float or None
        Between the two; random members of the set they are chosen from are about √2 apart.
    differences : sequence of Difference
        What tells the two apart, the largest first; empty where the kind names no features.
    """

    row: RankedRow
    like: RankedRow | None = None
    distance: float | None = None
    differences: Sequence[Difference] = ()


def diverse_batch(campaign: Campaign, rows: Sequence[RankedRow], count: int) -> list[Proposal]:
    """Return candidates that are as unlike each other as can be, the best first.

    Parameters
    ----------
    rows
        Those to choose from, best first.  Features are scaled by their spread among these.
    count
        How many; all of them where there are no more.
    """
    if not rows:
        return []
    kind = campaign.kind
    ids = [row.candidate_id for row in rows]
    stored = campaign.database.candidates.find({"_id": any_of(ids)}, {"features": 1})
    known = {document["_id"]: document["features"] for document in stored}
    features = np.array([known[key] for key in ids], dtype=float)
    scaling = FeatureScaling.of(features)
    scaled = scaling(features)
    names = np.array(kind.feature_names(), dtype=object)
    proposals = []
    for chosen in diverse(scaled, count):
        if chosen.like is None:
            proposals.append(Proposal(rows[chosen.place]))
            continue
        differences: list[Difference] = []
        if len(names) and len(scaling.kept):
            apart = np.abs(scaled[chosen.place] - scaled[chosen.like])
            largest = np.argsort(-apart, kind="stable")[:MOST_DIFFERENCES]
            differences = [
                Difference(
                    str(names[column]),
                    float(features[chosen.place, column]),
                    float(features[chosen.like, column]),
                )
                for column in scaling.kept[largest[apart[largest] > 0]]
            ]
        proposals.append(
            Proposal(rows[chosen.place], rows[chosen.like], chosen.distance, differences)
        )
    return proposals
