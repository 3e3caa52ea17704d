"""Further supercells of an alloy, as a line of JSON states them."""

from __future__ import annotations

import json

import pytest
from pymatgen.core import Lattice, Structure

from screening.sources import open_source

FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def cell(species) -> dict:
    return Structure(Lattice.cubic(3.86), species, FACES).as_dict()


def record_of(tmp_path, approximants):
    path = tmp_path / "alloys.jsonl"
    entry = {"structure": cell(["Au", "Cu", "Cu", "Au"]), "approximants": approximants}
    path.write_text(json.dumps(entry) + "\n", "utf-8")
    [record] = open_source(str(path)).records()
    return record


def test_they_are_inputs_of_the_flow(tmp_path):
    other = cell(["Au", "Au", "Cu", "Cu"])
    [stated] = record_of(tmp_path, [other]).inputs["approximants"]
    assert Structure.from_dict(stated) == Structure.from_dict(other)


@pytest.mark.parametrize("value", ["no crystal", {"sites": []}])
def test_what_is_no_crystal_is_refused_by_its_number(tmp_path, value):
    record = record_of(tmp_path, [cell(["Au", "Au", "Cu", "Cu"]), value])
    assert record.content is None
    assert "approximant 2" in str(record.refusal)
