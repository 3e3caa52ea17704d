"""A kind of candidates, a source and a target that have no crystals, through all that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from toy_kind import TARGET, WORDS, Word, register

from screening.campaigns.campaign import Campaign
from screening.campaigns.config import load_campaign_config
from screening.campaigns.flows import NotComputable, candidate_workflow, estimate_cost
from screening.candidates.find import find_candidate
from screening.candidates.kinds import from_document, to_document
from screening.intake.ingest import ingest
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.targets.engines import engine_config

KEPT = {"word-apple", "word-sky", "word-queue", "word-strength"}


@pytest.fixture
def target(tmp_path, monkeypatch):
    register(monkeypatch)
    path = tmp_path / "vowels.yaml"
    path.write_text(TARGET)
    return str(path)


@pytest.fixture
def config(target):
    return load_campaign_config(target, {})


@pytest.fixture
def pool(config, database):
    sources = [open_source(spec) for spec in config.sources]
    refuse = NotComputable(config, engine_config(config.engine))
    return ingest(sources, config.kind(), config.filters, database, refuse)


def test_the_filters_of_a_campaign_are_those_of_the_kind(target, config):
    assert config.kind() is WORDS
    assert config.filters.model_dump(exclude_unset=True) == {"max_letters": 8}
    assert config.model_validate(config.model_dump(mode="json")) == config
    content = yaml.safe_load(TARGET) | {"filters": {"max_leters": 3}}
    Path(target).write_text(yaml.safe_dump(content))
    with pytest.raises(ScreenError, match=r"field 'filters.max_leters' .* 'max_letters'"):
        load_campaign_config(target, {})


def test_words_become_a_pool(pool):
    assert set(pool.candidates) == KEPT
    assert pool.duplicates == 1
    assert [entry.reason for entry in pool.refused] == [
        "'short' has not 99 letters",
        "it has 13 letters, more than max_letters = 8",
    ]
    apple = pool.candidates["word-apple"]
    assert isinstance(apple, Word)
    assert [origin.material_id for origin in apple.origins] == ["w-1", "w-5"]
    assert len(apple.features) == 3


def test_a_flow_gets_the_content(pool, config):
    engine = engine_config("emt")
    sky = pool.candidates["word-sky"]
    workflow = candidate_workflow(sky, config, engine, {"campaign": "c", "pick": "c/x"}, 0)
    assert "sky:3" in str(workflow.to_dict())
    assert estimate_cost(sky, config, engine) == 3


def test_a_campaign_of_words_is_created_and_read_back(pool, config, database, toy_crystal):
    database.candidates.insert_one(to_document(toy_crystal))
    campaign = Campaign.create(database, "words", config, engine_config("emt"), pool)
    assert set(campaign.pool_features()) == KEPT
    assert campaign.candidate("word-sky") == pool.candidates["word-sky"]
    assert find_candidate(database, "sky")["_id"] == "word-sky"
    stored = database.candidates.find_one({"_id": toy_crystal.candidate_id})
    # As documents of earlier versions, which do not say what they are.
    del stored["kind"]
    assert to_document(from_document(stored)) == to_document(toy_crystal)


@pytest.fixture
def toy_crystal():
    from campaign_fixtures import toy_candidates

    return toy_candidates()[0]


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        (
            "vowels",
            "phonondb-103",
            "gives candidates of the kind 'crystal', and the target .* words",
        ),
        ("low-kappa", "toy_kind:DICTIONARY:sky:3", "of the kind 'toy_kind:WORDS', .* crystals"),
    ],
)
def test_a_source_of_another_kind_is_refused(screen, target, name, source, said):
    answer = screen("submit", "--target", target if name == "vowels" else name, "--source", source)
    assert answer.status == 2
    assert re.search(said, " ".join(answer.err.split()))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["predict", "--training", "phonondb-103", "--pool"], "the library consists of words"),
        (["predict", "--pool", "phonondb-103", "--training"], "the library consists of crystals"),
        (["replay", "--pool"], "at least two words with values are needed"),
    ],
)
def test_studies_take_any_kind_but_one_at_a_time(screen, command, said):
    answer = screen(*command, "toy_kind:DICTIONARY:sky:3", "--value-key", "year")
    assert answer.status == 2
    assert said in " ".join(answer.err.split())
