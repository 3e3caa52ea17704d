"""The ranking of a campaign, from what it knows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from snapshots import VALUE, ids, snapshot_of

from screening.campaigns.predictions import predict
from screening.ranking.build import rank
from screening.ranking.columns import as_records, columns
from screening.ranking.entries import proposals

pytestmark = pytest.mark.usefixtures("toy")
KEYS = {
    *("rank", "candidate_id", "material_id", "formula", "space_group_number", "outcome"),
    *(VALUE, f"predicted_{VALUE}", "predicted_log10_std", "engine"),
}
PREDICTED = {"predicted_mean": 1.0, "predicted_std": 0.2}


@pytest.fixture
def snapshot():
    """Of ten candidates three are computed, one is unstable, one failed, one queued."""
    keys = ids(10)
    results = {
        key: {VALUE: value, "kappa_300k_error_w_per_m_k": 0.1}
        for key, value in zip(keys, (30.0, 3.0, 10.0), strict=False)
    }
    results[keys[3]] = {"outcome": "unstable"}
    picks = {key: {"state": "computed", **PREDICTED} for key in keys[:3]}
    picks |= {keys[3]: "unstable", keys[4]: "failed", keys[5]: "queued"}
    return snapshot_of(pool=10, budget=8, results=results, picks=picks)


def records(snapshot, **options):
    return as_records(rank(snapshot, **options), snapshot.objective)


def test_everything_is_ranked_once_with_all_keys(snapshot):
    rows = records(snapshot)
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert {row["candidate_id"] for row in rows} == set(ids(10))
    assert all(row.keys() >= KEYS for row in rows)
    assert {row["material_id"] for row in rows} == {f"toy-{row['formula']}" for row in rows}
    assert list(rows[0]) == list(columns(snapshot.objective).values())


def test_computed_and_predicted_stand_side_by_side_then_the_rest(snapshot):
    rows = records(snapshot)
    compared = [row[VALUE] or row[f"predicted_{VALUE}"] for row in rows[:8]]
    assert compared == sorted(compared)
    outcomes = [row["outcome"] for row in rows]
    assert sorted(outcomes[:8]) == ["computed"] * 3 + ["predicted"] * 5
    assert outcomes[8:] == ["unstable", "failed"]


def test_rows_hold_values_and_predictions_with_their_spread(snapshot):
    for row in records(snapshot):
        predicted = (row[f"predicted_{VALUE}"], row["predicted_log10_std"])
        if row["outcome"] == "computed":
            # The prediction made before it was computed, on the scale of the value.
            assert predicted == (pytest.approx(10.0), 0.2)
            assert row["engine"] == "emt"
            assert row["kappa_300k_error_w_per_m_k"] == 0.1
        elif row["outcome"] == "predicted":
            assert predicted[0] > 0
            assert predicted[1] >= 0
            assert row[VALUE] is None
            assert row["engine"] is None
        else:
            assert row[VALUE] is None


def test_a_ranking_takes_predictions_that_are_there(snapshot):
    expected = {key: (-1.0, 0.5) for key in ids(10)[5:]}
    rows = rank(snapshot, expected)
    assert [row.predicted_value for row in rows if row.outcome == "predicted"] == [0.1] * 5
    assert rank(snapshot) == rank(snapshot, predict(snapshot))


def test_what_is_hidden_leaves_the_ranks_without_gaps(snapshot):
    shown = ids(10)[1:5]
    rows = rank(snapshot, shown=shown)
    assert {row.candidate_id for row in rows} == set(shown)
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert [row.outcome for row in rank(snapshot, outcome="unstable")] == ["unstable"]


def test_without_two_values_nothing_is_predicted():
    keys = ids(4)
    rows = records(snapshot_of(pool=4, results={keys[3]: 5.0}))
    assert [row["candidate_id"] for row in rows] == [keys[3], *keys[:3]]
    assert {row[f"predicted_{VALUE}"] for row in rows} == {None}


@pytest.mark.parametrize(
    ("direction", "order"), [("minimize", [1.0, 2.0, 3.0]), ("maximize", [3.0, 2.0, 1.0])]
)
def test_a_pool_that_is_computed_altogether(direction, order):
    results = dict(zip(ids(3), (1.0, 2.0, 3.0), strict=True))
    rows = records(snapshot_of(pool=3, results=results, direction=direction))
    assert [row[VALUE] for row in rows] == order


def test_proposals_are_ranked_by_their_chance(snapshot):
    to_model = snapshot.objective.to_model
    rows = proposals(rank(snapshot), None, to_model)
    assert {row.outcome for row in rows} == {"predicted"}
    judged = proposals(rank(snapshot), rows[2].predicted_value, to_model)
    chances = [row.chance for row in judged]
    assert chances == sorted(chances, reverse=True)
    assert next(row.chance for row in judged if row.rank == rows[2].rank) == pytest.approx(0.5)


# ------------------------------------------------------------------------------ constraints


def test_a_result_that_breaks_a_constraint_is_infeasible():
    results = dict(zip(ids(6), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    snapshot = snapshot_of(pool=6, results=results, constraints={VALUE: {"max": 3}})
    rows = rank(snapshot)
    assert Counter(row.outcome for row in rows) == {"computed": 3, "infeasible": 3}
    # Feasible ones first.
    assert [row.rank for row in rows if row.outcome == "infeasible"] == [4, 5, 6]
    assert all(row.value > 3 and "above 3" in row.reason for row in rows[3:])
    assert len(rank(snapshot, outcome="infeasible")) == 3


def test_two_objectives_rank_a_front():
    values = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0), (5.0, None)]
    snapshot = snapshot_of(
        results={
            key: {VALUE: value, "max_frequency_thz": second}
            for key, (value, second) in zip(ids(), values, strict=False)
        },
        second_objective={"field": "max_frequency_thz", "direction": "maximize"},
    )
    rows = {row.candidate_id: row for row in rank(snapshot)}
    assert [rows[key].on_front for key in ids()[:4]] == [True, True, False, True]
    assert rows[ids()[4]].outcome == "infeasible"
    assert rows[ids()[4]].reason == "max_frequency_thz is not known"
    assert rows[ids()[1]].shown_fields == {"max_frequency_thz": 3.0}
    # What is hidden still beats what is shown.
    [hidden_by_the_second] = rank(snapshot, shown=[ids()[2]])
    assert hidden_by_the_second.on_front is False


# ------------------------------------------------------------------------------ two engines


def test_the_better_engine_decides():
    results = dict.fromkeys(ids(6), 2.0)
    snapshot = snapshot_of(
        pool=6, results=results, confirmed=[{ids()[0]: 5.0, ids()[1]: 4.0}, {ids()[1]: 3.0}]
    )
    rows = {row.candidate_id: row for row in rank(snapshot)}
    first, second, third = (rows[key] for key in ids(6)[:3])
    assert (first.engine, first.fidelity, first.value) == ("better", 1, 5.0)
    assert (second.engine, second.fidelity, second.value) == ("best", 2, 3.0)
    assert first.exploration_value == second.exploration_value == 2.0
    assert (third.engine, third.fidelity, third.exploration_value) == ("emt", 0, None)


def test_rows_of_the_cheaper_engine_stand_by_what_the_better_one_would_find():
    keys = ids(8)
    snapshot = snapshot_of(
        results=dict.fromkeys(keys, 1.0), confirmed=[dict.fromkeys(keys[:4], 10.0)]
    )
    rows = rank(snapshot)
    assert {row.candidate_id for row in rows} == set(keys)
    values = [row.expected_value or row.value for row in rows]
    # Not 1.0 before 10.0: the cheaper engine is known to be a factor of ten too low.
    assert np.allclose(np.log10(values), 1.0, atol=0.1)
