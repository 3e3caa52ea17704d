"""Born charges that a source states, from the file to the flow."""

import json

import numpy as np
import pytest
from campaign_fixtures import every_crystal
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from screening.campaigns.config import CampaignConfig
from screening.campaigns.flows import candidate_workflow
from screening.candidates.candidate import LostInputsError
from screening.sources import open_source
from screening.targets.engines import engine_config

EPSILON = (2.5 * np.eye(3)).tolist()


@pytest.fixture
def sodium_chloride():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def charges(structure):
    return [
        ((1 if site.specie.symbol in ("Na", "Cu") else -1) * 1.1 * np.eye(3)).tolist()
        for site in structure
    ]


def write(path, structure, **changes):
    entry = {
        "material_id": "one",
        "structure": structure.as_dict(),
        "born_charges_e": charges(structure),
        "dielectric_tensor": EPSILON,
        **changes,
    }
    path.write_text(json.dumps(entry) + "\n")
    return str(path)


def test_charges_come_with_the_cell_that_they_are_of(tmp_path, sodium_chloride):
    [record] = open_source(write(tmp_path / "a.jsonl", sodium_chloride)).records()
    cell = Structure.from_dict(record.inputs["dielectric"]["structure"])
    assert len(cell) == 8
    for site, charge in zip(cell, record.inputs["dielectric"]["born_charges_e"], strict=True):
        assert np.allclose(charge, (1.1 if site.specie.symbol == "Na" else -1.1) * np.eye(3))


def test_charges_follow_the_order_of_a_cif(tmp_path, sodium_chloride):
    """pymatgen sorts the sites of a CIF by electronegativity: sodium first."""
    lattice = sodium_chloride.get_primitive_structure().lattice
    cell = Structure(lattice, ["Cl", "Na"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    path = tmp_path / "a.jsonl"
    write(path, cell)
    entry = json.loads(path.read_text())
    del entry["structure"]
    path.write_text(json.dumps({**entry, "cif": str(CifWriter(cell))}))
    [record] = open_source(str(path)).records()
    found = record.inputs["dielectric"]
    symbols = [site.specie.symbol for site in Structure.from_dict(found["structure"])]
    signs = dict(zip(symbols, np.sign(np.array(found["born_charges_e"])[:, 0, 0]), strict=True))
    assert signs == {"Na": 1, "Cl": -1}


def test_a_cif_that_lists_some_of_the_sites_gives_charges_no_order(tmp_path, sodium_chloride):
    path = tmp_path / "a.jsonl"
    write(path, sodium_chloride)
    entry = json.loads(path.read_text())
    del entry["structure"]
    entry["cif"] = str(CifWriter(sodium_chloride, symprec=0.01))
    path.write_text(json.dumps(entry))
    [record] = open_source(str(path)).records()
    assert "its CIF does not list them all" in record.error


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("born_charges_e", [[1.0]], "born_charges_e must be 8 tensors"),
        ("dielectric_tensor", 2.5, "dielectric_tensor must be 3×3"),
    ],
)
def test_tensors_of_another_shape_are_refused(tmp_path, sodium_chloride, field, value, reason):
    [record] = open_source(write(tmp_path / "a.jsonl", sodium_chloride, **{field: value})).records()
    assert record.content is None
    assert reason in record.error


def test_charges_reach_the_candidate_and_its_flow(tmp_path, database):
    alloy = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.0), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    spec = write(tmp_path / "a.jsonl", alloy)
    pool = every_crystal(open_source(spec), database=database)
    [candidate] = pool.candidates.values()
    inputs_hash = pool.inputs[candidate.candidate_id]
    assert candidate.inputs(inputs_hash)["dielectric"]["source"] == "a.jsonl:1"
    assert candidate.inputs("") == {}
    with pytest.raises(LostInputsError, match="submit it again"):
        candidate.inputs("another")
    config = CampaignConfig(
        target="t",
        objective="lattice-thermal-conductivity",
        engine="emt",
        sources=[spec],
        budget=1,
        batch_size=1,
    )
    tags = {"campaign": "c", "pick": "c/x"}
    workflow = candidate_workflow(candidate, config, engine_config("emt"), tags, 0, inputs_hash)
    assert "born_charges_e" in json.dumps(workflow.to_dict(), default=str)
    # A campaign whose sources state nothing does not use what others state.
    workflow = candidate_workflow(candidate, config, engine_config("emt"), tags, 0)
    assert "the source states none" in json.dumps(workflow.to_dict(), default=str)
