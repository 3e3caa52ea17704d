"""A bound on the energy above the hull, for campaigns that compute something else."""

from __future__ import annotations

import json

import pytest

from screening.campaigns.campaign import Campaign
from screening.campaigns.hull_constraint import hull_key
from screening.ranking.build import ranking
from screening.ranking.cache import cached_ranking

BOUND = {"hull_distance_ev_per_atom": {"max": 0.05}}


@pytest.fixture
def campaign(new_campaign):
    """A campaign of metals and alloys with a value each."""
    campaign = new_campaign("bounded", pool=10, budget=10, batch_size=10, constraints=BOUND)
    campaign.database.results.insert_many(
        {
            "_id": f"{candidate['_id']}/value",
            "candidate_id": candidate["_id"],
            **campaign.result_key(),
            "outcome": "computed",
            "kappa_300k_w_per_m_k": 5.0,
            "engine": "emt",
        }
        for candidate in campaign.database.candidates.find()
    )
    return campaign


def store_energies(campaign, energies):
    """Store energies of the campaign's engine, by formula."""
    key = hull_key(campaign.config, campaign.engine)
    for candidate in campaign.database.candidates.find():
        formula = candidate["formula"]
        if formula in energies:
            campaign.database.results.insert_one(
                {
                    "_id": f"{candidate['_id']}/{key['objective']}/{key['recipe_hash']}",
                    "candidate_id": candidate["_id"],
                    **key,
                    "outcome": "computed",
                    "engine": "emt",
                    "formula": formula,
                    "energy_ev_per_atom": energies[formula],
                }
            )
    token = {"$set": {"token": "another"}}
    campaign.database.revisions.update_one({"_id": "/".join(key.values())}, token, upsert=True)


def test_what_is_not_known_is_not_passed(campaign):
    rows, _ = cached_ranking(campaign)
    assert {row.outcome for row in rows} == {"infeasible"}, rows[0]
    assert rows[0].reason == "hull_distance_ev_per_atom is not known"
    alloy, other, third = sorted(row.label for row in rows if len(row.label) > 2)
    elements = dict.fromkeys((row.label for row in rows if len(row.label) == 2), 0.0)
    store_energies(campaign, {alloy: -0.1, other: 0.2, **elements})
    rows, _ = cached_ranking(campaign)
    outcomes = {row.label: (row.outcome, row.reason) for row in rows}
    assert outcomes[alloy] == ("computed", "")
    assert outcomes[other] == ("infeasible", "hull_distance_ev_per_atom is 0.2, above 0.05")
    assert outcomes[third] == ("infeasible", "hull_distance_ev_per_atom is not known")


def test_the_verdict_is_shown_with_what_is_missing(screen, campaign):
    alloy = min(row.label for row in ranking(campaign) if len(row.label) > 2)
    elements = {row.label: 0.0 for row in ranking(campaign) if len(row.label) == 2}
    store_energies(campaign, {alloy: -0.1, **elements})
    told = json.loads(screen("rank", "bounded", "--format", "json").out)
    (row,) = (row for row in told if row["formula"] == alloy)
    assert row["hull_distance_ev_per_atom"] == pytest.approx(-0.1)
    assert row["stability_verdict"] == "no decomposition found"
    assert row["missing_competitors"].startswith("in no source: ")
    shown = json.loads(screen("show", row["candidate_id"], "--format", "json").out)
    result = next(each for each in shown["results"] if each["objective"] != "energy-above-hull")
    assert result["stability_verdict"] == "no decomposition found"
    assert result["missing_competitors"] == row["missing_competitors"]
    assert "no decomposition found" in screen("show", row["candidate_id"]).out
    assert "verdict" in screen("rank", "bounded").out


def test_energies_of_another_recipe_do_not_count(campaign):
    elements = {row.label: 0.0 for row in ranking(campaign)}
    store_energies(campaign, elements)
    campaign.database.results.update_many(
        {"objective": "energy-above-hull"}, {"$set": {"recipe_hash": "another"}}
    )
    assert {row.outcome for row in ranking(campaign)} == {"infeasible"}


def test_candidates_are_refused_when_it_is_submitted(screen, database, campaign, tmp_path):
    import yaml
    from campaign_fixtures import toy_content, write_cifs

    alloys = sorted(row.label for row in ranking(campaign) if len(row.label) > 2)
    elements = {row.label: 0.0 for row in ranking(campaign) if len(row.label) == 2}
    store_energies(campaign, {alloys[0]: -0.1, alloys[1]: 0.2, **elements})
    write_cifs(tmp_path / "crystals", 3, first=7)
    content = toy_content(sources=["crystals"], constraints=BOUND)
    (tmp_path / "bounded.yaml").write_text(yaml.safe_dump(content))
    answer = screen("submit", "--target", "bounded.yaml", "--name", "second")
    assert answer.status == 0, answer.err
    assert "3 entries read, 1 candidate, 0 duplicates, 2 refused" in answer.err
    assert "its energy above the hull is 0.2 eV/atom by engine 'emt' (unstable: " in answer.err
    assert "its energy above the hull is not known by engine 'emt'" in answer.err
    said = " ".join(answer.err.split())
    lower = "of 1 of 1 candidate the energy above the hull is a lower bound, as known competitors"
    assert lower in said
    assert f"first: {alloys[0]}-" in said
    [row] = ranking(Campaign.open(database, "second"))
    assert (row.label, row.outcome) == (alloys[0], "computed")
