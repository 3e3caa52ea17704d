"""Commands: exit status, what goes to stdout and to stderr, what reaches the database."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pymongo
import pytest
import yaml
from campaign_fixtures import TOY_PATH, toy_content, toy_structures, write_cifs
from toy_flow import diary

SECRET = "sw0rdf1sh"
CRYSTALS = 6


@pytest.fixture
def crystals(tmp_path):
    return write_cifs(tmp_path / "crystals", CRYSTALS)


@pytest.fixture
def target(tmp_path, crystals):
    """Write a campaign YAML; return its path."""

    def target(**changes) -> str:
        path = tmp_path / "toy.yaml"
        content = toy_content(**({"sources": [str(crystals)]} | changes))
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return target


def documents(database) -> int:
    """Return how many documents the whole database holds.

    What was read of sources is left out, and FireWorks' counters, which all tests share.
    """
    base = database._client[database.name]
    names = set(base.list_collection_names()) - {"parsed_entries", "fw_id_assigner"}
    return sum(base[name].count_documents({}) for name in names)


def one_sentence(answer, *parts: str) -> None:
    """Check that the command was refused in one line that names the thing."""
    assert answer.status == 2, answer
    assert answer.out == ""
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in answer.err
    assert SECRET not in answer.err
    for part in parts:
        assert part in last


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--target", "no-such"], ["target 'no-such'", "unknown", "low-kappa"]),
        (["--target", "low-kappa", "--engine", "vasppp"], ["engine 'vasppp'", "known: chgnet"]),
        (["--target", "low-kappa", "--budget", 0], ["--budget must be greater than 0"]),
        (["--target", "low-kappa", "--batch-size", -1], ["--batch-size"]),
        (["--target", "low-kappa", "--seed", -1], ["--seed"]),
        (
            ["--target", "low-kappa", "--engine", "emt", "--source", "nowhere"],
            ["source 'nowhere'", "phonondb-103"],
        ),
        (
            ["--target", "low-kappa", "--engine", "emt", "--source", "empty"],
            ["source 'empty'", "no structure file"],
        ),
        (["--target", "low-kappa", "--engine", "emt", "--name", "a/b"], ["name 'a/b'", "letters"]),
    ],
)
def test_submit_refuses_what_it_cannot_do_and_writes_nothing(
    screen, database, tmp_path, arguments, parts
):
    (tmp_path / "empty").mkdir()
    one_sentence(screen("submit", *arguments), *parts)
    assert documents(database) == 0
    assert not (tmp_path / ".screen").exists()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"budgett": 3}, ["toy.yaml", "'budgett'", "did you mean 'budget'?"]),
        ({"recipe": {"step": 3}}, ["toy.yaml", "recipe", "did you mean 'steps'?"]),
        ({"objective": "taste"}, ["'taste'", "lattice-thermal-conductivity"]),
    ],
)
def test_submit_refuses_a_wrong_file_and_writes_nothing(screen, database, target, changes, parts):
    one_sentence(screen("submit", "--target", target(**changes)), *parts)
    assert documents(database) == 0


def test_submit_refuses_what_is_no_yaml(screen, database, tmp_path):
    (tmp_path / "bad.yaml").write_text("budget: [1,\n")
    one_sentence(screen("submit", "--target", "bad.yaml"), "bad.yaml", "no valid YAML")
    assert documents(database) == 0


def test_an_option_typer_refuses_is_exit_status_2(screen):
    for arguments in (["submit"], ["submit", "--target", "x", "--budget", "many"], ["nonsense"]):
        answer = screen(*arguments)
        assert (answer.status, answer.out) == (2, "")
        assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("SCREEN_WORKERS", "0"), ("SCREEN_WORKERS", "many"), ("SCREEN_DATABASE", "")],
)
def test_a_wrong_setting_of_the_machine_is_named(screen, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    one_sentence(screen("status"), name)


@pytest.mark.parametrize("database_name", ["a b", "a/b", "a.b", "$x", "x" * 70])
def test_an_impossible_database_name_is_refused(screen, monkeypatch, database_name):
    one_sentence(screen("status"), "SCREEN_DATABASE")


def test_a_server_that_does_not_answer(screen, target, monkeypatch):
    monkeypatch.setenv("SCREEN_MONGODB_URI", f"mongodb://user:{SECRET}@127.0.0.1:1/")
    client = pymongo.MongoClient
    asked = []

    def impatient(uri, serverSelectionTimeoutMS, **options):  # noqa: N803 - pymongo's name
        asked.append(serverSelectionTimeoutMS)
        return client(uri, serverSelectionTimeoutMS=200, **options)

    monkeypatch.setattr(pymongo, "MongoClient", impatient)
    answer = screen("submit", "--target", target())
    one_sentence(answer, "127.0.0.1:1", "SCREEN_MONGODB_URI")
    # By itself pymongo would wait for half a minute.
    assert asked == [10_000]


@pytest.mark.parametrize(
    "uri", [f"mongodb://user:{SECRET}@", f"mongodb://us:er:{SECRET}@host/", f"http://{SECRET}"]
)
def test_a_malformed_address(screen, target, monkeypatch, uri):
    monkeypatch.setenv("SCREEN_MONGODB_URI", uri)
    one_sentence(screen("submit", "--target", target()), "SCREEN_MONGODB_URI")


def test_a_name_that_dns_does_not_know(screen, target, monkeypatch):
    from dns import resolver

    nobody = resolver.Resolver(configure=False)
    nobody.nameservers, nobody.port = ["127.0.0.1"], 1
    monkeypatch.setattr(resolver, "default_resolver", nobody)
    uri = f"mongodb+srv://user:{SECRET}@cluster.example.invalid/?connectTimeoutMS=500"
    monkeypatch.setenv("SCREEN_MONGODB_URI", uri)
    answer = screen("submit", "--target", target())
    one_sentence(answer, "SCREEN_MONGODB_URI: DNS gives no servers for 'cluster.example.invalid'")
    assert "connection string" not in answer.err
    # Not a matter of DNS.
    monkeypatch.setenv("SCREEN_MONGODB_URI", f"mongodb+srv://user:{SECRET}@a.b.c:27017/")
    one_sentence(screen("submit", "--target", target()), "one name and no port")


def test_the_folder_of_the_machine_knows_the_home(screen, monkeypatch, tmp_path):
    monkeypatch.delenv("SCREEN_MONGODB_URI")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("~/x", "$HOME/x", "${HOME}/x"):
        monkeypatch.setenv("SCREEN_DIRECTORY", value)
        one_sentence(screen("status"), f"no campaign in {tmp_path}/home/x; start one")
    for value, said in {
        "$NO_HOME/x": "$NO_HOME in its path is not set",
        "~no-such-user/x": "'~no-such-user' names no user of this machine",
        " ": "is empty; give a path",
    }.items():
        monkeypatch.setenv("SCREEN_DIRECTORY", value)
        one_sentence(screen("status"), f"environment variable SCREEN_DIRECTORY: {said}")
    monkeypatch.delenv("SCREEN_DIRECTORY")
    monkeypatch.setenv("SCREEN_MONGODB_URI_FILE", "~/address")
    one_sentence(screen("status"), f"{tmp_path}/home/address cannot be read")
    assert list(tmp_path.iterdir()) == []


def test_duplicates_and_what_was_not_looked_at_are_kept(screen, database, target, crystals):
    (crystals / "notes.pdf").write_text("x")
    first = sorted(crystals.glob("*.cif"))[0]
    (crystals / "again.cif").write_bytes(b"\xef\xbb\xbf" + first.read_bytes())
    (crystals / "bad.cif").write_text("x")
    taken = len(list(crystals.glob("*.cif"))) - 2
    said = screen("submit", "--target", target(), "--name", "mine").err
    assert f"{taken + 2} entries read, {taken} candidates, 1 duplicate, 1 refused" in said
    remark = "1 file not looked at, of a kind that is not read: notes.pdf"
    assert remark in said
    entries = json.loads(screen("status", "mine", "--format", "json").out)["entries"]
    assert remark in entries.pop("remarks")[0]
    assert entries == {"taken": taken, "duplicates": 1, "refused": 1}


def test_crystals_that_cannot_be_read_are_told_and_left_out(screen, database, target, crystals):
    gold = (crystals / "Au.cif").read_text()
    (crystals / "truncated.cif").write_text(gold[: gold.index("_atom_site_occ")])
    (crystals / "disordered.cif").write_text(
        gold.replace("1.0000\n", "1\n").replace("  1\n", "  0.5\n")
    )
    (crystals / "noise.cif").write_bytes(os.urandom(300))
    answer = screen("submit", "--target", target(), "--name", "mine")
    assert (answer.status, answer.out) == (0, "")
    for name in ("truncated.cif", "disordered.cif", "noise.cif"):
        [line] = [line for line in answer.err.splitlines() if name in line]
        assert "refused" in line
    assert database.candidates.count_documents({"campaigns": "mine"}) == CRYSTALS
    kept = database.campaigns.find_one()["ingested"]
    assert (kept["taken"], kept["refused"]) == (CRYSTALS, 3)
    assert {each["material_id"] for each in kept["refusals"]} == {
        "truncated.cif",
        "disordered.cif",
        "noise.cif",
    }


def test_a_folder_of_nothing_usable_is_refused(screen, database, target, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.cif").write_text("data_a\n_cell_length_a 3\n")
    answer = screen("submit", "--target", target(sources=[str(tmp_path / "bad")]))
    one_sentence(answer, "no candidate is left of 1 entry;")
    assert "a.cif" in answer.err
    assert documents(database) == 0


def test_a_name_that_is_taken(screen, database, target):
    assert screen("submit", "--target", target(), "--name", "mine").status == 0
    before = documents(database)
    one_sentence(screen("submit", "--target", target(), "--name", "mine"), "'mine' exists already")
    assert documents(database) == before


def test_a_dry_run_writes_nothing(screen, database, target):
    answer = screen("submit", "--target", target(), "--dry-run")
    assert (answer.status, answer.out) == (0, "")
    assert "6 entries read, 6 candidates, 0 duplicates, 0 refused" in answer.err
    assert "4 of 6 candidates will be computed with emt, 2 at a time (budget 4)" in answer.err
    assert "nothing was submitted" in answer.err
    assert documents(database) == 0


def test_submit_names_the_engine_that_confirms(screen, database, target, tmp_path):
    better = tmp_path / "better.yaml"
    better.write_text(
        "name: better\nkind: ase\ncalculator: ase.calculators.emt.EMT\nfidelity: 20\n"
    )
    arguments = ("submit", "--target", target(), "--dry-run")
    answer = screen(*arguments, "--confirm", str(better), "--top", "3")
    assert answer.status == 0
    assert "with emt and the best 3 with" in answer.err
    answer = screen(*arguments, "--confirm", str(better))
    assert "with emt and the best 5 with" in answer.err
    answer = screen(*arguments, "--top", "3")
    assert answer.status == 2
    assert "--top is how many candidates --confirm computes again" in answer.err
    answer = screen(*arguments, "--confirm", "emt")
    assert answer.status == 2


# -------------------------------------------------------------------------------- a whole life


def test_the_life_of_a_campaign(screen, database, target, work, tmp_path):
    from screening.campaigns.campaign import Campaign

    recipe = {"folder": str(tmp_path), "failing_once": ["Au"]}
    answer = screen(
        "submit",
        "--target",
        target(max_attempts=1, recipe=recipe),
        "--name",
        "mine",
        "--budget",
        99,
        "--batch-size",
        3,
        "--seed",
        5,
    )
    assert (answer.status, answer.out) == (0, "")
    assert "matscreen work mine" in answer.err
    campaign = Campaign.open(database, "mine")
    assert (campaign.config.budget, campaign.config.batch_size, campaign.config.seed) == (99, 3, 5)
    progress = status(screen)
    assert (progress["campaign"], progress["pool"], progress["queued"]) == ("mine", CRYSTALS, 3)

    assert screen("pause", "mine").status == 0
    one_sentence(screen("work", "mine"), "is paused", "matscreen resume mine")
    assert screen("resume", "mine").status == 0
    work(campaign)
    progress = status(screen)
    assert progress["finished"]
    assert (progress["computed"], progress["failed"], progress["picked"]) == (5, 1, 6)

    one_sentence(screen("retry", "mine", "Cu-nothing"), "'Cu-nothing': unknown")
    not_failed = "has not failed in campaign 'mine' (state: computed)"
    one_sentence(screen("retry", "mine", "Cu"), "candidate 'Cu-225-", not_failed)
    answer = screen("retry", "mine", "Au")
    assert (answer.status, answer.out) == (0, "")
    assert "1 candidate queued again" in answer.err
    work(campaign)
    one_sentence(screen("retry", "mine"), "nothing to retry")
    progress = status(screen)
    assert (progress["computed"], progress["failed"]) == (CRYSTALS, 0)
    assert progress["best_kappa_300k_w_per_m_k"] > 0
    # The pool is smaller than the budget: the campaign is over all the same.
    assert screen("work", "mine", "--workers", 1).status == 0
    assert diary(tmp_path).total() == 7 + 6

    assert screen("cancel", "mine").status == 0
    one_sentence(screen("resume", "mine"), "'mine' is cancelled", "final")
    one_sentence(screen("work", "mine"), "is cancelled")
    assert status(screen)["computed"] == CRYSTALS
    check_outputs(screen, database)


def check_outputs(screen, database):
    """Every result is alone on stdout, in the form that was asked for."""
    ranked = json.loads(screen("rank", "mine", "--format", "json").out)
    assert [row["rank"] for row in ranked] == list(range(1, CRYSTALS + 1))
    rows = list(csv.DictReader(io.StringIO(screen("rank", "--format", "csv").out)))
    assert [row["candidate_id"] for row in rows] == [row["candidate_id"] for row in ranked]
    assert list(rows[0]) == list(ranked[0])
    for arguments in (["rank"], ["status"], ["show", "Cu"]):
        answer = screen(*arguments)
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.strip()
    assert len(json.loads(screen("rank", "--top", 2, "--format", "json").out)) == 2
    where = json.dumps({"elements": "Cu"})
    [copper] = json.loads(screen("rank", "--where", where, "--format", "json").out)
    assert copper["formula"] == "Cu"
    for key in (copper["candidate_id"], copper["material_id"], "Cu"):
        shown = json.loads(screen("show", key, "--format", "json").out)
        assert shown["candidate"]["_id"] == copper["candidate_id"]
        assert [pick["campaign"] for pick in shown["picks"]] == ["mine"]
        assert shown["results"][0]["kappa_300k_w_per_m_k"] == copper["kappa_300k_w_per_m_k"]


def status(screen):
    answer = screen("status", "--format", "json")
    assert (answer.status, answer.err) == (0, "")
    return json.loads(answer.out)


@pytest.mark.parametrize(
    ("budget", "plan"),
    [
        (2, "2 of 6 candidates with a result from earlier campaigns; 4 of the other 4 will be"),
        (6, "6 of 6 candidates with a result from earlier campaigns; nothing is left to compute"),
    ],
)
def test_what_earlier_campaigns_computed_is_not_computed_again(
    screen, database, target, work, budget, plan
):
    from screening.campaigns.campaign import Campaign

    screen("submit", "--target", target(), "--name", "first", "--budget", budget)
    work(Campaign.open(database, "first"))
    assert plan in screen("submit", "--target", target(), "--dry-run").err
    answer = screen("submit", "--target", target(), "--name", "second")
    assert (answer.status, answer.out) == (0, "")
    assert f"campaign 'second': {plan}" in answer.err
    assert f"next: matscreen {'work' if budget < CRYSTALS else 'rank'} second" in answer.err
    assert status(screen)["already_computed"] == budget
    assert json.loads(screen("status", "first", "--format", "json").out)["already_computed"] == 0


def test_a_campaign_that_gave_nothing_ends_with_status_1(screen, database, new_campaign, work):
    recipe = {"failing": ["Al", "Cu"]}
    campaign = new_campaign("mine", pool=2, budget=2, max_attempts=1, recipe=recipe)
    work(campaign)
    answer = screen("work", "mine", "--workers", 1)
    assert (answer.status, answer.out) == (1, "")
    assert "all failed" in answer.err
    shown = screen("show", "Cu").out
    assert "why it failed in mine:" in shown
    assert "Traceback" in shown
    assert "RuntimeError: Cu cannot be computed" in shown


# --------------------------------------------------------------------------------- questions


@pytest.mark.parametrize(
    "arguments", [["status"], ["rank"], ["show", "Cu"], ["work"], ["pause", "mine"]]
)
def test_where_nothing_was_submitted_no_database_is_made(screen, monkeypatch, tmp_path, arguments):
    monkeypatch.delenv("SCREEN_MONGODB_URI")
    one_sentence(
        screen(*arguments),
        f"no campaign in {tmp_path / '.screen'}; start one with",
        "SCREEN_DIRECTORY",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_version(screen):
    assert screen("--version").out == "matscreen 0.1.0\n"


def test_status_for_people(screen, new_campaign, work):
    campaign = new_campaign("mine", budget=1)
    assert "best toy" in screen("status").out
    work(campaign)
    shown = screen("status").out
    assert "finished" in shown
    assert f"Å³ ({campaign.progress().best_candidate})" in shown
    assert "8 candidates" in shown


def test_a_candidate_of_which_nothing_is_known_has_no_rank_for_people(screen, new_campaign):
    new_campaign("mine", pool=2)
    assert screen("rank").out.count("not computed") == 2
    assert [row["outcome"] for row in json.loads(screen("rank", "--format", "json").out)] == [
        "predicted",
        "predicted",
    ]


def test_a_picked_candidate_is_explained(screen, database, new_campaign, work):
    work(new_campaign("mine", pool=2, budget=2))
    database.results.update_many({}, {"$set": {"recipe_hash": "abc", "schema_version": 1}})
    explained = {"predicted_mean": 0.69, "predicted_std": 0.36, "acquisition": 0.5, "rank": 3}
    database.picks.update_many({}, {"$set": explained})
    shown = screen("show", "Cu").out
    value = database.results.find_one({"formula": "Cu"})["kappa_300k_w_per_m_k"]
    assert ": Cu, space group 225, 1 atom; from toy-Cu (toy)" in shown.splitlines()[0]
    assert shown.splitlines()[1] == f"toy = {value:.2f} ± 0.10 Å³, emt"
    for part in ("4.90 Å³ ×/÷ 2.3", "rank by acquisition"):
        assert part in shown
    for part in ("output_uuid", "recipe_hash", "schema_version", "predicted mean"):
        assert part not in shown


def test_a_filter_on_a_field_that_nothing_has_is_refused(screen, new_campaign):
    new_campaign("mine")
    answer = screen("rank", "--where", '{"spacegroup": 225}', "--format", "json")
    one_sentence(answer, "--where: field 'spacegroup'", "did you mean 'space_group_number'?")


def test_show_tells_what_is_expected_of_a_candidate(screen, new_campaign, work):
    work(new_campaign("fast", pool=5, budget=5, batch_size=5))
    assert screen("show", "Cu").out.count("of 5 in fast (engine emt): computed") == 1
    dear = new_campaign("dear", pool=8, budget=3, prior="fast", recipe={"second": True})
    shown = screen("show", "Pt").out
    assert "not computed in dear (engine emt; prior fast: no value of it)" in shown
    work(dear)
    key = next(row["candidate_id"] for row in ranked(screen, "dear", "predicted"))
    shown = screen("show", key).out
    for part in (
        "of 8 in dear (engine emt; prior fast: ",
        "not computed, predicted toy = ",
        "Å³ ×/÷",
    ):
        assert part in shown
    stated = json.loads(screen("show", key, "--format", "json").out)["ranks"]
    [mine] = [each for each in stated if each["campaign"] == "dear"]
    assert (mine["prior"], mine["candidates"], mine["outcome"]) == ("fast", 8, "predicted")
    assert mine["predicted_kappa_300k_w_per_m_k"] > 0


def ranked(screen, name, outcome):
    rows = json.loads(screen("rank", name, "--format", "json").out)
    return [row for row in rows if row["outcome"] == outcome]


def test_predictions_alone_take_no_column_for_values(screen, new_campaign, work, monkeypatch):
    from rich.console import Console

    from screening.cli import output

    monkeypatch.setattr(output, "stdout", lambda: Console(width=80))
    campaign = new_campaign("mine", pool=10, budget=3, batch_size=3)
    answer = screen("rank", "--predicted")
    assert "nothing is predicted yet" in answer.err
    work(campaign)
    answer = screen("rank", "--predicted", "--bound", 12.5)
    heading = " ".join(answer.out.partition("candidate")[0].split())
    assert "engine" not in answer.out
    assert "computed" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    said = " ".join(answer.out.replace("┃", " ").split())
    assert "predicted toy / Å³" in heading + said or "P(toy < 12.5 Å³)" in said
    assert "from 5 results with a value on, and there are 3" in answer.err
    work(new_campaign("all", pool=2, budget=2, recipe={"second": True}))
    assert "nothing is left to predict" in screen("rank", "all", "--predicted").err


def test_a_batch_is_chosen_of_the_best_with_what_tells_them_apart(screen, new_campaign, work):
    campaign = new_campaign("mine", pool=10, budget=5, batch_size=5)
    one_sentence(screen("choose"), "nothing to choose from", "--predicted")
    one_sentence(screen("choose", "--diverse", 3, "--among", 2), "--among 2: give at least 3")
    work(campaign)
    computed = [row["candidate_id"] for row in ranked(screen, "mine", "computed")]
    batch = json.loads(screen("choose", "--diverse", 3, "--format", "json").out)
    assert next(row["candidate_id"] for row in batch) == computed[0]
    assert {row["candidate_id"] for row in batch} < set(computed)
    assert batch[0]["most_similar"] is None
    for row in batch[1:]:
        assert row["most_similar"] in computed
        assert " instead of " in row["differences"]
    table = screen("choose", "--diverse", 3).out
    assert "the best" in table
    everything = screen("choose", "--diverse", 9, "--among", 20)
    assert "only 5 candidates to choose from" in everything.err
    predicted = json.loads(screen("choose", "--diverse", 9, "--predicted", "--format", "json").out)
    assert {row["outcome"] for row in predicted} == {"computed", "predicted"}


@pytest.mark.parametrize("command", ["status", "rank", "work"])
def test_without_a_campaign_the_way_to_one_is_named(screen, command):
    one_sentence(screen(command), "no campaign yet", "matscreen submit")


@pytest.mark.parametrize(
    "command", ["status", "rank", "work", "retry", "pause", "resume", "cancel"]
)
def test_an_unknown_campaign_is_answered_with_the_known_ones(screen, new_campaign, command):
    new_campaign("mine")
    one_sentence(screen(command, "yours"), "campaign 'yours'", "unknown", "mine")


def test_an_unknown_candidate(screen, new_campaign):
    new_campaign("mine")
    one_sentence(screen("show", "NaCl"), "candidate 'NaCl'", "unknown", "matscreen rank")


def test_a_candidate_that_was_not_picked_cannot_be_retried(screen, new_campaign):
    new_campaign("mine")
    one_sentence(screen("retry", "mine", "Cu"), "was not picked in campaign 'mine'")


def test_a_formula_of_two_crystals_is_answered_with_their_ids(screen, new_campaign, database):
    new_campaign("mine")
    copper = database.candidates.find_one({"formula": "Cu"})
    database.candidates.insert_one(copper | {"_id": "Cu-194-00000000"})
    one_sentence(screen("show", "Cu"), "2 candidates fit", "Cu-194-00000000", copper["_id"])


def test_a_candidate_without_results_is_shown(screen, new_campaign):
    new_campaign("mine")
    answer = screen("show", "Cu", "--format", "json")
    shown = json.loads(answer.out)
    assert (shown["picks"], shown["results"]) == ([], [])
    assert screen("show", "Cu").status == 0


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("elements=Na", ["--where", "JSON"]),
        ("[1]", ["--where", "JSON object"]),
        ('{"$where": "1"}', ["$where", "not allowed"]),
        ('{"a": [{"$function": {}}]}', ["$function", "not allowed"]),
        ('{"a": {"$gtt": 1}}', ["--where"]),
    ],
)
def test_a_filter_that_cannot_be_used(screen, new_campaign, where, parts):
    new_campaign("mine")
    one_sentence(screen("rank", "--where", where), *parts)


def test_a_csv_of_nothing_is_a_heading(screen, new_campaign):
    new_campaign("mine")
    answer = screen("rank", "--where", '{"formula": "no"}', "--format", "csv")
    assert (answer.status, len(answer.out.splitlines())) == (0, 1)
    assert json.loads(screen("rank", "--where", '{"formula": "no"}', "--format", "json").out) == []


def test_cancelling_drops_what_is_queued(screen, database, target):
    screen("submit", "--target", target(), "--name", "mine")
    answer = screen("cancel", "mine")
    assert answer.status == 0
    assert "2" in answer.err
    assert {pick["state"] for pick in database.picks.find()} == {"cancelled"}
    assert database.launchpad.workflows.count_documents({}) == 0
    one_sentence(screen("retry", "mine"))


# ------------------------------------------------------------------------ the program itself


def test_the_program_is_refused_in_one_sentence_too(tmp_path, server_uri, database_name):
    environment = {"SCREEN_MONGODB_URI": server_uri, "SCREEN_DATABASE": database_name}
    ended = subprocess.run(
        [sys.executable, "-m", "screening", "submit", "--target", "low-kapa"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: target 'low-kapa': unknown")
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_error(
    tmp_path, server_uri, database_name, new_campaign
):
    """`matscreen rank … | head -1` closes the pipe early."""
    new_campaign("mine", pool=len(toy_structures()))
    environment = {
        "SCREEN_MONGODB_URI": server_uri,
        "SCREEN_DATABASE": database_name,
        "PYTHONPATH": TOY_PATH,
    }
    program = subprocess.Popen(
        [sys.executable, "-m", "screening", "show", "Cu", "--format", "json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    program.stdout.close()
    assert "Traceback" not in program.stderr.read()
    program.wait()
