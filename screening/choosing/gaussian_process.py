"""The surrogate that ships: a Gaussian process with a length scale for each feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from screening.choosing.config import SurrogateConfig
from screening.choosing.feature_scaling import CHUNK
from screening.choosing.observations import MOST_RESULTS, Floats, most_telling


class GaussianProcess:
    """Matérn-5/2 (scikit-optimize's), a length scale a feature, noise; averaged over what is open.

    Tens of length scales cannot be read off tens of results, so they have a prior and the maximum
    is that of the posterior: log-normal around a common scale, which is itself uncertain.  With few
    results all features count alike; with more, those that matter stand out.  Widths were chosen
    on tables that are none of the product's own (see ``docs/how-to/choosing.md``).

    Ten results leave open how fast values change at all, how large they may be and how much of them
    features do not explain; the most probable model is surer of itself than they allow.  So models
    with other common scales and other noise are averaged, each by its probability (C. E. Rasmussen
    and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), section 5.2), after the
    mean and the scale of the values were integrated out of each (A. O'Hagan, J. R. Stat. Soc. B 40,
    1 (1978)): a mixture of Student's distributions, of which mean and standard deviation are told.
    """

    MEAN_LOG_LENGTH = 1.0
    """Of the common scale; two random candidates are about √2 apart."""
    COMMON_SPREAD, OWN_SPREAD = 0.5, 0.5
    """Standard deviations of the logarithm of the common scale, and of each around it."""
    MEAN_LOG_NOISE, NOISE_SPREAD = -3.0, 1.5
    """Of the noise's variance, in units of that of the values."""
    AMPLITUDE_SPREAD = 1.0
    SHIFTS = (-1.5, -1.0, -0.5, 0.0, 0.5)
    """Of the logarithms of all length scales from the most probable ones, in models averaged."""
    NOISE_SHIFTS = (-3.0, -1.5, 0.0, 1.5, 3.0)
    """Of the logarithm of noise over amplitude, likewise."""
    MOST_NOISE = 1.0
    """Noise over amplitude beyond which no model is averaged."""
    LEAST_WEIGHT = 0.01
    """Models this much less probable than the most probable one are left out."""
    SCALE_PRIOR = 3.0
    """Results that the prior of the scale of the values counts as: their own spread."""
    LEVEL = 10.0
    """Variance of the mean, in units of the amplitude: it is all but free."""
    MOST_LEARNT_FROM = 200
    """Results that length scales are learnt from, drawn at random from more, and up to which models
    are averaged: beyond, one is left."""

    name: ClassVar = "gaussian-process"
    help: ClassVar = "A Gaussian process with a length scale for each feature."
    Options: ClassVar[type[SurrogateConfig]] = SurrogateConfig

    def __init__(self, options: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._theta: Floats = np.empty(0)
        self._shift, self._scale = 0.0, 1.0
        self._averaged: list[tuple[float, float]] = []
        self._rows: Floats = np.empty((0, 0))
        self._models: list[_Model] = []

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Find the most probable length scales and the models near them, then condition on all."""
        n_values = len(values)
        few = np.arange(n_values)
        if n_values > self.MOST_LEARNT_FROM:
            drawn = np.random.default_rng(self._seed).permutation(n_values)
            few = np.sort(drawn[: self.MOST_LEARNT_FROM])
        self._shift, spread = float(values.mean()), float(values.std())
        self._scale = spread if spread > 1e-12 else 1.0
        scaled, variance = self._scaled(values[few], None if value_std is None else value_std[few])
        self._theta = self._most_probable(features[few], scaled, variance)
        self._averaged = [
            (shift, noise_shift)
            for shift in self.SHIFTS
            for noise_shift in self.NOISE_SHIFTS
            if not noise_shift or self._noise_ratio(noise_shift) <= self.MOST_NOISE
        ]
        self._condition(features[few], scaled, variance)
        least = self.LEAST_WEIGHT * max(model.weight for model in self._models)
        pairs = zip(self._averaged, self._models, strict=True)
        by_weight = [(model.weight, pair) for pair, model in pairs if model.weight >= least]
        if len(few) < n_values:
            by_weight = [max(by_weight)]
        self._averaged = [pair for _, pair in by_weight]
        self.update(features, values, value_std)

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Take in more values with the length scales learnt before, and weigh the models anew."""
        rows = most_telling(values, MOST_RESULTS, self._seed)
        known = None if value_std is None else value_std[rows]
        self._condition(features[rows], *self._scaled(values[rows], known))

    def _scaled(self, values: Floats, value_std: Floats | None) -> tuple[Floats, Floats]:
        """Return values and the variances of their known errors in units of their spread."""
        known = np.zeros(len(values)) if value_std is None else np.nan_to_num(value_std)
        return (values - self._shift) / self._scale, 1e-8 + (known / self._scale) ** 2

    def _noise_ratio(self, noise_shift: float) -> float:
        return float(np.exp(self._theta[-1] - self._theta[0] + noise_shift))

    def _condition(self, features: Floats, values: Floats, known_variance: Floats) -> None:
        """Take in scaled values, in each of the models."""
        self._rows = features * np.exp(-self._theta[1:-1])
        known_ratio = known_variance / np.exp(self._theta[0])
        common = float(self._theta[1:-1].mean())
        self._models = []
        for shift, noise_shift in self._averaged:
            covariance = self._covariance(self._rows, shift)
            noise = self._noise_ratio(noise_shift)
            model = _Model.of(covariance, known_ratio, noise, values, self.SCALE_PRIOR)
            off = (common + shift - self.MEAN_LOG_LENGTH) / self.COMMON_SPREAD
            noise_off = (np.log(noise) - self.MEAN_LOG_NOISE) / self.NOISE_SPREAD
            model.log_weight -= 0.5 * float(off**2 + noise_off**2)
            self._models.append(model)
        most = max(model.log_weight for model in self._models)
        total = sum(np.exp(model.log_weight - most) for model in self._models)
        for model in self._models:
            model.weight = float(np.exp(model.log_weight - most) / total)

    def _covariance(self, rows: Floats, shift: float) -> Floats:
        """Return that of rows with those that have values, in units of the amplitude."""
        from skopt.learning.gaussian_process.kernels import Matern

        covariance: Floats = Matern(np.exp(shift), nu=2.5)(rows, self._rows)
        return covariance + self.LEVEL

    def _most_probable(self, features: Floats, values: Floats, known_variance: Floats) -> Floats:
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

        bounds = np.log([(1e-2, 1e2), *[(1e-2, 1e4)] * n_features, (1e-6, 1.0)])
        found = minimize(
            objective, mean, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 60}
        )
        best: Floats = found.x
        return best

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Posterior of the noise-free objective."""
        mean, std = np.empty(len(features)), np.empty(len(features))
        asked = features * np.exp(-self._theta[1:-1])
        weights = np.array([model.weight for model in self._models])
        for first in range(0, len(features), CHUNK):
            rows = slice(first, first + CHUNK)
            covariances = {
                shift: self._covariance(asked[rows], shift)
                for shift in dict.fromkeys(shift for shift, _ in self._averaged)
            }
            predicted = np.array(
                [
                    model.predict(covariances[shift], 1.0 + self.LEVEL)
                    for (shift, _), model in zip(self._averaged, self._models, strict=True)
                ]
            )
            means, variances = predicted[:, 0], predicted[:, 1]
            mean[rows] = weights @ means
            std[rows] = np.sqrt(weights @ (variances + (means - mean[rows]) ** 2))
        return self._shift + self._scale * mean, self._scale * std

    @property
    def noise_std(self) -> float:
        """Of the noise that was learnt."""
        variance = sum(model.weight * model.scale * model.noise for model in self._models)
        return self._scale * float(np.sqrt(variance))


@dataclass
class _Model:
    """A Gaussian process of given length scales and noise.

    Parameters
    ----------
    noise : float
        Variance, like all covariances in units of the amplitude.
    inverse : ndarray, shape (n, n)
        Of the covariance of the values.
    alpha : ndarray, shape (n,)
        The inverse times the values.
    scale : float
        Expected variance for an amplitude of one: that of a Student's distribution.
    log_weight : float
        Logarithm of the likelihood, amplitude and mean integrated out.
    weight : float
        Probability among the models that are averaged.
    """

    noise: float
    inverse: NDArray[np.float64]
    alpha: Floats
    scale: float
    log_weight: float
    weight: float = 1.0

    @classmethod
    def of(
        cls, covariance: Floats, known_ratio: Floats, noise: float, values: Floats, prior: float
    ) -> _Model:
        """Condition on values; arguments in units of the amplitude, values of their spread."""
        from scipy.linalg import cho_factor, cho_solve

        n = len(values)
        covariance = covariance.copy()
        covariance[np.diag_indices(n)] += noise + known_ratio
        factor = cho_factor(covariance, lower=True)
        inverse = cho_solve(factor, np.eye(n))
        alpha = inverse @ values
        surprise = prior + float(values @ alpha)
        log_determinant = 2 * float(np.log(np.diag(factor[0])).sum())
        return cls(
            noise=noise,
            inverse=inverse,
            alpha=alpha,
            scale=surprise / max(prior + n - 2.0, 1.0),
            log_weight=-0.5 * (log_determinant + (prior + n) * np.log(surprise)),
        )

    def predict(self, covariance: Floats, own: float) -> tuple[Floats, Floats]:
        """Return mean and variance, noise-free.

        Parameters
        ----------
        covariance : ndarray, shape (m, n)
            Of what is asked with the values.
        own : float
            Variance of each of the asked, before any value is known.
        """
        explained = ((covariance @ self.inverse) * covariance).sum(1)
        return covariance @ self.alpha, self.scale * np.maximum(own - explained, 0.0)
