"""What first principles are expected to find, from a table and from confirmed candidates."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from engine_error_fixtures import FACTOR, written_table
from snapshots import VALUE, ids, snapshot_of

from screening.campaigns.engine_differences import engine_differences
from screening.campaigns.engine_errors import engine_errors
from screening.campaigns.expectations import expectations
from screening.campaigns.training_data import training_data
from screening.ranking.build import rank
from screening.ranking.columns import as_records
from screening.ranking.entries import by_lower_bound
from screening.targets.engines import parse_engine

UNSTABLE = {
    "outcome": "unstable",
    VALUE: None,
    "kappa_300k_real_modes_w_per_m_k": 1.0,
    "min_frequency_thz": -1.5,
    "reason": "imaginary modes",
}

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREEN_ENGINE_ERRORS", str(written_table(tmp_path / "tables")))


def with_another_engine(snapshot):
    """Return the snapshot with a better engine that the table does not speak of."""
    content = snapshot.stages[1].engine.model_dump() | {"arguments": {"asap_cutoff": True}}
    better = replace(snapshot.stages[1], engine=parse_engine(content, "a test"))
    return replace(snapshot, stages=[snapshot.stages[0], better])


@pytest.mark.usefixtures("table")
def test_the_bias_of_the_table_is_taken_off():
    keys = ids()
    snapshot = snapshot_of(results=dict.fromkeys(keys[:3], 5.0))
    expected = expectations(snapshot)
    assert set(expected) == set(keys[:3])
    for mean, std in expected.values():
        assert 10**mean == pytest.approx(5.0 * FACTOR, rel=0.15)
        assert 0.05 < std < 0.5
    for error in engine_errors(snapshot, snapshot.stages[0]).values():
        # The value as computed is off by the bias too.
        assert error.total_std > math.log10(FACTOR)
        assert "emt against values made up on 40 crystals" in error.basis


def test_without_a_table_nothing_changes():
    snapshot = snapshot_of(results=dict.fromkeys(ids()[:3], 5.0))
    assert expectations(snapshot) == {}
    assert training_data(snapshot).values == pytest.approx([math.log10(5.0)] * 3)
    row = rank(snapshot)[0]
    assert row.total_std is None
    assert row.error_basis == "no table for emt"


@pytest.mark.usefixtures("table")
def test_the_surrogate_learns_expectations_with_their_spread():
    snapshot = snapshot_of(results=dict.fromkeys(ids()[:3], 5.0))
    expected, seen = expectations(snapshot), training_data(snapshot)
    assert seen.ids == sorted(expected)
    assert seen.values.tolist() == [expected[key][0] for key in seen.ids]
    assert seen.value_std.tolist() == [expected[key][1] for key in seen.ids]


@pytest.mark.usefixtures("table")
def test_an_unstable_crystal_with_an_estimate_is_one_of_the_others():
    keys = ids()
    snapshot = snapshot_of(results={keys[0]: UNSTABLE, keys[1]: 5.0, keys[2]: 0.1})
    rows = {row.candidate_id: row for row in rank(snapshot)}
    odd = rows[keys[0]]
    assert odd.outcome == "unstable"
    assert odd.estimate == 1.0
    assert odd.value is None
    assert odd.probability_unstable == 1 / 4
    assert rows[keys[2]].rank < odd.rank < rows[keys[1]].rank
    # Estimates are less sure than values.
    assert odd.total_std > rows[keys[1]].total_std
    assert keys[0] in training_data(snapshot).ids


@pytest.mark.usefixtures("table")
def test_one_confirmed_candidate_corrects_itself_and_those_like_it():
    keys = ids()
    explored = dict.fromkeys(keys[:5], 5.0)
    before = expectations(snapshot_of(results=explored))
    confirmed = with_another_engine(snapshot_of(results=explored, confirmed=[{keys[0]: 50.0}]))
    after = expectations(confirmed)
    assert engine_differences(confirmed) is None
    assert after[keys[0]] == pytest.approx((math.log10(50.0), 0.0))
    for key in keys[1:5]:
        assert after[key][0] >= before[key][0]
        assert 0 < after[key][1] <= before[key][1]
    moved = [after[key][0] - before[key][0] for key in keys[1:5]]
    assert max(moved) > 0.001
    assert max(moved) <= 0.5 * (math.log10(50.0) - before[keys[0]][0]) + 1e-9


@pytest.mark.usefixtures("table")
def test_what_a_better_engine_finds_unstable_has_no_expectation():
    keys = ids()
    refused = {keys[0]: {"outcome": "unstable", VALUE: None}}
    snapshot = snapshot_of(results=dict.fromkeys(keys[:3], 5.0), confirmed=[refused])
    assert set(expectations(snapshot)) == set(keys[1:3])
    assert training_data(snapshot).infeasible_ids == [keys[0]]


@pytest.mark.usefixtures("table")
def test_a_maximum_is_corrected_the_same_way():
    keys = ids()
    snapshot = snapshot_of(results=dict.fromkeys(keys[:3], 5.0), direction="maximize")
    for mean, _ in expectations(snapshot).values():
        assert snapshot.objective.from_model(mean) == pytest.approx(5.0 * FACTOR, rel=0.15)


@pytest.mark.usefixtures("table")
def test_columns_say_total_errors_and_what_they_rest_on():
    snapshot = snapshot_of(results={ids()[0]: 5.0})
    record = as_records(rank(snapshot), snapshot.objective)[0]
    assert record["total_log10_std"] > math.log10(FACTOR)
    assert record["expected_kappa_300k_w_per_m_k"] == pytest.approx(5.0 * FACTOR, rel=0.15)
    assert record["expected_log10_std"] > 0
    assert record["error_basis"].startswith("emt against values made up")


@pytest.mark.usefixtures("table")
def test_lower_bounds_put_the_unsure_first():
    keys = ids()
    snapshot = snapshot_of(results={keys[0]: UNSTABLE, keys[1]: 0.9})
    rows = [row for row in rank(snapshot) if row.candidate_id in keys[:2]]
    assert [row.candidate_id for row in rows] == [keys[1], keys[0]]
    bounded = by_lower_bound(rows, 2.0, snapshot.objective.to_model)
    assert [row.candidate_id for row in bounded] == keys[:2]


def test_the_shipped_table_is_of_the_shipped_recipe():
    from screening.campaigns.config import load_campaign_config
    from screening.campaigns.engine_errors import same_recipe, tables_of
    from screening.targets.engines import engine_config

    config = load_campaign_config("low-kappa", {})
    [table] = tables_of(config.resolved_objective(), engine_config(config.engine))
    assert same_recipe(config, table)
    # A setting that came to the recipe after the table was made.
    third_order = {k: v for k, v in table.recipe["third_order"].items() if k != "min_pairs"}
    older = table.model_copy(update={"recipe": table.recipe | {"third_order": third_order}})
    assert same_recipe(config, older)
    changed = table.recipe | {"third_order": table.recipe["third_order"] | {"max_atoms": 32}}
    assert not same_recipe(config, table.model_copy(update={"recipe": changed}))
