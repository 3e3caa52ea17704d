"""What is expected of candidates before a campaign computes them: what an earlier campaign found.

A cheaper engine, or a cheaper quantity that goes with the wanted one, ranks the pool before the
first expensive calculation; the model then learns by how much results differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from screening.choosing.config import SurrogateConfig, build_surrogate
from screening.choosing.feature_scaling import FeatureScaling
from screening.choosing.observations import MOST_RESULTS, Floats, most_telling
from screening.choosing.surrogates import SURROGATES, Model


class WithPrior:
    """A surrogate that learns, by one that it wraps, how much results differ from a prior.

    Features have two more columns, as `model_rows` makes them: what the prior expects, on the
    scale of the values, and how unsure that is.
    """

    def __init__(self, inner: Model, seed: int) -> None:
        self._inner = inner
        self._seed = seed

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Learn the differences."""
        self._inner.fit(*self._differences(features, values, value_std))

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Learn more differences."""
        self._inner.update(*self._differences(features, values, value_std))

    def _differences(
        self, features: Floats, values: Floats, value_std: Floats | None
    ) -> tuple[Floats, Floats, Floats | None]:
        # Which results are the best is told by their values, not by how far they are from a prior.
        rows = most_telling(values, MOST_RESULTS, self._seed)
        known = None if value_std is None else value_std[rows]
        return features[rows, :-2], values[rows] - features[rows, -2], known

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Predict the prior and the difference from it."""
        mean, std = self._inner.predict(features[:, :-2])
        return mean + features[:, -2], np.hypot(std, features[:, -1])

    @property
    def noise_std(self) -> float:
        """Of the surrogate that is wrapped."""
        return self._inner.noise_std


def fill_missing_prior(
    prior: Mapping[str, float], ids: list[str], features: Floats
) -> tuple[Floats, Floats]:
    """Return the prior of every candidate; where there is none, what a model of the others says.

    Parameters
    ----------
    features : ndarray, shape (ids, d)
        Raw; NaN is allowed.

    Returns
    -------
    expected, std : ndarray, shape (ids,)
        The second is zero where there is a prior, and says how sure the model is elsewhere.
    """
    expected = np.array([prior.get(candidate_id, np.nan) for candidate_id in ids], dtype=float)
    missing = ~np.isfinite(expected)
    std = np.zeros(len(ids))
    if missing.all():
        return np.zeros(len(ids)), std
    if missing.any():
        scaled = FeatureScaling.of(features)(features)
        model = build_surrogate(SurrogateConfig(), 0)
        model.fit(scaled[~missing], expected[~missing], None)
        expected[missing], std[missing] = model.predict(scaled[missing])
    return expected, std


def takes_raw(config: SurrogateConfig) -> bool:
    """Return whether a surrogate takes features as candidates have them."""
    return bool(getattr(SURROGATES.load(config.kind), "raw_features", False))


def model_rows(
    prior: Mapping[str, float] | None, ids: list[str], features: Floats, *, raw: bool = False
) -> Floats:
    """Return what a surrogate is told of candidates.

    Parameters
    ----------
    prior : dict, optional
        What is expected of candidates beforehand, by id; see `fill_missing_prior`.
    features : ndarray, shape (ids, d)
        Raw; NaN is allowed.
    raw : bool
        Whether they stay as they are; see `takes_raw`.

    Returns
    -------
    ndarray, shape (ids, number of kept features)
        Scaled features.  With a prior, this is one of them, because its error may grow with its
        value, and the two columns that `WithPrior` wants follow.
    """
    if not prior:
        return features if raw else FeatureScaling.of(features)(features)
    expected, std = fill_missing_prior(prior, ids, features)
    if raw:
        return np.column_stack([features, expected, std])
    described = np.column_stack([features, expected])
    return np.column_stack([FeatureScaling.of(described)(described), expected, std])
