"""Candidates that join a campaign after its submission."""

from __future__ import annotations

import pytest
from campaign_fixtures import toy_candidates, toy_pool

from screening.campaigns import pool as pools
from screening.campaigns.campaign import Campaign
from screening.candidates.candidate import Origin
from screening.intake.ingest import Pool, Refused
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal
from screening.ranking.cache import cached_ranking, revision_of
from screening.running.advance import advance


class Killed(BaseException):
    """The process is killed."""


def part(first, last):
    """Return the pool of some of the toy crystals."""
    chosen = toy_candidates()[first:last]
    return Pool(candidates={candidate.candidate_id: candidate for candidate in chosen})


def found_elsewhere(pool, **stated):
    """Return a pool whose candidates have one more origin, and inputs where it states any."""
    candidates, inputs = {}, {}
    for key, candidate in pool.candidates.items():
        origin = Origin(source="elsewhere", material_id="other", **stated)
        origins = [*candidate.origins, origin]
        candidates[key] = candidate.model_copy(update={"origins": origins})
        if origin.inputs_hash:
            inputs[key] = origin.inputs_hash
    return Pool(candidates=candidates, inputs=inputs)


def pool_of(campaign):
    """Return the pool as somebody sees it who opens the campaign now."""
    snapshot = Campaign.open(campaign.database, campaign.name).snapshot()
    assert snapshot.pool.keys() == snapshot.features.keys()
    return set(snapshot.pool)


def test_a_pool_grows(new_campaign):
    campaign = new_campaign(pool=3)
    before, features = revision_of(campaign), campaign.pool_features()
    assert len(cached_ranking(campaign)[0]) == 3
    more = part(2, 6)
    more.duplicates, more.remarks = 2, ["a folder was empty"]
    more.refused = [Refused("file.cif", "x", Refusal.of_words("it is no crystal"))]
    assert campaign.extend_pool(more) == 3
    assert pool_of(campaign) == set(toy_pool(6).candidates)
    # The one who extended it, and whoever opened it before, see it too.
    assert len(features) == 3
    assert set(campaign.pool_features()) == set(toy_pool(6).candidates)
    assert revision_of(campaign) != before
    assert cached_ranking(campaign)[1] == 6
    assert campaign.ingested == {
        "taken": 6,
        "duplicates": 3,
        "refused": 1,
        "refusals": [
            {
                "location": "file.cif",
                "material_id": "x",
                "reason": "it is no crystal",
                "refusal": {"text": "it is no crystal", "values": {}, "code": ""},
            },
        ],
        "remarks": ["a folder was empty"],
    }
    assert campaign.extend_pool(part(0, 6)) == 0
    assert campaign.progress().pool == 6


def test_an_exhausted_campaign_goes_on_and_picks_what_is_new(new_campaign, work):
    campaign = new_campaign(pool=2, budget=4, batch_size=2)
    work(campaign)
    assert campaign.is_exhausted()
    campaign.extend_pool(part(2, 5))
    assert not campaign.is_exhausted()
    assert not campaign.progress().exhausted
    work(campaign)
    picked = [pick["candidate_id"] for pick in campaign.picks()]
    assert len(picked) == 4
    assert set(picked[2:]) <= set(part(2, 5).candidates)
    assert campaign.is_exhausted()  # the budget is spent
    campaign.extend_pool(part(5, 7))
    assert campaign.is_exhausted()


def test_the_best_of_a_grown_pool_are_still_to_be_confirmed(new_campaign):
    confirm = {"engine": "sevennet-0", "top": 1}
    campaign = new_campaign(pool=2, confirm=confirm)
    campaign.set_promoted(campaign.extensions())
    assert not campaign.awaits_promotion()
    before = campaign.extensions()
    campaign.extend_pool(part(2, 4))
    assert campaign.awaits_promotion()
    # Somebody promoted the best of the old pool meanwhile.
    campaign.set_promoted(before)
    assert campaign.awaits_promotion()
    campaign.set_promoted(campaign.extensions())
    assert not campaign.awaits_promotion()


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_killed_in_the_middle_it_is_invisible_until_repeated(new_campaign, monkeypatch, blocks):
    campaign = new_campaign(pool=3, budget=9, batch_size=9)
    monkeypatch.setattr(pools, "STORED_AT_ONCE", 2)
    written = []

    def killed_after(candidate):
        if len(written) == 2 * blocks:
            raise Killed
        written.append(candidate.candidate_id)
        return to_document(candidate)

    to_document = pools.to_document
    with monkeypatch.context() as patch:
        patch.setattr(pools, "to_document", killed_after)
        with pytest.raises(Killed):
            campaign.extend_pool(part(3, 8))
    assert campaign.database.candidates.count_documents({}) == 3 + 2 * blocks
    assert pool_of(campaign) == set(toy_pool(3).candidates)
    assert campaign.ingested["taken"] == 3
    # Somebody who drives the campaign meanwhile picks none of the half.
    advance(campaign)
    assert {pick["candidate_id"] for pick in campaign.picks()} == set(toy_pool(3).candidates)
    assert campaign.extend_pool(part(3, 8)) == 5
    assert pool_of(campaign) == set(toy_pool(8).candidates)
    assert campaign.ingested["taken"] == 8
    advance(campaign)
    assert len(campaign.picks()) == 3  # what was picked first is still in flight
    advance(Campaign.open(campaign.database, campaign.name))


def test_another_pool_after_a_kill_takes_nothing_of_the_first(new_campaign, monkeypatch):
    campaign = new_campaign(pool=2)

    def die(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pools, "_extension", die)
        with pytest.raises(Killed):
            campaign.extend_pool(found_elsewhere(part(2, 5), inputs={"working_ion": "Li"}))
    assert pool_of(campaign) == set(toy_pool(2).candidates)
    assert campaign.extend_pool(part(4, 6)) == 2
    assert pool_of(campaign) == set(toy_pool(2).candidates) | set(part(4, 6).candidates)
    # Inputs that only the killed one stated are nobody's.
    assert {campaign.inputs_hash(key) for key in part(4, 6).candidates} == {""}


def test_every_read_in_between_sees_the_old_pool_or_the_new_one(new_campaign, monkeypatch):
    from pymongo.collection import Collection

    campaign = new_campaign(pool=3)
    monkeypatch.setattr(pools, "STORED_AT_ONCE", 1)
    old, new = set(toy_pool(3).candidates), set(toy_pool(6).candidates)
    seen = []

    def watched(write):
        def writing(collection, *arguments, **options):
            seen.append(pool_of(campaign))
            written = write(collection, *arguments, **options)
            seen.append(pool_of(campaign))
            return written

        return writing

    with monkeypatch.context() as patch:
        for name in ("insert_many", "bulk_write", "update_one"):
            patch.setattr(Collection, name, watched(getattr(Collection, name)))
        campaign.extend_pool(part(2, 6))
    changes = [pool == new for pool in seen]
    assert all(pool in (old, new) for pool in seen)
    assert changes == sorted(changes)
    assert changes.count(True) == 1


def test_two_extensions_at_once_count_each_candidate_once(new_campaign, monkeypatch):
    campaign = new_campaign(pool=2)
    write = pools._write_members
    others = [part(2, 5)]

    def overtaken(database, name, *arguments):
        write(database, name, *arguments)
        if others:
            assert pools.extend_pool(database, name, others.pop()) == 3

    monkeypatch.setattr(pools, "_write_members", overtaken)
    assert campaign.extend_pool(part(3, 7)) == 2
    assert pool_of(campaign) == set(toy_pool(7).candidates)
    assert campaign.ingested["taken"] == 7


@pytest.mark.parametrize("stated", [{"inputs": {"working_ion": "Na"}}, {}])
@pytest.mark.parametrize("overtaken_after", [1, 2])
def test_of_two_extensions_with_other_inputs_the_first_one_counts(
    new_campaign, monkeypatch, overtaken_after, stated
):
    """The other one is told, whichever wrote the candidates first."""
    campaign = new_campaign(pool=1)
    lithium = found_elsewhere(part(1, 2), inputs={"working_ion": "Li"})
    first = found_elsewhere(part(1, 2), **stated)
    [key] = lithium.candidates
    write, written = pools._write_members, []

    def overtaken(database, name, *arguments):
        # An extension writes twice: what the campaign has already, then what is new.
        written.append(arguments)
        if len(written) == overtaken_after:
            assert pools.extend_pool(database, name, first) == 1
        write(database, name, *arguments)

    monkeypatch.setattr(pools, "_write_members", overtaken)
    assert campaign.extend_pool(lithium) == 0
    counts = first.inputs.get(key, "")
    assert campaign.inputs_hash(key) == counts
    assert campaign.candidate(key).inputs(counts) == stated.get("inputs", {})
    assert campaign.ingested["refused"] == 1
    assert "with other inputs" in campaign.ingested["refusals"][0]["reason"]
    assert pool_of(campaign) == {*toy_pool(1).candidates, key}


def test_candidates_that_the_campaign_has_get_their_new_origins(new_campaign):
    campaign = new_campaign(pool=2)
    again = found_elsewhere(toy_pool(2))
    assert campaign.extend_pool(again) == 0
    for key in toy_pool(2).candidates:
        sources = [origin.source for origin in campaign.candidate(key).origins]
        assert sources == ["toy", "elsewhere"]
    assert campaign.ingested["duplicates"] == 2


def test_inputs_are_stated_as_at_submission_and_never_changed(new_campaign):
    campaign = new_campaign(pool=1)
    more = found_elsewhere(part(0, 2), inputs={"working_ion": "Li"})
    known, new = more.candidates
    assert campaign.extend_pool(more) == 1
    assert campaign.inputs_hash(new) == more.inputs[new]
    assert campaign.inputs_hash(known) == ""
    assert len(campaign.candidate(known).origins) == 1
    assert campaign.ingested["refused"] == 1
    assert "with other inputs" in campaign.ingested["refusals"][0]["reason"]
    assert campaign.extend_pool(more) == 0


def test_a_campaign_that_is_cancelled_or_gone_takes_none(new_campaign, monkeypatch):
    campaign = new_campaign(pool=1)
    write = pools._write_members

    def cancelled_meanwhile(*arguments):
        write(*arguments)
        campaign.set_status("cancelled")

    monkeypatch.setattr(pools, "_write_members", cancelled_meanwhile)
    for _ in range(2):
        with pytest.raises(ScreenError, match="'toy-1' is cancelled, which is final"):
            campaign.extend_pool(part(1, 3))
    assert pool_of(campaign) == set(toy_pool(1).candidates)
    campaign.database.campaigns.delete_many({})
    with pytest.raises(ScreenError, match="no longer in the database"):
        campaign.extend_pool(part(1, 3))


def test_names_that_begin_alike_are_kept_apart(new_campaign):
    for name in ("a", "a.b", "axb"):
        new_campaign(name, pool=1)
    first = Campaign.open(new_campaign("b", pool=1).database, "a.b")
    first.extend_pool(part(1, 3))
    assert Campaign.open(first.database, "axb").extend_pool(part(1, 2)) == 1
    assert len(pool_of(first)) == 3
    assert len(pool_of(Campaign.open(first.database, "a"))) == 1


def test_a_new_campaign_of_an_old_name_takes_nothing_of_its_extensions(new_campaign, database):
    new_campaign("mine", pool=1).extend_pool(part(1, 3))
    database.campaigns.delete_one({"_id": "mine"})
    assert pool_of(new_campaign("mine", pool=1)) == set(toy_pool(1).candidates)
    assert now() > Campaign.open(database, "mine").created_at
