"""First picks, before a model can be asked."""

from __future__ import annotations

import numpy as np

from screening.choosing.pool import Pool


def space_filling(pool: Pool, n: int, seed: int) -> list[int]:
    """Draw candidates that are far from all seen ones and from each other.

    The chance grows with the squared distance (the seeding of k-means++): taking the very farthest
    would collect the oddities of the pool.
    """
    if n == 0:
        return []
    generator = pool.generator(seed)
    places = pool.places(pool.available)
    nearest = np.full(len(pool.ids), np.inf)
    for seen in pool.seen:
        nearest = np.minimum(nearest, ((places - seen) ** 2).sum(1))
    chosen: list[int] = []
    while len(chosen) < n:
        free = np.ones(len(pool.ids))
        free[chosen] = 0.0
        weights = free * np.where(np.isfinite(nearest), nearest, 1.0)
        if weights.sum() <= 0:
            weights = free
        chosen.append(int(generator.choice(len(pool.ids), p=weights / weights.sum())))
        distance = ((places - places[chosen[-1]]) ** 2).sum(1)
        nearest = np.minimum(nearest, distance)
    return chosen
