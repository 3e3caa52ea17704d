"""Two engines on one campaign: what the better one would say, learned from where both spoke.

The better engine's value is the cheaper one's plus a difference, and a Gaussian process of its own
learns the difference from the candidates that both have computed: M. C. Kennedy and A. O'Hagan,
Biometrika 87, 1 (2000), with a scale factor of one.  Far from all data the difference returns to
its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.campaigns.engine_errors import has_table
from screening.campaigns.training_data import feature_matrix
from screening.choosing.observations import Observations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from screening.campaigns.snapshot import Snapshot

MIN_PAIRS = 3
"""Candidates that both engines must have computed before a difference is learned."""


@dataclass(frozen=True)
class Difference:
    """Differences between the best engine's value and the exploring one's, on the model's scale.

    Parameters
    ----------
    ids
        Candidates that both have computed.
    values
        Shape (ids,): better minus cheaper.
    std
        Shape (ids,): error bars of both in quadrature.
    cheap
        Value of the exploring engine, on the model's scale, of every candidate that has one.
    confirmed
        Candidates with a result of a better engine, whatever its outcome.
    """

    ids: list[str]
    values: NDArray[np.float64]
    std: NDArray[np.float64]
    cheap: dict[str, tuple[float, float]]
    confirmed: frozenset[str]


def engine_differences(snapshot: Snapshot) -> Difference | None:
    """Return the differences seen so far, or None while there are fewer than `MIN_PAIRS`.

    None as well where the exploring engine has a table of its errors: what differs is then in
    `screening.campaigns.expectations.expectations`, and what is learned from it.
    """
    if len(snapshot.stages) < 2 or has_table(snapshot):
        return None
    cheap = _on_model_scale(snapshot, snapshot.explored)
    stages = sorted(snapshot.stages[1:], key=lambda stage: -stage.engine.fidelity)
    confirming = [snapshot.results[stage.engine.name] for stage in stages]
    confirmed = frozenset[str]().union(*confirming)
    # One engine at a time: two better ones differ from each other too.
    for results in confirming:
        better = _on_model_scale(snapshot, results)
        ids = sorted(cheap.keys() & better.keys())
        if len(ids) >= MIN_PAIRS:
            return Difference(
                ids=ids,
                values=np.array([better[key][0] - cheap[key][0] for key in ids]),
                std=np.array([np.hypot(better[key][1], cheap[key][1]) for key in ids]),
                cheap=cheap,
                confirmed=confirmed,
            )
    return None


def corrected(
    snapshot: Snapshot, seen: Difference, predicted: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Return what the better engine is expected to find, as mean and standard deviation.

    Parameters
    ----------
    predicted
        What the exploring engine is expected to find, for candidates it has not computed.

    Returns
    -------
    dict
        For every candidate of `predicted`, and every one that only the exploring engine computed.
    """
    from screening.choosing.prediction import fit_predict

    base = {**predicted}
    base |= {key: value for key, value in seen.cheap.items() if key not in seen.confirmed}
    wanted = sorted(base)
    if not wanted:
        return {}
    mean, std = fit_predict(
        snapshot.config.sampler.surrogate,
        Observations(
            seen.ids, feature_matrix(snapshot.pool_features, seen.ids), seen.values, seen.std
        ),
        wanted,
        feature_matrix(snapshot.pool_features, wanted),
        snapshot.config.seed,
    )
    return {
        key: (base[key][0] + float(shift), float(np.hypot(base[key][1], spread)))
        for key, shift, spread in zip(wanted, mean, std, strict=True)
    }


def _on_model_scale(
    snapshot: Snapshot, results: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Return value and error bar of the usable results of the pool, on the model's scale."""
    objective, scaled = snapshot.objective, {}
    for key, result in results.items():
        if key in snapshot.pool and objective.is_usable(result):
            value = float(result[objective.value_field])
            error = objective.std_to_model(value, objective.error_of(result))
            scaled[key] = objective.to_model(value), error
    return scaled
