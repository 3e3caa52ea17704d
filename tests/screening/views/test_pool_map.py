"""The plane of the pool's features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from screening.campaigns.training_data import feature_matrix
from screening.messages.errors import ScreenError
from screening.ranking.cache import cached_ranking
from screening.views.pool_map import pool_map, principal_plane


def test_the_plane_is_that_of_the_principal_components():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, 5)) * [5, 1, 1, 3, 1] @ generator.normal(size=(5, 5))
    features[:, 4] = 7.0
    points, explained = principal_plane(features)
    spread = features[:, :4].std(axis=0)
    reference = PCA(2).fit((features[:, :4] - features[:, :4].mean(axis=0)) / spread)
    theirs = reference.transform((features[:, :4] - features[:, :4].mean(axis=0)) / spread)
    assert np.abs(points) == pytest.approx(np.abs(theirs), abs=1e-9)
    assert explained == pytest.approx(reference.explained_variance_ratio_)


def test_signs_do_not_hang_on_the_order_of_candidates():
    features = np.random.default_rng(2).normal(size=(30, 6))
    points, _ = principal_plane(features)
    order = np.random.default_rng(3).permutation(30)
    assert principal_plane(features[order])[0] == pytest.approx(points[order], abs=1e-9)
    # Everything with the other sign is the same picture turned round.
    assert principal_plane(-features)[0] == pytest.approx(-points, abs=1e-9)


@pytest.mark.parametrize("features", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((4, 3))])
def test_pools_without_spread(features):
    points, explained = principal_plane(features)
    assert points.shape == (len(features), 2)
    assert not points.any()
    assert explained == (0.0, 0.0)


def test_one_direction_is_enough():
    points, explained = principal_plane(np.array([[1.0], [2.0], [3.0]]))
    assert points[:, 0] == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])
    assert not points[:, 1].any()
    assert explained == pytest.approx((1.0, 0.0))


def test_the_map_of_a_campaign(computed):
    found = pool_map(computed)
    rows = {row.candidate_id: row for row in cached_ranking(computed)[0]}
    assert (found.shown, found.pool) == (25, 25)
    assert found.candidate_id == sorted(rows)
    features = computed.pool_features()
    points, explained = principal_plane(feature_matrix(features, found.candidate_id))
    assert list(zip(found.x, found.y, strict=True)) == pytest.approx(
        [pytest.approx(tuple(each), rel=1e-4, abs=1e-4) for each in points]
    )
    assert found.explained_fraction == explained
    assert [each for each in found.number if each is not None]
    for place, key in enumerate(found.candidate_id):
        row = rows[key]
        assert found.outcome[place] == row.outcome
        wanted = row.predicted_value if row.outcome == "predicted" else row.value
        assert found.value[place] == (None if wanted is None else pytest.approx(wanted, rel=1e-4))
    chosen = {pick["candidate_id"]: pick["number"] for pick in computed.picks()}
    numbers = dict(zip(found.candidate_id, found.number, strict=True))
    assert numbers == {key: chosen.get(key) for key in rows}


def test_of_large_pools_all_chosen_ones_and_a_sample(computed):
    whole, some, few = pool_map(computed), pool_map(computed, 14), pool_map(computed, 3)
    chosen = {pick["candidate_id"] for pick in computed.picks()}
    assert (some.shown, few.shown) == (14, 9)
    assert set(few.candidate_id) == chosen < set(some.candidate_id)
    place = {key: at for at, key in enumerate(whole.candidate_id)}
    assert some.x == [whole.x[place[key]] for key in some.candidate_id]
    assert some == pool_map(computed, 14)
    with pytest.raises(ScreenError, match="not 0"):
        pool_map(computed, 0)
