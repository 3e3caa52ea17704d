"""A campaign at a glance: how candidates ended and why, what it cost, what is best."""

from __future__ import annotations

import pytest

from screening.campaigns.campaign import Campaign
from screening.campaigns.config import CampaignConfig
from screening.ranking.cache import cached_ranking
from screening.targets.engines import engine_config
from screening.views.overview import _gist, campaigns, overview


def test_a_new_campaign(new_campaign):
    found = overview(new_campaign(description="heavy metals", seed=3))
    assert (found.name, found.description, found.seed) == ("toy-1", "heavy metals", 3)
    assert found.objective.value.model_dump() == {
        "field": "kappa_300k_w_per_m_k",
        "label": "toy",
        "unit": "Å³",
    }
    assert (found.pool, found.budget, found.counts["picked"]) == (8, 4, 0)
    assert found.best_value is found.expected_end is found.candidates_per_hour is None
    assert found.outcomes == found.refusals == found.cost_by_engine == found.cost_by_step == []
    assert not found.finished


def test_how_candidates_ended(computed):
    found = overview(computed)
    assert found.finished
    assert found.revision
    assert [(each.outcome, each.count) for each in found.outcomes] == [
        # One of them is from an earlier campaign.
        ("computed", 7),
        ("failed", 1),
        ("infeasible", 1),
        ("unstable", 1),
    ]
    assert [each.reason for each in found.outcomes if each.outcome != "failed"] == [
        "",
        "kappa_300k_w_per_m_k is 10.9, below 11",
        "imaginary modes",
    ]
    assert "Al cannot be computed" in found.outcomes[1].reason
    assert (found.counts["computed"], found.counts["already_computed"]) == (6, 1)
    computed = [row for row in cached_ranking(computed)[0] if row.outcome == "computed"]
    assert (found.best_candidate_id, found.best_value) == (
        computed[0].candidate_id,
        computed[0].value,
    )
    [cost] = found.cost_by_engine
    assert (cost.name, cost.candidates, cost.cost, cost.cost_unit) == ("emt", 8, 8, "force calls")
    assert found.cost_by_step == []


@pytest.mark.parametrize(
    ("reason", "gist"),
    [
        ("imaginary modes: lowest frequency -1.2 THz on a 9×9×9 q-mesh", "imaginary modes"),
        ("kappa_300k_w_per_m_k is 10.9, below 11", "kappa_300k_w_per_m_k is 10.9, below 11"),
        ("elastic tensor: not positive", "elastic tensor: not positive"),
        ("", ""),
    ],
)
def test_details_in_numbers_are_left_out(reason, gist):
    assert _gist(reason) == gist


def test_an_engine_that_confirms(new_campaign):
    campaign = new_campaign()
    better = {"name": "better", "fidelity": campaign.engine.fidelity + 1}
    campaign.add_stage(campaign.engine.model_copy(update=better))
    assert overview(campaign).engines == ["emt", "better"]


def test_refused_entries_that_are_alike_are_one(database):
    from campaign_fixtures import toy_content, toy_pool

    from screening.intake.ingest import Refused
    from screening.messages.refusal import Refusal

    pool = toy_pool(2)
    pool.refused = [
        Refused("a.cif", "a", Refusal.of_words("it has 41 atoms, more than max_sites 20")),
        Refused("b.cif", "b", Refusal.of_words("it is disordered")),
        Refused("", "c", Refusal.of_words("it has 96 atoms, more than max_sites 20")),
    ]
    config = CampaignConfig.model_validate(toy_content(objective="lattice-thermal-conductivity"))
    pool.remarks = ["source 'a': 2 files not looked at"]
    campaign = Campaign.create(database, "toy-1", config, engine_config("emt"), pool)
    assert overview(campaign).remarks == pool.remarks
    assert [each.model_dump() for each in overview(campaign).refusals] == [
        {
            "reason": "it has 41 to 96 atoms, more than max_sites 20",
            "count": 2,
            "example": "a.cif",
        },
        {"reason": "it is disordered", "count": 1, "example": "b.cif"},
    ]


def test_cost_by_step(new_campaign):
    campaign = new_campaign(pool=2)
    steps = [("relaxation", 10, 3600.0), ("phonons", 2, 7200.0)]
    costs = [
        {"step": name, "cost": n, "cost_unit": "force calls", "wall_s": s} for name, n, s in steps
    ]
    mine = {
        "campaign": campaign.name,
        **campaign.result_key(),
        "outcome": "unstable",
        "costs": costs,
    }
    for key, whose in (("a", "toy-1"), ("b", "toy-1"), ("c", "another")):
        result = {**mine, "_id": key, "candidate_id": key, "campaign": whose}
        campaign.database.results.insert_one(result)
    found = overview(campaign).cost_by_step
    assert [(each.name, each.candidates, each.cost) for each in found] == [
        ("phonons", 2, 4),
        ("relaxation", 2, 20),
    ]
    assert [each.wall_h for each in found] == pytest.approx([4.0, 2.0])


def test_the_list_has_the_newest_first_and_none_half_stored(new_campaign):
    new_campaign("first").set_status("paused")
    campaign = new_campaign("second")
    campaign.database.campaigns.insert_one({"_id": "half", "status": "submitting"})
    found = campaigns(campaign.database)
    assert [(each.name, each.status, each.target) for each in found] == [
        ("second", "active", "toy"),
        ("first", "paused", "toy"),
    ]
