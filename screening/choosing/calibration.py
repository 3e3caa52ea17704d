"""How good a surrogate is on results that it was not told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from screening.choosing.config import SurrogateConfig
from screening.choosing.observations import Floats, Observations
from screening.choosing.prediction import predict_results, surrogate_for
from screening.choosing.prior import model_rows, takes_raw

MAX_CALIBRATED = 300
"""Results of which each is left out once."""


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
    config: SurrogateConfig, seen: Observations, ids: list[str], features: Floats, seed: int
) -> Calibration:
    """Predict each result from the others; arguments are those of `fit_predict`.

    Of more results than `MAX_CALIBRATED` so many are drawn: the cost grows with the fourth power.
    """
    drawn = np.arange(len(seen.ids))
    if len(drawn) > MAX_CALIBRATED:
        drawn = np.random.default_rng(seed).permutation(len(drawn))[:MAX_CALIBRATED]
    values = seen.values[drawn]
    value_std = None if seen.value_std is None else seen.value_std[drawn]
    known_ids = [seen.ids[i] for i in drawn]
    everyone = np.vstack([seen.features[drawn], features])
    raw = takes_raw(config)
    rows = model_rows(seen.prior, [*known_ids, *ids], everyone, raw=raw)[: len(drawn)]
    if seen.prior:
        rows[:, -1] = 0.0  # the model is judged, not how unsure a guess of the prior is
    surrogate = surrogate_for(config, seen, seed)
    surrogate.fit(rows, values, value_std)
    mean, std = np.empty(len(values)), np.empty(len(values))
    for left_out in range(len(values)):
        rest = np.arange(len(values)) != left_out
        surrogate.update(rows[rest], values[rest], None if value_std is None else value_std[rest])
        predicted_mean, predicted_std = predict_results(surrogate, rows[[left_out]])
        mean[left_out], std[left_out] = predicted_mean[0], predicted_std[0]
    error = mean - values
    spread = np.hypot(std, 0.0 if value_std is None else np.nan_to_num(value_std))
    return Calibration(
        n=len(values),
        rms=float(np.sqrt((error**2).mean())),
        within_one_std=float((np.abs(error) <= spread + 1e-12).mean()),
        rank_correlation=_rank_correlation(mean, values),
    )


def _rank_correlation(predictions: Floats, values: Floats) -> float:
    """Return Spearman's, without scipy.stats: every worker would import it, in 0.8 s."""
    if not (np.ptp(predictions) and np.ptp(values)):
        return 0.0
    return float(np.corrcoef(_ranks(predictions), _ranks(values))[0, 1])


def _ranks(numbers: Floats) -> Floats:
    """Return the place of each number in their order; equal numbers share the mean of theirs."""
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    means: Floats = counts.cumsum() - (counts - 1) / 2
    return means[which]
