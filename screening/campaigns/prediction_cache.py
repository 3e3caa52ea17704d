"""Predictions and calibration, kept in ``predictions``, one document a campaign.

Beside them is a fingerprint of the data they come from: a ranking that finds them fresh need not
load scikit-learn, which takes longer than all the rest of the command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from screening.campaigns.predictions import ModelData, Predictions, calibrate, predict
from screening.store.cache import Cache

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.snapshot import Snapshot


def predictions(campaign: Campaign, snapshot: Snapshot | None = None) -> Predictions:
    """Return the predictions of a campaign, as `screening.campaigns.predictions.predict` does.

    Parameters
    ----------
    snapshot
        What the campaign knows; read where it is not given.
    """
    snapshot = snapshot or campaign.snapshot(rows=False)
    data = ModelData.of(snapshot)
    if not data.suffices:
        return {}
    cache = Cache(campaign.database.predictions)
    fingerprint = data.fingerprint(snapshot)
    kept = cache.read(campaign.name, fingerprint)
    if kept is not None:
        return {key: (mean, std) for key, (mean, std) in json.loads(kept).items()}
    expected = predict(snapshot, data)
    calibrated = calibrate(snapshot, data)
    cache.write({campaign.name: json.dumps(expected)}, fingerprint, calibration=calibrated)
    return expected


def calibration(campaign: Campaign) -> dict[str, float] | None:
    """Return how well the model behind the last predictions does on results left out.

    As `screening.campaigns.predictions.calibrate`; None while there are too few results.
    """
    kept = campaign.database.predictions.find_one({"_id": campaign.name}, {"calibration": 1})
    return (kept or {}).get("calibration")
