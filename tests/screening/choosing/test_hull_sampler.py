"""The search for a convex hull: the hull itself, what is picked, and when nothing more is."""

from __future__ import annotations

import numpy as np
import pytest

from screening.choosing.bayesian_linear import BayesianLinear
from screening.choosing.config import SamplerConfig, SurrogateConfig, build_sampler
from screening.choosing.convex_hull import hull_energies
from screening.choosing.hull_sampler import left_out_rms
from screening.choosing.observations import Observations, SearchEndedError
from screening.choosing.pool import Pool
from screening.testing.sampler_contract import SamplerContract

LINEAR = {"kind": "bayesian-linear"}


class TestContract(SamplerContract):
    """With a window that all candidates are in; it would stop otherwise."""

    @pytest.fixture
    def kind(self):
        return "convex-hull"

    @pytest.fixture
    def options(self):
        cheap = {"kind": "screening.testing.nearest_value:NearestValue"}
        return {"initial": 3, "window_ev_per_atom": 1e9, "surrogate": cheap}


def test_the_hull_of_a_binary():
    shares = np.array([[0.0], [0.25], [0.5], [0.75], [1.0], [0.5]])
    energies = np.array([0.0, -1.0, -1.2, -0.3, 0.0, 2.0])
    asked = np.array([[0.0], [0.125], [0.5], [0.75], [1.0], [1.1]])
    found = hull_energies(shares, energies, asked)
    np.testing.assert_allclose(found[:-1], [0.0, -0.5, -1.2, -0.6, 0.0])
    assert np.isnan(found[-1])


def test_the_hull_of_a_ternary_is_that_of_its_planes():
    shares = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1 / 3, 1 / 3]])
    energies = np.array([0.0, 0.0, 0.0, -1.0, -0.2])
    found = hull_energies(shares, energies, np.array([[1 / 3, 1 / 3], [0.25, 0.25], [0.9, 0.9]]))
    # Between (0, 0) at 0 and (½, ½) at −1 the hull is straight.
    np.testing.assert_allclose(found[:2], [-2 / 3, -0.5])
    assert np.isnan(found[2])


def alloy(seed=0, n=120):
    """Return features and energies that are linear in them, zero for both end members."""
    generator = np.random.default_rng(seed)
    shares = np.concatenate([[0.0, 1.0], generator.integers(1, 8, n - 2) / 8])
    clusters = generator.normal(size=(n, 12)) * (shares * (1 - shares))[:, None]
    energies = clusters @ (generator.normal(size=12) * 0.03)
    features = np.column_stack([shares, np.zeros((n, 2)), clusters, np.full(n, 10.0)])
    return features, energies


def searched(features, energies, **options):
    """Return the rows that the search computed, in their order, and the reasons."""
    sampler = build_sampler(
        SamplerConfig.model_validate(
            {"kind": "convex-hull", "surrogate": LINEAR, "initial": 14, **options}
        )
    )
    ids = [f"s{k:03d}" for k in range(len(features))]
    done: list[int] = []
    reasons: list[str] = []
    while True:
        std = np.where(np.isin(features[done, 0], (0.0, 1.0)), 0.0, np.nan)
        seen = Observations([ids[k] for k in done], features[done], energies[done], std)
        picks = sampler.propose(seen, ids, features, 4, 0)
        if not picks:
            return done, reasons
        done += [ids.index(pick.candidate_id) for pick in picks]
        reasons += [pick.reason for pick in picks]


def test_it_finds_the_hull_with_few_structures_and_stops():
    features, energies = alloy()
    done, reasons = searched(features, energies)
    assert reasons[:2] == ["end-member", "end-member"]
    assert set(reasons) >= {"end-member", "leverage", "hull"}
    assert len(done) < 60
    everything = hull_energies(features[:, :1], energies, features[:, :1])
    found = hull_energies(features[done, :1], energies[done], features[:, :1])
    np.testing.assert_allclose(found, everything, atol=1e-9)


def test_it_goes_on_until_predictions_are_accurate():
    features, energies = alloy()
    # What no linear function can follow.
    energies = energies + 0.02 * np.sin(50 * features[:, 3]) * (features[:, 0] % 1 > 0)
    loose, _ = searched(features, energies, accuracy_ev_per_atom=1.0)
    strict, _ = searched(features, energies, accuracy_ev_per_atom=1e-4)
    assert len(loose) < len(strict) == len(features)


def test_a_fit_goes_through_values_that_are_exact():
    features, energies = alloy()
    noisy = energies + np.random.default_rng(1).normal(size=len(energies)) * 0.01
    noisy[:2] = 0.0
    std = np.full(len(noisy), np.nan)
    std[:2] = 0.0
    model = BayesianLinear(SurrogateConfig(kind="bayesian-linear"), 0)
    model.fit(features, noisy, std)
    mean, _ = model.predict(features)
    assert np.abs(mean[:2]).max() < 1e-6
    assert model.noise_std == pytest.approx(0.01, rel=0.4)
    constant, coefficients = model.coefficients()
    np.testing.assert_allclose(constant + features @ coefficients, mean, atol=1e-9)


def test_left_out_errors_are_those_of_results_that_were_not_told():
    features, energies = alloy()
    noisy = energies + np.random.default_rng(1).normal(size=len(energies)) * 0.01
    model = BayesianLinear(SurrogateConfig(kind="bayesian-linear"), 0)
    seen = Observations([f"s{k:03d}" for k in range(len(noisy))], features, noisy)
    told = Pool.of(seen, [], np.empty((0, features.shape[1])), raw=True)
    model.fit(told.evaluated, told.values, None)
    before, _ = model.predict(features)
    rms = left_out_rms(model, told)
    assert 0.009 < rms < 0.016
    np.testing.assert_array_equal(model.predict(features)[0], before)


def test_nothing_waits_for_values_that_cannot_come():
    features, _ = alloy()
    ids = [f"s{k:03d}" for k in range(len(features))]
    sampler = build_sampler(
        SamplerConfig.model_validate({"kind": "convex-hull", "surrogate": LINEAR, "initial": 14})
    )

    def picks(ended, pending):
        """Ask what comes after these, of which none has a value."""
        seen = Observations(
            [],
            features[:0],
            np.array([]),
            infeasible_ids=[ids[k] for k in ended],
            infeasible_features=features[ended],
            pending_ids=[ids[k] for k in pending],
            pending_features=features[pending],
        )
        return [pick.candidate_id for pick in sampler.propose(seen, ids, features, 4, 0)]

    assert picks([], [])[:2] == ["s000", "s001"]
    assert picks([0, 5, 6], [1]) == []
    with pytest.raises(SearchEndedError, match="one of the end members s000, s001 has no energy"):
        picks([5, 0, 1], [6])
