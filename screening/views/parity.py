"""What was predicted when candidates were chosen, against what was computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from screening.campaigns.prediction_cache import calibration
from screening.ranking.cache import cached_ranking
from screening.views.forms import CalibrationView, ParityView
from screening.views.numbers import short, short_or_none
from screening.views.ranking import bounds

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign


def parity(campaign: Campaign) -> ParityView:
    """Return the predictions of the engine that explores that have come to a result."""
    objective = campaign.objective
    snapshot = campaign.snapshot(rows=False, features=False)
    results = snapshot.explored
    pairs = [
        (pick, result)
        for pick in snapshot.picks
        if pick["predicted_mean"] is not None
        and (result := results.get(pick["candidate_id"])) is not None
        and objective.is_usable(result)
    ]
    formulas = {row.candidate_id: row.label for row in cached_ranking(campaign)[0]}
    ends = [bounds(objective, pick["predicted_mean"], pick["predicted_std"]) for pick, _ in pairs]
    computed = [float(result[objective.value_field]) for _, result in pairs]
    errors = [objective.error_of(result) for _, result in pairs]
    within = [
        abs(objective.to_model(value) - pick["predicted_mean"])
        <= math.hypot(pick["predicted_std"], objective.std_to_model(value, error))
        for (pick, _), value, error in zip(pairs, computed, errors, strict=True)
    ]
    return ParityView(
        candidate_id=[pick["candidate_id"] for pick, _ in pairs],
        formula=[formulas.get(pick["candidate_id"], pick["candidate_id"]) for pick, _ in pairs],
        number=[pick["number"] for pick, _ in pairs],
        computed=[short(each) for each in computed],
        computed_error=[short_or_none(each) for each in errors],
        predicted=[short(objective.from_model(pick["predicted_mean"])) for pick, _ in pairs],
        predicted_low=[short(low) for low, _ in ends],
        predicted_high=[short(high) for _, high in ends],
        coverage_1std=sum(within) / len(within) if within else None,
        calibration=_calibration(campaign),
    )


def _calibration(campaign: Campaign) -> CalibrationView | None:
    # The ranking that was read just now has left a calibration as fresh.
    found = calibration(campaign)
    if found is None:
        return None
    rms = found["rms"]
    return CalibrationView(
        count=int(found["n"]),
        typical_error=short(10**rms if campaign.objective.logarithmic else rms),
        coverage_1std=found["within_one_std"],
        rank_correlation=found["rank_correlation"],
    )
