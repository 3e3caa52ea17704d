"""The surrogate that ships, and what models need beside: scales, and the chance of a value."""

from __future__ import annotations

import numpy as np
import pytest

from screening.choosing.config import SurrogateConfig, build_surrogate
from screening.choosing.feasibility import probability_feasible
from screening.choosing.feature_scaling import FeatureScaling, nearest
from screening.choosing.gaussian_process import GaussianProcess
from screening.choosing.observations import Observations, most_telling
from screening.choosing.prediction import fit_predict, predict_results
from screening.choosing.surrogates import SURROGATES
from screening.testing.surrogate_contract import POOL, SCALED, VALUES, SurrogateContract


class TestBuiltIn(SurrogateContract):
    @pytest.fixture(params=SURROGATES.names())
    def kind(self, request):
        return request.param


def test_gaussian_process_is_unsure_where_it_saw_nothing():
    surrogate = build_surrogate(SurrogateConfig(), 0)
    surrogate.fit(SCALED[:20], VALUES[:20], None)
    _, near = surrogate.predict(SCALED[:20])
    _, far = surrogate.predict(SCALED[:20] + 20.0)
    assert near.max() < far.min()


def test_scaling_drops_and_imputes():
    pool = np.array(
        [[1.0, 5.0, np.nan, np.nan], [3.0, 5.0, 2.0, np.nan], [np.inf, 5.0, 4.0, np.nan]]
    )
    scaling = FeatureScaling.of(pool)
    scaled = scaling(pool)
    assert scaled.shape == (3, 2)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.var(0), 1 / 2)
    assert scaled[2, 0] == pytest.approx(0.0)  # the median, which here is the mean as well


def test_scaling_of_a_pool_without_spread():
    assert FeatureScaling.of(np.ones((4, 3)))(np.ones((2, 3))).shape == (2, 1)


def test_fit_predict_takes_raw_features():
    ids = [f"c{i:02d}" for i in range(60)]
    seen = Observations(ids[:30], 100 * POOL[:30], VALUES[:30])
    mean, std = fit_predict(SurrogateConfig(), seen, ids[30:], 100 * POOL[30:], 0)
    assert np.corrcoef(mean, VALUES[30:])[0, 1] > 0.8
    assert (std > 0).all()


class TestProbabilityFeasible:
    """The vote of the evaluated neighbours."""

    def test_one_class_teaches_nothing(self):
        for feasible in (np.ones(5, bool), np.zeros(5, bool), np.zeros(0, bool)):
            probability = probability_feasible(SCALED[: len(feasible)], feasible, SCALED)
            np.testing.assert_array_equal(probability, np.ones(60))

    def test_learns_a_region(self):
        features, feasible = SCALED[:, :2] * np.sqrt(3), POOL[:, 0] > 0
        probability = probability_feasible(features[:40], feasible[:40], features[40:])
        assert ((probability > 0) & (probability < 1)).all()
        unseen = feasible[40:]
        assert probability[unseen].mean() > probability[~unseen].mean() + 0.3

    def test_far_away_the_overall_rate_remains(self):
        feasible = np.arange(40) % 4 != 0
        probability = probability_feasible(SCALED[:40], feasible, SCALED[:1] + 100.0)
        np.testing.assert_allclose(probability, 0.75)


def test_of_very_many_results_the_best_and_a_sample_count(monkeypatch):
    monkeypatch.setattr("screening.choosing.gaussian_process.MOST_RESULTS", 60)
    generator = np.random.default_rng(0)
    features = generator.uniform(size=(400, 2))
    values = features.sum(1)
    model = GaussianProcess(SurrogateConfig(), 0)
    model.fit(features, values, None)
    taken = most_telling(values, 60, 0)
    alone = GaussianProcess(SurrogateConfig(), 0)
    alone.fit(features, values, None)
    alone.update(features[taken], values[taken], None)
    np.testing.assert_array_equal(alone.predict(features), model.predict(features))
    mean, _ = model.predict(features)
    assert np.abs(mean - values).max() < 0.1


def test_the_best_third_tells_most_and_the_others_are_drawn():
    values = np.random.default_rng(0).normal(size=90)
    rows = most_telling(values, 30, 0)
    assert len(set(rows)) == len(rows) == 30
    assert set(np.argsort(values)[:10]) <= set(rows)
    assert set(rows) != set(most_telling(values, 30, 1))
    assert most_telling(values, 90, 0).tolist() == list(range(90))


def test_the_nearest_come_first_and_equally_near_ones_in_order():
    known = np.array([[0.0], [2.0], [1.0], [1.0]])
    rows, distances = nearest(np.array([[1.2], [-1.0]]), known, 3)
    assert rows.tolist() == [[2, 3, 1], [0, 2, 3]]
    np.testing.assert_allclose(distances, [[0.2, 0.2, 0.8], [1.0, 2.0, 2.0]])
    assert nearest(known, known[:1], 3)[0].shape == (4, 1)


def test_error_bars_of_ten_results_are_neither_too_short_nor_too_long():
    """Of functions of other smoothness, with noise, and of features that go together."""
    generator = np.random.default_rng(0)
    within = []
    for length in (0.7, 1.5, 5.0):
        for _ in range(12):
            rows = generator.normal(size=(110, 6)) @ generator.normal(size=(6, 30))
            pool = FeatureScaling.of(rows)(rows)
            waves, phases = generator.normal(size=(200, 30)) / length, generator.uniform(0, 7, 200)
            values = np.cos(pool @ waves.T + phases).sum(1) + generator.normal(0, 2, 110)
            ids = [f"c{i:03d}" for i in range(110)]
            seen = Observations(ids[:10], rows[:10], values[:10])
            mean, std = fit_predict(SurrogateConfig(), seen, ids[10:], rows[10:], 0)
            within.append(np.abs(mean - values[10:]) / std)
    assert 0.63 < (np.array(within) < 1).mean() < 0.73
    assert (np.array(within) < 2).mean() > 0.92


def test_results_have_the_noise_in_their_error_bar():
    surrogate = build_surrogate(SurrogateConfig(), 0)
    noisy = VALUES + np.random.default_rng(1).normal(size=60)
    surrogate.fit(SCALED[:40], noisy[:40], None)
    mean, std = predict_results(surrogate, SCALED[40:])
    alone = surrogate.predict(SCALED[40:])
    np.testing.assert_array_equal(mean, alone[0])
    np.testing.assert_allclose(std, np.hypot(alone[1], surrogate.noise_std))
    assert surrogate.noise_std > 0.1


def test_models_far_less_probable_than_the_best_are_left_out():
    surrogate = GaussianProcess(SurrogateConfig(), 0)
    surrogate.fit(SCALED[:50], VALUES[:50], None)
    many = [model.weight for model in surrogate._models]
    surrogate.fit(SCALED[:6], VALUES[:6], None)
    few = [model.weight for model in surrogate._models]
    for weights in (few, many):
        assert sum(weights) == pytest.approx(1)
        assert min(weights) > 0.5 * GaussianProcess.LEAST_WEIGHT * max(weights)
    assert 1 < len(many) < len(few)
