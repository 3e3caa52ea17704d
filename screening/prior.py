"""What is expected of candidates before a campaign computes them: what an earlier campaign found.

A cheaper engine, or a cheaper quantity that goes with the wanted one, ranks the pool before the
first expensive calculation; the model then learns by how much results differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.errors import ScreenError
from screening.surrogate import FeatureScaling, SurrogateConfig, build_surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.campaign import Campaign
    from screening.config import CampaignConfig
    from screening.samplers import Observations
    from screening.store.database import Database

    Floats = NDArray[np.float64]


def earlier_campaign(database: Database, config: CampaignConfig) -> Campaign | None:
    """Return the campaign whose results are the prior, None where none is named.

    Raises
    ------
    ScreenError
        When it is not there, or its results are on another scale.
    """
    from screening.campaign import Campaign

    if config.prior is None:
        return None
    earlier = Campaign.open(database, config.prior)
    theirs, ours = earlier.objective, config.resolved_objective()
    if (theirs.unit, theirs.logarithmic) != (ours.unit, ours.logarithmic):
        raise ScreenError(
            f"prior '{config.prior}': its objective '{theirs.name}' cannot stand for "
            f"'{ours.name}'; both need the same unit and scale"
        )
    return earlier


def expected_beforehand(campaign: Campaign) -> dict[str, float] | None:
    """Return what the earlier campaign's best engine measured, on this one's model scale, by id.

    None where no campaign is named.
    """
    earlier = earlier_campaign(campaign.database, campaign.config)
    if earlier is None:
        return None
    found: dict[str, float] = {}
    for level in sorted(earlier.levels, key=lambda each: each.engine.fidelity):
        found |= {
            candidate_id: campaign.objective.to_model(float(result[earlier.objective.value_field]))
            for candidate_id, result in earlier.results(level).items()
            if earlier.objective.is_usable(result)
        }
    return found


def completed(prior: Mapping[str, float], ids: list[str], features: Floats) -> Floats:
    """Return the prior of every candidate; where there is none, what a model of the others says.

    Parameters
    ----------
    features : ndarray, shape (ids, d)
        Raw; NaN is allowed.
    """
    guesses = np.array([prior.get(candidate_id, np.nan) for candidate_id in ids], dtype=float)
    missing = ~np.isfinite(guesses)
    if missing.all():
        return np.zeros(len(ids))
    if missing.any():
        scaled = FeatureScaling.of(features)(features)
        model = build_surrogate(SurrogateConfig(), 0)
        model.fit(scaled[~missing], guesses[~missing], None)
        guesses[missing] = model.predict(scaled[missing])[0]
    return guesses


@dataclass(frozen=True)
class Beyond:
    """What is left for a model to learn where there is a prior.

    Attributes
    ----------
    known : ndarray, shape (n, d)
        Features of the evaluated candidates; the prior is one of them.
    values : ndarray, shape (n,)
        By how much their results differ from the prior.
    known_expected : ndarray, shape (n,)
    asked, asked_expected : ndarray, shape (m, d) and (m,)
        The same of the candidates asked about.
    """

    known: Floats
    values: Floats
    known_expected: Floats
    asked: Floats
    asked_expected: Floats

    @classmethod
    def of(cls, seen: Observations, ids: list[str], features: Floats) -> Beyond:
        """Take the prior off the results; without one nothing changes."""
        n = len(seen.ids)
        if not seen.prior:
            return cls(seen.features, seen.values, np.zeros(n), features, np.zeros(len(ids)))
        everyone = np.vstack([seen.features, features])
        expected = completed(seen.prior, [*seen.ids, *ids], everyone)
        # Also a feature: the prior's error may grow with its value.
        everyone = np.column_stack([everyone, expected])
        return cls(
            everyone[:n], seen.values - expected[:n], expected[:n], everyone[n:], expected[n:]
        )
