"""Features on the scale that models expect, and distances there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.choosing.observations import Floats

CHUNK = 4096
"""Candidates compared at once; bounds the memory."""


@dataclass(frozen=True)
class FeatureScaling:
    """Bring raw features to the scale the models expect, learnt from the whole pool.

    The pool is known before anything is evaluated, so its spread is a better yardstick than that
    of the first five results. NaN becomes the pool's median of that feature, a feature that is
    constant (or NaN throughout) is dropped, and the rest get zero mean and a variance of one over
    their number: two random candidates are about √2 apart, however many features there are.
    """

    kept: NDArray[np.intp]
    median: Floats
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, pool: Floats) -> FeatureScaling:
        """Learn the scales of a pool, shape (m, d)."""
        raw = np.where(np.isfinite(pool), pool, np.nan)
        known = np.isfinite(raw).any(axis=0)
        median = np.zeros(raw.shape[1])
        median[known] = np.nanmedian(raw[:, known], axis=0)
        filled = np.where(np.isnan(raw), median, raw)
        spread = filled.std(axis=0)
        kept = np.flatnonzero(spread > 1e-9 * np.maximum(1.0, np.abs(filled).max(axis=0)))
        scale = spread[kept] * np.sqrt(max(len(kept), 1))
        return cls(kept, median, filled[:, kept].mean(axis=0), scale)

    def __call__(self, features: Floats) -> Floats:
        """Scale features, shape (n, d), to shape (n, number of kept features)."""
        filled = np.where(np.isfinite(features), features, self.median)
        scaled: Floats = (filled[:, self.kept] - self.mean) / self.scale
        # A pool without any spread still needs one column for the models to accept it.
        return scaled if len(self.kept) else np.zeros((len(features), 1))


def nearest(asked: Floats, known: Floats, count: int = 1) -> tuple[NDArray[np.intp], Floats]:
    """Return the rows of `known` that are nearest to each row of `asked`, and how far they are.

    Parameters
    ----------
    asked, known : ndarray, shape (m, d) and (n, d)
        Scaled features.

    Returns
    -------
    rows, distances : ndarray, shape (m, min(count, n))
        Nearest first; of equally near ones those that come first.
    """
    from scipy.spatial.distance import cdist

    rows, distances = [], []
    for first in range(0, len(asked), CHUNK):
        away = cdist(asked[first : first + CHUNK], known)
        rows.append(np.argsort(away, axis=1, kind="stable")[:, :count])
        distances.append(np.take_along_axis(away, rows[-1], axis=1))
    return np.concatenate(rows), np.concatenate(distances)
