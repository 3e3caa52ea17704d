"""The ranking that is kept: the same as the one worked out, and never an old one."""

from __future__ import annotations

import pytest

from screening.campaigns.campaign import Campaign
from screening.ranking import cache
from screening.ranking.build import rank, ranking
from screening.ranking.cache import cached_ranking, forget
from screening.running.advance import advance
from screening.running.control import requeue


@pytest.fixture
def counted(monkeypatch):
    """Count how often a ranking is worked out."""
    calls = []

    def counting(snapshot, *args, **options):
        calls.append(snapshot.name)
        return rank(snapshot, *args, **options)

    monkeypatch.setattr(cache, "rank", counting)
    return calls


def test_what_is_kept_is_the_ranking(new_campaign, work, counted, monkeypatch):
    monkeypatch.setattr(cache, "PIECE", 3)
    campaign = new_campaign(pool=8, budget=4, batch_size=4, recipe={"unstable": ["Al"]})
    work(campaign)
    counted.clear()
    rows = ranking(campaign)
    # The worker that ended the campaign has kept the first piece.
    for top in (1, 3):
        assert cached_ranking(campaign, top) == (rows[:top], 8)
    assert counted == []
    for top in (4, 8, 100, None):
        assert cached_ranking(campaign, top) == (rows[:top], 8)
    assert counted == ["toy-1"]
    counted.clear()
    forget(campaign)
    assert cached_ranking(campaign, 2) == (rows[:2], 8)
    assert counted == ["toy-1"]


def test_every_result_and_every_pick_counts(new_campaign, work, counted):
    campaign = new_campaign(pool=4, budget=3, batch_size=1, recipe={"failing": ["Al", "Cu"]})
    assert cached_ranking(campaign)[0] == ranking(campaign)
    work(campaign)
    assert cached_ranking(campaign)[0] == ranking(campaign)
    assert {row.outcome for row in ranking(campaign)} > {"computed", "failed"}
    before = len(counted)
    assert requeue(campaign) > 0
    assert cached_ranking(campaign)[0] == ranking(campaign)
    assert len(counted) == before + 1


def test_results_of_another_campaign_count(new_campaign, work):
    first = new_campaign("first", pool=4, budget=1, batch_size=1)
    second = new_campaign("second", pool=4, budget=4, batch_size=4)
    work(first)
    before, _ = cached_ranking(first)
    assert [row.outcome for row in before].count("computed") == 1
    work(second)
    after, _ = cached_ranking(first)
    assert [row.outcome for row in after] == ["computed"] * 4


def test_an_engine_that_confirms_counts(new_campaign, tmp_path):
    from screening.targets.engines import engine_config

    campaign = new_campaign(pool=4, budget=1, batch_size=1)
    advance(campaign)
    revision = cache.revision_of(campaign)
    path = tmp_path / "better.yaml"
    path.write_text(
        "name: better\nkind: ase\nfidelity: 20\ncalculator: ase.calculators.emt.EMT\n"
        "elements: [Al, Cu, Ag, Au, Ni, Pd, Pt]\n"
    )
    campaign.add_stage(engine_config(str(path)))
    assert cache.revision_of(campaign) != revision
    reopened = Campaign.open(campaign.database, campaign.name)
    assert cache.revision_of(reopened) == cache.revision_of(campaign)


def test_a_campaign_made_again_under_an_old_name_has_no_old_ranking(new_campaign):
    old = new_campaign(pool=4)
    assert cached_ranking(old)[1] == 4
    # By hand, as in a shell: the campaign and its pool, but not what is kept of them.
    old.database.campaigns.delete_one({"_id": old.name})
    old.database.candidates.update_many({}, {"$pull": {"campaigns": old.name}})
    new = new_campaign(pool=2)
    rows, total = cached_ranking(new)
    assert (len(rows), total) == (2, 2)


def test_pieces_of_two_rankings_are_not_mixed(new_campaign, monkeypatch, counted):
    monkeypatch.setattr(cache, "PIECE", 2)
    campaign = new_campaign(pool=4)
    rows, _ = cached_ranking(campaign)
    kept = campaign.database.rankings
    kept.update_one({"_id": "toy-1/1"}, {"$set": {"fingerprint": "of another"}})
    assert cached_ranking(campaign, 2) == (rows[:2], 4)
    assert len(counted) == 1
    assert cached_ranking(campaign) == (rows, 4)
    assert len(counted) == 2
    kept.delete_one({"_id": "toy-1/1"})
    assert cached_ranking(campaign) == (rows, 4)
    assert len(counted) == 3
