"""Steps of toy campaigns, with FireWorks and a real server; only the physics is a toy."""

from __future__ import annotations

import datetime
import threading

import pytest
from toy_flow import diary
from toy_steps import fireworks, picked, run_job, start_job, states, workflows

from screening.campaigns.campaign import Campaign
from screening.campaigns.training_data import training_data
from screening.machine.clock import now
from screening.machine.process_names import this_process
from screening.running import advance as advance_module
from screening.running import lease
from screening.running.advance import advance
from screening.running.control import drop_queued, requeue
from screening.running.proposals import propose

# ------------------------------------------------------------------------------------- to the end


def test_a_campaign_meets_its_budget_exactly_with_every_outcome(new_campaign, work, tmp_path):
    campaign = new_campaign(
        pool=7,
        budget=6,
        batch_size=4,
        recipe={
            "folder": str(tmp_path),
            "unstable": ["Al", "Cu"],
            "failing": ["Ag", "Au"],
            "failing_once": ["Ni", "Pd", "Pt"],
        },
    )
    work(campaign)
    picks = campaign.picks()
    assert [pick["number"] for pick in picks] == [1, 2, 3, 4, 5, 6]
    assert len({pick["candidate_id"] for pick in picks}) == 6
    wanted = {
        "Al": ("unstable", 1),
        "Cu": ("unstable", 1),
        "Ag": ("failed", 2),
        "Au": ("failed", 2),
        "Ni": ("computed", 2),
        "Pd": ("computed", 2),
        "Pt": ("computed", 2),
    }
    for pick in picks:
        formula = pick["candidate_id"].split("-")[0]
        assert (pick["state"], pick["attempts"]) == wanted[formula]
        assert ("cannot be computed" in pick.get("error", "")) == (pick["attempts"] == 2)
    # Every try ran and nothing ran once more: one start an attempt, one end a result.
    written = diary(tmp_path)
    assert sum(n for (event, _), n in written.items() if event == "start") == sum(
        pick["attempts"] for pick in picks
    )
    ended = sorted(pick["result_id"] for pick in picks if pick["state"] != "failed")
    assert sorted(each["_id"] for each in campaign.database.results.find()) == ended
    assert sum(n for (event, _), n in written.items() if event == "end") == len(ended)
    progress = campaign.progress()
    assert (progress.exhausted, progress.done, progress.picked) == (True, 6, 6)
    # What is left on the LaunchPad are the failed ones, to be retried.
    assert workflows(campaign) == states(campaign).count("failed")


def test_a_campaign_ends_when_its_pool_is_used_up(new_campaign, work):
    campaign = new_campaign(pool=3, budget=50, batch_size=2)
    work(campaign)
    assert states(campaign) == ["computed"] * 3
    assert campaign.is_exhausted()


def test_jobs_that_create_jobs_keep_their_campaign_and_priority(new_campaign, work, tmp_path):
    campaign = new_campaign(
        pool=3, budget=1, batch_size=1, recipe={"steps": 3, "folder": str(tmp_path)}
    )
    advance(campaign)
    assert run_job(campaign)
    assert [each["state"] for each in fireworks(campaign)] == ["COMPLETED", "READY"]
    assert {each["spec"]["_priority"] for each in fireworks(campaign)} == {-1}
    assert {each["spec"]["pick"] for each in fireworks(campaign)} == {campaign.picks()[0]["_id"]}
    work(campaign)
    assert states(campaign) == ["computed"]
    assert sum(diary(tmp_path).values()) == 3 + 1


def test_results_say_what_they_are_of(new_campaign, work):
    campaign = new_campaign(pool=2, budget=1, batch_size=1)
    work(campaign)
    [result] = campaign.database.results.find()
    [pick] = campaign.picks()
    assert result["candidate_id"] == pick["candidate_id"]
    assert result["_id"] == pick["result_id"]
    assert result["objective"] == "toy"
    assert result["recipe_hash"] == campaign.recipe_hash
    assert (result["campaign"], result["engine"]) == ("toy-1", "emt")
    assert result["outcome"] == "computed"
    assert result["kappa_300k_w_per_m_k"] > 0
    assert result["space_group_number"] == 225
    assert not [key for key in result if key.startswith("@")]


def test_no_address_is_stored(new_campaign, server_uri):
    """A connection string may hold a password; Fireworks and outputs are for many eyes."""
    campaign = new_campaign(pool=2, budget=2, recipe={"steps": 2})
    advance(campaign)
    assert run_job(campaign)
    start_job(campaign, this_process())
    base = campaign.database._client[campaign.database.name]
    names = base.list_collection_names()
    assert {"fireworks", "launches", "workflows", "job_outputs", "picks"} <= set(names)
    address = server_uri.removeprefix("mongodb://").rstrip("/")
    for name in names:
        for document in base[name].find():
            assert address not in repr(document), name
            assert "mongodb" not in repr(document).lower(), name


# ------------------------------------------------------------------------------------ choosing


@pytest.mark.parametrize("kind", ["random", "expected-improvement"])
def test_same_seed_and_data_give_the_same_picks(new_campaign, kind):
    chosen = []
    for name in ("one", "two"):
        campaign = new_campaign(
            name, pool=14, budget=5, batch_size=2, seed=7, sampler={"kind": kind, "initial": 2}
        )
        store_results(campaign, campaign_ids(campaign)[:4])
        chosen.append([vars(choice) for choice in propose(campaign).proposals])
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 2


def test_another_seed_gives_other_picks(new_campaign):
    first, second = (
        new_campaign(name, pool=25, budget=6, batch_size=6, seed=seed)
        for name, seed in (("one", 1), ("two", 2))
    )
    assert {each.candidate_id for each in propose(first).proposals} != {
        each.candidate_id for each in propose(second).proposals
    }


def test_picks_say_why_they_were_made(new_campaign):
    campaign = new_campaign(
        pool=12, budget=5, batch_size=2, sampler={"kind": "expected-improvement", "initial": 2}
    )
    store_results(campaign, campaign_ids(campaign)[:5])
    propose(campaign)
    for pick in campaign.picks():
        assert pick["reason"] == "expected-improvement"
        assert pick["fitted_on"] == 5
        assert pick["rank"] >= 1
        assert pick["predicted_std"] > 0
        assert 0 < pick["probability_feasible"] <= 1
        assert pick["predicted_mean"] is not None
        assert pick["acquisition"] is not None


def test_a_new_batch_waits_until_few_enough_are_in_flight(new_campaign):
    campaign = new_campaign(pool=12, budget=8, batch_size=4, refill_below=3)
    assert len(propose(campaign).proposals) == 4
    assert not propose(campaign).proposals
    end_picks(campaign, 1)
    assert not propose(campaign).proposals  # three are in flight
    end_picks(campaign, 1)
    assert len(propose(campaign).proposals) == 2
    assert [pick["round"] for pick in campaign.picks()] == [1, 1, 1, 1, 2, 2]


def test_the_last_batch_is_cut_to_the_budget(new_campaign):
    campaign = new_campaign(pool=12, budget=5, batch_size=4)
    assert len(propose(campaign).proposals) == 4
    end_picks(campaign, 4)
    assert len(propose(campaign).proposals) == 1
    end_picks(campaign, 1)
    assert not propose(campaign).proposals
    assert campaign.is_exhausted()


def test_unstable_and_failed_candidates_are_infeasible_to_the_surrogate(new_campaign):
    campaign = new_campaign(pool=8, budget=6, batch_size=3)
    ids = campaign_ids(campaign)
    store_results(campaign, ids[:2])
    store_results(campaign, ids[2:3], outcome="unstable")
    propose(campaign)
    failed, *others = picked(campaign)
    campaign.database.picks.update_one({"candidate_id": failed}, {"$set": {"state": "failed"}})
    seen = training_data(campaign.snapshot())
    assert seen.ids == ids[:2]
    assert seen.infeasible_ids == sorted([ids[2], failed])
    assert sorted(seen.pending_ids) == sorted(others)
    assert seen.features.shape == (2, seen.infeasible_features.shape[1])


def test_a_computed_value_that_has_no_logarithm_is_infeasible(new_campaign):
    campaign = new_campaign(pool=8)
    ids = campaign_ids(campaign)
    store_results(campaign, ids[:3], value=-1.0)
    seen = training_data(campaign.snapshot())
    assert (seen.ids, seen.infeasible_ids) == ([], ids[:3])


# --------------------------------------------------------------------------- sharing of results


def test_a_second_campaign_reuses_results_of_the_same_recipe(new_campaign, work, tmp_path):
    recipe = {"folder": str(tmp_path), "unstable": ["Cu"]}
    first = new_campaign("first", pool=4, budget=4, batch_size=4, recipe=recipe)
    work(first)
    before = list(first.database.results.find())
    second = new_campaign("second", pool=6, budget=6, batch_size=6, recipe=recipe)
    work(second)
    assert set(picked(second)).isdisjoint(picked(first))
    assert states(second) == ["computed"] * 2
    assert sum(n for (event, _), n in diary(tmp_path).items() if event == "start") == 6
    assert [each for each in second.database.results.find() if each in before] == before
    assert len(second.results()) == 6


def test_another_recipe_shares_nothing(new_campaign, work, tmp_path):
    first = new_campaign("first", pool=2, budget=2, recipe={"folder": str(tmp_path)})
    work(first)
    second = new_campaign(
        "second", pool=2, budget=2, recipe={"folder": str(tmp_path), "seconds": 0.01}
    )
    assert second.results() == {}
    work(second)
    assert sorted(picked(second)) == sorted(picked(first))
    assert second.database.results.count_documents({}) == 4


# ------------------------------------------------------------------------- control and retrying


def test_retry_runs_failed_candidates_again(new_campaign, work, tmp_path):
    recipe = {"folder": str(tmp_path), "failing_once": ["Al", "Cu"]}
    campaign = new_campaign(pool=2, budget=2, max_attempts=1, recipe=recipe)
    work(campaign)
    assert states(campaign) == ["failed", "failed"]
    assert campaign.picks()[0]["error"].endswith("cannot be computed")
    assert "Traceback" in campaign.picks()[0]["traceback"]
    assert requeue(campaign, picked(campaign)[0]) == 1
    work(campaign)
    assert states(campaign) == ["computed", "failed"]
    assert requeue(campaign) == 1
    assert requeue(campaign) == 0
    work(campaign)
    assert states(campaign) == ["computed", "computed"]
    assert campaign.database.results.count_documents({}) == 2
    assert workflows(campaign) == 0


def test_retry_of_a_candidate_whose_workflow_is_gone_submits_it_anew(new_campaign, work, tmp_path):
    recipe = {"folder": str(tmp_path), "failing_once": ["Al"]}
    campaign = new_campaign(pool=1, budget=1, max_attempts=1, recipe=recipe)
    work(campaign)
    [firework] = fireworks(campaign)
    campaign.queue.withdraw(firework["spec"]["pick"])
    assert requeue(campaign) == 1
    work(campaign)
    assert states(campaign) == ["computed"]


def test_a_paused_campaign_picks_nothing_and_goes_on_later(new_campaign, work):
    campaign = new_campaign(pool=5, budget=4, batch_size=2)
    campaign.set_status("paused")
    assert advance(campaign)
    assert states(campaign) == []
    work(campaign)  # returns at once
    assert states(campaign) == []
    campaign.set_status("active")
    work(campaign)
    assert states(campaign) == ["computed"] * 4


def test_cancelling_drops_what_is_queued_and_keeps_results(new_campaign, work):
    campaign = new_campaign(pool=6, budget=5, batch_size=1)
    advance(campaign)
    run_job(campaign)
    advance(campaign)
    assert states(campaign) == ["computed", "queued"]
    campaign.set_status("cancelled")
    assert drop_queued(campaign) == 1
    work(campaign)
    advance(campaign)
    assert states(campaign) == ["computed", "cancelled"]
    assert workflows(campaign) == 0
    assert campaign.database.results.count_documents({}) == 1


def test_a_job_running_while_its_campaign_is_cancelled_reports_to_nobody(new_campaign):
    from fireworks import FWAction

    campaign = new_campaign(pool=3, budget=2, batch_size=1)
    advance(campaign)
    _, launch_id = start_job(campaign, this_process())
    campaign.set_status("cancelled")
    assert drop_queued(campaign) == 1
    campaign.database.launchpad.complete_launch(launch_id, FWAction())
    advance(campaign)
    assert states(campaign) == ["cancelled"]
    assert campaign.database.results.count_documents({}) == 0
    assert workflows(campaign) == 0


# ----------------------------------------------------------------------------- several callers


def in_threads(count, call):
    """Run ``call(index)`` at the same moment in several threads; return what each raised."""
    barrier = threading.Barrier(count)
    raised = []

    def run(index):
        try:
            barrier.wait()
            call(index)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_budget_and_uniqueness_hold_when_several_propose_without_a_lease(new_campaign, connect):
    campaign = new_campaign(pool=20, budget=9, batch_size=4, refill_below=4)
    everyone = [Campaign.open(connect(), campaign.name) for _ in range(4)]
    for each in everyone:
        each.database.launchpad  # noqa: B018 - connects, outside of the race

    def drive(index):
        # Other seeds want other candidates under the same numbers: the worst case.
        everyone[index].config.seed = index
        for _ in range(4):
            propose(everyone[index])
            end_picks(everyone[index], 2)

    assert in_threads(4, drive) == []
    while not campaign.is_exhausted():
        end_picks(campaign, 9)
        propose(campaign)
    picks = campaign.picks()
    assert [pick["number"] for pick in picks] == list(range(1, 10))
    assert len(set(picked(campaign))) == 9


def test_two_advancing_at_once_with_the_lease_disabled(
    new_campaign, connect, work, monkeypatch, tmp_path
):
    monkeypatch.setattr(lease, "take", lambda campaign: True)
    monkeypatch.setattr(lease, "give_back", lambda campaign: None)
    campaign = new_campaign(
        pool=10, budget=5, batch_size=3, refill_below=3, recipe={"folder": str(tmp_path)}
    )
    both = [Campaign.open(connect(), campaign.name) for _ in range(2)]
    for each in both:
        each.database.launchpad  # noqa: B018 - connects, outside of the race
    assert in_threads(2, lambda index: advance(both[index])) == []
    work(campaign)
    assert [pick["number"] for pick in campaign.picks()] == [1, 2, 3, 4, 5]
    assert states(campaign) == ["computed"] * 5
    assert len(set(picked(campaign))) == 5
    assert campaign.database.results.count_documents({}) == 5


def test_the_lease_lets_one_in_at_a_time(new_campaign, live_process):
    campaign = new_campaign(pool=4)
    hold_lease(campaign, live_process, seconds=60)
    assert not advance(campaign)
    assert states(campaign) == []


@pytest.mark.parametrize("reason", ["dead", "expired", "mine"])
def test_the_lease_is_taken_over(new_campaign, live_process, dead_process, reason):
    campaign = new_campaign(pool=4)
    owner = {"dead": dead_process, "expired": live_process, "mine": this_process()}[reason]
    hold_lease(campaign, owner, seconds=-1 if reason == "expired" else 60)
    assert advance(campaign)
    assert states(campaign) == ["queued", "queued"]
    assert "lease" not in campaign.database.campaigns.find_one({"_id": campaign.name})


def test_the_lease_is_given_back_after_an_error(new_campaign, monkeypatch):
    campaign = new_campaign(pool=4)

    def broken(campaign):
        raise RuntimeError("out of order")

    monkeypatch.setattr(advance_module, "harvest", broken)
    with pytest.raises(RuntimeError):
        advance(campaign)
    assert "lease" not in campaign.database.campaigns.find_one({"_id": campaign.name})


def test_of_two_who_saw_the_lease_free_one_gets_it(new_campaign, connect, monkeypatch):
    campaign = new_campaign(pool=4)
    names = threading.local()
    monkeypatch.setattr(lease, "this_process", lambda: names.value)
    both = [Campaign.open(connect(), campaign.name) for _ in range(2)]
    won = []

    def take(index):
        names.value = f"elsewhere:{index + 1}:1.00"
        won.append(lease.take(both[index]))

    assert in_threads(2, take) == []
    assert sorted(won) == [False, True]


# -------------------------------------------------------------------------------------- helpers


def campaign_ids(campaign):
    return sorted(campaign.pool_features())


def store_results(campaign, ids, outcome="computed", value=None):
    """Store results as if computed before."""
    for index, each in enumerate(ids):
        number = float(index + 1) if value is None else value
        campaign.database.results.insert_one(
            {
                "_id": f"{each}/{campaign.objective.name}/{campaign.recipe_hash}/{campaign.name}",
                **campaign.result_key(),
                "candidate_id": each,
                "outcome": outcome,
                "kappa_300k_w_per_m_k": number if outcome == "computed" else None,
                "kappa_300k_error_w_per_m_k": 0.1,
            }
        )


def end_picks(campaign, count):
    """Let the oldest picks in flight end as computed, without results."""
    for pick in campaign.picks():
        if count and pick["state"] in ("claimed", "queued"):
            count -= 1
            campaign.database.picks.update_one(
                {"_id": pick["_id"]}, {"$set": {"state": "computed"}}
            )


def hold_lease(campaign, owner, seconds):
    until = now() + datetime.timedelta(seconds=seconds)
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$set": {"lease": {"owner": owner, "until": until}}}
    )


def test_picks_of_a_model_name_their_neighbours(new_campaign, work):
    sampler = {"kind": "expected-improvement", "initial": 2}
    campaign = new_campaign(pool=10, budget=5, batch_size=1, sampler=sampler)
    work(campaign)
    picks = campaign.picks()
    assert all(len(pick["neighbours"]) >= 2 for pick in picks[2:])
    assert {key for pick in picks for key in pick["neighbours"]} <= {
        pick["candidate_id"] for pick in picks
    }


def test_a_candidate_that_is_deleted_is_not_waited_for(new_campaign, work):
    """Somebody cleans up while its job is in the queue: the campaign goes on and ends."""
    campaign = new_campaign(pool=6, budget=5, batch_size=2)
    advance(campaign)
    gone = campaign.picks()[0]["candidate_id"]
    campaign.database.candidates.delete_one({"_id": gone})
    work(campaign)
    progress = campaign.progress()
    assert progress.exhausted
    assert progress.computed == 4
    [pick] = [each for each in campaign.picks() if each["candidate_id"] == gone]
    assert pick["state"] == "failed"
    assert "no longer in the database" in pick["error"]
