"""Predicting candidates from evaluated ones, raw features on both sides."""

from __future__ import annotations

import numpy as np

from screening.choosing.config import SurrogateConfig, build_surrogate
from screening.choosing.observations import Floats, Observations
from screening.choosing.prior import WithPrior, model_rows, takes_raw
from screening.choosing.surrogates import Model


def surrogate_for(config: SurrogateConfig, seen: Observations, seed: int) -> Model:
    """Make an unfitted model, of differences where there is a prior."""
    surrogate = build_surrogate(config, seed)
    return WithPrior(surrogate, seed) if seen.prior else surrogate


def predict_results(model: Model, rows: Floats) -> tuple[Floats, Floats]:
    """Predict what computing candidates would give, beside the errors of the computation.

    What features do not explain of the values is noise to a model.  It is part of the value that a
    candidate turns out to have, and so of the error bar.

    Parameters
    ----------
    rows : ndarray, shape (m, d)
        What a surrogate is told of candidates.

    Returns
    -------
    mean, std : ndarray, shape (m,)
    """
    mean, std = model.predict(rows)
    return mean, np.hypot(std, model.noise_std)


def fit_predict(
    config: SurrogateConfig, seen: Observations, ids: list[str], features: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Predict candidates from those with a value.

    Parameters
    ----------
    seen : Observations
        Values and, where there is one, the prior.
    ids : list of str, length m
    features : ndarray, shape (m, d)
        Raw; together with those of `seen` they set the scales.
    seed : int

    Returns
    -------
    mean, std : ndarray, shape (m,)
        Of what a result would be, in the space of the values.
    """
    n_known = len(seen.ids)
    everyone = np.vstack([seen.features, features])
    rows = model_rows(seen.prior, [*seen.ids, *ids], everyone, raw=takes_raw(config))
    surrogate = surrogate_for(config, seen, seed)
    surrogate.fit(rows[:n_known], seen.values, seen.value_std)
    return predict_results(surrogate, rows[n_known:])
