"""A library ranked by a model of known values, and parsed entries that are kept."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from campaign_fixtures import ListSource
from pymatgen.core import Lattice, Structure

from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.crystal_kind import CRYSTAL
from screening.choosing.calibration import leave_one_out
from screening.choosing.config import SurrogateConfig
from screening.choosing.observations import Observations
from screening.intake import parsed_entries as module
from screening.intake.ingest import FilteredOut
from screening.intake.parsed_entries import parsed_entries
from screening.sources import SourceRecord, open_source
from screening.sources.record import UnparsedEntry
from screening.studies.known_values import KnownValues
from screening.studies.library import Library, rank_library, read_library

RNG = np.random.default_rng(2)
FEATURES = RNG.normal(size=(80, 6))
VALUES = FEATURES[:, 0] + 0.2 * FEATURES[:, 1]
TABLE = KnownValues([f"k{i}" for i in range(40)], FEATURES[:40], VALUES[:40])
LIBRARY = Library([{"candidate_id": f"c{i}"} for i in range(40)], FEATURES[40:], [], 0)


def salt(cation, anion, a):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture
def salts(tmp_path):
    path = tmp_path / "salts.jsonl"
    crystals = [("Li", "F", 4.03), ("Na", "Cl", 5.64), ("K", "Br", 6.6), ("Mg", "O", 4.21)]
    lines = [
        json.dumps({"material_id": f"s-{n}", "structure": salt(*each).as_dict(), "a": each[2]})
        for n, each in enumerate(crystals)
    ]
    path.write_text("\n".join([*lines, lines[0], "{broken"]) + "\n")
    return str(path)


def nothing(candidate):
    return None


def test_a_library_is_ranked_as_the_model_expects():
    rows, calibration = rank_library(TABLE, LIBRARY, SurrogateConfig(), bound=None)
    truth = {f"c{i}": VALUES[40 + i] for i in range(40)}
    found = [truth[row["candidate_id"]] for row in rows]
    assert np.corrcoef(found, np.sort(found))[0, 1] > 0.8
    assert [row["predicted_mean"] for row in rows] == sorted(row["predicted_mean"] for row in rows)
    assert calibration.n == 40
    assert calibration.rank_correlation > 0.8
    assert {row["nearest"] for row in rows} <= set(TABLE.labels)


def test_a_bound_ranks_by_the_chance_to_beat_it():
    rows, _ = rank_library(TABLE, LIBRARY, SurrogateConfig(), bound=-1.0)
    chances = [row["chance"] for row in rows]
    assert chances == sorted(chances, reverse=True)
    for row in rows:
        assert (row["chance"] > 0.5) == (row["predicted_mean"] < -1.0)


def test_leaving_one_out_sees_that_noise_cannot_be_predicted():
    def judged(values):
        seen = Observations(TABLE.labels, FEATURES[:40], values)
        return leave_one_out(SurrogateConfig(), seen, [f"c{i}" for i in range(80)], FEATURES, 0)

    signal, noise = judged(VALUES[:40]), judged(RNG.permutation(VALUES[:40]))
    assert signal.rms < 0.5 * noise.rms
    assert noise.rms > 0.7 * VALUES[:40].std()
    assert 0.4 < noise.within_one_std < 0.95


def test_entries_are_read_once(salts, database, monkeypatch):
    source = open_source(salts)

    def read():
        return list(parsed_entries(source, CRYSTAL, database, nothing, 1))

    first = read()
    assert [each.refusal is None for each in first] == [True] * 5 + [False]
    assert database.parsed_entries.count_documents({}) == 6
    monkeypatch.setattr(module._Parser, "parse", None)
    # As JSON: what was kept has lists for tuples.
    assert [each.model_dump_json() for each in read()] == [e.model_dump_json() for e in first]


def test_a_changed_entry_is_read_again(salts, database, tmp_path):
    def read():
        source = open_source(salts)
        return list(parsed_entries(source, CRYSTAL, database, nothing, 1))

    read()
    path = tmp_path / "salts.jsonl"
    path.write_text(path.read_text().replace('"a": 4.03}', '"a": 4.1}'))
    assert read()[0].candidate.origins[0].properties["a"] == 4.1


def test_what_a_filter_refused_gets_features_when_it_is_wanted(salts, database):
    small = CrystalFilters(max_elements=1)
    source = open_source(salts)

    def read(filters):
        return list(parsed_entries(source, CRYSTAL, database, filters.refusal, 1))

    assert all(each.candidate.features is None for each in read(small)[:4])
    assert all(each.candidate.features is not None for each in read(CrystalFilters())[:4])


def test_other_elements_are_refused_before_an_entry_is_read(salts, database, monkeypatch):
    source = open_source(salts)
    filtered_out = FilteredOut(CrystalFilters(include_elements=["Na", "Cl"]), nothing)
    with monkeypatch.context() as patched:
        patched.setattr(CRYSTAL.model, "__init__", lambda *_, **__: pytest.fail("it was read"))
        none = FilteredOut(CrystalFilters(require_elements=["Au"]), nothing)
        found = list(parsed_entries(source, CRYSTAL, database, none, 1))
        assert all(each.candidate is None and each.refusal for each in found)
        # What is known of it by now is kept, and enough to refuse it again.
        assert database.parsed_entries.count_documents({}) == 6
        monkeypatch.setattr(module._Parser, "parse", None)
        again = list(parsed_entries(source, CRYSTAL, database, none, 1))
        assert [each.refusal for each in again[:5]] == [each.refusal for each in found[:5]]
    monkeypatch.undo()
    some = list(parsed_entries(source, CRYSTAL, database, filtered_out, 1))
    assert 0 < sum(each.refusal is None for each in some) < 5
    # Another campaign reads what it wants.
    every = list(parsed_entries(source, CRYSTAL, database, nothing, 1))
    assert [each.refusal is None for each in every] == [True] * 5 + [False]
    # What is said of an entry does not depend on who has read it.
    known = list(parsed_entries(source, CRYSTAL, database, filtered_out, 1))
    assert [each.refusal for each in known] == [each.refusal for each in some]


@pytest.mark.parametrize(
    ("species", "said"),
    [
        (["X", "Na"], "not a chemical element"),
        ([{"Ca": 0.5, "Sr": 0.49, "Eu": 0.01}, "F"], None),
    ],
)
def test_elements_tell_nothing_of_what_has_to_be_read(database, species, said):
    """No element; a trace that ordered approximants lack."""
    lattice = Lattice.cubic(5.63)
    sites = [[0, 0, 0], [0.25, 0.25, 0.25]]
    structure = Structure.from_spacegroup("Fm-3m", lattice, species, sites)
    record = SourceRecord("one", structure, None, "here", {})
    filters = CrystalFilters(exclude_elements=["Eu"], min_crustal_abundance_ppm=1.0)
    refuse = FilteredOut(filters, nothing)
    [found, *_] = parsed_entries(ListSource(record), CRYSTAL, database, refuse, 1)
    if said is None:
        assert found.refusal is None
    else:
        assert said in found.refusal.text


def test_processes_read_what_one_does(salts, database, monkeypatch):
    source = open_source(salts)
    alone = list(parsed_entries(source, CRYSTAL, database, nothing, 1))
    database.parsed_entries.delete_many({})
    monkeypatch.setattr(module, "ALONE", 0)
    monkeypatch.setattr(module, "CHUNK", 2)
    together = list(parsed_entries(source, CRYSTAL, database, nothing, 2))
    assert [e.model_dump_json() for e in together] == [e.model_dump_json() for e in alone]


def test_the_same_crystal_is_ranked_once(salts, database):
    source = open_source(salts)
    library = read_library(parsed_entries(source, CRYSTAL, database, nothing, 1), CRYSTAL)
    assert len(library.facts) == 4
    assert library.duplicates == 1
    [refused] = library.refused
    assert (refused.reason[:20], refused.count) == ("the line is not JSON", 1)
    assert refused.example.startswith("salts.jsonl")


def test_records_without_a_text_are_read_too(database):
    record = SourceRecord("a", salt("Na", "Cl", 5.6), None, "a.x")
    [found] = parsed_entries(ListSource(record), CRYSTAL, database, nothing, 1)
    assert found.candidate.origins[0].source == "list"
    assert database.parsed_entries.count_documents({}) == 0


def test_the_command_ranks_a_library(salts, screen):
    words = ["predict", "--training", salts, "--value-key", "a", "--pool", salts]
    shown = screen(*words, "--log", "--bound", 5)
    assert "LiF" in shown.out
    assert "typical error" in shown.err
    assert "P(value < 5)" in shown.out
    assert "predicted a " in shown.out
    assert "1 left out; the model knows 5 values" in shown.err
    assert "  left out salts.jsonl" in shown.err
    assert "  the model left out salts.jsonl" in shown.err
    found = json.loads(screen(*words, "--format", "json", "--top", 2).out)
    assert [row["rank"] for row in found] == [1, 2]
    assert found[0]["predicted_a"] < found[1]["predicted_a"]
    rows = list(csv.DictReader(io.StringIO(screen(*words, "--maximize", "--format", "csv").out)))
    assert rows[0]["formula"] == "KBr"
    wrong = screen(*words, "--filters", "max_site: 3")
    assert (wrong.status, "did you mean 'max_sites'?" in wrong.err) == (2, True)
    assert "give a number above 0, not -1" in screen(*words, "--log", "--bound", -1).err


def test_a_second_entry_of_one_name_is_refused_once_the_first_is_good(database):
    def read(text, place):
        good = text != "broken"
        crystal = salt("Na", "Cl", 5.6) if good else None
        return SourceRecord(place, crystal, None if good else "it is broken", place)

    texts = [("broken", "x-1"), ("first", "x-1"), ("second", "x-1"), ("other", "")]
    entries = [UnparsedEntry(read, "test-1", text, text, identity) for text, identity in texts]
    found = list(parsed_entries(ListSource(*entries), CRYSTAL, database, nothing, 1))
    assert [each.refusal and str(each.refusal) for each in found] == [
        "it is broken",
        None,
        "it is the same entry as first",
        None,
    ]
    again = list(parsed_entries(ListSource(*entries), CRYSTAL, database, nothing, 1))
    assert [each.refusal for each in again] == [each.refusal for each in found]


def test_what_no_database_can_hold_is_taken_out(database):
    facts = {"id": 12345678901234567890, "a\0b": "x\ud800y", "nan": float("nan"), "fine": 3}
    record = SourceRecord("n\ud800", salt("Na", "Cl", 5.6), None, "p\0", facts)
    assert record.properties == {"ab": "x?y", "fine": 3}
    [found] = parsed_entries(ListSource(record), CRYSTAL, database, nothing, 1)
    database.candidates.insert_one(found.model_dump())
    assert found.material_id == "n?"
