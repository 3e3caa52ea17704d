"""The surrogate that ships: a Gaussian process with a length scale for each feature."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from screening.choosing.config import SurrogateConfig
from screening.choosing.feature_scaling import CHUNK
from screening.choosing.observations import MOST_RESULTS, Floats, most_telling


class GaussianProcess:
    """scikit-optimize's Gaussian process: Matérn-5/2, a length scale a feature, fitted noise.

    Tens of length scales cannot be read off tens of results, so they have a prior and the maximum
    is that of the posterior: log-normal around a common scale, which is itself uncertain.  With few
    results all features count alike; with more, those that matter stand out.  Widths were chosen
    on tables that are none of the product's own (see ``docs/how-to/choosing.md``).
    """

    MEAN_LOG_LENGTH = 1.0
    """Of the common scale; two random candidates are about √2 apart."""
    COMMON_SPREAD, OWN_SPREAD = 0.5, 1.0
    """Standard deviations of the logarithm of the common scale, and of each around it."""
    MEAN_LOG_NOISE, NOISE_SPREAD = -3.0, 1.5
    """Of the noise's variance, in units of that of the values."""
    AMPLITUDE_SPREAD = 1.0
    MOST_LEARNT_FROM = 200
    """Results that length scales are learnt from, drawn at random from more."""

    name: ClassVar = "gaussian-process"
    help: ClassVar = "A Gaussian process with a length scale for each feature."
    Options: ClassVar[type[SurrogateConfig]] = SurrogateConfig

    def __init__(self, options: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._model: Any = None
        self._theta: Floats | None = None
        self._shift, self._scale = 0.0, 1.0

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Find the most probable amplitude, length scales and noise, then condition on all."""
        n_values = len(values)
        few = np.arange(n_values)
        if n_values > self.MOST_LEARNT_FROM:
            drawn = np.random.default_rng(self._seed).permutation(n_values)
            few = np.sort(drawn[: self.MOST_LEARNT_FROM])
        self._rescale(values)
        self._theta = None
        self._condition(features[few], values[few], None if value_std is None else value_std[few])
        if len(few) < n_values:
            self._condition(features, values, value_std)

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Take in more values with the length scales learnt before."""
        self._condition(features, values, value_std)

    def _rescale(self, values: Floats) -> None:
        self._shift, spread = float(values.mean()), float(values.std())
        self._scale = spread if spread > 1e-12 else 1.0

    def _condition(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Take in values, with length scales that are learnt from them where none are known."""
        rows = most_telling(values, MOST_RESULTS, self._seed)
        features, values = features[rows], values[rows]
        value_std = None if value_std is None else value_std[rows]
        from skopt.learning import GaussianProcessRegressor
        from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        lengths = np.full(features.shape[1], np.exp(self.MEAN_LOG_LENGTH))
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
            lengths, (1e-2, 1e4), nu=2.5
        ) + WhiteKernel(np.exp(self.MEAN_LOG_NOISE), (1e-6, 1.0))
        scaled = (values - self._shift) / self._scale
        variance = 1e-8 + _known_variance(values, value_std) / self._scale**2
        if self._theta is None:
            self._theta = self._most_probable(features, scaled, variance, kernel.bounds)
        self._model = GaussianProcessRegressor(
            kernel=kernel.clone_with_theta(self._theta),
            alpha=variance,
            noise="gaussian",
            optimizer=None,
            random_state=self._seed,
        )
        self._model.fit(features, scaled)

    def _most_probable(
        self, features: Floats, values: Floats, known_variance: Floats, bounds: Floats
    ) -> Floats:
        """Return the logarithms of amplitude, length scales and noise of the highest posterior.

        Likelihood and its gradient are those of C. E. Rasmussen and C. K. I. Williams, Gaussian
        Processes for Machine Learning (2006), eqs. 5.8 and 5.9, written out for this kernel: with
        scikit-learn's general form a fit takes four to six times as long.
        """
        from scipy.linalg import cho_factor, cho_solve
        from scipy.optimize import minimize

        n, n_features = features.shape
        squares = (features.T[:, :, None] - features.T[:, None, :]) ** 2
        squares = squares.reshape(n_features, n * n)
        mean = np.full(n_features + 2, self.MEAN_LOG_LENGTH)
        mean[0], mean[-1] = 0.0, self.MEAN_LOG_NOISE
        own, common = self.OWN_SPREAD**-2, self.COMMON_SPREAD**2
        # Inverse of own⁻¹ 1 + common 11ᵀ, by Sherman and Morrison.
        shared = common * own**2 / (1 + n_features * common * own)

        def objective(theta: Floats) -> tuple[float, Floats]:
            amplitude, noise = np.exp(theta[0]), np.exp(theta[-1])
            weights = np.exp(-2 * theta[1:-1])
            squared = (weights @ squares).reshape(n, n)
            distance = np.sqrt(5 * squared)
            decay = np.exp(-distance)
            matern = (1 + distance + 5 / 3 * squared) * decay
            covariance = amplitude * matern
            covariance[np.diag_indices(n)] += noise + known_variance
            factor = cho_factor(covariance, lower=True)
            inverse = cho_solve(factor, np.eye(n))
            alpha = inverse @ values
            minus_log_likelihood = (
                0.5 * values @ alpha + np.log(np.diag(factor[0])).sum() + n / 2 * np.log(2 * np.pi)
            )
            slope = 0.5 * (inverse - np.outer(alpha, alpha))
            # d matern / d squared = −5/6 (1 + distance) decay
            along = (slope * (-5 / 6 * amplitude) * (1 + distance) * decay).ravel()
            gradient = np.concatenate(
                [
                    [(slope * amplitude * matern).sum()],
                    -2 * weights * (squares @ along),
                    [noise * np.trace(slope)],
                ]
            )
            away = theta - mean
            pull = own * away - shared * away[1:-1].sum()
            pull[0] = away[0] / self.AMPLITUDE_SPREAD**2
            pull[-1] = away[-1] / self.NOISE_SPREAD**2
            return minus_log_likelihood + 0.5 * float(away @ pull), gradient + pull

        found = minimize(
            objective, mean, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 60}
        )
        best: Floats = found.x
        return best

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Posterior of the noise-free objective."""
        # scikit-optimize's own prediction multiplies three matrices at once, element by element.
        model = self._model
        mean, variance = np.empty(len(features)), np.empty(len(features))
        for first in range(0, len(features), CHUNK):
            rows = slice(first, first + CHUNK)
            covariance = model.kernel_(features[rows], model.X_train_)
            mean[rows] = covariance @ model.alpha_
            explained = ((covariance @ model.K_inv_) * covariance).sum(1)
            variance[rows] = model.kernel_.diag(features[rows]) - explained
        std = np.sqrt(np.maximum(variance, 0.0))
        return self._shift + self._scale * mean, self._scale * std

    @property
    def noise_std(self) -> float:
        """Of the noise that was learnt."""
        return self._scale * float(np.sqrt(self._model.noise_))


def _known_variance(values: Floats, value_std: Floats | None) -> Floats:
    """Squared standard errors, zero where none is known."""
    return np.zeros(len(values)) if value_std is None else np.nan_to_num(value_std) ** 2
