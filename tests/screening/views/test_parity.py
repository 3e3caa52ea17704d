"""Predictions against results."""

from __future__ import annotations

import math

import pytest

from screening.views.parity import parity


def test_predictions_that_came_to_a_result(computed):
    found = parity(computed)
    picks = {pick["candidate_id"]: pick for pick in computed.picks()}
    results = computed.results()
    expected = [
        pick["candidate_id"]
        for pick in computed.picks()
        if pick["predicted_mean"] is not None
        and results.get(pick["candidate_id"], {}).get("outcome") == "computed"
    ]
    assert found.candidate_id == expected
    assert len(expected) == 3
    within = 0
    for place, key in enumerate(found.candidate_id):
        pick, result = picks[key], results[key]
        mean, std = pick["predicted_mean"], pick["predicted_std"]
        assert found.number[place] == pick["number"]
        assert found.label[place] in key
        assert found.computed[place] == pytest.approx(result["kappa_300k_w_per_m_k"], rel=1e-4)
        assert found.computed_error[place] == pytest.approx(0.1)
        assert found.predicted[place] == pytest.approx(10**mean, rel=1e-4)
        assert found.predicted_low[place] == pytest.approx(10 ** (mean - std), rel=1e-4)
        assert found.predicted_high[place] == pytest.approx(10 ** (mean + std), rel=1e-4)
        value = result["kappa_300k_w_per_m_k"]
        error = 0.1 / value / math.log(10)
        within += abs(math.log10(value) - mean) <= math.hypot(std, error)
    assert found.coverage_1std == pytest.approx(within / 3)


def test_calibration_is_that_of_the_ranking(computed):
    found = parity(computed).calibration
    kept = computed.database.predictions.find_one({"_id": computed.name})["calibration"]
    assert found.count == kept["n"] == 7
    assert found.typical_error == pytest.approx(10 ** kept["rms"], rel=1e-4)
    assert found.coverage_1std == kept["within_one_std"]


def test_without_a_prediction(new_campaign):
    found = parity(new_campaign())
    assert found.computed == []
    assert found.coverage_1std is found.calibration is None
