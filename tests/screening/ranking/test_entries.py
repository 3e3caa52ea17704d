from __future__ import annotations

from dataclasses import replace

import pytest
from toy_objective import TOY

from screening.ranking.columns import as_records
from screening.ranking.entries import Entry, rank_candidates


def entry(candidate_id: str, outcome: str, value: float | None = None, **more: object) -> Entry:
    field = "value" if outcome == "computed" else "predicted_value"
    facts = {"formula": "NaCl", "space_group_number": 225}
    given = {"material_id": "mp-1", "label": "NaCl", "facts": facts, field: value, **more}
    return Entry(candidate_id=candidate_id, outcome=outcome, **given)


ENTRIES = [
    entry("failed", "failed", 0.1),
    entry("unstable", "unstable"),
    entry("no-model-yet", "predicted"),
    entry("guess", "predicted", 2.0),
    entry("high", "computed", 3.0, predicted_value=0.5),
    entry("tie-b", "computed", 1.0),
    entry("tie-a", "predicted", 1.0),
]


@pytest.mark.parametrize(
    ("direction", "first"),
    [
        ("minimize", ["tie-a", "tie-b", "guess", "high"]),
        ("maximize", ["high", "guess", "tie-a", "tie-b"]),
    ],
)
def test_order(direction, first):
    for entries in (ENTRIES, ENTRIES[::-1]):
        rows = rank_candidates(entries, direction)
        order = [row.candidate_id for row in rows]
        assert order == [*first, "unstable", "failed", "no-model-yet"]
        assert [row.rank for row in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_records_name_their_units():
    rows = rank_candidates(
        [entry("x", "computed", 1.5, value_error=0.1, predicted_std=0.2, engine="emt")], "minimize"
    )
    [record] = as_records(rows, TOY)
    assert record == {
        "rank": 1,
        "candidate_id": "x",
        "material_id": "mp-1",
        "formula": "NaCl",
        "space_group_number": 225,
        "outcome": "computed",
        "kappa_300k_w_per_m_k": 1.5,
        "kappa_300k_error_w_per_m_k": 0.1,
        "total_log10_std": None,
        "predicted_kappa_300k_w_per_m_k": None,
        "predicted_log10_std": 0.2,
        "engine": "emt",
        "fidelity": None,
        "exploration_kappa_300k_w_per_m_k": None,
        "expected_kappa_300k_w_per_m_k": None,
        "expected_log10_std": None,
        "error_basis": "",
        "extrapolated": None,
        "estimate_kappa_300k_w_per_m_k": None,
        "estimate_error_kappa_300k_w_per_m_k": None,
        "probability_unstable": None,
        "reason": "",
    }
    [record] = as_records(rows, replace(TOY, logarithmic=False))
    assert record["predicted_kappa_300k_w_per_m_k_std"] == 0.2
    assert "total_std" in record
