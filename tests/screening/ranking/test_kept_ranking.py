"""A ranking for which only changes are read: bit by bit the one that everything is read for."""

from __future__ import annotations

import itertools
import threading

import pytest
from campaign_fixtures import toy_pool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from screening.campaigns.campaign import Campaign
from screening.campaigns.changes import result_log
from screening.choosing.observations import Proposal
from screening.ranking.build import ranking
from screening.ranking.cache import cached_ranking, forget
from screening.running.control import requeue
from screening.running.picks import end, new_pick
from screening.store import change_log, kept_table
from screening.targets.engines import engine_config

VALUE = "kappa_300k_w_per_m_k"
CHANGES = (
    *("value", "value", "value", "unstable", "pick", "failure", "failure", "retry", "touch"),
    *("better value", "better engine", "more candidates", "shared candidates", "forget"),
)
numbers = itertools.count()


@pytest.fixture
def better(tmp_path):
    """An engine that confirms."""
    path = tmp_path / "better.yaml"
    path.write_text(
        "name: better\nkind: ase\nfidelity: 20\ncalculator: ase.calculators.emt.EMT\n"
        "elements: [Al, Cu, Ag, Au, Ni, Pd, Pt]\n"
    )
    return engine_config(str(path))


def store(campaign, stage, key, **fields):
    """Store a result as `screening.running.harvest.store_result` does."""
    result_id = f"{key}/{campaign.objective.name}/{stage.recipe_hash}"
    result = {**campaign.result_key(stage), "candidate_id": key, "engine": stage.engine.name}
    campaign.database.results.update_one(
        {"_id": result_id}, {"$setOnInsert": {**result, **fields}}, upsert=True
    )
    result_log(campaign.database, campaign.result_key(stage)).note([result_id])


def pick(campaign, key):
    """Claim a candidate, as a round of the loop does, and return the pick's id."""
    pick_id = f"{campaign.name}/{key}"
    if campaign.database.picks.find_one({"_id": pick_id}) is None:
        proposal = Proposal(key, "a test", predicted_mean=len(key) / 7, predicted_std=0.3)
        made = new_pick(campaign, campaign.engine.name, proposal, campaign.count_picks() + 1, 1)
        campaign.database.picks.insert_one({"_id": pick_id, **made})
        campaign.note([pick_id])
    return pick_id


def change(campaign, what, which, number, new_campaign, better):
    """Change something of a campaign."""
    keys = sorted(each["_id"] for each in campaign.database.candidates.find({}, {"_id": 1}))
    key, value = keys[which % len(keys)], 1.0 + number
    computed = {"outcome": "computed", VALUE: value, "kappa_300k_error_w_per_m_k": 0.1}
    if what == "value":
        store(campaign, campaign.stages[0], key, **computed)
    elif what == "unstable":
        store(campaign, campaign.stages[0], key, outcome="unstable", reason="imaginary")
    elif what == "pick":
        pick(campaign, key)
    elif what == "failure":
        end(campaign, pick(campaign, key), "failed", error="a test")
    elif what == "retry":
        requeue(campaign)
    elif what == "touch":
        campaign.touch()
    elif what == "better engine":
        campaign.add_stage(better)
    elif what == "better value":
        store(campaign, campaign.add_stage(better), key, **computed)
    elif what == "more candidates":
        campaign.extend_pool(toy_pool(6 + which % 5))
    elif what == "shared candidates":
        new_campaign(f"other-{next(numbers)}", pool=4 + which % 4)
    else:
        forget(campaign)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(CHANGES), st.integers(0, 30), st.integers(0, 99), st.booleans()),
        min_size=8,
        max_size=16,
    )
)
@pytest.mark.parametrize("second", [None, {"field": "max_frequency_thz", "direction": "maximize"}])
def test_what_is_kept_is_what_is_read_anew(new_campaign, better, monkeypatch, changes, second):
    # So small that pieces are written anew and logs forget within a few changes.
    monkeypatch.setattr(kept_table, "PIECE", 3)
    monkeypatch.setattr(kept_table, "MOST_CHANGED", 3)
    monkeypatch.setattr(change_log, "LENGTH", 4)
    number = next(numbers)
    more = {} if second is None else {"second_objective": second}
    # A recipe of its own: results of other examples are not seen.
    campaign = new_campaign(f"kept-{number}", pool=6, recipe={"seconds": number / 1e9}, **more)
    other = Campaign.open(campaign.database, campaign.name)
    for what, which, value, looked_at in changes:
        change(campaign, what, which, value, new_campaign, better)
        if looked_at:
            assert cached_ranking(campaign)[0] == ranking(
                Campaign.open(campaign.database, campaign.name)
            )
    rows = ranking(Campaign.open(campaign.database, campaign.name))
    # By a program that has seen some changes, one that has seen none, and one that is new.
    for seen_by in (campaign, other, Campaign.open(campaign.database, campaign.name)):
        kept = seen_by.kept_snapshot()
        fresh = seen_by.snapshot()
        assert kept.results == fresh.results
        assert kept.pool == fresh.pool
        assert dict(kept.pool_features) == fresh.features
        assert cached_ranking(seen_by) == (rows, len(rows))
        campaign.note([])


def test_only_what_has_changed_is_read(new_campaign, monkeypatch):
    campaign = new_campaign(pool=8)
    keys = list(campaign.snapshot().pool)
    store(campaign, campaign.stages[0], keys[0], outcome="computed", **{VALUE: 2.0})
    cached_ranking(campaign)
    store(campaign, campaign.stages[0], keys[1], outcome="computed", **{VALUE: 1.0})
    opened = Campaign.open(campaign.database, campaign.name)
    whole = []
    find = Collection.find

    def watched(self, *args, **kwargs):
        if self.name in ("candidates", "picks", "results"):
            whole.append(self.name)
        return find(self, *args, **kwargs)

    with monkeypatch.context() as watching:
        watching.setattr(Collection, "find", watched)
        kept = opened.kept_snapshot()
    # `find_one` is a find of one document: the result that is new.
    assert whole == ["results"]
    assert kept.results == opened.snapshot().results


def test_a_table_whose_piece_is_gone_is_read_anew(new_campaign, monkeypatch):
    monkeypatch.setattr(kept_table, "PIECE", 2)
    campaign = new_campaign(pool=7)
    pool = campaign.kept_snapshot().pool
    pieces = {"table": f"{campaign.name}/candidates"}
    assert campaign.database.rankings.count_documents(pieces) == 4
    campaign.database.rankings.delete_one(pieces)
    assert Campaign.open(campaign.database, campaign.name).kept_snapshot().pool == pool


def test_a_program_that_holds_a_table_reads_anew_when_what_is_kept_was_deleted(new_campaign):
    """Which is what those do who have changed results by hand."""
    campaign = new_campaign(pool=5)
    key = next(iter(campaign.snapshot().pool))
    store(campaign, campaign.stages[0], key, outcome="computed", **{VALUE: 2.0})
    assert campaign.kept_snapshot().results == campaign.snapshot().results
    database = campaign.database
    database.results.update_one({"candidate_id": key}, {"$set": {VALUE: 3.0}})
    database.rankings.delete_many({})
    assert campaign.kept_snapshot().results == campaign.snapshot().results
    [row] = [row for row in cached_ranking(campaign)[0] if row.outcome == "computed"]
    assert row.value == 3.0


def test_a_candidate_deleted_by_hand_is_left_out(new_campaign):
    campaign = new_campaign(pool=6)
    keys = list(campaign.snapshot().pool)
    for key, value in zip(keys[:3], (2.0, 1.0, 3.0), strict=True):
        store(campaign, campaign.stages[0], key, outcome="computed", **{VALUE: value})
    cached_ranking(campaign)
    campaign.database.candidates.delete_one({"_id": keys[5]})
    store(campaign, campaign.stages[0], keys[3], outcome="computed", **{VALUE: 4.0})
    opened = Campaign.open(campaign.database, campaign.name)
    assert cached_ranking(opened) == (ranking(opened), 5)


def test_two_that_note_at_once_lose_nothing(database):
    log = change_log.ChangeLog(database.revisions, "a log")
    log.note(["first"])
    version = log.now().version

    def many(name):
        for i in range(20):
            log.note([f"{name}{i}"])

    threads = [threading.Thread(target=many, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(log.now().since(version) or []) == sorted(
        f"{name}{i}" for name in "abc" for i in range(20)
    )
    log.note_all()
    assert log.now().since(version) is None
