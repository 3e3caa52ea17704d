"""Results as the numbers that samplers and surrogates learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.campaigns.expectations import expectations
from screening.campaigns.pick_states import IN_FLIGHT
from screening.campaigns.snapshot import Snapshot
from screening.choosing.observations import Observations
from screening.targets.second_objective import scalarised

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Known:
    """`Observations` without features, which take long to read."""

    ids: list[str]
    values: NDArray[np.float64]
    value_std: NDArray[np.float64]
    infeasible_ids: list[str]
    pending_ids: list[str]
    prior: Mapping[str, float] | None

    def observations(self, features: Mapping[str, list[float]]) -> Observations:
        """Return it with features."""
        return Observations(
            ids=self.ids,
            features=feature_matrix(features, self.ids),
            values=self.values,
            value_std=self.value_std,
            infeasible_ids=self.infeasible_ids,
            infeasible_features=feature_matrix(features, self.infeasible_ids),
            pending_ids=self.pending_ids,
            pending_features=feature_matrix(features, self.pending_ids),
            prior=self.prior,
        )


def training_data(snapshot: Snapshot) -> Observations:
    """Return what is known about the pool: values, infeasible candidates, pending ones."""
    return known_of(snapshot).observations(snapshot.pool_features)


def known_of(snapshot: Snapshot) -> Known:
    """Return what is known about the pool: values, infeasible candidates, pending ones.

    Where the exploring engine has a table of its errors, values are what first principles are
    expected to find, with that spread, also of crystals that the engine calls unstable.
    """
    features = snapshot.pool_features
    results = {key: result for key, result in snapshot.explored.items() if key in features}
    known = _values(snapshot, results)
    usable = sorted(known)
    failed = {pick["candidate_id"] for pick in snapshot.picks if pick["state"] == "failed"}
    infeasible = sorted((results.keys() | (failed & features.keys())) - set(usable))
    in_flight = [pick["candidate_id"] for pick in snapshot.picks if pick["state"] in IN_FLIGHT]
    pending = [key for key in in_flight if key in features and key not in results]
    prior = snapshot.prior
    return Known(
        ids=usable,
        values=np.array([known[key][0] for key in usable]),
        value_std=np.array([known[key][1] for key in usable]),
        infeasible_ids=infeasible,
        pending_ids=pending,
        prior=(
            None
            if prior is None
            else {key: value for key, value in prior.items() if key in features}
        ),
    )


def _values(
    snapshot: Snapshot, results: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Return value and standard error of the results to learn from, on the model's scale."""
    objective = snapshot.objective
    found = {}
    for key, result in results.items():
        if objective.is_usable(result):
            found[key] = objective.learned_from(result)
    expected = expectations(snapshot)
    if not expected:
        return found
    # An estimate for an unstable crystal has no second value.
    learned = {"computed"} if snapshot.config.second_objective else {"computed", "unstable"}
    return {
        key: expected[key]
        for key, result in results.items()
        if key in expected and result["outcome"] in learned
    }


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
