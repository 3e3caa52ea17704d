"""A search for a convex hull whose reference fails."""

from __future__ import annotations

import pytest
from toy_steps import picked, states

from screening.campaigns.campaign import Campaign
from screening.campaigns.config import CampaignConfig
from screening.running.advance import advance
from screening.running.control import requeue

pytest.importorskip("icet")

FCC = "lattice: fcc\nlattice_constant_a: 3.9\nspecies: [Cu, Au]\nmax_atoms: 3\n"


@pytest.fixture
def campaign(database, tmp_path):
    """A campaign of ten ordered structures of copper and gold, four of them picked."""
    from screening.candidates.ordering_kind import ORDERING
    from screening.intake.ingest import ingest
    from screening.sources import open_source
    from screening.targets.engines import engine_config

    path = tmp_path / "alloy.yaml"
    path.write_text(FCC)
    config = CampaignConfig.model_validate(
        {
            "target": "ordering",
            "objective": "mixing-energy-above-hull",
            "engine": "emt",
            "sources": [f"orderings:{path}"],
            "sampler": {
                "kind": "convex-hull",
                "initial": 4,
                "surrogate": {"kind": "bayesian-linear"},
            },
            "budget": 10,
            "batch_size": 4,
        }
    )
    source = open_source(config.sources[0])
    pool = ingest([source], ORDERING, ORDERING.filters(), database, lambda candidate: None)
    campaign = Campaign.create(database, "alloy", config, engine_config("emt"), pool)
    advance(campaign)
    return campaign


def end_picks(campaign, failing=""):
    """End all picks in flight, that of one formula as failed and the others with an energy."""
    for pick in campaign.picks():
        if pick["state"] not in ("claimed", "queued"):
            continue
        campaign.queue.withdraw(pick["_id"])
        candidate = campaign.candidate(pick["candidate_id"])
        failed = candidate.formula == failing
        state = {"$set": {"state": "failed" if failed else "computed"}}
        campaign.database.picks.update_one({"_id": pick["_id"]}, state)
        if not failed:
            campaign.database.results.insert_one(
                {
                    "_id": f"{candidate.candidate_id}/energy",
                    "candidate_id": candidate.candidate_id,
                    **campaign.result_key(),
                    "outcome": "computed",
                    "formula": candidate.formula,
                    "energy_ev_per_atom": 0.001 * candidate.n_sites,
                }
            )


def test_without_an_end_member_nothing_is_computed_and_it_is_said(campaign, screen):
    ends = picked(campaign)[:2]
    assert {campaign.candidate(key).formula for key in ends} == {"Au", "Cu"}
    end_picks(campaign, failing="Au")
    advance(campaign)
    assert len(states(campaign)) == 4
    assert campaign.is_exhausted()
    said = " ".join(screen("status", "alloy").out.split())
    assert "ended: at least one of the end members" in said
    assert "matscreen retry alloy" in said


def test_a_search_goes_on_when_its_end_member_is_retried(campaign):
    end_picks(campaign, failing="Au")
    advance(campaign)
    assert campaign.is_converged()
    assert requeue(campaign) == 1
    assert not campaign.is_exhausted()
    end_picks(campaign, failing="Au")
    advance(campaign)
    assert len(states(campaign)) == 4
    assert campaign.is_converged()
    assert requeue(campaign) == 1
    end_picks(campaign)
    advance(campaign)
    assert len(states(campaign)) > 4
