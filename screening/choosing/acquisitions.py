"""What a candidate is worth, from what a model says of it: the higher the better.

Scores from scikit-optimize's acquisition functions, weighted with the chance that the candidate
gives a value at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from screening.choosing.observations import Floats


@dataclass(frozen=True)
class Posterior:
    """What a model says of some candidates, in the form scikit-optimize asks for.

    Attributes
    ----------
    mean, std : ndarray, shape (m,)
        On the objective's model scale, where lower is better.
    feasible : ndarray, shape (m,)
        Chance of a value.
    values : ndarray, shape (n,)
        Results so far.
    """

    mean: Floats
    std: Floats
    feasible: Floats
    values: Floats

    def predict(self, features: Floats, return_std: bool = True) -> tuple[Floats, Floats]:
        """Return the prediction made already."""
        return self.mean, self.std


def expected_improvement(posterior: Posterior, xi: float) -> Floats:
    """Return how much better than the best result a candidate is expected to be."""
    from skopt.acquisition import gaussian_ei

    unused = np.empty((len(posterior.mean), 1))
    best = posterior.values.min()
    improvement: Floats = gaussian_ei(unused, posterior, y_opt=best, xi=xi)
    return posterior.feasible * improvement


def expected_value(posterior: Posterior) -> Floats:
    """Return the expected value, its sign turned, a missing value counting as the worst one."""
    feasible = posterior.feasible
    expected: Floats = -feasible * posterior.mean - (1 - feasible) * posterior.values.max()
    return expected


def chance_below(bound: float, mean: float, std: float) -> float:
    """Return the probability that a normally distributed value is below a bound."""
    return 0.5 * (1 + math.erf((bound - mean) / max(std, 1e-12) / math.sqrt(2)))
