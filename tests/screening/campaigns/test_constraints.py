"""Constraints and second objectives: what counts as feasible, what is on the front."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from snapshots import ids, snapshot_of

from screening.campaigns.config import load_campaign_config
from screening.campaigns.progress import progress_of
from screening.campaigns.results import judged
from screening.campaigns.training_data import training_data
from screening.figures.plot import plot
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.targets.constraints import Bound, violations
from screening.targets.second_objective import front, scalarised
from screening.views.trade_off import trade_off

NUMBERS = st.floats(-5, 5).map(lambda x: round(x, 1))


@pytest.mark.parametrize(
    ("bound", "value", "said"),
    [
        ({"min": 2.5}, 2.5, None),
        ({"min": 2.5}, 2.4, "v is 2.4, below 2.5"),
        ({"max": 4.5}, 5.25, "v is 5.25, above 4.5"),
        ({"equals": True}, True, None),
        ({"equals": True}, False, "v is false"),
        ({"min": 0.0}, None, "v is not known"),
        ({"min": 0.0}, float("nan"), "v is not known"),
    ],
)
def test_bounds_say_how_they_are_broken(bound, value, said):
    assert Bound(**bound).violation("v", value) == said


@pytest.mark.parametrize("wrong", [{}, {"min": 2, "max": 1}, {"min": 1, "equals": True}])
def test_bounds_that_say_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        Bound(**wrong)


def test_violations_come_in_the_order_of_the_constraints():
    bounds = {"b": Bound(min=1), "a": Bound(max=0)}
    assert violations({"a": 1, "b": 0}, bounds) == ["b is 0, below 1", "a is 1, above 0"]


@given(st.dictionaries(st.text("abcdef", min_size=1), st.tuples(NUMBERS, NUMBERS), min_size=1))
def test_the_front_is_what_nothing_beats(points):
    def beaten(one):
        return any(
            other[0] <= one[0] and other[1] <= one[1] and other != one for other in points.values()
        )

    assert front(points) == {key for key, point in points.items() if not beaten(point)}


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20), st.integers(0, 1000))
def test_the_best_by_one_number_is_on_the_front(points, seed):
    first, second = np.array(points).T
    values = scalarised(first, second, seed)
    best = {str(i) for i in np.flatnonzero(values == values.min())}
    assert best & front({str(i): point for i, point in enumerate(points)})


def test_weights_differ_from_batch_to_batch():
    first, second = np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.0])
    winners = {int(scalarised(first, second, seed).argmin()) for seed in range(50)}
    assert winners == {0, 1, 2}


def test_samplers_learn_which_candidates_are_infeasible(toy):
    values = dict(zip(ids(6), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    bounds = {"kappa_300k_w_per_m_k": {"max": 3}}
    picks = {ids(6)[0]: "computed", ids(6)[4]: "computed", ids(6)[5]: "queued"}
    snapshot = snapshot_of(pool=7, results=values, picks=picks, constraints=bounds)
    data = training_data(snapshot)
    assert data.ids == ids(6)[:3]
    assert data.infeasible_ids == ids(6)[3:]
    assert data.pending_ids == []
    progress = progress_of(snapshot)
    assert (progress.computed, progress.infeasible, progress.queued) == (1, 1, 1)
    assert (progress.best_value, progress.already_computed) == (1.0, 3)


def test_an_outcome_of_an_earlier_version_is_not_taken_for_infeasible():
    config = load_campaign_config("low-kappa", {})
    with pytest.raises(ScreenError, match="'Na' was stored by an earlier version"):
        judged(config, {"candidate_id": "Na", "outcome": "measured"})
    unstable = {"candidate_id": "Na", "outcome": "unstable"}
    assert judged(config, unstable) is unstable


def test_rank_takes_an_outcome_that_no_result_stores(new_campaign, work):
    bounds = {"kappa_300k_w_per_m_k": {"max": 0.001}}
    campaign = new_campaign(pool=3, budget=2, constraints=bounds)
    work(campaign)
    for outcome, count in (("computed", 0), ("infeasible", 2), ("failed", 0)):
        assert len(ranking(campaign, {"outcome": outcome})) == count


def test_two_objectives_are_drawn_against_each_other(new_campaign, work, tmp_path):
    campaign = new_campaign(
        pool=8,
        budget=8,
        batch_size=2,
        second_objective={"field": "max_frequency_thz", "direction": "maximize"},
        recipe={"second": True},
        sampler={"kind": "expected-improvement", "initial": 2},
    )
    work(campaign)
    rows = [row for row in ranking(campaign) if row.outcome == "computed"]
    points = {row.candidate_id: (row.value, -row.shown_fields["max_frequency_thz"]) for row in rows}
    best = {row.candidate_id for row in rows if row.on_front}
    assert best
    for key in best:
        assert not any(
            a <= points[key][0] and b <= points[key][1] and (a, b) != points[key]
            for a, b in points.values()
        )
    view = trade_off(campaign)
    assert view.candidate_id == [row.candidate_id for row in rows]
    shown = zip(view.candidate_id, view.value, view.second, view.on_front, strict=True)
    for key, value, second, on_front in shown:
        assert (value, -second) == pytest.approx(points[key], rel=1e-4)
        assert on_front is (key in best)
    plotted = plot(
        campaign.database, campaign.name, "trade-off", tmp_path / "front.svg", None, 85.0
    )
    assert plotted.kind == "trade-off"
    assert "trade-off of" in (tmp_path / "front.svg").read_text("utf-8")
    # Predictions of the two made one are on no scale that could be shown.
    assert all(pick["predicted_mean"] is None for pick in campaign.picks())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"constraints": {"average_voltag_v": {"min": 2}}},
            "have no field 'average_voltag_v'; did you mean 'average_voltage_v'?",
        ),
        (
            {"second_objective": {"field": "voltage", "direction": "maximize"}},
            "second_objective: results of 'electrode-volume-change' have no field 'voltage'; "
            "did you mean 'average_voltage_v'?",
        ),
        (
            {"constraints": {"topotactic": {"equals": 3}}},
            "takes true, false or a text; for a number",
        ),
        (
            {"constraints": {"average_voltage_v": {"min": 5, "max": 3}}},
            "min 5 is above max 3",
        ),
        ({"constraints": {"topotactic": {}}}, "give min, max or both, or else equals"),
        ({"constraints": {"voltages": {"min": 3}}}, "field 'voltages' is no number"),
        ({"constraints": {"formula": {"min": 3}}}, "field 'formula' is no number"),
        (
            {"constraints": {"average_voltage_v": {"equals": True}}},
            "field 'average_voltage_v' is no true or false, and no text; give min or max",
        ),
        (
            {"also": {"field": "formula", "direction": "maximize"}},
            "second_objective: field 'formula' is no number",
        ),
    ],
)
def test_wrong_constraints_are_explained(changes, said):
    with pytest.raises(ScreenError) as caught:
        load_campaign_config("cathode-volume-change", changes)
    assert said in str(caught.value)


def test_show_says_why_a_candidate_is_infeasible(new_campaign, work, screen):
    campaign = new_campaign(pool=4, budget=2, constraints={"kappa_300k_w_per_m_k": {"max": 0.001}})
    work(campaign)
    candidate_id = campaign.picks()[0]["candidate_id"]
    answer = screen("show", candidate_id)
    assert f"infeasible in {campaign.name}: kappa_300k_w_per_m_k is" in answer.out
    answer = screen("status", campaign.name, "--format", "json")
    assert '"infeasible": 2' in answer.out
    assert '"computed": 0' in answer.out
