"""Two engines in one campaign: the best are sent on to the better one."""

from pathlib import Path

import pytest
from engine_error_fixtures import VALUE, written_table

from screening.campaigns.campaign import Campaign
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.running.advance import advance
from screening.running.promotion import promote
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


def test_promoted_candidates_are_computed_again_and_ranked_by_the_better_engine(
    new_campaign, work, better_engine
):
    campaign = new_campaign(pool=6, budget=4, batch_size=2)
    work(campaign)
    before = ranking(campaign)
    best = [row.candidate_id for row in before if row.outcome == "computed"][:2]
    stage = campaign.add_stage(engine_config(better_engine))
    assert sorted(promote(campaign, stage, 2)) == sorted(best)
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
    stage = campaign.add_stage(engine_config(str(absent)))
    (promoted,) = promote(campaign, stage, 1)
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
    stage = campaign.add_stage(engine_config(better_engine))
    first = promote(campaign, stage, 2)
    assert promote(campaign, stage, 2) == []
    assert set(promote(campaign, stage, 3)).isdisjoint(first)
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


def test_a_worker_that_was_there_before_learns_of_the_new_engine(new_campaign, work, better_engine):
    campaign = new_campaign(pool=6, budget=3, batch_size=3)
    work(campaign)
    earlier = Campaign.open(campaign.database, campaign.name)
    stage = campaign.add_stage(engine_config(better_engine))
    promote(campaign, stage, 1)
    assert earlier.stage("better").recipe_hash == stage.recipe_hash


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


def test_an_unstable_crystal_with_an_estimate_is_sent_on(
    new_campaign, work, better_engine, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCREEN_ENGINE_ERRORS", str(written_table(tmp_path / "tables")))
    campaign = new_campaign(pool=6, budget=4, batch_size=2)
    work(campaign)
    key = next(row.candidate_id for row in ranking(campaign) if row.outcome == "computed")
    estimate = {"kappa_300k_real_modes_w_per_m_k": 1e-3, "min_frequency_thz": -0.5}
    changes = {"outcome": "unstable", VALUE: None, **estimate}
    campaign.database.results.update_one({"candidate_id": key}, {"$set": changes})
    first = ranking(campaign)[0]
    assert (first.candidate_id, first.outcome, first.estimate) == (key, "unstable", 1e-3)
    stage = campaign.add_stage(engine_config(better_engine))
    assert promote(campaign, stage, 1) == [key]
    monkeypatch.delenv("SCREEN_ENGINE_ERRORS")
    assert ranking(campaign)[0].candidate_id != key
    assert key not in promote(campaign, stage, 2)
