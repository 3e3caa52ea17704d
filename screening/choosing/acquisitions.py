"""What a candidate is worth, from what a model says of it: the higher the better.

Scores from scikit-optimize's acquisition functions, weighted with the chance that the candidate
gives a value at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """What a model says of some candidates, in the form scikit-optimize asks for.

    Attributes
    ----------
    mean, std : ndarray, shape (m,)
        On the objective's model scale, where lower is better.
    feasible : ndarray, shape (m,)
        Chance of a value.
    drawn : ndarray, shape (m,)
        One function out of all that fit the results, at the same candidates.
    values : ndarray, shape (n,)
        Results so far.
    """

    mean: Floats
    std: Floats
    feasible: Floats
    drawn: Floats
    values: Floats

    def predict(self, features: Floats, return_std: bool = True) -> tuple[Floats, Floats]:
        """Return the prediction made already."""
        return self.mean, self.std

    def expected(self, score: Floats) -> Floats:
        """Weigh a score with the chance of a value, a missing value counting as the worst one."""
        weighed: Floats = self.feasible * score - (1 - self.feasible) * self.values.max()
        return weighed


def expected_improvement(posterior: Posterior, xi: float, kappa: float) -> Floats:
    """Return how much better than the best result a candidate is expected to be."""
    from skopt.acquisition import gaussian_ei

    best = posterior.values.min()
    improvement: Floats = gaussian_ei(_unused(posterior), posterior, y_opt=best, xi=xi)
    return posterior.feasible * improvement


def probability_of_improvement(posterior: Posterior, xi: float, kappa: float) -> Floats:
    """Return the chance of being better than the best result by more than `xi`."""
    from skopt.acquisition import gaussian_pi

    best = posterior.values.min()
    chance: Floats = gaussian_pi(_unused(posterior), posterior, y_opt=best, xi=xi)
    return posterior.feasible * chance


def lower_confidence_bound(posterior: Posterior, xi: float, kappa: float) -> Floats:
    """Rank by the value that is `kappa` standard deviations better than expected."""
    from skopt.acquisition import gaussian_lcb

    bound: Floats = gaussian_lcb(_unused(posterior), posterior, kappa=kappa)
    return posterior.expected(-bound)


def thompson(posterior: Posterior, xi: float, kappa: float) -> Floats:
    """Rank by one function drawn from the posterior."""
    return posterior.expected(-posterior.drawn)


def greedy(posterior: Posterior, xi: float, kappa: float) -> Floats:
    """Rank by the expected value."""
    return posterior.expected(-posterior.mean)


def _unused(posterior: Posterior) -> Floats:
    return np.empty((len(posterior.mean), 1))


#: Scores from the posterior, the least improvement worth anything, and the weight of uncertainty.
Acquisition = Callable[[Posterior, float, float], "Floats"]

ACQUISITIONS: dict[str, Acquisition] = {
    "expected-improvement": expected_improvement,
    "probability-of-improvement": probability_of_improvement,
    "lower-confidence-bound": lower_confidence_bound,
    "thompson": thompson,
    "greedy": greedy,
}


def chance_below(bound: float, mean: float, std: float) -> float:
    """Return the probability that a normally distributed value is below a bound."""
    return 0.5 * (1 + math.erf((bound - mean) / max(std, 1e-12) / math.sqrt(2)))
