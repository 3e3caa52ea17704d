"""Two engines in one campaign: promotion, ranking by fidelity, the learned difference."""

import math
from pathlib import Path

import numpy as np
import pytest

from screening.campaigns.campaign import Campaign
from screening.campaigns.engine_differences import MIN_PAIRS, corrected, difference
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.running.advance import advance, promote
from screening.running.worker import engines_here
from screening.targets.engines import engine_config


@pytest.fixture
def better_engine(tmp_path):
    """Write an engine of higher fidelity; return its path."""
    path = tmp_path / "better.yaml"
    path.write_text(
        "name: better\nkind: ase\nfidelity: 20\ncalculator: ase.calculators.emt.EMT\n"
        "arguments: {asap_cutoff: true}\nelements: [Al, Cu, Ag, Au, Ni, Pd, Pt]\n"
    )
    return str(path)


def add_results(campaign, level, values):
    campaign.database.results.insert_many(
        {
            "_id": f"{key}/{level.recipe_hash}",
            "objective": campaign.objective.name,
            "recipe_hash": level.recipe_hash,
            "engine": level.engine.name,
            "candidate_id": key,
            "outcome": "computed",
            campaign.objective.value_field: value,
        }
        for key, value in values.items()
    )


def test_promoted_candidates_are_computed_again_and_ranked_by_the_better_engine(
    new_campaign, work, better_engine
):
    campaign = new_campaign(pool=6, budget=4, batch_size=2)
    work(campaign)
    before = ranking(campaign)
    best = [row.candidate_id for row in before if row.outcome == "computed"][:2]
    level = campaign.add_stage(engine_config(better_engine))
    assert sorted(promote(campaign, level, 2)) == sorted(best)
    assert not campaign.is_exhausted()
    work(campaign)
    reopened = Campaign.open(campaign.database, campaign.name)
    assert reopened.is_exhausted()
    rows = {row.candidate_id: row for row in ranking(reopened)}
    explored = {row.candidate_id: row.value for row in before}
    for key, row in rows.items():
        if key in best:
            assert (row.engine, row.fidelity) == ("better", 20)
            assert row.exploration_value == explored[key]
        elif row.outcome == "computed":
            assert (row.engine, row.fidelity) == ("emt", 0)
            assert row.exploration_value is None
    # The budget is the exploring engine's, and its picks are what the sampler knows.
    assert len(reopened.picks()) == 4
    assert [pick["state"] for pick in reopened.confirmation_picks()] == ["computed"] * 2


def test_jobs_of_an_engine_that_is_not_here_are_left_to_other_machines(
    new_campaign, work, better_engine, tmp_path
):
    campaign = new_campaign(pool=6, budget=2, batch_size=2)
    work(campaign)
    absent = tmp_path / "absent.yaml"
    absent.write_text(
        Path(better_engine).read_text().replace("ase.calculators.emt.EMT", "not_there.Calculator")
    )
    level = campaign.add_stage(engine_config(str(absent)))
    (promoted,) = promote(campaign, level, 1)
    advance(campaign)
    reopened = Campaign.open(campaign.database, campaign.name)
    assert engines_here(reopened) == ["emt"]
    (workflow,) = campaign.database.launchpad.fireworks.find({"spec.campaign": campaign.name})
    assert workflow["spec"]["engine"] == "better"
    query = {"spec.campaign": campaign.name, "spec.engine": {"$in": ["emt"]}}
    assert campaign.database.launchpad.fireworks.find_one(query) is None
    reopened.stages = reopened.stages[1:]
    with pytest.raises(ScreenError, match="'better' cannot run: Python package 'not_there'"):
        engines_here(reopened)
    assert [pick["candidate_id"] for pick in campaign.confirmation_picks()] == [promoted]


def test_promoting_twice_computes_nothing_twice(new_campaign, work, better_engine):
    campaign = new_campaign(pool=6, budget=4, batch_size=4)
    work(campaign)
    level = campaign.add_stage(engine_config(better_engine))
    first = promote(campaign, level, 2)
    assert promote(campaign, level, 2) == []
    assert set(promote(campaign, level, 3)).isdisjoint(first)
    numbers = [pick["number"] for pick in campaign.confirmation_picks()]
    assert sorted(numbers) == [1, 2, 3]


def test_a_campaign_with_two_engines_confirms_its_best_by_itself(new_campaign, work, better_engine):
    confirm = {"engine": better_engine, "top": 2}
    campaign = new_campaign(pool=6, budget=3, batch_size=3, confirm=confirm)
    advance(campaign)
    assert campaign.confirmation_picks() == []
    work(campaign)
    assert campaign.is_exhausted()
    assert [pick["state"] for pick in campaign.confirmation_picks()] == ["computed"] * 2
    progress = campaign.progress()
    assert (progress.confirmed, progress.to_confirm) == (2, 2)


def test_killed_between_promoting_and_noting_it(new_campaign, work, better_engine, monkeypatch):
    confirm = {"engine": better_engine, "top": 2}
    campaign = new_campaign(pool=6, budget=3, batch_size=3, confirm=confirm)
    work(campaign)
    campaign.database.campaigns.update_one({"_id": campaign.name}, {"$set": {"promoted": False}})
    work(campaign)
    assert len(campaign.confirmation_picks()) == 2
    assert campaign.is_exhausted()


def test_an_engine_that_is_no_better_cannot_confirm(new_campaign, better_engine):
    campaign = new_campaign(pool=2)
    with pytest.raises(ScreenError, match=r"'emt' \(fidelity 0\) cannot confirm"):
        campaign.add_stage(engine_config("emt"))


def test_an_engine_that_changed_under_its_name_is_refused(new_campaign, better_engine, tmp_path):
    campaign = new_campaign(pool=2)
    campaign.add_stage(engine_config(better_engine))
    changed = tmp_path / "changed.yaml"
    changed.write_text(Path(better_engine).read_text().replace("true", "false"))
    with pytest.raises(ScreenError, match="give the changed engine another name"):
        campaign.add_stage(engine_config(str(changed)))


def test_the_difference_needs_pairs(new_campaign, better_engine):
    campaign = new_campaign(pool=6)
    features = campaign.pool_features()
    assert difference(campaign, features) is None
    level = campaign.add_stage(engine_config(better_engine))
    ids = sorted(features)
    add_results(campaign, campaign.stages[0], {key: 2.0 for key in ids})
    add_results(campaign, level, {key: 1.0 for key in ids[: MIN_PAIRS - 1]})
    assert difference(campaign, features) is None


def test_a_constant_factor_between_the_engines_is_learned(new_campaign, better_engine):
    campaign = new_campaign(pool=10)
    features = campaign.pool_features()
    ids = sorted(features)
    level = campaign.add_stage(engine_config(better_engine))
    cheap = {key: 1.0 + number for number, key in enumerate(ids[:8])}
    add_results(campaign, campaign.stages[0], cheap)
    add_results(campaign, level, {key: 3 * cheap[key] for key in ids[:5]})
    seen = difference(campaign, features)
    scale = campaign.objective.to_model
    predicted = {ids[8]: (scale(4.0), 0.2)}
    expected = corrected(campaign, features, seen, predicted)
    assert set(expected) == {*ids[5:8], ids[8]}
    for key in ids[5:8]:
        assert expected[key][0] == pytest.approx(scale(3 * cheap[key]), abs=0.02)
    assert expected[ids[8]][0] == pytest.approx(scale(12.0), abs=0.02)
    assert expected[ids[8]][1] >= 0.2
    rows = {row.candidate_id: row for row in ranking(campaign)}
    assert rows[ids[5]].expected_value == pytest.approx(3 * cheap[ids[5]], rel=0.05)
    assert rows[ids[0]].expected_value is None


def test_rows_of_the_cheaper_engine_stand_by_what_the_better_one_would_find(
    new_campaign, better_engine
):
    campaign = new_campaign(pool=8)
    ids = sorted(campaign.pool_features())
    level = campaign.add_stage(engine_config(better_engine))
    add_results(campaign, campaign.stages[0], {key: 1.0 for key in ids})
    add_results(campaign, level, {key: 10.0 for key in ids[:4]})
    order = [row.candidate_id for row in ranking(campaign)]
    values = [row.expected_value or row.value for row in ranking(campaign)]
    assert set(order) == set(ids)
    # Not 1.0 before 10.0: the cheaper engine is known to be a factor of ten too low.
    assert np.allclose(np.log10(values), math.log10(10.0), atol=0.1)


def test_a_worker_that_was_there_before_learns_of_the_new_engine(new_campaign, work, better_engine):
    campaign = new_campaign(pool=6, budget=3, batch_size=3)
    work(campaign)
    earlier = Campaign.open(campaign.database, campaign.name)
    level = campaign.add_stage(engine_config(better_engine))
    promote(campaign, level, 1)
    assert earlier.stage("better").recipe_hash == level.recipe_hash


def test_what_the_better_engine_cannot_take_makes_room_for_the_next(
    new_campaign, work, better_engine, tmp_path
):
    campaign = new_campaign(pool=6, budget=6, batch_size=6)
    work(campaign)
    computed = [row for row in ranking(campaign) if row.outcome == "computed"]
    best = set(campaign.candidate(computed[0].candidate_id).elements)
    path = tmp_path / "picky.yaml"
    kept = [each for each in ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt") if each not in best]
    text = Path(better_engine).read_text().replace("better", "picky")
    path.write_text(text.replace("[Al, Cu, Ag, Au, Ni, Pd, Pt]", f"[{', '.join(kept)}]"))
    queued = promote(campaign, campaign.add_stage(engine_config(str(path))), 2)
    assert len(queued) == 2
    assert computed[0].candidate_id not in queued
