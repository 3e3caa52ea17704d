"""Models that predict the objective, with an error bar, from a few evaluated candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Surrogate(Protocol):
    """A regression model with error bars, refitted from the results whenever a pick is made.

    Features come from a `FeatureScaling`: of order one, without NaN. At least one value is given
    to `fit`, and values may all be equal.
    """

    def fit(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Learn from evaluated candidates.

        Parameters
        ----------
        features : ndarray, shape (n, d)
            Scaled features.
        values : ndarray, shape (n,)
            Objective in its model space (a logarithm where the objective says so).
        value_std : ndarray, shape (n,), optional
            Standard errors of the values, in the same space.
        merit : ndarray, shape (n,), optional
            What tells which candidates are the best, lower is better, where `values` are only what
            is beyond a prior.
        """
        ...

    def update(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Learn from more candidates, keeping what is slow to learn as `fit` left it."""
        ...

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Predict mean and standard deviation, both of shape (m,), for features (m, d)."""
        ...

    def draw(self, features: Floats, generator: np.random.Generator) -> Floats:
        """Draw one function of those that fit what was learnt, shape (m,), for features (m, d)."""
        ...

    @property
    def noise_std(self) -> float:
        """What results scatter around the function, beside their own errors; 0 if not known."""
        ...


MAX_CALIBRATED = 300
"""Results of which each is left out once."""
CHUNK = 4096
"""Candidates predicted at once; bounds the memory."""


class SurrogateConfig(BaseModel, extra="forbid"):
    """Which model predicts the objective."""

    kind: Literal["gaussian-process", "random-forest"] = "gaussian-process"
    n_trees: int = Field(default=200, ge=10, description="Only for the random forest.")


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
    MOST_CONDITIONED = 3000
    """Results that predictions rest on: of more, the best third of these and others at random.
    Time grows with the third power and memory with the square."""

    def __init__(self, config: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._model: Any = None
        self._theta: Floats | None = None
        self._shift, self._scale = 0.0, 1.0

    def fit(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
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
            self._condition(features, values, value_std, merit)

    def update(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Take in more values with the length scales learnt before."""
        self._condition(features, values, value_std, merit)

    def _rescale(self, values: Floats) -> None:
        self._shift, spread = float(values.mean()), float(values.std())
        self._scale = spread if spread > 1e-12 else 1.0

    def _condition(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Take in values, with length scales that are learnt from them where none are known."""
        if len(values) > self.MOST_CONDITIONED:
            best_first = np.argsort(values if merit is None else merit, kind="stable")
            n_best = self.MOST_CONDITIONED // 3
            others = np.random.default_rng(self._seed).permutation(best_first[n_best:])
            kept = [best_first[:n_best], others[: self.MOST_CONDITIONED - n_best]]
            rows = np.sort(np.concatenate(kept))
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

    def draw(self, features: Floats, generator: np.random.Generator) -> Floats:
        """Draw from the joint posterior; needs memory that grows with the square of m."""
        model = self._model
        covariance = model.kernel_(features, model.X_train_)
        mean = covariance @ model.alpha_
        joint = model.kernel_(features) - covariance @ model.K_inv_ @ covariance.T
        values, vectors = np.linalg.eigh(joint)
        spread = np.sqrt(np.maximum(values, 0.0)) * generator.standard_normal(len(values))
        drawn: Floats = self._shift + self._scale * (mean + vectors @ spread)
        return drawn


class RandomForest:
    """scikit-optimize's random forest; its error bar is the spread among and within the trees.

    It weighs results by their error bars, and knows no distance: far from all results it stays as
    sure as near them.
    """

    def __init__(self, config: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._n_trees = config.n_trees
        self._model: Any = None

    def fit(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Grow the trees."""
        from skopt.learning import RandomForestRegressor

        spread = max(float(values.std()), 1e-12)
        weights = 1 / (_known_variance(values, value_std) + (0.1 * spread) ** 2)
        self._model = RandomForestRegressor(
            n_estimators=self._n_trees,
            min_samples_leaf=1,
            max_features=0.5,
            min_variance=(0.01 * spread) ** 2,
            random_state=self._seed,
        )
        self._model.fit(features, values, sample_weight=weights)

    def update(
        self,
        features: Floats,
        values: Floats,
        value_std: Floats | None,
        merit: Floats | None = None,
    ) -> None:
        """Grow the trees again."""
        self.fit(features, values, value_std)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and spread of the trees."""
        mean, std = self._model.predict(features, return_std=True)
        return mean, std

    @property
    def noise_std(self) -> float:
        """The spread of the trees has it in already."""
        return 0.0

    def draw(self, features: Floats, generator: np.random.Generator) -> Floats:
        """Ask one tree, drawn at random: each has seen a different part of the results."""
        tree = self._model.estimators_[generator.integers(len(self._model.estimators_))]
        drawn: Floats = tree.predict(features)
        return drawn


def _known_variance(values: Floats, value_std: Floats | None) -> Floats:
    """Squared standard errors, zero where none is known."""
    return np.zeros(len(values)) if value_std is None else np.nan_to_num(value_std) ** 2


SURROGATES: dict[str, Callable[[SurrogateConfig, int], Surrogate]] = {
    "gaussian-process": GaussianProcess,
    "random-forest": RandomForest,
}


def build_surrogate(config: SurrogateConfig, seed: int) -> Surrogate:
    """Make an unfitted model; the seed makes its predictions repeatable."""
    return SURROGATES[config.kind](config, seed)


def fit_predict(
    config: SurrogateConfig,
    features_train: Floats,
    values: Floats,
    value_std: Floats | None,
    features: Floats,
    seed: int,
    expected: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Predict candidates from evaluated ones, raw features on both sides.

    Parameters
    ----------
    features_train : ndarray, shape (n, d)
    values : ndarray, shape (n,)
    value_std : ndarray, shape (n,), optional
    features : ndarray, shape (m, d)
        Together with `features_train` they set the scales.
    seed : int
    expected : ndarray, shape (n,), optional
        What a prior says of the results, where `values` are what is beyond it.

    Returns
    -------
    mean, std : ndarray, shape (m,)
        In the space of `values`.
    """
    scaling = FeatureScaling.of(np.vstack([features_train, features]))
    surrogate = build_surrogate(config, seed)
    merit = None if expected is None else values + expected
    surrogate.fit(scaling(features_train), values, value_std, merit)
    return surrogate.predict(scaling(features))


@dataclass(frozen=True)
class Calibration:
    """How well a model predicts results that it was not told.

    Attributes
    ----------
    n : int
        Results, each left out once, with length scales learnt from all of them.
    rms : float
        Root of the mean squared error, in the objective's model space.
    within_one_std : float
        Fraction within one standard deviation of the prediction and the result's own error; 0.68
        where the error bars are right.
    rank_correlation : float
        Spearman's, of predictions and results.
    """

    n: int
    rms: float
    within_one_std: float
    rank_correlation: float


def leave_one_out(
    config: SurrogateConfig,
    features_train: Floats,
    values: Floats,
    value_std: Floats | None,
    features: Floats,
    seed: int,
    expected: Floats | None = None,
) -> Calibration:
    """Predict each result from the others; arguments are those of `fit_predict`.

    Of more results than `MAX_CALIBRATED` so many are drawn: the cost grows with the fourth power.

    Parameters
    ----------
    expected : ndarray, shape (n,), optional
        What a prior says of the results, where `values` are what is beyond it.
    """
    expected = np.zeros(len(values)) if expected is None else expected
    if len(values) > MAX_CALIBRATED:
        drawn = np.random.default_rng(seed).permutation(len(values))[:MAX_CALIBRATED]
        features_train, values, expected = features_train[drawn], values[drawn], expected[drawn]
        value_std = None if value_std is None else value_std[drawn]
    scaling = FeatureScaling.of(np.vstack([features_train, features]))
    scaled = scaling(features_train)
    surrogate = build_surrogate(config, seed)
    surrogate.fit(scaled, values, value_std)
    mean, std = np.empty(len(values)), np.empty(len(values))
    for left_out in range(len(values)):
        rest = np.arange(len(values)) != left_out
        known = None if value_std is None else value_std[rest]
        surrogate.update(scaled[rest], values[rest], known)
        mean[left_out], std[left_out] = (each[0] for each in surrogate.predict(scaled[[left_out]]))
    error = mean - values
    std = np.hypot(std, surrogate.noise_std)
    spread = np.hypot(std, 0.0 if value_std is None else np.nan_to_num(value_std))
    return Calibration(
        n=len(values),
        rms=float(np.sqrt((error**2).mean())),
        within_one_std=float((np.abs(error) <= spread + 1e-12).mean()),
        rank_correlation=_rank_correlation(mean + expected, values + expected),
    )


def _rank_correlation(one: Floats, other: Floats) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else 0.0


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
