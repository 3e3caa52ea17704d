"""A value that stands out from what the engine finds for crystals alike."""

from __future__ import annotations

import numpy as np
import pytest

from screening.choosing.peers import Peers


@pytest.fixture
def smooth():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 3))
    return features, features[:, 0] + 0.5 * features[:, 1]


def test_a_value_among_its_likes_does_not_stand_out(smooth):
    features, values = smooth
    peers = Peers.of(features[10:], values[10:])
    found = peers.shortfall(features[:10], values[:10])
    assert np.abs(found).mean() < 0.2 * values.std()


def test_a_value_that_is_too_low_is_told_by_how_much(smooth):
    features, values = smooth
    peers = Peers.of(features[10:], values[10:])
    as_it_is = peers.shortfall(features[:10], values[:10])
    lower = peers.shortfall(features[:10], values[:10] - 1.0)
    assert ((lower - as_it_is) > 0.4).all()


def test_a_value_that_is_too_high_is_not_suspect(smooth):
    features, values = smooth
    peers = Peers.of(features[10:], values[10:])
    assert (peers.shortfall(features[:10], values[:10] + 3.0) == 0.0).all()


def test_of_a_crystal_unlike_all_nothing_is_said(smooth):
    features, values = smooth
    found = Peers.of(features, values).shortfall(np.full((1, 3), 50.0), np.array([-9.0]))
    assert found[0] == pytest.approx(0.0, abs=1e-6)


def test_features_that_are_not_known_count_as_median(smooth):
    features, values = smooth
    peers = Peers.of(features, values)
    asked = np.full((1, 3), np.nan)
    assert np.isfinite(peers.shortfall(asked, np.array([0.0]))).all()
