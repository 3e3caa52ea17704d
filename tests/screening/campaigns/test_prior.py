"""A campaign whose pool was ranked beforehand by an earlier one."""

from __future__ import annotations

import numpy as np
import pytest
from campaign_fixtures import toy_content
from snapshots import ids, snapshot_of

from screening.campaigns.config import CampaignConfig
from screening.campaigns.prediction_cache import predictions
from screening.campaigns.predictions import predict
from screening.campaigns.prior_campaign import check_same_scale, prior_values
from screening.campaigns.training_data import training_data
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.targets.objectives import OBJECTIVES

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
    assert earlier.prior() is None  # it has none of its own
    campaign = second(new_campaign, budget=3)
    work(campaign)
    beforehand = campaign.prior()
    # Both compute the same numbers here, so nothing is left for the model to learn.
    assert len(predictions(campaign)) == 2
    for key, (mean, _) in predictions(campaign).items():
        assert mean == pytest.approx(beforehand[key], abs=1e-6)


def test_the_prior_is_what_the_best_engine_computed(toy):
    first, other, third, outside = ids()[0], ids()[1], ids()[2], "not in the pool"
    explored = {first: 10.0, other: 100.0, third: {"outcome": "unstable"}, outside: 1.0}
    earlier = snapshot_of(results=explored, confirmed=[{other: 1000.0}])
    expected = {first: 1.0, other: 3.0, outside: 0.0}
    assert prior_values(earlier, toy) == pytest.approx(expected)
    observations = training_data(snapshot_of(prior=expected))
    assert observations.prior == {first: 1.0, other: 3.0}
    assert training_data(snapshot_of()).prior is None


def test_predictions_far_from_the_prior_follow_the_results(toy):
    """All results are a tenth of what was expected, hence the others are too."""
    prior = {key: 1.0 + number / 4 for number, key in enumerate(ids())}
    results = {key: 10 ** (prior[key] - 1) for key in ids()[:6]}
    for key, (mean, _) in predict(snapshot_of(results=results, prior=prior)).items():
        assert mean == pytest.approx(prior[key] - 1, abs=0.1)


def test_results_that_come_later_count_too(new_campaign, work):
    earlier = new_campaign("fast", pool=5, budget=2, batch_size=2)
    campaign = second(new_campaign, budget=3)
    assert campaign.snapshot().prior == {}
    work(earlier)
    assert len(campaign.snapshot().prior) == 2


def test_an_unknown_campaign_is_named(new_campaign):
    campaign = second(new_campaign, prior="nobody")
    with pytest.raises(ScreenError, match="campaign 'nobody': unknown"):
        campaign.prior()


def test_another_scale_is_refused(toy):
    with pytest.raises(ScreenError, match="cannot stand for 'toy'; both need the same unit"):
        check_same_scale("fast", OBJECTIVES.load("electrode-volume-change"), toy)
    check_same_scale("fast", toy, toy)


def test_two_objectives_have_no_prior():
    second_objective = {"field": "max_frequency_thz", "direction": "minimize"}
    with pytest.raises(ValueError, match="prior and second_objective exclude each other"):
        CampaignConfig.model_validate(
            {
                **toy_content(prior="fast"),
                "second_objective": second_objective,
            }
        )
