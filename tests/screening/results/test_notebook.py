"""A campaign in a notebook: tables, results, what it says of mistakes, and the tutorial itself."""

from __future__ import annotations

import json
import re

import pytest
from notebooks import said_by

from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.results.notebook_api import Campaign


@pytest.fixture
def campaign(at_silicon):
    with Campaign.open("recorded-1") as campaign:
        yield campaign


def test_the_package_exports_it():
    # That `import screening` stays light is a rule of test_architecture.
    import screening

    assert screening.Campaign is Campaign
    assert "Campaign" in dir(screening)
    with pytest.raises(AttributeError, match="no attribute 'Campain'"):
        _ = screening.Campain


def test_the_ranking_is_that_of_the_command(campaign, screen, at_silicon, monkeypatch):
    monkeypatch.setenv("SCREEN_DATABASE", at_silicon.database.name)
    rows = json.loads(screen("rank", "recorded-1", "--format", "json").out)
    table = campaign.ranking()
    assert list(table.columns) == list(rows[0])
    assert list(table["candidate_id"]) == [row["candidate_id"] for row in rows]
    assert table[campaign.value_field][0] == rows[0]["kappa_300k_w_per_m_k"]


def test_tables_can_be_narrowed(campaign):
    assert list(campaign.ranking(outcome="computed")["formula"]) == ["Si"]
    assert list(campaign.ranking(outcome="unstable")["formula"]) == ["Ge"]
    assert len(campaign.ranking(top=2)) == 2
    assert list(campaign.ranking(where={"elements": "Ga"})["formula"]) == ["GaAs"]
    empty = campaign.ranking(outcome="failed")
    assert empty.empty
    assert campaign.value_field in empty.columns
    # One value is too little for a model.
    assert campaign.predictions().empty


def test_picks_have_their_results(campaign):
    picks = campaign.picks()
    assert list(picks["state"]) == ["computed", "unstable"]
    value = campaign.result("Si").value
    assert picks[campaign.value_field][0] == pytest.approx(value)
    assert campaign.progress.computed == 1


def test_crystals_go_by_any_of_their_names(campaign):
    by_formula = campaign.result("Si")
    assert campaign.result("mp-Si").candidate_id == by_formula.candidate_id
    assert campaign.result(by_formula.candidate_id).value == by_formula.value
    assert campaign.structure("GaAs").reduced_formula == "GaAs"


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda c: c.result("GaAz"), "candidate 'GaAz': unknown; did you mean 'GaAs'?"),
        (lambda c: c.result("GaAs"), "has no result of it"),
        (lambda c: c.ranking(outcome="good"), "outcome 'good': unknown; known: computed"),
        (lambda c: c.ranking(top=0), "top: must be at least 1"),
        (lambda c: Campaign.open("recorded"), "'recorded': unknown; did you mean 'recorded-1'?"),
    ],
)
def test_mistakes_are_named(campaign, mistake, said):
    with pytest.raises(ScreenError, match=re.escape(said)):
        mistake(campaign)


def test_the_embedded_database_is_opened_and_left(tmp_path, toy):
    pytest.importorskip("secantus")
    from campaign_fixtures import toy_content, toy_pool

    from screening.campaigns.campaign import Campaign as StoredCampaign
    from screening.campaigns.config import CampaignConfig
    from screening.store.database import open_database
    from screening.targets.engines import engine_config

    settings = Settings(directory=tmp_path / "database")
    with pytest.raises(ScreenError, match="no campaign in"):
        Campaign.open("toy-1", settings)
    with open_database(settings) as database:
        config = CampaignConfig.model_validate(toy_content())
        StoredCampaign.create(database, "toy-1", config, engine_config("emt"), toy_pool(3))
        with Campaign.open(None, settings) as campaign:
            assert campaign.name == "toy-1"
            assert len(campaign.ranking()) == 3
        # Who came first still has the server.
        assert database.campaigns.count_documents({}) == 1


@pytest.mark.slow
def test_the_tutorial_runs(at_silicon, tmp_path):
    said = said_by("notebook.ipynb", tmp_path, 300)
    assert "1 with a value" in said
    assert "Si: (" in said
    # Dulong and Petit: 2 atoms times 3 R is 49.9 J/K/mol.
    [line] = [line for line in said.splitlines() if line.startswith("heat capacity")]
    assert 35 < float(line.split(": ")[1].split()[0]) < 49.9
    assert "κ(600 K) on 5×5×5" in said
