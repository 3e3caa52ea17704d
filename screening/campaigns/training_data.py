"""What a campaign knows: results as the numbers that samplers and surrogates learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.campaigns.campaign import Campaign
from screening.campaigns.pick_states import IN_FLIGHT
from screening.choosing.observations import Observations
from screening.targets.second_objective import scalarised

if TYPE_CHECKING:
    from numpy.typing import NDArray


def observed(
    campaign: Campaign, features: dict[str, list[float]], picks: list[dict[str, Any]]
) -> Observations:
    """Return what is known about the pool: values, infeasible candidates, pending ones."""
    objective = campaign.objective
    results = {key: value for key, value in campaign.results().items() if key in features}
    usable = sorted(key for key, result in results.items() if objective.is_usable(result))
    failed = {pick["candidate_id"] for pick in picks if pick["state"] == "failed"} - set(usable)
    infeasible = sorted((set(results) - set(usable)) | (failed & set(features)))
    pending = [pick["candidate_id"] for pick in picks if pick["state"] in IN_FLIGHT]
    pending = [each for each in pending if each in features and each not in results]
    values = [float(results[each][objective.value_field]) for each in usable]
    errors = [objective.error_of(results[each]) for each in usable]
    return Observations(
        ids=usable,
        features=feature_matrix(features, usable),
        values=np.array([objective.to_model(value) for value in values]),
        value_std=np.array(
            [objective.std_to_model(*pair) for pair in zip(values, errors, strict=True)]
        ),
        infeasible_ids=infeasible,
        infeasible_features=feature_matrix(features, infeasible),
        pending_ids=pending,
        pending_features=feature_matrix(features, pending),
        prior=_prior(campaign, features),
    )


def _prior(campaign: Campaign, features: Mapping[str, list[float]]) -> dict[str, float] | None:
    if campaign.config.prior is None:
        return None
    from screening.campaigns.prior_campaign import expected_beforehand

    found = expected_beforehand(campaign) or {}
    return {key: value for key, value in found.items() if key in features}


def for_search(campaign: Campaign, observations: Observations, seed: int) -> Observations:
    """Return what a sampler is to see: with two objectives, their values made one."""
    also = campaign.config.also
    if also is None or not observations.ids:
        return observations
    results = campaign.results()
    seconds = (float(results[key][also.field]) for key in observations.ids)
    second = np.array([also.scale.to_model(value) for value in seconds])
    values = scalarised(observations.values, second, seed)
    return replace(observations, values=values, value_std=None)


def feature_matrix(features: Mapping[str, list[float]], ids: list[str]) -> NDArray[np.float64]:
    """Return the feature rows of `ids`, shape (ids, features)."""
    width = len(next(iter(features.values()), []))
    return np.array([features[each] for each in ids], dtype=float).reshape(len(ids), width)
