"""Values that depend on other results, as a distance to a hull."""

from __future__ import annotations

import math

import pytest
from hull_objective import ENERGY, HULL
from snapshots import ids, snapshot_of

from screening.campaigns.training_data import training_data
from screening.ranking.build import rank, ranking
from screening.ranking.cache import cached_ranking
from screening.results.result import Result
from screening.targets.objectives import OBJECTIVES


@pytest.fixture
def hull(toy, monkeypatch):
    monkeypatch.setitem(OBJECTIVES.built_in, "hull", "hull_objective:HULL")


def of_element(symbol, pool=25):
    """Return the ids of the toy crystals whose formula begins with an element's symbol."""
    return [key for key in ids(pool) if key.startswith(symbol)]


def test_values_are_derived_from_all_results(hull):
    one, other = of_element("Ag")[:2]
    third = of_element("Cu")[0]
    energies = {one: {ENERGY: 7.0}, other: {ENERGY: 4.0}, third: {ENERGY: 9.0}}
    snapshot = snapshot_of(pool=25, objective="hull", results=energies)
    values = {row.candidate_id: row.value for row in rank(snapshot, {})}
    assert (values[one], values[other], values[third]) == (4.0, 1.0, 1.0)
    data = training_data(snapshot)
    assert dict(zip(data.ids, data.values, strict=True))[one] == pytest.approx(math.log10(4.0))


def test_a_lower_result_moves_the_others(hull):
    one, other = of_element("Ag")[:2]
    energies = {one: {ENERGY: 7.0}}
    bound = {HULL.value_field: {"max": 3.0}}
    options = {"pool": 25, "objective": "hull", "constraints": bound}
    [alone] = rank(snapshot_of(results=energies, **options), shown=[one])
    assert (alone.value, alone.outcome) == (1.0, "computed")
    energies[other] = {ENERGY: 4.0}
    [beaten] = rank(snapshot_of(results=energies, **options), shown=[one])
    assert (beaten.value, beaten.outcome) == (4.0, "infeasible")
    assert beaten.reason == "above_envelope is 4, above 3"


def test_a_campaign_shows_the_derived_value_everywhere(hull, new_campaign, work):
    campaign = new_campaign(objective="hull", pool=7, budget=2, batch_size=2)
    work(campaign)
    one, other = (pick["candidate_id"] for pick in campaign.picks())
    # As if both were of one system.
    campaign.database.candidates.update_many({}, {"$set": {"formula": "Agx"}})
    energies = {
        stored["candidate_id"]: stored[ENERGY] for stored in campaign.database.results.find()
    }
    expected = {key: 1 + energies[key] - min(energies.values()) for key in (one, other)}
    computed = [row for row in ranking(campaign) if row.outcome == "computed"]
    assert {row.candidate_id: row.value for row in computed} == expected
    for key in (one, other):
        assert campaign.results()[key][HULL.value_field] == expected[key]
        assert Result.of(campaign, key).value == expected[key]
    stored = list(campaign.database.candidates.find({"_id": {"$in": [one, other]}}))
    whole = campaign.whole_results(stored)
    assert {key: result[HULL.value_field] for key, result in whole.items()} == expected
    assert campaign.progress().best_value == 1.0


def test_a_kept_ranking_follows_a_new_result(hull, new_campaign, work):
    campaign = new_campaign(objective="hull", pool=7, budget=1, batch_size=1)
    campaign.database.candidates.update_many({}, {"$set": {"formula": "Agx"}})
    work(campaign)
    [first] = [row for row in cached_ranking(campaign)[0] if row.outcome == "computed"]
    assert first.value == 1.0
    other = new_campaign("other", objective="hull", pool=7, budget=7, batch_size=7)
    campaign.database.candidates.update_many({}, {"$set": {"formula": "Agx"}})
    work(other)
    rows = [row for row in cached_ranking(campaign)[0] if row.outcome == "computed"]
    assert len(rows) == 7
    assert sum(row.value == 1.0 for row in rows) == 1
