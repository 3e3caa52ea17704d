"""What an engine finds for crystals like one: a value that stands out from these is suspect.

Where a potential is wrong by a factor, it is mostly so for single crystals, and right for others
like them.  A Gaussian process of the engine's own values tells what it would find for a crystal
with such neighbours; no reference value is needed for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.choosing.feature_scaling import FeatureScaling

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from screening.choosing.observations import Floats

LENGTH = 2.0
"""Of the Matérn kernel, in scaled features: two random candidates are about √2 apart."""
AMPLITUDE, NOISE = 0.5, 0.03
"""Variances of what likeness explains and of what it does not, in units of that of the values."""
LEVEL = 10.0
"""Variance of the unknown mean, in the same unit: it is all but free."""


@dataclass(frozen=True)
class Peers:
    """An engine's values for some crystals.

    Parameters
    ----------
    scaling, rows
        Scale of features, and the features of the crystals on it.
    mean, scale
        Of the values.
    weights, inverse
        Of the Gaussian process.
    """

    scaling: FeatureScaling
    rows: Floats
    mean: float
    scale: float
    weights: Floats
    inverse: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, features: Floats, values: Floats) -> Peers:
        """Learn what the engine finds.

        Parameters
        ----------
        features : ndarray, shape (n, d)
        values : ndarray, shape (n,)
        """
        scaling = FeatureScaling.of(features)
        rows = scaling(features)
        mean, scale = float(values.mean()), float(values.std()) or 1.0
        covariance = _covariance(rows, rows) + NOISE * np.eye(len(rows))
        inverse = np.linalg.inv(covariance)
        return cls(scaling, rows, mean, scale, inverse @ ((values - mean) / scale), inverse)

    def shortfall(self, features: Floats, values: Floats) -> Floats:
        """Return how far values are below what is expected, less where no crystal is alike.

        A potential that is too soft finds too low a κ, so that only such values are suspect.

        Parameters
        ----------
        features : ndarray, shape (m, d)
        values : ndarray, shape (m,)

        Returns
        -------
        ndarray, shape (m,)
            On the scale of the values, never negative; zero for a crystal unlike all of them.
        """
        rows = self.scaling(features)
        across = _covariance(rows, self.rows)
        expected = self.mean + self.scale * (across @ self.weights)
        unexplained = AMPLITUDE + LEVEL - ((across @ self.inverse) * across).sum(axis=1)
        reliability: Floats = np.clip(1.0 - unexplained / AMPLITUDE, 0.0, 1.0)
        below: Floats = np.maximum(expected - values, 0.0) * reliability
        return np.where(np.isfinite(below), below, 0.0)


def _covariance(first: Floats, second: Floats) -> Floats:
    squared = np.maximum(
        (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T, 0.0
    )
    distance = np.sqrt(5 * squared) / LENGTH
    covariance: Floats = LEVEL + AMPLITUDE * (1 + distance + distance**2 / 3) * np.exp(-distance)
    return covariance
