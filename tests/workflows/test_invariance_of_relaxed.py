"""What hangs on how well a crystal is relaxed is the same whatever cell it is given in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_representations import everything
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from workflows.elasticity import ElasticityMaker
from workflows.insertion import InsertionMaker
from workflows.recipes import InsertionRecipe

FROM = Structure.from_spacegroup


def run(flow: Any, folder: Path) -> dict[str, Any]:
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(flow, store=store, root_dir=folder, log=False, ensure_success=True)
    output: dict[str, Any] = store.get_output(flow.output.uuid, which="last")
    assert output["outcome"] == "computed"
    return output


def test_slacks_kappa_of_a_rhombohedral_crystal(emt, tmp_path):
    """CuPt, L1₁: spglib finds no space group for some of its strained cells."""
    lattice = Lattice.hexagonal(2.70, 13.1)
    crystal = FROM("R-3m", lattice, ["Cu", "Pt"], [[0, 0, 0], [0, 0, 0.5]])
    turned = everything(crystal.get_primitive_structure(), np.random.default_rng(0))
    found = [
        run(ElasticityMaker(emt).make(structure), tmp_path)
        for structure in (crystal, crystal.get_primitive_structure(), turned)
    ]
    for field in ("bulk_modulus_gpa", "shear_modulus_gpa", "debye_temperature_k"):
        assert [each[field] for each in found[1:]] == pytest.approx([found[0][field]] * 2, rel=0.01)
    slack = [each["slack_kappa_300k_w_per_m_k"] for each in found]
    assert slack[1:] == pytest.approx([slack[0]] * 2, rel=0.04)


def test_volume_change_of_ni3al_without_aluminium(emt, tmp_path):
    """0.2000 with forces and stress converged."""
    crystal = FROM("Pm-3m", Lattice.cubic(3.56), ["Al", "Ni"], [[0, 0, 0], [0.5, 0.5, 0]])
    maker = InsertionMaker(emt, recipe=InsertionRecipe(working_ion="Al"))
    turned = everything(crystal, np.random.default_rng(0))
    for structure in (crystal, crystal * (1, 1, 2), turned):
        change = run(maker.make(structure), tmp_path)["delta_volume_fraction"]
        assert change == pytest.approx(0.2000, abs=0.0008)
