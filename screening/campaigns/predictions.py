"""What the surrogate expects of every candidate that the best engine has not computed.

Refitted whenever the results have changed and kept in ``predictions``, one document a campaign,
with a fingerprint of the data it was fitted on: a ranking that finds it fresh need not load
scikit-learn, which takes longer than all the rest of the command.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from screening.campaigns.engine_differences import Difference, corrected, difference
from screening.campaigns.training_data import feature_matrix, observed
from screening.store.cache import Cache

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.choosing.observations import Observations

MODEL_VERSION = 3
"""Raise it whenever a surrogate's predictions from the same data change."""
MIN_CALIBRATED = 5
"""Results from which on each is left out once, to see how good the error bars are."""


def predictions(campaign: Campaign) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation on the objective's model scale, by candidate id.

    For candidates without a result; once a better engine has confirmed enough of them, what that
    engine would find, also for candidates that only the exploring engine has computed.  Empty
    while fewer than two candidates have a value.
    """
    features = campaign.pool_features()
    observations = observed(campaign, features, campaign.picks())
    seen = difference(campaign, features)
    known = {*observations.ids, *observations.infeasible_ids}
    wanted = [each for each in features if each not in known]
    if len(observations.ids) < 2 or not (wanted or seen):
        return {}
    fingerprint = _fingerprint(campaign, observations, wanted, seen)
    cache = Cache(campaign.database.predictions)
    kept = cache.read(campaign.name, fingerprint)
    if kept is not None:
        return {key: (mean, std) for key, (mean, std) in json.loads(kept).items()}
    expected: dict[str, tuple[float, float]] = {}
    if wanted:
        from screening.choosing.prediction import fit_predict

        matrix = feature_matrix(features, wanted)
        config = campaign.config
        mean, std = fit_predict(config.sampler.surrogate, observations, wanted, matrix, config.seed)
        pairs = zip(mean.tolist(), std.tolist(), strict=True)
        expected = dict(zip(wanted, pairs, strict=True))
    if seen is not None:
        expected = corrected(campaign, features, seen, expected)
    calibrated = _calibration(campaign, features, observations)
    cache.write({campaign.name: json.dumps(expected)}, fingerprint, calibration=calibrated)
    return expected


def calibration(campaign: Campaign) -> dict[str, float] | None:
    """Return how well the model behind the last predictions does on results left out.

    Fields of `screening.choosing.calibration.Calibration`; None while there are too few results.
    """
    kept = campaign.database.predictions.find_one({"_id": campaign.name}, {"calibration": 1})
    return (kept or {}).get("calibration")


def count_values(campaign: Campaign) -> int:
    """Return how many candidates of the pool have a value that the model learns from."""
    usable = {key for key, each in campaign.results().items() if campaign.objective.is_usable(each)}
    query = {"campaigns": campaign.name, "_id": {"$in": sorted(usable)}}
    return campaign.database.candidates.count_documents(query)


def _calibration(
    campaign: Campaign, features: dict[str, list[float]], observations: Observations
) -> dict[str, float] | None:
    if len(observations.ids) < MIN_CALIBRATED:
        return None
    from screening.choosing.calibration import leave_one_out

    ids, config = list(features), campaign.config
    matrix = feature_matrix(features, ids)
    return asdict(leave_one_out(config.sampler.surrogate, observations, ids, matrix, config.seed))


def _fingerprint(
    campaign: Campaign, observations: Observations, wanted: list[str], seen: Difference | None
) -> str:
    content = [
        campaign.config.kind().features_version,
        MODEL_VERSION,
        campaign.config.sampler.surrogate.model_dump(),
        campaign.config.seed,
        observations.ids,
        observations.values.tolist(),
        [] if observations.value_std is None else observations.value_std.tolist(),
        wanted,
        [] if observations.prior is None else sorted(observations.prior.items()),
        [] if seen is None else [seen.ids, seen.values.tolist(), sorted(seen.confirmed)],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
