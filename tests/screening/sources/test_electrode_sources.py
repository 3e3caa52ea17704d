"""Electrodes from files: both crystals, the working ion, and whose results are whose."""

from __future__ import annotations

import gzip
import json
import sys

import pytest
from campaign_fixtures import every_crystal
from pymatgen.core import Lattice, Structure

from screening.campaigns.campaign import Campaign
from screening.campaigns.config import load_campaign_config
from screening.campaigns.flows import NotComputable, candidate_workflow, refusal
from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.crystal_kind import CRYSTAL
from screening.intake.ingest import ingest
from screening.ranking.build import ranking
from screening.sources import open_source
from screening.targets.constraints import Bound
from screening.targets.engines import engine_config

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


def test_what_reading_did_to_the_charged_crystal_is_noted(discharged, charged, tmp_path):
    from screening.sources.record import NOTE

    wrong = charged.to(fmt="cif").replace("formula_units_Z   3", "formula_units_Z   7")
    wrong = wrong.replace("loop_", "_exptl_crystal_density_diffrn 6.25\nloop_", 1)
    lines = [entry(discharged, charged), entry(discharged, charged, cif_charge=wrong)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    plain, noted = open_source(str(path)).records()
    assert NOTE not in plain.properties
    assert noted.inputs["charged"] == plain.inputs["charged"]
    assert noted.properties[NOTE].startswith("of its charged crystal: it states 7 formula units")


def test_the_shipped_pairs_are_thirty():
    records = list(open_source("electrode-pairs").records())
    assert len(records) == 30
    for record in records:
        ion = record.inputs["working_ion"]
        charged = Structure.from_dict(record.inputs["charged"])
        assert record.content.composition.get_atomic_fraction(ion) > (
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
    assert record.content.composition.reduced_formula == "AlCu3"
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
    assert record.content is None
    assert reason in record.error


def test_a_file_that_is_no_json_is_one_refusal(tmp_path):
    (tmp_path / "pairs.json").write_text("[{")
    [record] = open_source(str(tmp_path / "pairs.json")).records()
    assert "the file is not JSON" in record.error


@pytest.fixture
def pool_of(tmp_path, database):
    def pooled(name, content, constraints=None):
        path = tmp_path / name
        path.write_text(json.dumps([content]))
        config = load_campaign_config(
            "cathode-volume-change",
            {
                "sources": [str(path)],
                "engine": "emt",
                "constraints": constraints or {},
                "budget": 1,
            },
        )
        engine = engine_config("emt")
        pool = ingest(
            [open_source(str(path))],
            CRYSTAL,
            CrystalFilters(),
            database,
            NotComputable(config, engine),
        )
        return config, engine, pool

    return pooled


def test_the_flow_gets_both_crystals(pool_of, discharged, charged):
    config, engine, pool = pool_of("pairs.json", entry(discharged, charged))
    [candidate] = pool.candidates.values()
    inputs_hash = pool.inputs[candidate.candidate_id]
    workflow = candidate_workflow(candidate, config, engine, TAGS, 0, inputs_hash)
    names = sorted(firework.name for firework in workflow.fws)
    assert names == ["insertion_document", "relax Al metal", "relax charged", "relax discharged"]


def test_a_crystal_without_the_ion_is_refused_on_the_way_in(pool_of, charged):
    _, _, pool = pool_of("bare.json", {"cif": charged.to(fmt="cif"), "working_ion": "Al"})
    [refused] = pool.refused
    assert refused.reason == "it holds no Al that could leave"


def test_a_capacity_too_low_is_refused_before_anything_is_computed(pool_of, discharged):
    def refused(floor):
        content = {"cif": discharged.to(fmt="cif"), "working_ion": "Al"}
        bounds = {"gravimetric_capacity_mah_per_g": {"min": floor}}
        _, _, pool = pool_of("one.json", content, bounds)
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
        assert row.outcome == "computed"
        assert row.shown_fields["average_voltage_v"] is not None


def test_a_source_that_is_edited_changes_no_campaign(pool_of, database, work, discharged, charged):
    """Submitted, then the file's charged crystal changes and another campaign reads it."""
    config, engine, pool = pool_of("pair.json", entry(discharged, charged))
    first = Campaign.create(database, "first", config, engine, pool)
    other = charged.copy()
    other.apply_strain(0.02)
    config, engine, pool = pool_of("pair.json", entry(discharged, other))
    second = Campaign.create(database, "second", config, engine, pool)
    [candidate_id] = pool.candidates
    assert first.inputs_hash(candidate_id) != second.inputs_hash(candidate_id)
    work(first)
    assert len(first.results()) == 1
    assert second.results() == {}
    work(second)
    assert len(second.results()) == 1


def test_two_charged_crystals_of_one_discharged_in_a_source_are_told(
    tmp_path, database, discharged, charged
):
    other = charged.copy()
    other.apply_strain(0.02)
    path = tmp_path / "pairs.json"
    path.write_text(
        json.dumps([entry(discharged, charged), entry(discharged, other, battery_id="b-2")])
    )
    pool = every_crystal(open_source(str(path)), database=database)
    assert len(pool.candidates) == 1
    [refused] = pool.refused
    assert refused.material_id == "b-2"
    assert "the same crystal and other inputs" in refused.reason


def test_where_in_a_file_charges_stand_changes_no_result(tmp_path, database):
    from test_dielectric_sources import charges

    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    line = json.dumps(
        {
            "material_id": "one",
            "structure": salt.as_dict(),
            "born_charges_e": charges(salt),
            "dielectric_tensor": [[2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]],
        }
    )
    hashes = set()
    for text in (line, "\n\n" + line):
        (tmp_path / "a.jsonl").write_text(text)
        source = open_source(str(tmp_path / "a.jsonl"))
        pool = every_crystal(source, database=database)
        hashes.update(pool.inputs.values())
    assert len(hashes) == 1


def test_structures_of_files_run_no_code(tmp_path, monkeypatch, discharged, charged):
    """pymatgen decodes site properties, and would import the module that they name."""
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    trap = charged.as_dict()
    for site in trap["sites"]:
        site["properties"] = {"x": {"@module": "evil", "@class": "A"}}
    content = {"structure": discharged.as_dict(), "charged_structure": trap, "working_ion": "Al"}
    content["structure"]["sites"][0]["properties"] = {"x": {"@module": "evil", "@class": "A"}}
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([content]))
    [record] = open_source(str(path)).records()
    assert record.error is None
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"charged_structure": {}}, "its charged crystal: its 'charged_structure' has no lattice"),
        ({"charged_structure": {"lattice": 1, "sites": []}}, "has no lattice and sites"),
    ],
)
def test_a_charged_crystal_that_is_none_is_one_refusal(tmp_path, discharged, changes, reason):
    content = {"structure": discharged.as_dict(), "working_ion": "Al", **changes}
    (tmp_path / "a.json").write_text(json.dumps([content]))
    [record] = open_source(str(tmp_path / "a.json")).records()
    assert reason in record.error


def test_facts_whose_names_hold_cif_are_kept(tmp_path, discharged):
    content = {"structure": discharged.as_dict(), "specific_capacity": 3.5, "charged_cif": None}
    (tmp_path / "a.json").write_text(json.dumps([content]))
    [record] = open_source(str(tmp_path / "a.json")).records()
    assert record.properties == {"specific_capacity": 3.5}
    assert record.inputs == {}


def test_the_hull_of_the_source_is_passed_on_and_may_be_bounded(
    pool_of, database, work, discharged, charged
):
    content = entry(discharged, charged, energy_above_hull_ev_per_atom=0.03)
    config, engine, pool = pool_of("pair.json", content)
    campaign = Campaign.create(database, "hull", config, engine, pool)
    work(campaign)
    [result] = database.results.find()
    assert result["energy_above_hull_ev_per_atom"] == 0.03
    [candidate] = pool.candidates.values()
    bounded = config.model_copy(
        update={"constraints": {"energy_above_hull_ev_per_atom": Bound(max=0.02)}}
    )
    said = refusal(candidate, bounded, engine)
    assert str(said) == "energy_above_hull_ev_per_atom is 0.03, above 0.02"
