"""What the surrogate expects of every candidate that the best engine has not computed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from screening.campaigns.engine_differences import Difference, corrected, engine_differences
from screening.campaigns.training_data import feature_matrix, training_data

if TYPE_CHECKING:
    from screening.campaigns.snapshot import Snapshot
    from screening.choosing.observations import Observations

Predictions = dict[str, tuple[float, float]]
"""Mean and standard deviation on the objective's model scale, by candidate id."""

MODEL_VERSION = 3
"""Raise it whenever a surrogate's predictions from the same data change."""
MIN_CALIBRATED = 5
"""Results from which on each is left out once, to see how good the error bars are."""


@dataclass(frozen=True)
class ModelData:
    """What the surrogate learns from, and the candidates it is asked about."""

    observations: Observations
    wanted: list[str]
    differences: Difference | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> ModelData:
        """Return those of a campaign."""
        observations = training_data(snapshot)
        known = {*observations.ids, *observations.infeasible_ids}
        wanted = [key for key in snapshot.pool_features if key not in known]
        return cls(observations, wanted, engine_differences(snapshot))

    @property
    def suffices(self) -> bool:
        """Whether two candidates have a value, and there is something to predict."""
        return len(self.observations.ids) >= 2 and bool(self.wanted or self.differences)

    def fingerprint(self, snapshot: Snapshot) -> str:
        """Return a fingerprint of all that predictions depend on."""
        from screening.candidates.crystal_features import FEATURES_VERSION

        observations, seen = self.observations, self.differences
        content = [
            FEATURES_VERSION,
            MODEL_VERSION,
            snapshot.config.sampler.surrogate.model_dump(),
            snapshot.config.seed,
            observations.ids,
            observations.values.tolist(),
            [] if observations.value_std is None else observations.value_std.tolist(),
            self.wanted,
            [] if observations.prior is None else sorted(observations.prior.items()),
            [] if seen is None else [seen.ids, seen.values.tolist(), sorted(seen.confirmed)],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def predict(snapshot: Snapshot, data: ModelData | None = None) -> Predictions:
    """Return what is expected of the candidates without a result.

    Once a better engine has confirmed enough of them, what that engine would find, also for
    candidates that only the exploring engine has computed.  Empty while fewer than two candidates
    have a value.

    Parameters
    ----------
    data
        `ModelData` of the snapshot, where it is there already.
    """
    import numpy as np

    data = data or ModelData.of(snapshot)
    if not data.suffices:
        return {}
    expected: Predictions = {}
    if data.wanted:
        from screening.choosing.prior import PriorResiduals
        from screening.choosing.surrogates import fit_predict

        asked = feature_matrix(snapshot.pool_features, data.wanted)
        beyond = PriorResiduals.of(data.observations, data.wanted, asked)
        mean, std = fit_predict(
            snapshot.config.sampler.surrogate,
            beyond.known,
            beyond.values,
            data.observations.value_std,
            beyond.asked,
            snapshot.config.seed,
            beyond.known_expected,
        )
        mean, std = mean + beyond.asked_expected, np.hypot(std, beyond.asked_std)
        expected = {
            key: (float(center), float(spread))
            for key, center, spread in zip(data.wanted, mean, std, strict=True)
        }
    if data.differences is not None:
        expected = corrected(snapshot, data.differences, expected)
    return expected


def calibrate(snapshot: Snapshot, data: ModelData) -> dict[str, float] | None:
    """Return how well the model does on results that are left out, each once.

    Fields of `screening.choosing.surrogates.Calibration`; None while there are too few results.
    """
    if len(data.observations.ids) < MIN_CALIBRATED:
        return None
    from screening.choosing.prior import PriorResiduals
    from screening.choosing.surrogates import leave_one_out

    pool = list(snapshot.pool_features)
    beyond = PriorResiduals.of(
        data.observations, pool, feature_matrix(snapshot.pool_features, pool)
    )
    return asdict(
        leave_one_out(
            snapshot.config.sampler.surrogate,
            beyond.known,
            beyond.values,
            data.observations.value_std,
            beyond.asked,
            snapshot.config.seed,
            beyond.known_expected,
        )
    )


def count_values(snapshot: Snapshot) -> int:
    """Return how many candidates of the pool have a value that the model learns from."""
    return sum(
        key in snapshot.pool and snapshot.objective.is_usable(result)
        for key, result in snapshot.explored.items()
    )
