"""Outliers among the errors of an engine."""

from __future__ import annotations

import numpy as np
import pytest

from screening.choosing.outliers import Mixture, Outliers


def fitted(shortfall, errors, odd):
    """Return outliers learned where it is known which errors are theirs."""
    found = Outliers.expected(0.1)
    for _ in range(20):
        found = found.refitted(errors, shortfall, odd.astype(float), 0.1)
    return found


def test_the_share_of_outliers_follows_the_shortfall():
    generator = np.random.default_rng(0)
    shortfall = np.repeat([0.0, 0.5], 200)
    odd = generator.random(400) < np.repeat([0.02, 0.7], 200)
    found = fitted(shortfall, np.where(odd, 0.5, 0.0), odd)
    share = found.probability(np.array([0.0, 0.5]))
    assert share == pytest.approx([0.02, 0.7], abs=0.06)
    assert found.centre == pytest.approx(0.5, abs=0.02)


def test_without_outliers_the_prior_speaks():
    found = fitted(np.zeros(0), np.zeros(0), np.zeros(0))
    assert found.centre == pytest.approx(0.4)
    assert found.spread == pytest.approx(0.25)
    assert found.probability(np.zeros(1))[0] == pytest.approx(0.076, abs=0.01)
    assert found.slope == pytest.approx(0.0, abs=1e-6)


def test_a_large_error_is_taken_for_an_outlier():
    outliers = Outliers(-2.5, 5.0, 0.5, 0.2)
    found = outliers.responsibility(
        np.array([0.0, 0.5]), np.zeros(2), centre=np.zeros(2), std=np.full(2, 0.1)
    )
    assert found[0] < 0.01
    assert found[1] > 0.9


def test_a_value_that_is_too_high_is_no_outlier():
    found = Outliers.expected(0.1).responsibility(
        np.array([-0.5]), np.ones(1), centre=np.zeros(1), std=np.full(1, 0.1)
    )
    assert found[0] == 0.0


def mixture(probability):
    one = np.ones(1)
    return Mixture(0.1 * one, 0.1 * one, probability * one, 0.5 * one, 0.3 * one)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_moments_and_half_widths_are_those_of_draws(probability):
    generator = np.random.default_rng(0)
    odd = generator.random(400_000) < probability
    draws = np.where(
        odd, generator.normal(0.5, 0.3, odd.size), generator.normal(0.1, 0.1, odd.size)
    )
    expected = mixture(probability)
    assert expected.mean[0] == pytest.approx(draws.mean(), abs=0.003)
    assert expected.total[0] == pytest.approx(draws.std(), abs=0.003)
    for content in (0.68, 0.95):
        inside = (np.abs(draws) <= expected.half_width(content)[0]).mean()
        assert inside == pytest.approx(content, abs=0.003)


def test_joined_parts_keep_their_places():
    mask = np.array([False, True, False])
    one, other = mixture(0.2), mixture(0.9)
    both = Mixture(*(np.repeat(getattr(other, name), 2) for name in vars(other)))
    found = Mixture.joined([(mask, one), (~mask, both)], 3)
    assert found.probability == pytest.approx([0.9, 0.2, 0.9])
