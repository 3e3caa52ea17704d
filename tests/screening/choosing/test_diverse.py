"""A diverse batch: the best first, alike ones once, as far apart as the set allows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from screening.choosing.diverse import diverse

numbers = st.integers(-3, 3).map(float)
sets = st.integers(1, 8).flatmap(lambda n: arrays(float, (n, 2), elements=numbers))


def test_of_two_alike_the_better_one_stands_for_both():
    features = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    chosen = diverse(features, 3)
    assert [each.place for each in chosen] == [0, 2, 4]
    assert [each.like for each in chosen] == [None, 0, 2]
    assert chosen[2].distance == 4.0


@given(sets, st.integers(1, 5))
def test_the_best_is_there_and_as_many_as_can_be(features, count):
    chosen = [each.place for each in diverse(features, count)]
    assert chosen[0] == 0
    assert len(set(chosen)) == len(chosen) == min(count, len(features))
    assert chosen == sorted(chosen)


@given(sets, st.integers(2, 4))
def test_what_is_better_and_left_out_is_nearer_to_a_chosen_one_than_these_are(features, count):
    chosen = [each.place for each in diverse(features, count)]
    apart = np.linalg.norm(features[:, None] - features[None], axis=2)
    least = min(apart[a, b] for a in chosen for b in chosen if a < b) if len(chosen) > 1 else 0.0
    for place in range(chosen[-1]):
        if place not in chosen:
            assert min(apart[place, other] for other in chosen if other < place) <= least
