"""A campaign whose pool was ranked beforehand by an earlier one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from campaign_fixtures import toy_content
from snapshots import ids, snapshot_of

from screening.campaigns.config import CampaignConfig
from screening.campaigns.prediction_cache import predictions
from screening.campaigns.predictions import predict
from screening.campaigns.prior_campaign import check_same_scale, prior_values
from screening.campaigns.training_data import training_data
from screening.choosing.observations import Observations
from screening.choosing.prior import PriorResiduals, completed
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
        check_same_scale("fast", OBJECTIVES["electrode-volume-change"], toy)
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


def test_candidates_without_a_prior_take_that_of_their_neighbours():
    features = np.linspace(0, 1, 9)[:, None]
    ids = [f"c{i}" for i in range(9)]
    prior = {key: 2 * float(x) for key, x in zip(ids, features[:, 0], strict=True) if key != "c4"}
    expected, std = completed(prior, ids, features)
    assert expected[4] == pytest.approx(1.0, abs=0.05)
    assert [i for i in range(9) if std[i] > 0] == [4]
    assert completed({}, ids, features)[0].tolist() == [0.0] * 9


def test_without_a_prior_all_is_left_to_the_model():
    seen = Observations(["a", "b"], np.array([[0.0], [1.0]]), np.array([3.0, 4.0]))
    beyond = PriorResiduals.of(seen, ["c"], np.array([[2.0]]))
    assert beyond.known.shape == (2, 1)
    assert beyond.asked.shape == (1, 1)
    assert beyond.values.tolist() == [3.0, 4.0]
    assert beyond.asked_expected.tolist() == [0.0]


def test_left_out_results_are_predicted_with_the_prior():
    from screening.choosing.surrogates import SurrogateConfig, leave_one_out

    generator = np.random.default_rng(0)
    features = generator.normal(size=(20, 3))
    values = generator.normal(size=20)
    prior = {f"c{i:02d}": value + 5 for i, value in enumerate(values)}
    seen = Observations(sorted(prior), features, values, prior=prior)
    beyond = PriorResiduals.of(seen, [], np.empty((0, 3)))
    arguments = (SurrogateConfig(), beyond.known, beyond.values, None, beyond.asked, 0)
    found = leave_one_out(*arguments, beyond.known_expected)
    assert found.rms < 1e-3
    assert found.rank_correlation == pytest.approx(1.0)
    assert leave_one_out(SurrogateConfig(), features, values, None, features, 0).rms > 0.5


def test_what_is_guessed_is_said_to_be_unsure():
    features = np.linspace(0, 1, 12)[:, None]
    ids = [f"c{i:02d}" for i in range(12)]
    prior = {key: float(np.sin(9 * x)) for key, x in zip(ids, features[:, 0], strict=True)}
    seen = Observations(ids[:4], features[:4], np.array([prior[key] for key in ids[:4]]))
    for unknown in ([], ["c09"]):
        known = {key: value for key, value in prior.items() if key not in unknown}
        beyond = PriorResiduals.of(replace(seen, prior=known), ids[4:], features[4:])
        assert [ids[4 + i] for i in np.flatnonzero(beyond.asked_std)] == unknown


def test_which_results_are_the_best_is_told_by_their_values(monkeypatch):
    """Where there are too many to learn from, not by how far they are below the prior."""
    from screening.choosing.samplers import SamplerConfig, build_sampler
    from screening.choosing.surrogates import GaussianProcess, SurrogateConfig, fit_predict

    told = []
    fit = GaussianProcess.fit

    def telling(self, features, values, value_std, merit=None):
        told.append(merit)
        fit(self, features, values, value_std, merit)

    monkeypatch.setattr(GaussianProcess, "fit", telling)
    features = np.random.default_rng(0).normal(size=(9, 3))
    values, ids = np.arange(4.0), [f"c{i}" for i in range(9)]
    prior = {each: float(i) ** 2 for i, each in enumerate(ids)}
    seen = Observations(ids=ids[:4], features=features[:4], values=values, prior=prior)
    build_sampler(SamplerConfig()).propose(seen, ids[4:], features[4:], 1, 0)
    beyond = PriorResiduals.of(seen, ids[4:], features[4:])
    expected = beyond.known_expected
    fit_predict(SurrogateConfig(), beyond.known, beyond.values, None, beyond.asked, 0, expected)
    for merit in told:
        np.testing.assert_allclose(merit, values)
    assert len(told) == 2
