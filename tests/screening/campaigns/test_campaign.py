"""A campaign in the database: creating, opening, its end."""

from __future__ import annotations

import pytest
from campaign_fixtures import toy_pool

from screening.campaigns.campaign import Campaign
from screening.campaigns.names import check_name_is_free, new_name
from screening.candidates.crystal_features import FEATURES_VERSION
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.messages.errors import ScreenError


def add_pick(campaign, number, candidate_id, state, **fields):
    campaign.database.picks.insert_one(
        {
            "_id": f"{campaign.name}/{candidate_id}",
            "campaign": campaign.name,
            "candidate_id": candidate_id,
            "engine": campaign.engine.name,
            "number": number,
            "round": (number + 1) // 2,
            "state": state,
            **fields,
        }
    )


def add_result(campaign, candidate_id, value, **fields):
    campaign.database.results.insert_one(
        {
            **campaign.result_key(),
            "candidate_id": candidate_id,
            "outcome": "computed",
            "kappa_300k_w_per_m_k": value,
            **fields,
        }
    )


def test_what_was_created_is_opened(new_campaign, database):
    created = new_campaign("mine", pool=3, budget=7, recipe={"steps": 2})
    opened = Campaign.open(database, "mine")
    assert opened.config == created.config
    assert opened.engine == created.engine
    assert opened.recipe_hash == created.recipe_hash
    assert opened.created_at == created.created_at
    assert opened.status == "active"
    assert opened.ingested == {
        "taken": 3,
        "duplicates": 0,
        "refused": 0,
        "refusals": [],
        "remarks": [],
    }
    assert set(opened.pool_features()) == set(toy_pool(3).candidates)
    for key, candidate in toy_pool(3).candidates.items():
        stored = opened.candidate(key).model_dump(mode="json")
        assert stored == candidate.model_dump(mode="json")


def test_a_campaign_with_an_earlier_recipe_computes_nothing_more(new_campaign, database):
    new_campaign("mine").check_active()
    stored = {"$set": {"recipe_hash": "0123456789ab"}}
    database.campaigns.update_one({"_id": "mine"}, stored)
    with pytest.raises(ScreenError, match="'mine' was submitted by an earlier version"):
        Campaign.open(database, "mine").check_active()


def test_without_a_name_the_newest_is_opened(new_campaign, database):
    for name in ("b", "c", "a"):
        new_campaign(name)
        database.campaigns.update_one({"_id": name}, {"$set": {"created_at": now()}})
    assert Campaign.open(database).name == "a"


def test_an_unknown_name_is_answered_with_the_known_ones(new_campaign, database):
    with pytest.raises(ScreenError, match=r"no campaign yet.*matscreen submit"):
        Campaign.open(database)
    with pytest.raises(ScreenError, match="campaign 'x': unknown; known: none"):
        Campaign.open(database, "x")
    new_campaign("b")
    new_campaign("a")
    with pytest.raises(ScreenError, match="campaign 'x': unknown; known: a, b"):
        Campaign.open(database, "x")


@pytest.mark.parametrize("name", ["a", "A-1.b_c", "0", "x" * 63])
def test_usable_names(database, name):
    check_name_is_free(database, name)


@pytest.mark.parametrize("name", ["", "a/b", "-a", ".a", "a b", "κ", "x" * 64, "../a", "a\n"])
def test_unusable_names(database, name):
    with pytest.raises(ScreenError, match="use letters, digits"):
        check_name_is_free(database, name)


def test_a_taken_name_is_refused_and_the_first_campaign_kept(new_campaign, database):
    new_campaign("mine", pool=2, budget=2)
    with pytest.raises(ScreenError, match=r"campaign 'mine' exists already.*matscreen work mine"):
        new_campaign("mine", pool=5, budget=9)
    campaign = Campaign.open(database, "mine")
    assert campaign.config.budget == 2
    assert len(campaign.pool_features()) == 2


def test_of_two_who_take_a_name_at_once_one_gets_it(new_campaign, database, monkeypatch):
    new_campaign("mine")
    monkeypatch.setattr("screening.campaigns.campaign.check_name_is_free", lambda *arguments: None)
    with pytest.raises(ScreenError, match="exists already"):
        new_campaign("mine")
    assert database.campaigns.count_documents({}) == 1


def test_new_names_count_up(new_campaign, database):
    assert new_name(database, "low-kappa") == "low-kappa-1"
    new_campaign("low-kappa-1")
    assert new_name(database, "low-kappa") == "low-kappa-2"
    new_campaign("low-kappa-3")
    assert new_name(database, "low-kappa") == "low-kappa-2"


@pytest.mark.parametrize("target", ["dir/my target.yaml", "../x.yaml", "κ", "...", "a" * 200])
def test_a_name_made_of_a_path_is_usable(database, target):
    check_name_is_free(database, new_name(database, target))


def test_a_submit_that_was_killed_leaves_a_free_name(new_campaign, database, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("screening.campaigns.campaign.activate", die)
        with pytest.raises(Killed):
            new_campaign("mine", pool=6)
    assert database.candidates.count_documents({"campaigns": "mine"}) == 6
    with pytest.raises(ScreenError, match="'mine': unknown; known: none"):
        Campaign.open(database, "mine")
    # Its process lives: it might still be at it.
    with pytest.raises(ScreenError, match="'mine' exists already"):
        new_campaign("mine", pool=4)
    before, _, started = this_process().rpartition(":")
    dead = f"{before}:{int(started) - 1}"
    database.campaigns.update_one({}, {"$set": {"submitted_by": dead}})
    campaign = new_campaign("mine", pool=4)
    assert len(campaign.pool_features()) == 4
    assert campaign.status == "active"


def test_features_of_an_older_version_are_computed_again(new_campaign, database):
    campaign = new_campaign(pool=2)
    before = campaign.pool_features()
    database.candidates.update_many({}, {"$set": {"features": [1.0], "features_version": 0}})
    assert Campaign.open(database, campaign.name).pool_features() == before
    assert database.candidates.count_documents({"features_version": FEATURES_VERSION}) == 2


def test_a_campaign_of_another_version_is_refused_in_words(new_campaign, database):
    new_campaign("mine")
    database.campaigns.update_one({}, {"$set": {"config.colour": "green"}})
    with pytest.raises(ScreenError, match=r"'mine', stored by another version.*'colour'"):
        Campaign.open(database, "mine")


def test_exhausted_when_the_budget_is_spent_or_the_pool_known(new_campaign):
    campaign = new_campaign(pool=3, budget=2)
    ids = sorted(campaign.pool_features())
    add_pick(campaign, 1, ids[0], "failed")
    assert not campaign.is_exhausted()
    add_pick(campaign, 2, ids[1], "queued")
    assert not campaign.is_exhausted()
    campaign.database.picks.update_one({"number": 2}, {"$set": {"state": "unstable"}})
    assert campaign.is_exhausted()
    other = new_campaign("other", pool=3, budget=9)
    for key in ids:
        add_result(other, key, 1.0)
    assert other.is_exhausted()


def test_a_campaign_deleted_meanwhile_is_said_to_be_gone(new_campaign, database):
    campaign = new_campaign()
    database.campaigns.delete_many({})
    with pytest.raises(ScreenError, match="no longer in the database"):
        _ = campaign.status
    database.candidates.delete_many({})
    with pytest.raises(ScreenError, match="'x' is no longer in the database"):
        campaign.candidate("x")


def test_a_pick_that_enters_the_queue_meanwhile_is_in_flight(new_campaign, monkeypatch):
    from pymongo.collection import Collection

    campaign = new_campaign(budget=1, batch_size=1)
    add_pick(campaign, 1, next(iter(toy_pool(1).candidates)), "claimed")
    find = Collection.find

    def find_slowly(collection, query, *arguments, **options):
        found = find(collection, query, *arguments, **options)
        if collection.name == "picks" and query.get("state"):
            found = list(found)
            collection.update_many({"state": "claimed"}, {"$set": {"state": "queued"}})
        return found

    monkeypatch.setattr(Collection, "find", find_slowly)
    assert campaign.in_flight(1) == 1
    assert not campaign.is_exhausted()


def test_a_campaign_whose_last_pick_is_claimed_meanwhile_is_not_exhausted(
    new_campaign, monkeypatch
):
    campaign = new_campaign(budget=1, batch_size=1)
    read_picks = campaign.picks

    def claimed_just_before(*arguments, **options):
        add_pick(campaign, 1, next(iter(toy_pool(1).candidates)), "claimed")
        return read_picks(*arguments, **options)

    monkeypatch.setattr(campaign, "picks", claimed_just_before)
    assert not campaign.is_exhausted()
