"""What a better engine would find, learned from the candidates that two engines have computed."""

from __future__ import annotations

import pytest
from snapshots import VALUE, ids, snapshot_of

from screening.campaigns.engine_differences import MIN_PAIRS, corrected, engine_differences
from screening.ranking.build import rank

pytestmark = pytest.mark.usefixtures("toy")


def test_the_difference_needs_pairs():
    assert engine_differences(snapshot_of()) is None
    explored = dict.fromkeys(ids(), 2.0)
    for pairs in (MIN_PAIRS - 1, MIN_PAIRS):
        confirmed = dict.fromkeys(ids()[:pairs], 1.0)
        seen = engine_differences(snapshot_of(results=explored, confirmed=[confirmed]))
        assert (seen is not None) == (pairs == MIN_PAIRS)


def test_the_best_engine_with_enough_pairs_counts():
    explored = dict.fromkeys(ids(), 1.0)
    better, best = dict.fromkeys(ids()[:5], 10.0), dict.fromkeys(ids()[4:6], 100.0)
    seen = engine_differences(snapshot_of(results=explored, confirmed=[better, best]))
    assert seen.values == pytest.approx([1.0] * 5)
    assert seen.confirmed == set(ids()[:6])


def test_results_without_a_value_make_no_pair():
    explored = dict.fromkeys(ids(), 1.0)
    confirmed = dict.fromkeys(ids()[:2], 10.0) | {ids()[2]: {"outcome": "unstable", VALUE: None}}
    assert engine_differences(snapshot_of(results=explored, confirmed=[confirmed])) is None


def test_a_constant_factor_between_the_engines_is_learned():
    keys = ids(10)
    cheap = {key: 1.0 + number for number, key in enumerate(keys[:8])}
    better = {key: 3 * cheap[key] for key in keys[:5]}
    snapshot = snapshot_of(pool=10, results=cheap, confirmed=[better])
    scale = snapshot.objective.to_model
    expected = corrected(snapshot, engine_differences(snapshot), {keys[8]: (scale(4.0), 0.2)})
    assert set(expected) == {*keys[5:8], keys[8]}
    for key in keys[5:8]:
        assert expected[key][0] == pytest.approx(scale(3 * cheap[key]), abs=0.02)
    assert expected[keys[8]][0] == pytest.approx(scale(12.0), abs=0.02)
    assert expected[keys[8]][1] >= 0.2
    rows = {row.candidate_id: row for row in rank(snapshot)}
    assert rows[keys[5]].expected_value == pytest.approx(3 * cheap[keys[5]], rel=0.05)
    assert rows[keys[0]].expected_value is None
