"""One campaign, computed once by the real loop, that all views look at."""

from __future__ import annotations

import uuid

import pytest
import toy_objective
from campaign_fixtures import toy_content, toy_pool

from screening.objectives import OBJECTIVES


@pytest.fixture(scope="package")
def computed(server_uri, tmp_path_factory):
    """Nine of 25 crystals, six of them chosen by a model; one unstable, one failed, one
    infeasible, and one that an earlier campaign had computed.  Only to be read.
    """
    from pymongo import MongoClient

    from screening.campaign import Campaign
    from screening.config import CampaignConfig
    from screening.engine_catalog import engine_config
    from screening.store.database import Database
    from screening.worker import work

    name = f"screen_test_{uuid.uuid4().hex[:12]}"
    database = Database(server_uri, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OBJECTIVES, "toy", toy_objective.TOY)
        database.prepare()
        recipe = {"unstable": ["Cu3Pt"], "failing": ["Al"]}
        shared = {"recipe": recipe, "max_attempts": 1}
        earlier = {**shared, "budget": 1, "sampler": {"kind": "random"}, "seed": 5}
        later = {
            **shared,
            "budget": 9,
            "batch_size": 3,
            "sampler": {"kind": "expected-improvement", "initial": 3},
            "constraints": {"kappa_300k_w_per_m_k": {"min": 11}},
        }
        for key, changes in (("earlier", earlier), ("toy-1", later)):
            config = CampaignConfig.model_validate(toy_content(**changes))
            campaign = Campaign.create(database, key, config, engine_config("emt"), toy_pool(25))
            work(database, key, tmp_path_factory.mktemp("jobs"))
        yield campaign
    database.close()
    with MongoClient(server_uri) as client:
        client.drop_database(name)
