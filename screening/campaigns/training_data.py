"""Results as the numbers that samplers and surrogates learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from screening.campaigns.pick_states import IN_FLIGHT
from screening.campaigns.snapshot import Snapshot
from screening.choosing.observations import Observations
from screening.targets.second_objective import scalarised

if TYPE_CHECKING:
    from numpy.typing import NDArray


def training_data(snapshot: Snapshot) -> Observations:
    """Return what is known about the pool: values, infeasible candidates, pending ones."""
    objective, features = snapshot.objective, snapshot.pool_features
    results = {key: result for key, result in snapshot.explored.items() if key in features}
    usable = sorted(key for key, result in results.items() if objective.is_usable(result))
    failed = {pick["candidate_id"] for pick in snapshot.picks if pick["state"] == "failed"}
    infeasible = sorted((results.keys() | (failed & features.keys())) - set(usable))
    in_flight = [pick["candidate_id"] for pick in snapshot.picks if pick["state"] in IN_FLIGHT]
    pending = [key for key in in_flight if key in features and key not in results]
    values = [float(results[key][objective.value_field]) for key in usable]
    errors = [objective.error_of(results[key]) for key in usable]
    prior = snapshot.prior
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
        prior=(
            None
            if prior is None
            else {key: value for key, value in prior.items() if key in features}
        ),
    )


def for_search(snapshot: Snapshot, observations: Observations, seed: int) -> Observations:
    """Return what a sampler is to see: with two objectives, their values made one."""
    second = snapshot.config.second_objective
    if second is None or not observations.ids:
        return observations
    results = snapshot.explored
    others = [second.scale.to_model(float(results[key][second.field])) for key in observations.ids]
    values = scalarised(observations.values, np.array(others), seed)
    return replace(observations, values=values, value_std=None)


def feature_matrix(features: Mapping[str, list[float]], ids: list[str]) -> NDArray[np.float64]:
    """Return the feature rows of `ids`, shape (ids, features)."""
    width = len(next(iter(features.values()), []))
    return np.array([features[key] for key in ids], dtype=float).reshape(len(ids), width)
