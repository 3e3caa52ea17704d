from __future__ import annotations

import numpy as np
import pytest

from screening.choosing.surrogates import (
    SURROGATES,
    FeatureScaling,
    GaussianProcess,
    SurrogateConfig,
    build_surrogate,
    fit_predict,
    probability_feasible,
)

RNG = np.random.default_rng(0)
POOL = RNG.normal(size=(60, 6))
VALUES = POOL[:, 0] + 0.3 * POOL[:, 1] ** 2
SCALED = FeatureScaling.of(POOL)(POOL)


@pytest.mark.parametrize("kind", sorted(SURROGATES))
class TestContract:
    """What every surrogate of the table must do."""

    def fitted(self, kind, n=30, values=VALUES, value_std=None, seed=1):
        surrogate = build_surrogate(SurrogateConfig(kind=kind, n_trees=50), seed)
        surrogate.fit(SCALED[:n], values[:n], value_std)
        return surrogate

    def test_learns(self, kind):
        mean, std = self.fitted(kind).predict(SCALED[30:])
        assert mean.shape == std.shape == (30,)
        assert (std >= 0).all()
        assert np.corrcoef(mean, VALUES[30:])[0, 1] > 0.7
        assert np.abs(mean - VALUES[30:]).mean() < 0.7 * VALUES.std()

    def test_repeats_itself(self, kind):
        first, again = (self.fitted(kind).predict(SCALED) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_follows_shift_and_scale(self, kind):
        mean, std = self.fitted(kind).predict(SCALED)
        moved, widened = self.fitted(kind, values=1e3 + 50 * VALUES).predict(SCALED)
        np.testing.assert_allclose(moved, 1e3 + 50 * mean, rtol=1e-2)
        assert np.corrcoef(widened, std)[0, 1] > 0.9
        assert widened.mean() == pytest.approx(50 * std.mean(), rel=0.1)

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_few_points(self, kind, n):
        mean, std = self.fitted(kind, n=n).predict(SCALED)
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()

    def test_equal_values(self, kind):
        mean, std = self.fitted(kind, values=np.full(60, 2.5)).predict(SCALED)
        np.testing.assert_allclose(mean, 2.5, atol=1e-6)
        assert np.isfinite(std).all()

    def test_noisy_result_counts_less(self, kind):
        values = VALUES.copy()
        values[7] += 10.0
        known = np.full(30, 0.01)
        trusted = self.fitted(kind, values=values, value_std=known).predict(SCALED[7:8])[0]
        known[7] = 20.0
        doubted = self.fitted(kind, values=values, value_std=known).predict(SCALED[7:8])[0]
        assert abs(doubted - VALUES[7]) < abs(trusted - VALUES[7])

    def test_unknown_error_bar_is_none(self, kind):
        known = np.full(30, np.nan)
        np.testing.assert_array_equal(
            self.fitted(kind, value_std=known).predict(SCALED),
            self.fitted(kind).predict(SCALED),
        )


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
    mean, std = fit_predict(
        SurrogateConfig(), 100 * POOL[:30], VALUES[:30], None, 100 * POOL[30:], 0
    )
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
    monkeypatch.setattr(GaussianProcess, "MOST_CONDITIONED", 60)
    generator = np.random.default_rng(0)
    features = generator.uniform(size=(400, 2))
    values = features.sum(1)
    model = GaussianProcess(SurrogateConfig(), 0)
    model.fit(features, values, None)
    assert len(model._model.X_train_) == 60
    mean, _ = model.predict(features)
    assert np.abs(mean - values).max() < 0.1
    best = features[np.argsort(values)[:20]]
    assert all((model._model.X_train_ == row).all(1).any() for row in best)


def test_with_a_prior_the_best_are_those_of_the_best_values(monkeypatch):
    monkeypatch.setattr(GaussianProcess, "MOST_CONDITIONED", 60)
    generator = np.random.default_rng(0)
    features = generator.uniform(size=(400, 2))
    values = features.sum(1)
    beyond = generator.normal(size=400)
    best = features[np.argsort(values)[:20]]
    for model in (GaussianProcess(SurrogateConfig(), 0), GaussianProcess(SurrogateConfig(), 1)):
        model.fit(features, beyond, None, values)
        assert all((model._model.X_train_ == row).all(1).any() for row in best)
        model.update(features, beyond, None, values)
        assert all((model._model.X_train_ == row).all(1).any() for row in best)
