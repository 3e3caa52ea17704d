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
from screening.store.database import if_allowed

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
    kept = campaign.database.predictions.find_one({"_id": campaign.name})
    if kept is not None and kept["fingerprint"] == fingerprint:
        return dict(
            zip(kept["candidate_ids"], zip(kept["mean"], kept["std"], strict=True), strict=True)
        )
    expected: dict[str, tuple[float, float]] = {}
    if wanted:
        import numpy as np

        from screening.choosing.prior import PriorResiduals
        from screening.choosing.surrogates import fit_predict

        beyond = PriorResiduals.of(observations, wanted, feature_matrix(features, wanted))
        mean, std = fit_predict(
            campaign.config.sampler.surrogate,
            beyond.known,
            beyond.values,
            observations.value_std,
            beyond.asked,
            campaign.config.seed,
            beyond.known_expected,
        )
        mean, std = mean + beyond.asked_expected, np.hypot(std, beyond.asked_std)
        expected = {
            key: (float(one), float(other))
            for key, one, other in zip(wanted, mean, std, strict=True)
        }
    if seen is not None:
        expected = corrected(campaign, features, seen, expected)
    _keep(campaign, fingerprint, expected, _calibration(campaign, features, observations))
    return expected


def calibration(campaign: Campaign) -> dict[str, float] | None:
    """Return how well the model behind the last predictions does on results left out.

    Fields of `screening.choosing.surrogates.Calibration`; None while there are too few results.
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
    from screening.choosing.prior import PriorResiduals
    from screening.choosing.surrogates import leave_one_out

    beyond = PriorResiduals.of(
        observations, list(features), feature_matrix(features, list(features))
    )
    found = leave_one_out(
        campaign.config.sampler.surrogate,
        beyond.known,
        beyond.values,
        observations.value_std,
        beyond.asked,
        campaign.config.seed,
        beyond.known_expected,
    )
    return asdict(found)


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


def _keep(
    campaign: Campaign,
    fingerprint: str,
    expected: dict[str, tuple[float, float]],
    calibrated: dict[str, float] | None,
) -> None:
    document = {
        "fingerprint": fingerprint,
        "candidate_ids": list(expected),
        "mean": [mean for mean, _ in expected.values()],
        "std": [std for _, std in expected.values()],
        "calibration": calibrated,
    }
    # People who may only read still get their ranking, just not faster the next time.
    with if_allowed():
        campaign.database.predictions.replace_one({"_id": campaign.name}, document, upsert=True)
