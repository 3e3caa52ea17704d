"""Disordered crystals of a folder in a campaign: taken as approximants, or kept out."""

from __future__ import annotations

import pytest
import yaml
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
TARGET = {
    "target": "metals",
    "objective": "slack-thermal-conductivity",
    "direction": "minimize",
    "engine": "emt",
    "sources": ["metals"],
    "sampler": {"kind": "random"},
    "budget": 4,
    "batch_size": 4,
}


@pytest.fixture
def submit(screen, tmp_path):
    """Submit copper, gold and their random alloy with some filters."""
    folder = tmp_path / "metals"
    folder.mkdir()
    mixed = {"Cu": 0.5, "Au": 0.5}
    for name, species, edge_a in (("Cu", "Cu", 3.6), ("Au", "Au", 4.06), ("mix", mixed, 3.87)):
        structure = Structure(Lattice.cubic(edge_a), [species] * 4, FACES)
        CifWriter(structure, symprec=1e-3).write_file(str(folder / f"{name}.cif"))

    def run(filters, *options):
        (tmp_path / "metals.yaml").write_text(yaml.safe_dump(TARGET | {"filters": filters}))
        return screen("submit", "--target", "metals.yaml", *options)

    return run


def test_disordered_entries_can_be_kept_out_and_are_named(submit):
    answer = submit({"max_approximants": 0}, "--dry-run")
    assert answer.status == 0, answer.err
    assert "max_approximants = 0 keeps such crystals out" in answer.err
    assert "mix" in answer.err
    assert "ordered approximant" not in answer.err
    assert submit({"max_approximants": 4}, "--dry-run").status == 2
