"""The best so far, and what random choice is expected to find."""

from __future__ import annotations

import itertools
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.ranking.cache import cached_ranking
from screening.views.progress import expected_best, progress

VALUES = st.lists(st.floats(0.1, 100, allow_nan=False), min_size=1, max_size=5)


@given(values=VALUES, blanks=st.integers(0, 3), direction=st.sampled_from(["minimize", "maximize"]))
def test_expected_best_is_the_mean_over_all_draws(values, blanks, direction):
    total = len(values) + blanks
    better = min if direction == "minimize" else max
    pool = [*values, *[None] * blanks]
    brute = []
    for n in range(1, total + 1):
        draws = [
            [pool[place] for place in places if pool[place] is not None]
            for places in itertools.combinations(range(total), n)
        ]
        brute.append(fmean(better(each) for each in draws if each))
    # PriorResiduals the last candidate nothing is left to draw.
    found = expected_best(values, blanks, total + 2, direction)
    assert found == pytest.approx([*brute, brute[-1], brute[-1]], rel=1e-9)


def test_large_pools_keep_their_digits():
    n = 100_000
    # Of 1 to n the least of k is (n + 1) / (k + 1) on average.
    found = expected_best(list(range(1, n + 1)), 0, 40, "minimize")
    assert found == pytest.approx([(n + 1) / (k + 1) for k in range(1, 41)], rel=1e-9)


def test_nothing_to_draw():
    assert expected_best([], 4, 3, "minimize") == [None, None, None]
    assert expected_best([2.0], 0, 0, "minimize") == []


def test_what_was_found_and_when(computed):
    found = progress(computed)
    picks = computed.picks()
    assert found.number == list(range(1, 10))
    assert found.candidate_id == [pick["candidate_id"] for pick in picks]
    assert found.round == [pick["round"] for pick in picks]
    assert sorted(found.outcome) == [*["computed"] * 6, "failed", "infeasible", "unstable"]
    values = [
        value if outcome == "computed" else None
        for value, outcome in zip(found.value, found.outcome, strict=True)
    ]
    assert found.value == values
    known = [min((v for v in values[:n] if v is not None), default=None) for n in range(1, 10)]
    assert found.best == known
    # The one of the earlier campaign is known too.
    assert (found.random_known, found.random_predicted) == (7, 15)
    rows = cached_ranking(computed)[0]
    told = [row.value if row.outcome == "computed" else row.predicted_value for row in rows]
    told = [
        value
        for row, value in zip(rows, told, strict=True)
        if row.outcome in ("computed", "predicted")
    ]
    assert found.random_best[0] == pytest.approx(fmean(told), rel=1e-4)
    assert found.random_best == sorted(found.random_best, reverse=True)


def test_before_the_first_result(new_campaign):
    found = progress(new_campaign())
    assert found.number == found.value == found.random_best == []
