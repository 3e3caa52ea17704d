"""A campaign whose pool was ranked beforehand by an earlier one."""

from __future__ import annotations

import numpy as np
import pytest

from screening.campaigns.config import CampaignConfig
from screening.campaigns.predictions import predictions
from screening.campaigns.prior_campaign import earlier_campaign, expected_beforehand
from screening.campaigns.training_data import observed
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking

MODEL = {"kind": "expected-improvement", "initial": 3}


def second(new_campaign, **changes):
    # Another recipe, so that no result of the earlier campaign is this one's own.
    given = {"prior": "fast", "sampler": MODEL, "recipe": {"second": True}, "batch_size": 1}
    return new_campaign("dear", pool=5, **(given | changes))


def test_the_first_picks_are_the_best_of_the_earlier_campaign(new_campaign, work):
    earlier = new_campaign("fast", pool=5, budget=5, batch_size=5)
    work(earlier)
    best = [row.candidate_id for row in ranking(earlier)][:2]
    campaign = second(new_campaign, budget=3)
    work(campaign)
    picks = campaign.picks()
    assert [pick["candidate_id"] for pick in picks[:2]] == best
    assert [pick["reason"] for pick in picks] == ["prior", "prior", "expected-improvement"]
    value = {row.candidate_id: row.value for row in ranking(earlier)}[best[0]]
    assert picks[0]["predicted_mean"] == pytest.approx(np.log10(value))


def test_predictions_start_from_the_earlier_results(new_campaign, work):
    earlier = new_campaign("fast", pool=5, budget=5, batch_size=5)
    work(earlier)
    expected = expected_beforehand(earlier)
    assert expected is None  # it has none of its own
    campaign = second(new_campaign, budget=3)
    work(campaign)
    beforehand = expected_beforehand(campaign)
    # Both compute the same numbers here, so nothing is left for the model to learn.
    assert len(predictions(campaign)) == 2
    for key, (mean, _) in predictions(campaign).items():
        assert mean == pytest.approx(beforehand[key], abs=1e-6)


def test_results_that_come_later_count_too(new_campaign, work):
    earlier = new_campaign("fast", pool=5, budget=2, batch_size=2)
    campaign = second(new_campaign, budget=3)
    features = campaign.pool_features()
    assert observed(campaign, features, []).prior == {}
    work(earlier)
    assert len(observed(campaign, features, []).prior) == 2


def test_an_unknown_campaign_is_named(new_campaign, database):
    campaign = second(new_campaign, prior="nobody")
    with pytest.raises(ScreenError, match="campaign 'nobody': unknown"):
        expected_beforehand(campaign)


def test_another_scale_is_refused(new_campaign, toy):
    campaign = second(new_campaign)
    new_campaign("fast", objective="electrode-volume-change")
    with pytest.raises(ScreenError, match="cannot stand for 'toy'; both need the same unit"):
        earlier_campaign(campaign.database, campaign.config)


def test_two_objectives_have_no_prior(new_campaign):
    also = {"field": "max_frequency_thz", "direction": "minimize"}
    with pytest.raises(ValueError, match="prior and also exclude each other"):
        CampaignConfig.model_validate(
            {
                **second(new_campaign).config.model_dump(),
                "also": also,
            }
        )
