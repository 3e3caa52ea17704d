"""An earlier campaign, whose results are the prior of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.store.database import Database

    Floats = NDArray[np.float64]


def earlier_campaign(database: Database, config: CampaignConfig) -> Campaign | None:
    """Return the campaign whose results are the prior, None where none is named.

    Raises
    ------
    ScreenError
        When it is not there, or its results are on another scale.
    """
    from screening.campaigns.campaign import Campaign

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
    """Return what the earlier campaign's best engine computed, on this one's model scale, by id.

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
