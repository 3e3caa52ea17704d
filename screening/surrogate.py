"""Models that predict the objective, with an error bar, from a few evaluated candidates."""

from __future__ import annotations

import warnings
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

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Learn from evaluated candidates.

        Parameters
        ----------
        features : ndarray, shape (n, d)
            Scaled features.
        values : ndarray, shape (n,)
            Objective in its model space (a logarithm where the objective says so).
        value_std : ndarray, shape (n,), optional
            Standard errors of the values, in the same space.
        """
        ...

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Predict mean and standard deviation, both of shape (m,), for features (m, d)."""
        ...


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
    """scikit-optimize's Gaussian process: one Matérn-5/2 length scale, fitted noise.

    A single length scale, because tens of them cannot be learnt from tens of results.
    """

    def __init__(self, config: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._model: Any = None
        self._shift, self._scale = 0.0, 1.0

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Maximise the marginal likelihood over amplitude, length scale and noise floor."""
        from sklearn.exceptions import ConvergenceWarning
        from skopt.learning import GaussianProcessRegressor
        from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self._shift, spread = float(values.mean()), float(values.std())
        self._scale = spread if spread > 1e-12 else 1.0
        known_variance = _known_variance(values, value_std)
        amplitude = ConstantKernel(1.0, (0.05, 20.0))
        # Pairs of candidates are about √2 apart; shorter scales would only memorise the results.
        matern = Matern(length_scale=1.0, length_scale_bounds=(0.1, 10.0), nu=2.5)
        noise = WhiteKernel(1e-2, (1e-5, 0.3))
        self._model = GaussianProcessRegressor(
            kernel=amplitude * matern + noise,
            alpha=1e-8 + known_variance / self._scale**2,
            noise="gaussian",
            n_restarts_optimizer=1,
            random_state=self._seed,
        )
        with warnings.catch_warnings():
            # An optimum on a bound is a fair answer for a handful of points.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(features, (values - self._shift) / self._scale)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Posterior of the noise-free objective."""
        with warnings.catch_warnings():
            # A variance of -1e-17 at an evaluated point is set to zero, and said so.
            warnings.filterwarnings("ignore", message="Predicted variances smaller than 0")
            mean, std = self._model.predict(features, return_std=True)
        return self._shift + self._scale * mean, self._scale * std


class RandomForest:
    """scikit-optimize's random forest; its error bar is the spread among and within the trees.

    It weighs results by their error bars, and knows no distance: far from all results it stays as
    sure as near them.
    """

    def __init__(self, config: SurrogateConfig, seed: int) -> None:
        self._seed = seed
        self._n_trees = config.n_trees
        self._model: Any = None

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
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

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and spread of the trees."""
        mean, std = self._model.predict(features, return_std=True)
        return mean, std


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

    Returns
    -------
    mean, std : ndarray, shape (m,)
        In the space of `values`.
    """
    scaling = FeatureScaling.of(np.vstack([features_train, features]))
    surrogate = build_surrogate(config, seed)
    surrogate.fit(scaling(features_train), values, value_std)
    return surrogate.predict(scaling(features))


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
