"""A few of the best that are unlike each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from screening.choosing.observations import Floats


@dataclass(frozen=True)
class Chosen:
    """One of the chosen.

    Attributes
    ----------
    place : int
        Its row.
    like : int or None
        Row of the most similar one that was chosen before it; None for the first.
    distance : float or None
        How far it is from that one.
    """

    place: int
    like: int | None
    distance: float | None


def diverse(features: Floats, count: int) -> list[Chosen]:
    """Choose rows that are as unlike each other as can be, better ones first.

    The first row is taken, and then each next one that is at least some distance from all taken
    before it.  That distance is found by bisection: the largest one which leaves as many as are
    wanted, but for chance, as a larger one rarely leaves more.  So all of the chosen differ by
    about as much as the set allows, and among alike ones the best stands for all.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Scaled features, the best row first.
    count : int
        How many to choose.

    Returns
    -------
    list of Chosen
        Best first; all rows where there are no more than `count`.
    """
    distances = cdist(features, features)
    if len(features) <= count:
        return _with_neighbours(list(range(len(features))), distances)
    # Of rows that are alike throughout, distance 0 leaves enough.
    radii = np.unique(np.concatenate([[0.0], distances[np.triu_indices(len(features), 1)]]))
    low, high = 0, len(radii) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if len(_apart(distances, float(radii[middle]), count)) == count:
            low = middle
        else:
            high = middle - 1
    return _with_neighbours(_apart(distances, float(radii[low]), count), distances)


def _apart(distances: Floats, radius: float, count: int) -> list[int]:
    """Return the first rows that are at least a distance from each other, at most so many."""
    free = np.ones(len(distances), dtype=bool)
    taken: list[int] = []
    while free.any() and len(taken) < count:
        first = int(free.argmax())
        taken.append(first)
        free &= distances[first] >= radius
        free[first] = False
    return taken


def _with_neighbours(taken: list[int], distances: Floats) -> list[Chosen]:
    chosen: list[Chosen] = []
    for number, place in enumerate(taken):
        like = min(taken[:number], key=lambda other: distances[place, other], default=None)
        distance = None if like is None else float(distances[place, like])
        chosen.append(Chosen(place, like, distance))
    return chosen
