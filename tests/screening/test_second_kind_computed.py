"""A campaign of words, submitted and computed as any other, and all that can be asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import re
from io import StringIO

import pytest
from campaign_fixtures import new_database_name
from toy_kind import TARGET, register

from screening.campaigns.campaign import Campaign
from screening.campaigns.indexes import indexes
from screening.messages.errors import ScreenError
from screening.results.notebook_api import Campaign as Notebook
from screening.store.database import Database

KEPT = ["word-apple", "word-queue", "word-sky", "word-strength"]
VOWELS = {"word-apple": 0.4, "word-queue": 0.8, "word-sky": 0.0, "word-strength": 0.125}
COLUMNS = ["rank", "candidate_id", "material_id", "text", "n_letters", "outcome", "vowel_fraction"]


@pytest.fixture(scope="module")
def database_name(mongo):
    """One database for all tests here: the campaign is computed once, and only read."""
    with new_database_name(mongo) as name:
        yield name


@pytest.fixture(scope="module")
def database(server_uri, database_name):
    with contextlib.closing(Database(server_uri, database_name)) as database:
        database.prepare(indexes())
        yield database


@pytest.fixture
def campaign(screen, database, work, tmp_path, monkeypatch):
    """Three of four words are computed; the last one is predicted."""
    register(monkeypatch)
    if database.campaigns.find_one({"_id": "words"}) is None:
        target = tmp_path / "vowels.yaml"
        target.write_text(TARGET)
        submitted = screen("submit", "--target", target, "--name", "words")
        assert submitted.status == 0, submitted.err
        assert "7 entries read, 4 candidates, 1 duplicate, 2 refused" in submitted.err
        work(Campaign.open(database, "words"))
    return Campaign.open(database, "words")


@pytest.fixture
def says(screen, campaign):
    """Run a command that succeeds, and return what it prints."""

    def says(*arguments):
        answer = screen(*arguments)
        assert answer.status == 0, answer.err
        return answer.out

    return says


@pytest.fixture
def predicted(campaign):
    """The word that is left."""
    [candidate_id] = set(KEPT) - campaign.results().keys()
    return candidate_id


@pytest.fixture
def computed(predicted):
    return next(candidate_id for candidate_id in KEPT if candidate_id != predicted)


def test_words_are_picked_computed_and_stored(campaign, database, predicted):
    picks = list(database.picks.find({"campaign": "words"}, sort=[("number", 1)]))
    assert [pick["state"] for pick in picks] == ["computed"] * 3
    assert [pick["fitted_on"] for pick in picks] == [0, 0, 2]
    for result in database.results.find():
        word = campaign.candidate(result["candidate_id"])
        assert result["vowel_fraction"] == VOWELS[word.candidate_id]
        assert result["n_letters"] == word.n_letters
        assert result["cost"] == word.n_letters
        assert {"formula", "structure", "elements", "n_sites"}.isdisjoint(result)


def test_the_ranking_has_the_facts_of_words(says, predicted):
    rows = json.loads(says("rank", "words", "--format", "json"))
    assert list(rows[0])[: len(COLUMNS)] == COLUMNS
    assert {row["candidate_id"] for row in rows} == set(KEPT)
    for row in rows:
        word = row["candidate_id"].removeprefix("word-")
        assert (row["text"], row["n_letters"]) == (word, len(word))
        if row["candidate_id"] == predicted:
            assert row["outcome"] == "predicted"
            assert isinstance(row["predicted_vowel_fraction"], float)
        else:
            assert row["vowel_fraction"] == VOWELS[row["candidate_id"]]
    values = [row["vowel_fraction"] for row in rows if row["vowel_fraction"] is not None]
    assert values == sorted(values)
    table = list(csv.DictReader(StringIO(says("rank", "words", "--format", "csv"))))
    assert list(table[0]) == list(rows[0])
    assert predicted in says("rank", "words")


def test_rankings_are_filtered_by_fields_of_words(says, screen):
    rows = json.loads(says("rank", "words", "--where", '{"n_letters": 3}', "--format", "json"))
    assert [row["text"] for row in rows] == ["sky"]
    answer = screen("rank", "words", "--where", '{"n_leters": 3}')
    assert answer.status == 2
    assert "did you mean 'n_letters'?" in " ".join(answer.err.split())


def test_what_is_left_is_predicted(says, predicted):
    [row] = json.loads(says("rank", "words", "--predicted", "--format", "json"))
    assert row["candidate_id"] == predicted


def test_a_word_is_shown(says, screen, campaign, computed, predicted):
    word = computed.removeprefix("word-")
    shown = says("show", word)
    assert f"{computed}: {word}, {len(word)} letters; from w-" in shown
    assert re.search(rf"^vowels = {VOWELS[computed]:g}\d*, emt$", shown, re.M)
    assert "predicted vowels = " in says("show", predicted)
    answer = screen("show", f"{word}s")
    assert answer.status == 2
    assert f"did you mean '{word}'" in " ".join(answer.err.split())


def test_the_status_of_a_campaign_of_words(says):
    table = says("status", "words")
    content = json.loads(says("status", "words", "--format", "json"))
    assert (content["pool"], content["computed"]) == (4, 3)
    best = content["best_candidate_id"]
    assert content["best_vowel_fraction"] == VOWELS[best]
    assert f"{VOWELS[best]:.3g} ({best})" in table


def test_words_leave_as_tables(says, tmp_path):
    says("export", "words", "--as", "csv", "-o", "words.csv")
    rows = list(csv.DictReader(StringIO((tmp_path / "words.csv").read_text("utf-8"))))
    assert list(rows[0])[: len(COLUMNS)] == COLUMNS
    assert {row["candidate_id"] for row in rows} == set(KEPT)
    dictionary = json.loads((tmp_path / "words.csv.dictionary.json").read_text("utf-8"))
    meanings = {column["name"]: column["meaning"] for column in dictionary["columns"]}
    assert meanings["n_letters"] == "letters"
    assert meanings["vowel_fraction"] == "Vowels over all letters."
    assert meanings["first_vowel"] == "The one that comes first, empty where there is none."


def test_words_have_no_structures_to_leave_as(screen, campaign, tmp_path):
    for form in ("cif", "extxyz", "optimade", "phono3py"):
        answer = screen("export", "words", "--as", form, "-o", "words")
        assert (answer.status, answer.out) == (2, "")
        [line] = [line for line in answer.err.splitlines() if line]
        assert line == (
            f"error: --as {form}: writes candidates of kind crystal; campaign 'words' has "
            "candidates of kind toy_kind:WORDS, which --as csv can write"
        )
        assert not (tmp_path / "words").exists()


def test_a_notebook_reads_words(campaign, computed, predicted):
    word = computed.removeprefix("word-")
    with Notebook.open("words") as words:
        ranking = words.ranking()
        assert list(ranking.columns)[: len(COLUMNS)] == COLUMNS
        assert set(words.picks()["candidate_id"]) == set(KEPT) - {predicted}
        assert list(words.predictions()["text"]) == [predicted.removeprefix("word-")]
        assert words.content(word) == f"{word}:{len(word)}"
        result = words.result(word)
        assert (result.value, result.error) == (VOWELS[computed], None)
        with pytest.raises(ScreenError, match="has words, which have no structure"):
            words.structure(word)
        for missing in ("formula", "structure", "spectrum"):
            with pytest.raises(ScreenError, match=f"that has no {missing}"):
                getattr(result, missing)


def test_a_report_of_words(says, campaign, tmp_path):
    from screening.pages.report import documents_of

    documents = documents_of(campaign)
    objective = documents.overview.objective
    assert (objective.label.field, objective.elements) == ("text", False)
    assert [fact.field for fact in objective.facts] == ["n_letters"]
    assert {row.label for row in documents.rows} == {"apple", "queue", "sky", "strength"}
    assert all(row.facts == {"n_letters": len(row.label)} for row in documents.rows)
    assert {"progress", "map"} <= documents.figures.keys()
    says("report", "words")
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_figures_of_words(says, tmp_path):
    for kind in ("progress", "map"):
        says("plot", "words", "--kind", kind, "-o", f"{kind}.svg")
        assert "<svg" in (tmp_path / f"{kind}.svg").read_text("utf-8")


def test_the_server_tells_of_words(campaign, database, computed, predicted):
    from screening.server.app import dashboard

    app = dashboard(database, loopback=True, token=None)
    base = "/api/v1/campaigns"
    assert [line["name"] for line in asked(app, base)] == ["words"]
    assert asked(app, f"{base}/words")["best_value"] in VOWELS.values()
    page = asked(app, f"{base}/words/ranking", "search=sky,")
    assert page["total"] == 0
    page = asked(app, f"{base}/words/ranking", "sort=n_letters&search=word-")
    assert [row["label"] for row in page["rows"]] == sorted(
        (row["label"] for row in page["rows"]), key=len
    )
    assert len(page["rows"]) == 4
    for figure in asked(app, f"{base}/words")["figures"]:
        assert asked(app, f"{base}/words/figures/{figure['name']}")
    candidate = asked(app, f"{base}/words/candidates/{computed}")
    assert candidate["picture"] is None
    assert candidate["facts"][0]["value"] == VOWELS[computed]
    assert asked(app, f"{base}/words/candidates/{predicted}")["row"]["outcome"] == "predicted"


def asked(app, path, query=""):
    """Return what the server answers, without a socket."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    assert sent[0]["status"] == 200, body
    return json.loads(body)
