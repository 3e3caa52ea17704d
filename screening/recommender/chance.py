"""What a score means: the chance to be reported within some years, calibrated on the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_REPORTED = 12
"""Reported compositions in each step of the calibration: fewer make steps of chance."""


@dataclass(frozen=True)
class Chances:
    """Chances by score, rising and piecewise linear in the logarithm of the chance.

    Attributes
    ----------
    scores : ndarray, shape (n,)
        Ascending.
    chances : ndarray, shape (n,)
        To be reported within `years`.
    years : int
        Length of the window in which they were counted.
    """

    scores: Floats
    chances: Floats
    years: int

    def within(self, scores: Floats, years: float) -> Floats:
        """Return the chances to be reported within some years, at a constant rate."""
        logarithms = np.interp(scores, self.scores, np.log(self.chances))
        found: Floats = 1 - (1 - np.exp(logarithms)) ** (years / self.years)
        return found


def fitted_chances(
    scores: Floats, reported: NDArray[np.bool_], weights: Floats, years: int
) -> Chances:
    """Return the chances that fit what was reported within a window.

    Steps of equal numbers of reported compositions, made monotonic (isotonic regression), are
    joined by lines.
    """
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(reported[order])
    last = max(hits[-1] // _LEAST_REPORTED - 1, 0)
    step = np.minimum((np.maximum(hits, 1) - 1) // _LEAST_REPORTED, last)
    n_steps = int(step.max()) + 1
    counts = np.bincount(step, weights=weights[order], minlength=n_steps)
    found = np.bincount(step, weights=reported[order], minlength=n_steps)
    middle = np.bincount(step, weights=weights[order] * scores[order], minlength=n_steps) / counts
    rate = np.clip(found / counts, 1e-9, 1 - 1e-9)
    smooth = IsotonicRegression(out_of_bounds="clip").fit_transform(
        middle[::-1], rate[::-1], sample_weight=counts[::-1]
    )
    return Chances(middle[::-1], np.asarray(smooth, dtype=np.float64), years)
