"""Electrodes from files: both crystals, the working ion, and whose results are whose."""

from __future__ import annotations

import gzip
import json

import pytest
from pymatgen.core import Lattice, Structure

from screening.campaign import Campaign
from screening.candidate_flow import candidate_workflow, refusal
from screening.config import load_campaign_config
from screening.engine_catalog import engine_config
from screening.filters import FilterConfig
from screening.ingest import ingest
from screening.leaderboard import ranking
from screening.sources import open_source

TAGS = {"campaign": "c", "pick": "c/x"}


@pytest.fixture
def discharged():
    return Structure(
        Lattice.cubic(3.7),
        ["Al", "Cu", "Cu", "Cu"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )


@pytest.fixture
def charged(discharged):
    bare = discharged.copy()
    bare.remove_species(["Al"])
    return bare


def entry(discharged, charged, **changes):
    return {
        "battery_id": "b-1",
        "working_ion": "Al",
        "average_voltage": "1.5",
        "cif_discharge": discharged.to(fmt="cif"),
        "cif_charge": charged.to(fmt="cif"),
        **changes,
    }


def test_the_shipped_pairs_are_thirty():
    records = list(open_source("electrode-pairs").records())
    assert len(records) == 30
    for record in records:
        ion = record.inputs["working_ion"]
        charged = Structure.from_dict(record.inputs["charged"])
        assert record.structure.composition.get_atomic_fraction(ion) > (
            charged.composition.get_atomic_fraction(ion)
        )
        assert record.properties["reference_delta_volume_fraction"] > 0


@pytest.mark.parametrize("packed", [False, True])
def test_a_list_as_the_web_gives_it(tmp_path, discharged, charged, packed):
    text = json.dumps([entry(discharged, charged)])
    path = tmp_path / ("pairs.json.gz" if packed else "pairs.json")
    if packed:
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    [record] = open_source(str(path)).records()
    assert record.material_id == "b-1"
    assert record.structure.composition.reduced_formula == "AlCu3"
    assert Structure.from_dict(record.inputs["charged"]).composition.reduced_formula == "Cu"
    assert record.properties == {"battery_id": "b-1", "working_ion": "Al", "average_voltage": "1.5"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cif_charge": "nonsense"}, "of its charged crystal: it is not a CIF"),
        ({"working_ion": "Xx"}, "working_ion 'Xx' is not the symbol of an element"),
        ({"working_ion": 3}, "working_ion 3 is not the symbol of an element"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, discharged, charged, changes, reason):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([entry(discharged, charged, **changes)]))
    [record] = open_source(str(path)).records()
    assert record.structure is None
    assert reason in record.error


def test_a_file_that_is_no_json_is_one_refusal(tmp_path):
    (tmp_path / "pairs.json").write_text("[{")
    [record] = open_source(str(tmp_path / "pairs.json")).records()
    assert "the file is not JSON" in record.error


@pytest.fixture
def pool_of(tmp_path, database):
    def pooled(name, content):
        path = tmp_path / name
        path.write_text(json.dumps([content]))
        config = load_campaign_config(
            "cathode-volume-change",
            {"sources": [str(path)], "engine": "emt", "constraints": {}, "budget": 1},
        )
        engine = engine_config("emt")
        pool = ingest(
            [open_source(str(path))],
            FilterConfig(),
            engine,
            database,
            unfit=lambda candidate: refusal(candidate, config, engine),
        )
        return config, engine, pool

    return pooled


def test_the_flow_gets_both_crystals(pool_of, discharged, charged):
    config, engine, pool = pool_of("pairs.json", entry(discharged, charged))
    [candidate] = pool.candidates.values()
    workflow = candidate_workflow(candidate, config, engine, TAGS, 0)
    names = sorted(firework.name for firework in workflow.fws)
    assert names == ["insertion_document", "relax Al metal", "relax charged", "relax discharged"]


def test_a_crystal_without_the_ion_is_refused_on_the_way_in(pool_of, charged):
    _, _, pool = pool_of("bare.json", {"cif": charged.to(fmt="cif"), "working_ion": "Al"})
    [refused] = pool.refused
    assert refused.reason == "it holds no Al that could leave"


def test_a_capacity_too_low_is_refused_before_anything_is_computed(tmp_path, database, discharged):
    path = tmp_path / "one.json"
    path.write_text(json.dumps([{"cif": discharged.to(fmt="cif"), "working_ion": "Al"}]))

    def refused(floor):
        constraints = {"gravimetric_capacity_mah_per_g": {"min": floor}}
        config = load_campaign_config(
            "cathode-volume-change",
            {"sources": [str(path)], "engine": "emt", "constraints": constraints},
        )
        engine = engine_config("emt")
        pool = ingest(
            [open_source(str(path))],
            FilterConfig(),
            engine,
            database,
            unfit=lambda candidate: refusal(candidate, config, engine),
        )
        return [each.reason for each in pool.refused]

    # Three electrons of aluminium in AlCu3: 3 · 26801 mAh/mol over 217.6 g/mol.
    assert refused(369) == []
    assert refused(371) == ["gravimetric_capacity_mah_per_g is 369.5, below 371"]


def test_results_of_other_inputs_are_other_results(pool_of, database, work, discharged, charged):
    """The same discharged crystal with and without a known charged one, in two campaigns."""
    stretched = charged.copy()
    stretched.apply_strain(0.01)
    config, engine, pool = pool_of("pair.json", entry(discharged, stretched))
    first = Campaign.create(database, "first", config, engine, pool)
    work(first)
    config, engine, pool = pool_of(
        "alone.json", {"cif": discharged.to(fmt="cif"), "working_ion": "Al"}
    )
    second = Campaign.create(database, "second", config, engine, pool)
    assert second.results() == {}
    work(second)
    assert database.results.count_documents({}) == 2
    for campaign in (first, second):
        [row] = ranking(Campaign.open(database, campaign.name))
        assert row.outcome == "measured"
        assert row.beside["average_voltage_v"] is not None
