"""What people see of total errors, of the unstable crystals, and of an engine without a table."""

from __future__ import annotations

import json

import pytest
from engine_error_fixtures import VALUE, written_table


@pytest.fixture
def ranked(new_campaign, work, tmp_path, monkeypatch):
    """Return a campaign whose engine has a table, and whose best crystal it calls unstable."""
    monkeypatch.setenv("SCREEN_ENGINE_ERRORS", str(written_table(tmp_path / "tables")))
    campaign = new_campaign(pool=6, budget=4, batch_size=2)
    work(campaign)
    result = campaign.database.results.find_one({}, sort=[(VALUE, 1)])
    changes = {"outcome": "unstable", VALUE: None, "kappa_300k_real_modes_w_per_m_k": 1e-3}
    campaign.database.results.update_one({"_id": result["_id"]}, {"$set": changes})
    campaign.touch()
    return campaign


def test_the_table_says_totals_expectations_and_what_they_rest_on(screen, ranked):
    said = " ".join(screen("rank", ranked.name).out.split())
    for words in (
        "total error",
        "expected",
        "×/÷",
        "unstable? (20 %)",
        "(0.001",
        "emt against values made up on 40 crystals",
        "value without imaginary modes",
    ):
        assert words in said.replace("│", "")


def test_json_has_both_numbers_with_their_errors(screen, ranked):
    rows = json.loads(screen("rank", ranked.name, "--format", "json").out)
    unstable = rows[0]
    assert unstable["outcome"] == "unstable"
    assert unstable[f"estimate_{VALUE}"] == 1e-3
    assert unstable["probability_unstable"] == 0.2
    known = [row for row in rows if row["outcome"] in ("computed", "unstable")]
    assert len(known) == 4
    for row in known:
        assert row["total_log10_std"] > 0
        assert row["expected_log10_std"] > 0
    computed = [row for row in rows if row["outcome"] == "computed"]
    for row in computed:
        assert row[f"expected_{VALUE}"] > 1.5 * row[VALUE]
    bounds = json.loads(
        screen("rank", ranked.name, "--sort", "lower-bound", "--format", "json").out
    )
    assert {row["candidate_id"] for row in bounds} == {row["candidate_id"] for row in rows}


def test_one_crystal_is_shown_with_its_total_error(screen, ranked):
    key = ranked.database.results.find_one({"outcome": "computed"})["candidate_id"]
    said = screen("show", key).out
    assert "total error ×/÷" in said
    assert "first principles expected to find" in said
    [place] = json.loads(screen("show", key, "--format", "json").out)["ranks"]
    assert place["total_log10_std"] > 0
    assert place["error_basis"].startswith("emt against")


def test_without_a_table_it_is_said(screen, ranked, monkeypatch):
    monkeypatch.delenv("SCREEN_ENGINE_ERRORS")
    said = screen("rank", ranked.name).out
    assert "total error" not in said
    key = ranked.database.results.find_one({"outcome": "computed"})["candidate_id"]
    assert "no total error: no table for emt" in screen("show", key).out


def test_notebooks_have_the_total_error(ranked):
    from screening.results.result import Result

    key = ranked.database.results.find_one({"outcome": "computed"})["candidate_id"]
    found = Result.of(ranked, key)
    assert found.total_std > 0
    assert found.expected_value > 1.5 * found.value
    assert found.expected_std > 0
    assert "emt against" in found.error_basis
