"""`matscreen add`: further crystals for a campaign that is there."""

from __future__ import annotations

import pytest
from campaign_fixtures import toy_pool, write_cifs

from screening.candidates.kinds import to_document


@pytest.fixture
def campaign(new_campaign):
    return new_campaign("mine", pool=2)


def test_new_crystals_are_added_once(screen, database, campaign, tmp_path):
    write_cifs(tmp_path / "more", 5)
    answer = screen("add", "mine", "--source", "more")
    assert (answer.status, answer.out) == (0, "")
    assert "5 entries read, 5 candidates" in answer.err
    assert "3 candidates of 5 new to campaign 'mine'" in answer.err
    assert "work mine" in answer.err
    assert database.candidates.count_documents({"campaigns": "mine"}) == 5
    assert "0 candidates of 5 new" in screen("add", "mine", "--source", "more").err
    assert database.candidates.count_documents({"campaigns": "mine"}) == 5


def test_a_dry_run_adds_nothing(screen, database, campaign, tmp_path):
    write_cifs(tmp_path / "more", 5)
    # What a killed extension left is not in the pool.
    [left] = toy_pool(3).candidates.keys() - toy_pool(2).candidates.keys()
    document = to_document(toy_pool(3).candidates[left])
    joined = {"campaigns": ["mine"], "joined": ["mine/killed"]}
    database.candidates.insert_one(document | joined)
    answer = screen("add", "mine", "--source", "more", "--dry-run")
    assert (answer.status, answer.out) == (0, "")
    assert "3 candidates of 5 new to campaign 'mine'; nothing was added" in answer.err
    assert campaign.snapshot().pool.keys() == toy_pool(2).candidates.keys()


def test_what_cannot_be_added_is_refused(screen, campaign, tmp_path):
    write_cifs(tmp_path / "more", 3)
    for arguments, part in {
        ("mine",): "--source",
        ("mine", "--source", "nowhere"): "source 'nowhere'",
        ("yours", "--source", "more"): "campaign 'yours': unknown",
    }.items():
        answer = screen("add", *arguments)
        assert answer.status == 2
        assert part in answer.err.splitlines()[-1]
    campaign.set_status("cancelled")
    answer = screen("add", "mine", "--source", "more")
    assert (answer.status, "is cancelled" in answer.err) == (2, True)
