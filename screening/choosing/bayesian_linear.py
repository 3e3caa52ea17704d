"""A linear model with error bars; in features that are cluster vectors, a cluster expansion."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from screening.choosing.config import SurrogateConfig
from screening.choosing.observations import MOST_RESULTS, Floats, most_telling

MEAN_LOG_NOISE, NOISE_SPREAD = -3.0, 1.5
"""Mean and standard deviation of the logarithm of the noise's variance, in units of that of the
values; without it a fit with more coefficients than values would believe itself free of noise."""
EXACT = 1e-10
"""Variance, in units of that of the values, of those that are exact by definition."""


class BayesianLinear:
    """Bayesian linear regression: a normal prior of one width on all coefficients.

    Width and noise are those of the highest evidence (D. J. C. MacKay, Neural Comput. 4, 415
    (1992)), the noise with a wide prior of its own.  Features are taken as they are: who makes them
    says by their size what is expected of their coefficients.  A value whose standard error is zero
    is exact by definition, as that of an end member, and the fit goes through it; one whose error
    is not known has the noise alone.
    """

    name: ClassVar = "bayesian-linear"
    help: ClassVar = "A linear model with error bars; of cluster vectors, a cluster expansion."
    Options: ClassVar[type[SurrogateConfig]] = SurrogateConfig
    raw_features: ClassVar = True

    def __init__(self, options: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._shift, self._scale = 0.0, 1.0
        self._log_width, self._log_noise = 0.0, -4.0
        self._features: Floats = np.empty((0, 0))
        self._weights: Floats = np.empty(0)
        self._factor: Floats = np.empty((0, 0))

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Find width and noise of the highest evidence, then condition on all values."""
        from scipy.optimize import minimize

        self._shift, spread = float(values.mean()), float(values.std())
        self._scale = spread if spread > 1e-12 else 1.0
        rows, scaled, known, exact = self._told(features, values, value_std)
        gram = rows @ rows.T
        # The width at which features alone explain the spread of the values.
        usual = -np.log(max(float(np.diag(gram).mean()), 1e-12))

        def minus_log_evidence(theta: Floats) -> float:
            found = _factored(gram, theta[0], theta[1], known, exact)
            residual = np.linalg.solve(found, scaled)
            likely = 0.5 * residual @ residual + np.log(np.diag(found)).sum()
            return float(likely + 0.5 * ((theta[1] - MEAN_LOG_NOISE) / NOISE_SPREAD) ** 2)

        # A flat prior far from what is usual would let two values be explained by anything.
        bounds = [(usual - 8, usual + 8), (-14.0, 2.0)]
        tries = [
            minimize(
                minus_log_evidence,
                np.array([usual + width, noise]),
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": 40},
            )
            for width, noise in ((0.0, -4.0), (2.0, -1.0))
        ]
        best = min(tries, key=lambda found: float(found.fun)).x
        self._log_width, self._log_noise = float(best[0]), float(best[1])
        self.update(features, values, value_std)

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Take in more values with the width and noise found before."""
        rows, scaled, known, exact = self._told(features, values, value_std)
        self._features = rows
        self._factor = _factored(rows @ rows.T, self._log_width, self._log_noise, known, exact)
        inner = np.linalg.solve(self._factor, scaled)
        self._weights = np.linalg.solve(self._factor.T, inner)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Posterior of the linear function, without the noise."""
        rows = np.nan_to_num(features, posinf=0.0, neginf=0.0)
        width = np.exp(self._log_width)
        shared = width * rows @ self._features.T
        inner = np.linalg.solve(self._factor, shared.T)
        variance = width * (rows**2).sum(1) - (inner**2).sum(0)
        mean = self._shift + self._scale * (shared @ self._weights)
        return mean, self._scale * np.sqrt(np.maximum(variance, 0.0))

    def coefficients(self) -> tuple[float, Floats]:
        """Return constant and coefficients, shape (features,), of the mean of the posterior."""
        return self._shift, self._scale * np.exp(self._log_width) * (
            self._features.T @ self._weights
        )

    def sample(self, count: int, seed: int) -> tuple[float, Floats]:
        """Return the constant, and coefficients drawn from the posterior, shape (count, features).

        By conditioning draws of the prior (Matheron's rule).
        """
        generator = np.random.default_rng(seed)
        n, width = self._features.shape[1], np.exp(self._log_width)
        prior = np.sqrt(width) * generator.normal(size=(count, n))
        noise = self._noise_std_of_rows * generator.normal(size=(count, len(self._features)))
        off = prior @ self._features.T + noise
        inner = np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, off.T))
        constant, mean = self.coefficients()
        moved = prior - width * (self._features.T @ inner).T
        return constant, mean + self._scale * moved

    @property
    def noise_std(self) -> float:
        """Of what a linear function cannot follow."""
        return self._scale * float(np.exp(self._log_noise / 2))

    def _told(
        self, features: Floats, values: Floats, value_std: Floats | None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return rows, scaled values, their own variances, and which are exact (1 or 0)."""
        chosen = most_telling(values, MOST_RESULTS, self._seed)
        rows = np.nan_to_num(features[chosen], posinf=0.0, neginf=0.0)
        std = np.full(len(chosen), np.nan) if value_std is None else value_std[chosen]
        exact = (std == 0.0).astype(float)
        known = (np.nan_to_num(std) / self._scale) ** 2
        self._last = (known, exact)
        return rows, (values[chosen] - self._shift) / self._scale, known, exact

    @property
    def _noise_std_of_rows(self) -> Floats:
        known, exact = self._last
        noise: Floats = np.sqrt(np.where(exact > 0, EXACT, np.exp(self._log_noise) + known))
        return noise


def _factored(
    gram: Floats, log_width: float, log_noise: float, known: Floats, exact: Floats
) -> Floats:
    """Return the Cholesky factor of the covariance of the values."""
    variance = np.where(exact > 0, EXACT, np.exp(log_noise) + known)
    covariance = np.exp(log_width) * gram
    # Rounding makes rows that depend on each other no positive matrix.
    variance = variance + 1e-13 * np.diag(covariance).mean()
    covariance = covariance + np.diag(variance)
    factor: Floats = np.linalg.cholesky(covariance)
    return factor
