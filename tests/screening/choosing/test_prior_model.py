"""A prior: what is expected where it is missing, and a surrogate that learns the difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from screening.choosing.calibration import leave_one_out
from screening.choosing.config import SurrogateConfig
from screening.choosing.observations import Observations
from screening.choosing.prediction import fit_predict, surrogate_for
from screening.choosing.prior import WithPrior, fill_missing_prior, model_rows
from screening.testing.nearest_value import NearestValue


def test_candidates_without_a_prior_take_that_of_their_neighbours():
    features = np.linspace(0, 1, 9)[:, None]
    ids = [f"c{i}" for i in range(9)]
    prior = {key: 2 * float(x) for key, x in zip(ids, features[:, 0], strict=True) if key != "c4"}
    expected, std = fill_missing_prior(prior, ids, features)
    assert expected[4] == pytest.approx(1.0, abs=0.05)
    assert [i for i in range(9) if std[i] > 0] == [4]
    assert fill_missing_prior({}, ids, features)[0].tolist() == [0.0] * 9


def test_without_a_prior_all_is_left_to_the_model():
    seen = Observations(["a", "b"], np.array([[0.0], [1.0]]), np.array([3.0, 4.0]))
    assert not isinstance(surrogate_for(SurrogateConfig(), seen, 0), WithPrior)
    assert model_rows(None, ["a", "b"], seen.features).shape == (2, 1)
    assert model_rows({}, ["a", "b"], seen.features).shape == (2, 1)


def test_a_model_learns_how_much_results_differ_from_the_prior():
    model = WithPrior(NearestValue(SurrogateConfig(), 0), 0)
    # One feature; then what is expected, and how unsure that is.
    model.fit(np.array([[0.0, 5.0, 0.0], [9.0, 1.0, 0.0]]), np.array([7.0, 1.5]), None)
    mean, std = model.predict(np.array([[0.0, 10.0, 0.0], [6.0, 10.0, 4.0]]))
    assert mean.tolist() == [12.0, 10.5]
    assert std.tolist() == [0.0, 5.0]


def test_left_out_results_are_predicted_with_the_prior():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(20, 3))
    values = generator.normal(size=20)
    prior = {f"c{i:02d}": value + 5 for i, value in enumerate(values)}
    seen = Observations(sorted(prior), features, values, prior=prior)
    found = leave_one_out(SurrogateConfig(), seen, [], np.empty((0, 3)), 0)
    assert found.rms < 1e-3
    assert found.rank_correlation == pytest.approx(1.0)
    blind = replace(seen, prior=None)
    assert leave_one_out(SurrogateConfig(), blind, [], np.empty((0, 3)), 0).rms > 0.5


def test_what_is_guessed_is_said_to_be_unsure():
    features = np.linspace(0, 1, 12)[:, None]
    ids = [f"c{i:02d}" for i in range(12)]
    prior = {key: float(np.sin(9 * x)) for key, x in zip(ids, features[:, 0], strict=True)}
    for unknown in ([], ["c09"]):
        known = {key: value for key, value in prior.items() if key not in unknown}
        std = model_rows(known, ids, features)[:, -1]
        assert [ids[i] for i in np.flatnonzero(std)] == unknown


def test_which_results_are_the_best_is_told_by_their_values(monkeypatch):
    """Where there are too many to learn from, not by how far they are below the prior."""
    monkeypatch.setattr("screening.choosing.prior.MOST_RESULTS", 30)
    generator = np.random.default_rng(0)
    values, expected = generator.normal(size=200), generator.normal(size=200) * 9
    inner = NearestValue(SurrogateConfig(), 0)
    model = WithPrior(inner, 0)
    rows = np.column_stack([np.arange(200.0), expected, np.zeros(200)])
    for learn in (model.fit, model.update):
        learn(rows, values, None)
        kept = inner._features[:, 0].astype(int)
        assert len(kept) == 30
        assert set(np.argsort(values)[:10]) <= set(kept)
        np.testing.assert_allclose(inner._values, values[kept] - expected[kept])


def test_predictions_are_on_the_scale_of_the_values():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(30, 2))
    values = features[:, 0] + 3
    ids = [f"c{i:02d}" for i in range(30)]
    prior = {key: float(value) - 2 for key, value in zip(ids, values, strict=True)}
    seen = Observations(ids[:10], features[:10], values[:10], prior=prior)
    mean, _ = fit_predict(SurrogateConfig(), seen, ids[10:], features[10:], 0)
    np.testing.assert_allclose(mean, values[10:], atol=0.05)
