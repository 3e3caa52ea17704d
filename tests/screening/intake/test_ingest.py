"""From sources to a pool: merging, refusing, and writing nothing."""

from __future__ import annotations

import numpy as np
import pytest
from campaign_fixtures import ListSource, toy_content, toy_structures
from crystal_representations import mirrored, noisy
from pymatgen.core import Lattice, Structure

from screening.campaigns.campaign import Campaign
from screening.campaigns.config import CampaignConfig
from screening.campaigns.flows import UNSUPPORTED, NotComputable
from screening.candidates.crystal_features import FEATURES_VERSION, feature_names
from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.crystal_kind import CRYSTAL
from screening.candidates.kinds import from_document, to_document
from screening.intake.ingest import ingest
from screening.intake.refusal_groups import summed_up
from screening.sources import SourceRecord
from screening.targets.engines import engine_config


def entry(name, structure, **properties):
    return SourceRecord(name, structure, None, f"{name}.cif", properties)


@pytest.fixture
def read(database, toy):
    def read(*sources, filters=None, engine="emt", **options):
        filters = filters or CrystalFilters()
        refuse = NotComputable(config, engine_config(engine))
        return ingest(sources, CRYSTAL, filters, database, refuse, **options)

    config = CampaignConfig.model_validate(toy_content())
    return read


def counts(pool):
    return {
        left_out.reason: left_out.count
        for left_out in summed_up((entry.location, entry.refusal) for entry in pool.refused)
    }


AL, CU, AG = toy_structures()[:3]


def test_the_same_crystal_from_two_places_is_one_candidate(read):
    supercell = AL.copy()
    supercell.make_supercell(2)
    pool = read(
        ListSource(entry("a", AL), entry("b", CU), spec="first"),
        ListSource(entry("c", supercell), spec="second"),
    )
    assert sorted(each.formula for each in pool.candidates.values()) == ["Al", "Cu"]
    assert pool.duplicates == 1
    [aluminium] = [each for each in pool.candidates.values() if each.formula == "Al"]
    assert [(each.source, each.material_id) for each in aluminium.origins] == [
        ("first", "a"),
        ("second", "c"),
    ]


def test_candidates_have_features(read):
    pool = read(ListSource(entry("a", AL)))
    [candidate] = pool.candidates.values()
    assert len(candidate.features) == len(feature_names())
    assert candidate.features_version == FEATURES_VERSION


def test_what_is_refused_keeps_its_place_and_reason(read, rocksalt, quartz):
    pool = read(
        ListSource(
            SourceRecord("broken", None, "it is truncated", "folder/broken.cif"),
            entry("salt", rocksalt),
            entry("fine", AL),
        )
    )
    assert len(pool.candidates) == 1
    reasons = {each.material_id: each.reason for each in pool.refused}
    assert reasons["broken"] == "it is truncated"
    assert reasons["salt"] == "it contains Cl, Na, which engine 'emt' does not support"
    unsupported = pool.refused[1].refusal
    assert (unsupported.code, unsupported.names("elements")) == (UNSUPPORTED, ["Cl", "Na"])
    assert {each.location for each in pool.refused} == {"folder/broken.cif", "salt.cif"}
    assert counts(pool)["it is truncated"] == 1


def test_reasons_that_differ_in_numbers_are_counted_as_one(read, rocksalt):
    said = ["x_mah_per_g is 26.7, below 90", "x_mah_per_g is 88.9, below 90", "it has no Li2"]
    pool = read(ListSource(*(SourceRecord(each, None, each, each) for each in said)))
    assert counts(pool) == {"x_mah_per_g is 26.7 to 88.9, below 90": 2, "it has no Li2": 1}


def test_large_numbers_are_counted_as_one_too(read):
    said = ["its pressure_kpa is 5000, above 200", "its pressure_kpa is 2.5e+07, above 200"]
    pool = read(ListSource(*(SourceRecord(each, None, each, each) for each in said)))
    assert counts(pool) == {"its pressure_kpa is 5000 to 2.5e+07, above 200": 2}


def test_filters_apply(read):
    source = ListSource(entry("a", AL), entry("b", CU), entry("c", AG))
    pool = read(source, filters=CrystalFilters(exclude_elements=["Cu"]))
    assert sorted(each.formula for each in pool.candidates.values()) == ["Ag", "Al"]


def test_every_entry_is_counted(read):
    seen = []
    read(
        ListSource(entry("a", AL), SourceRecord("b", None, "no", "b"), entry("c", AL)),
        on_entry=lambda: seen.append(1),
    )
    assert len(seen) == 3


def test_reading_writes_nothing(read, database):
    read(ListSource(entry("a", AL), entry("b", CU)))
    assert database.candidates.count_documents({}) == 0


def test_a_crystal_in_the_database_gets_one_more_origin(toy, read, database):
    config = CampaignConfig.model_validate(toy_content())
    engine = engine_config("emt")
    first = read(ListSource(entry("a", AL), entry("b", CU), spec="first"))
    Campaign.create(database, "one", config, engine, first)
    expanded = AL.copy()
    expanded.scale_lattice(AL.volume * 1.02)
    second = read(ListSource(entry("x", expanded), spec="second"))
    assert set(second.candidates) < set(first.candidates)
    assert second.duplicates == 0
    Campaign.create(database, "two", config, engine, second)
    [aluminium] = database.candidates.find({"formula": "Al"})
    assert sorted(aluminium["campaigns"]) == ["one", "two"]
    assert [each["source"] for each in aluminium["origins"]] == ["first", "second"]
    assert database.candidates.find_one({"formula": "Cu"})["campaigns"] == ["one"]


def test_features_of_an_older_version_are_computed_again(read, database, toy):
    pool = read(ListSource(entry("a", AL)))
    [candidate] = pool.candidates.values()
    old = to_document(candidate.model_copy(update={"features": [0.0], "features_version": 0}))
    database.candidates.insert_one(old)
    [again] = read(ListSource(entry("a", AL))).candidates.values()
    assert again.features == candidate.features
    assert again.features_version == FEATURES_VERSION


def test_a_stored_candidate_is_read_back_as_it_was(read, database):
    [candidate] = read(ListSource(entry("a", AL, icsd=7))).candidates.values()
    database.candidates.insert_one(to_document(candidate) | {"campaigns": ["c"]})
    stored = from_document(database.candidates.find_one())
    assert stored.model_dump(mode="json") == candidate.model_dump(mode="json")


def test_no_source_is_an_empty_pool(read):
    pool = read()
    assert (pool.candidates, pool.refused, pool.duplicates) == ({}, [], 0)


# --------------------------------------------------------------------------- which is which


def _titanium_sulphide(z):
    return Structure.from_spacegroup(
        "P-3m1", Lattice.hexagonal(3.4, 6.0), ["Ti", "S"], [[0, 0, 0], [1 / 3, 2 / 3, z]]
    )


def test_two_crystals_of_one_fingerprint_are_two_candidates(read, database):
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure

    thin, thick = _titanium_sulphide(0.285), _titanium_sulphide(0.362)
    named = {
        crystal_from_structure(each, Origin(source="", material_id="")).candidate_id
        for each in (thin, thick)
    }
    assert len(named) == 1
    entries = [entry("thin", thin), entry("thick", thick), entry("again", thick)]
    pool = read(ListSource(*entries), engine="sevennet-l3i5")
    assert pool.duplicates == 1
    first, second = pool.candidates
    assert second.startswith(f"{first}-")
    assert {key: each.candidate_id for key, each in pool.candidates.items()} == {
        first: first,
        second: second,
    }
    # And a campaign that comes later knows both again, in whatever order.
    for candidate in pool.candidates.values():
        database.candidates.insert_one(to_document(candidate) | {"campaigns": ["c"]})
    again = read(ListSource(*reversed(entries)), engine="sevennet-l3i5")
    assert set(again.candidates) == {first, second}
    names = {each.material_id for each in again.candidates[second].origins}
    assert names == {"thick", "again"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Lattice.tetragonal(3.0, 2.1), Lattice.tetragonal(3.0, 4.56)),
        (Lattice.tetragonal(3.0, 1.9), Lattice.tetragonal(3.0, 2.6)),
    ],
)
def test_elements_of_other_shapes_are_other_candidates(read, one, other):
    made = [Structure(each, ["Cu"] * 2, [[0] * 3, [0.5] * 3]) for each in (one, other)]
    pool = read(ListSource(entry("a", made[0]), entry("b", made[1])))
    assert (len(pool.candidates), pool.duplicates) == (2, 0)


def test_both_hands_are_one_candidate_also_one_stored_before(read, database, quartz):
    left = mirrored(quartz, np.random.default_rng(0))
    source = ListSource(entry("right", quartz), entry("left", left))
    pool = read(source, engine="sevennet-l3i5")
    [candidate] = pool.candidates.values()
    assert candidate.space_group_number == 152
    assert [each.material_id for each in candidate.origins] == ["right", "left"]
    assert [each.note for each in candidate.origins] == [
        "mirrored: both hands are one candidate",
        "",
    ]
    old = candidate.model_copy(
        update={
            "candidate_id": "SiO2-154-00000000",
            "space_group_number": 154,
            "structure": quartz.as_dict(verbosity=0),
            "origins": candidate.origins[:1],
        }
    )
    database.candidates.insert_one(to_document(old) | {"campaigns": ["before"]})
    assert set(read(source, engine="sevennet-l3i5").candidates) == {"SiO2-154-00000000"}


def test_noise_is_smoothed_and_said(read, capsys):
    from screening.cli.intake import say_pool
    from screening.cli.show import print_candidate

    alloy = toy_structures()[7]
    blurred = noisy(0.008)(alloy * (2, 1, 1), np.random.default_rng(0))
    pool = read(ListSource(entry("calm", alloy), entry("noisy", blurred)))
    [candidate] = pool.candidates.values()
    note = candidate.origins[1].note
    assert note.startswith("refined from ")
    assert " to Pm-3m within 0.0" in note
    assert pool.noted == [("noisy", note)]
    say_pool(pool, "emt", kept=False)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 entry read or changed beyond the choice of the cell" in said
    assert f"first: noisy: {note}" in said
    document = to_document(candidate)
    print_candidate(document, [], [], {}, {}, [])
    assert f"noisy: {note}" in capsys.readouterr().out


def test_what_reading_did_to_an_entry_is_said_with_what_was_done_to_its_cell(read):
    from screening.sources.record import NOTE, SourceRecord

    noted = {NOTE: "2 of 3 sites were put onto special positions", "year": 1990}
    blurred = noisy(0.008)(toy_structures()[7] * (2, 1, 1), np.random.default_rng(0))
    pool = read(ListSource(SourceRecord("a", blurred, None, "a.cif", noted)))
    [candidate] = pool.candidates.values()
    [origin] = candidate.origins
    assert origin.note.startswith(f"{noted[NOTE]}; refined from ")
    assert origin.properties == {"year": 1990}
    assert pool.noted == [("a", origin.note)]


def test_what_stands_in_vacuum_is_refused(read):
    lone = Structure(Lattice.cubic(12), ["Cu"], [[0, 0, 0]])
    pool = read(ListSource(entry("lone", lone)))
    assert [each.reason for each in pool.refused] == [
        "it is no bulk crystal but isolated atoms or molecules in vacuum, with a density of "
        "0.061 g/cm³"
    ]
