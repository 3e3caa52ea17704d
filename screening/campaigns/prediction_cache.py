"""Predictions and calibration, kept in ``predictions``, one document a campaign.

Beside them is a fingerprint of the data they come from: a ranking that finds them fresh need not
load scikit-learn, which takes longer than all the rest of the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.campaigns.predictions import ModelData, Predictions, calibrate, predict
from screening.store.database import if_allowed

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
    kept = campaign.database.predictions
    fingerprint = data.fingerprint(snapshot)
    known = kept.find_one({"_id": campaign.name})
    if known is not None and known["fingerprint"] == fingerprint:
        pairs = zip(known["mean"], known["std"], strict=True)
        return dict(zip(known["candidate_ids"], pairs, strict=True))
    expected = predict(snapshot, data)
    document = {
        "fingerprint": fingerprint,
        "candidate_ids": list(expected),
        "mean": [mean for mean, _ in expected.values()],
        "std": [std for _, std in expected.values()],
        "calibration": calibrate(snapshot, data),
    }
    # People who may only read still get their ranking, just not faster the next time.
    with if_allowed():
        kept.replace_one({"_id": campaign.name}, document, upsert=True)
    return expected


def calibration(campaign: Campaign) -> dict[str, float] | None:
    """Return how well the model behind the last predictions does on results left out.

    As `screening.campaigns.predictions.calibrate`; None while there are too few results.
    """
    kept = campaign.database.predictions.find_one({"_id": campaign.name}, {"calibration": 1})
    return (kept or {}).get("calibration")
