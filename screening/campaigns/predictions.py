"""What the surrogate expects of every candidate that the best engine has not computed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from screening.campaigns.engine_differences import Difference, corrected, engine_differences
from screening.campaigns.training_data import Known, feature_matrix, known_of

if TYPE_CHECKING:
    from screening.campaigns.snapshot import Snapshot

Predictions = dict[str, tuple[float, float]]
"""Mean and standard deviation on the objective's model scale, by candidate id."""

MODEL_VERSION = 5
"""Raise it whenever a surrogate's predictions from the same data change."""
MIN_CALIBRATED = 5
"""Results from which on each is left out once, to see how good the error bars are."""


@dataclass(frozen=True)
class ModelData:
    """What the surrogate learns from, and the candidates it is asked about."""

    known: Known
    wanted: list[str]
    differences: Difference | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> ModelData:
        """Return what a campaign gives the surrogate to learn from, and what is asked of it."""
        known = known_of(snapshot)
        settled = {*known.ids, *known.infeasible_ids}
        wanted = [key for key in snapshot.pool_features if key not in settled]
        return cls(known, wanted, engine_differences(snapshot))

    @property
    def suffices(self) -> bool:
        """Whether two candidates have a value, and there is something to predict."""
        return len(self.known.ids) >= 2 and bool(self.wanted or self.differences)

    def fingerprint(self, snapshot: Snapshot) -> str:
        """Return a fingerprint of all that predictions depend on."""
        known, seen = self.known, self.differences
        content = [
            snapshot.config.kind().features_version,
            MODEL_VERSION,
            snapshot.config.sampler.surrogate.model_dump(),
            snapshot.config.seed,
            known.ids,
            known.values.tolist(),
            known.value_std.tolist(),
            self.wanted,
            [] if known.prior is None else sorted(known.prior.items()),
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
    data = data or ModelData.of(snapshot)
    if not data.suffices:
        return {}
    expected: Predictions = {}
    if data.wanted:
        from screening.choosing.prediction import fit_predict

        asked = feature_matrix(snapshot.pool_features, data.wanted)
        config = snapshot.config
        seen = data.known.observations(snapshot.pool_features)
        mean, std = fit_predict(config.sampler.surrogate, seen, data.wanted, asked, config.seed)
        expected = dict(
            zip(data.wanted, zip(mean.tolist(), std.tolist(), strict=True), strict=True)
        )
        values = snapshot.objective.predicted_values(
            {key: mean for key, (mean, _) in expected.items()}, snapshot.explored, snapshot.pool
        )
        expected = {key: (value, expected[key][1]) for key, value in values.items()}
    if data.differences is not None:
        expected = corrected(snapshot, data.differences, expected)
    return expected


def calibrate(snapshot: Snapshot, data: ModelData) -> dict[str, float] | None:
    """Return how well the model does on results that are left out, each once.

    Fields of `screening.choosing.calibration.Calibration`; None while there are too few results.
    """
    if len(data.known.ids) < MIN_CALIBRATED:
        return None
    from screening.choosing.calibration import leave_one_out

    ids, config = list(snapshot.pool_features), snapshot.config
    matrix = feature_matrix(snapshot.pool_features, ids)
    seen = data.known.observations(snapshot.pool_features)
    return asdict(leave_one_out(config.sampler.surrogate, seen, ids, matrix, config.seed))


def count_values(snapshot: Snapshot) -> int:
    """Return how many candidates of the pool have a value that the model learns from."""
    return sum(
        key in snapshot.pool and snapshot.objective.is_usable(result)
        for key, result in snapshot.explored.items()
    )
