"""Whether a candidate gives a value at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.choosing.observations import Floats


def probability_feasible(
    features_train: Floats, feasible: NDArray[np.bool_], features: Floats
) -> Floats:
    """Chance that a candidate gives a value at all, judged by its evaluated neighbours.

    A Gaussian-weighted vote of the evaluated candidates, and one vote more at the overall rate of
    success, which is what remains far from all of them.

    Parameters
    ----------
    features_train : ndarray, shape (n, d)
        Scaled features of the evaluated candidates.
    feasible : ndarray of bool, shape (n,)
        False for the unstable and the failed.
    features : ndarray, shape (m, d)
        Scaled features of the candidates asked about.

    Returns
    -------
    ndarray, shape (m,)
        Between 0 and 1; all ones while only one class was seen, which teaches nothing.
    """
    if feasible.all() or not feasible.any():
        return np.ones(len(features))
    width = 0.5  # candidates of one chemical family are this close, random ones √2 apart
    squares = (features**2).sum(1)[:, None] + (features_train**2).sum(1)[None, :]
    squared_distances = squares - 2 * features @ features_train.T
    votes = np.exp(-0.5 * np.maximum(squared_distances, 0.0) / width**2)
    rate = feasible.mean()
    probability: Floats = (rate + votes @ feasible) / (1 + votes.sum(1))
    return probability
