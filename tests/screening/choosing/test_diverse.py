"""A diverse batch: the best first, alike ones once, as far apart as the set allows."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from screening.choosing.diverse import diverse

numbers = st.integers(-3, 3).map(float)
sets = st.integers(1, 8).flatmap(lambda n: arrays(float, (n, 2), elements=numbers))


def closest(features, places):
    pairs = itertools.combinations(places, 2)
    return min((np.linalg.norm(features[a] - features[b]) for a, b in pairs), default=np.inf)


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
def test_no_greedy_walk_with_a_larger_distance_gives_as_many(features, count):
    chosen = [each.place for each in diverse(features, count)]
    apart = closest(features, chosen)
    wider = apart * (1 + 1e-9) + 1e-9
    walk = []
    for place in range(len(features)):
        if all(np.linalg.norm(features[place] - features[other]) >= wider for other in walk):
            walk.append(place)
    assert len(walk) < count or len(features) <= count
