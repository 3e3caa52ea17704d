"""What the surrogate expects of every candidate without a result.

Refitted whenever the results have changed and kept in ``predictions``, one document a campaign,
with a fingerprint of the data it was fitted on: a ranking that finds it fresh need not load
scikit-learn, which takes longer than all the rest of the command.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from screening.observations import feature_matrix, observed

if TYPE_CHECKING:
    from screening.campaign import Campaign
    from screening.samplers import Observations

UNAUTHORIZED = 13
"""MongoDB's error code for a user who may only read."""


def predictions(campaign: Campaign) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation on the objective's model scale, by candidate id.

    Empty while fewer than two candidates have a value.
    """
    features = campaign.pool_features()
    observations = observed(campaign, features, campaign.picks())
    known = {*observations.ids, *observations.infeasible_ids}
    wanted = [each for each in features if each not in known]
    if len(observations.ids) < 2 or not wanted:
        return {}
    fingerprint = _fingerprint(campaign, observations, wanted)
    kept = campaign.database.predictions.find_one({"_id": campaign.name})
    if kept is not None and kept["fingerprint"] == fingerprint:
        return dict(
            zip(kept["candidate_ids"], zip(kept["mean"], kept["std"], strict=True), strict=True)
        )
    from screening.surrogate import fit_predict

    mean, std = fit_predict(
        campaign.config.sampler.surrogate,
        observations.features,
        observations.values,
        observations.value_std,
        feature_matrix(features, wanted),
        campaign.config.seed,
    )
    means, stds = [float(each) for each in mean], [float(each) for each in std]
    _keep(campaign, fingerprint, wanted, means, stds)
    return dict(zip(wanted, zip(means, stds, strict=True), strict=True))


def _fingerprint(campaign: Campaign, observations: Observations, wanted: list[str]) -> str:
    content = [
        campaign.config.sampler.surrogate.model_dump(),
        campaign.config.seed,
        observations.ids,
        observations.values.tolist(),
        [] if observations.value_std is None else observations.value_std.tolist(),
        wanted,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _keep(
    campaign: Campaign, fingerprint: str, ids: list[str], mean: list[float], std: list[float]
) -> None:
    from pymongo.errors import OperationFailure

    document = {"fingerprint": fingerprint, "candidate_ids": ids, "mean": mean, "std": std}
    try:
        campaign.database.predictions.replace_one({"_id": campaign.name}, document, upsert=True)
    except OperationFailure as error:
        # People who may only read still get their ranking, just not faster the next time.
        if error.code != UNAUTHORIZED:
            raise
