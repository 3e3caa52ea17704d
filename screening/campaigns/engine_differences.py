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

from screening.campaigns.training_data import feature_matrix
from screening.choosing.observations import Observations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from screening.campaigns.campaign import Campaign
    from screening.targets.objectives import Objective

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


def difference(campaign: Campaign, pool: Mapping[str, Any]) -> Difference | None:
    """Return the differences seen so far, or None while there are fewer than `MIN_PAIRS`."""
    if len(campaign.levels) < 2:
        return None
    objective = campaign.objective
    cheap = {
        key: _on_model_scale(objective, result)
        for key, result in campaign.results().items()
        if key in pool and objective.is_usable(result)
    }
    levels = sorted(campaign.levels[1:], key=lambda each: -each.engine.fidelity)
    found = [campaign.results(level) for level in levels]
    confirmed = set().union(*found)
    # One engine at a time: two better ones differ from each other too.
    for results in found:
        better = {
            key: _on_model_scale(objective, result)
            for key, result in results.items()
            if key in pool and objective.is_usable(result)
        }
        ids = sorted(cheap.keys() & better.keys())
        if len(ids) >= MIN_PAIRS:
            return Difference(
                ids=ids,
                values=np.array([better[each][0] - cheap[each][0] for each in ids]),
                std=np.array([np.hypot(better[each][1], cheap[each][1]) for each in ids]),
                cheap=cheap,
                confirmed=frozenset(confirmed),
            )
    return None


def corrected(
    campaign: Campaign,
    features: dict[str, list[float]],
    seen: Difference,
    predicted: Mapping[str, tuple[float, float]],
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
        campaign.config.sampler.surrogate,
        Observations(seen.ids, feature_matrix(features, seen.ids), seen.values, seen.std),
        wanted,
        feature_matrix(features, wanted),
        campaign.config.seed,
    )
    return {
        key: (base[key][0] + float(shift), float(np.hypot(base[key][1], spread)))
        for key, shift, spread in zip(wanted, mean, std, strict=True)
    }


def _on_model_scale(objective: Objective, result: Mapping[str, Any]) -> tuple[float, float]:
    value = float(result[objective.value_field])
    return objective.to_model(value), objective.std_to_model(value, objective.error_of(result))
