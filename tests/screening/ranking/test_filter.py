"""Filters of a ranking, and predictions that are kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.ranking.columns import as_records
from screening.ranking.filter import STORED_FIELDS, check_fields, check_filter


def add(campaign, candidate_id, outcome, value=None, pick_state=None, **pick):
    """Store a result, and a pick of it."""
    database = campaign.database
    number = database.picks.count_documents({"campaign": campaign.name}) + 1
    database.picks.insert_one(
        {
            "_id": f"{campaign.name}/{candidate_id}",
            "campaign": campaign.name,
            "candidate_id": candidate_id,
            "engine": campaign.engine.name,
            "number": number,
            "round": 1,
            "state": pick_state or outcome,
            **pick,
        }
    )
    if outcome in ("computed", "unstable"):
        candidate = campaign.candidate(candidate_id)
        database.results.insert_one(
            {
                **campaign.result_key(),
                "candidate_id": candidate_id,
                "outcome": outcome,
                "kappa_300k_w_per_m_k": value,
                "kappa_300k_error_w_per_m_k": 0.1,
                "engine": "emt",
                "formula": candidate.formula,
                "elements": candidate.elements,
                "n_sites": candidate.n_sites,
                "gruneisen_rms": value,
            }
        )


@pytest.fixture
def campaign(new_campaign):
    """Of ten candidates three are computed, one is unstable, one failed, one queued."""
    campaign = new_campaign(pool=10, budget=8)
    ids = sorted(campaign.pool_features())
    for key, value in zip(ids, (30.0, 3.0, 10.0), strict=False):
        add(campaign, key, "computed", value, predicted_mean=1.0, predicted_std=0.2)
    add(campaign, ids[3], "unstable")
    add(campaign, ids[4], "failed")
    add(campaign, ids[5], "queued")
    return campaign


def records(campaign, where=None):
    return as_records(ranking(campaign, where), campaign.objective)


def test_predictions_are_kept_until_the_data_change(campaign, monkeypatch):
    first = records(campaign)

    def unexpected(*arguments):
        raise AssertionError("fitted again")

    monkeypatch.setattr("screening.choosing.prediction.fit_predict", unexpected)
    assert records(campaign) == first
    add(campaign, sorted(campaign.pool_features())[6], "computed", 4.0)
    with pytest.raises(AssertionError, match="fitted again"):
        records(campaign)


# ------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("where", "outcomes"),
    [
        ({}, {"computed": 3, "predicted": 5, "unstable": 1, "failed": 1}),
        ({"kappa_300k_w_per_m_k": {"$lt": 20}}, {"computed": 2}),
        ({"gruneisen_rms": {"$gt": 5}, "n_sites": {"$gte": 1}}, {"computed": 2}),
        ({"outcome": "unstable"}, {"unstable": 1}),
        (
            {"$or": [{"outcome": "unstable"}, {"kappa_300k_w_per_m_k": 3.0}]},
            {"computed": 1, "unstable": 1},
        ),
        ({"formula": "nothing"}, {}),
    ],
)
def test_filters_on_fields_of_results(campaign, where, outcomes):
    rows = records(campaign, where)
    assert {each: [r["outcome"] for r in rows].count(each) for each in outcomes} == outcomes
    assert len(rows) == sum(outcomes.values())
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"n_sites": 1, "gruneisen_rms": {"$exists": False}, "outcome": "x"},
        {"origins.material_id": "toy-Cu"},
        {"third_order_route": "random-pairs"},  # of results, though none here has it
        {"$or": [{"costs.step": "x"}, {"$nor": [{"engine": "emt"}]}]},
        {"of_another_version": 1},
    ],
)
def test_fields_that_a_document_can_have_are_known(campaign, where):
    campaign.database.results.update_one({}, {"$set": {"of_another_version": 1}})
    check_fields(campaign, where)


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ({"spacegroup": 225}, ["'spacegroup' is unknown", "'space_group_number'"]),
        ({"$or": [{"gruneisen": 1}]}, ["'gruneisen' is unknown", "'gruneisen_rms'"]),
        ({"$and": [{"formula": 1, "zzz": 2}]}, ["'zzz' is unknown", "docs/data-model.md"]),
        ({"material_id": "toy-Cu"}, ["did you mean 'origins.material_id'?"]),
        ({"band_gap_ev": 1}, ["did you mean 'origins.properties.band_gap_ev'?"]),
    ],
)
def test_fields_that_no_document_can_have_are_refused(campaign, where, parts):
    stated = {"origins.0.properties.band_gap_ev": 1.0}
    campaign.database.candidates.update_one({}, {"$set": stated})
    with pytest.raises(ScreenError) as refused:
        check_fields(campaign, where)
    assert all(part in str(refused.value) for part in parts)


def test_what_is_added_to_stored_documents_is_known(new_campaign, work):
    from screening.candidates.crystal import Crystal
    from workflows.documents import ThermalConductivityDocument

    campaign = new_campaign(pool=1, budget=1)
    work(campaign)
    known = STORED_FIELDS | Crystal.model_fields.keys()
    assert set(campaign.database.candidates.find_one()) <= known
    assert set(campaign.database.results.find_one()) <= (
        known | ThermalConductivityDocument.model_fields.keys()
    )


def test_filters_on_fields_of_crystals(campaign):
    with_silver = records(campaign, {"elements": "Ag"})
    assert with_silver
    assert all("Ag" in row["formula"] for row in with_silver)
    assert {row["outcome"] for row in with_silver} >= {"computed", "predicted"}
    assert len(records(campaign, {"n_sites": 1})) == 7
    assert len(records(campaign, {"elements": {"$nin": ["Ag"]}})) == 10 - len(with_silver)


@pytest.mark.parametrize(
    "where",
    [
        {"$where": "sleep(10000)"},
        {"$and": [{"elements": "Na"}, {"$where": "1"}]},
        {"$expr": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}},
        {"a": {"$not": {"$elemMatch": {"$where": "1"}}}},
        {"$or": [{"$nor": [{"b": {"$accumulator": {}}}]}]},
        {"$expr": {"$gt": ["$n_sites", 1]}},
        {"n_sites": {"$in": [{"$function": {}}]}},
        {"$jsonSchema": {}},
        {"$text": {"$search": "x"}},
        {"a": {"$nonsense": 1}},
    ],
)
def test_filters_that_run_code_are_refused(campaign, where):
    with pytest.raises(
        ScreenError, match=r"--where: operator '\$\w+' is not allowed: .* allowed: \$all,"
    ):
        check_filter(where)
    with pytest.raises(
        ScreenError, match=r"--where: operator '\$\w+' is not allowed: .* allowed: \$all,"
    ):
        ranking(campaign, where)


def test_operators_that_compare_are_taken(campaign):
    """All that are allowed at once; the database knows them too."""
    where = {
        "$and": [{"n_sites": {"$gte": 1, "$gt": 0, "$lt": 99, "$lte": 99, "$ne": 7}}],
        "$or": [{"formula": {"$regex": "^[a-z]", "$options": "i"}}, {"formula": {"$eq": "x"}}],
        "$nor": [{"formula": {"$in": ["x"]}}],
        "elements": {"$exists": True, "$type": "array", "$nin": ["Xx"]},
        "n_sites": {"$not": {"$mod": [1, 5]}},
        "origins": {"$elemMatch": {"source": "toy"}, "$size": 1},
    }
    assert len(records(campaign, where)) == 6  # results, of which there are four, hold no origins
    assert records(campaign, {"elements": {"$all": ["Ag"]}}) == records(
        campaign, {"elements": "Ag"}
    )


@pytest.mark.parametrize(
    "where",
    [
        {"n_sites": {"$gtt": 3}},
        {"$nonsense": 1},
        {"$or": {"a": 1}},
        {"formula": {"$regex": "("}},
        {"n_sites": 10**30},
        {"a\0b": 1},
    ],
)
def test_filters_mongodb_cannot_use_are_explained(campaign, where):
    with pytest.raises(ScreenError, match="--where: "):
        ranking(campaign, where)


# ------------------------------------------------------------------------------------- imports


def test_a_ranking_without_predictions_loads_nothing_heavy(server_uri, database_name, new_campaign):
    campaign = new_campaign(pool=3)
    campaign.database.campaigns.update_one(
        {}, {"$set": {"config.objective": "lattice-thermal-conductivity", "config.recipe": {}}}
    )
    code = (
        "import sys\n"
        f"sys.argv = ['screen', 'rank', '{campaign.name}', '--format', 'json']\n"
        "from screening.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('\\n', *sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"SCREEN_MONGODB_URI": server_uri, "SCREEN_DATABASE": database_name},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    loaded = {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()}
    heavy = {"torch", "phonopy", "phono3py", "atomate2", "jobflow", "fireworks"}
    heavy |= {"pymatgen", "sklearn", "skopt", "scipy", "ase"}
    assert loaded & heavy == set()


def test_rank_shows_the_chance_to_beat_a_bound(campaign, screen):
    bound = next(row for row in ranking(campaign) if row.outcome == "predicted").predicted_value
    shown = screen("rank", campaign.name, "--predicted", "--bound", bound)
    assert "P(toy" in shown.out
    assert "computed  " not in shown.out
    assert screen("rank", campaign.name, "--bound", 1).status == 2
    assert "is above 0, not -1" in screen("rank", campaign.name, "--predicted", "--bound", -1).err
