"""Linewidths beside phono3py's own, which sums over pairs of atoms for every triplet anew."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from phono3py.phonon3.fc3 import compact_fc3_to_full_fc3
from pymatgen.core import Lattice, Structure

from workflows.lattice_dynamics import linewidths, relaxation_time, third_order

TEMPERATURES_K = np.array([100.0, 300.0, 1000.0])


@pytest.fixture(scope="module")
def crystals(crystal, copper, cu3au, cuau) -> dict[str, Any]:
    """One atom in the cell, four, two with a fourfold axis, and one with inversion alone."""
    skew = Structure(Lattice.from_parameters(2.6, 2.5, 2.55, 62, 58, 61), ["Cu"], [[0, 0, 0]])
    others = {"CuAu": cuau, "triclinic": crystal(skew)}
    return {"copper": copper, "Cu3Au": cu3au, **others}


@pytest.mark.parametrize("mesh", [(5, 5, 5), (4, 4, 4)])
@pytest.mark.parametrize("name", ["copper", "Cu3Au", "CuAu", "triclinic"])
def test_linewidths_are_those_of_phono3py(name, mesh, crystals, monkeypatch):
    crystal = crystals[name]
    plan = crystal.plan()
    agree(crystal.model(plan, third_order.fit_third_order(plan)), mesh, monkeypatch)


def test_so_are_those_of_a_polar_crystal_within_a_cutoff(cu3au, monkeypatch):
    plan = cu3au.plan(cutoff_a=3.2)
    constants = third_order.fit_third_order(plan)
    assert constants.nonzero is not None
    assert not constants.nonzero.all()
    model = cu3au.model(plan, constants)
    charges = np.array([np.eye(3) * charge for charge in (1.5, -0.5, -0.5, -0.5)])
    model.nac_params = {"born": charges, "dielectric": 4 * np.eye(3), "factor": 14.4}
    agree(model, (3, 3, 3), monkeypatch)


def test_so_are_those_of_force_constants_between_all_atoms(copper, monkeypatch):
    plan = copper.plan()
    constants = third_order.fit_third_order(plan)
    model = copper.model(plan, constants)
    whole = compact_fc3_to_full_fc3(model.primitive, constants.third_order)
    assert len(whole) == len(model.supercell)
    model.fc3 = whole
    agree(model, (5, 5, 5), monkeypatch)


def agree(model, mesh, monkeypatch):
    """Assert that linewidths and κ are the same, computed here and by phono3py."""
    computed_here = []

    def spied(*arguments):
        computed_here.append(arguments)
        return linewidths.linewidths_thz(*arguments)

    monkeypatch.setattr(relaxation_time, "linewidths_thz", spied)
    ours = relaxation_time.relaxation_time_solution(model, mesh, TEMPERATURES_K, isotopes=True)
    monkeypatch.setattr(linewidths, "MOST_BYTES", 0)
    theirs = relaxation_time.relaxation_time_solution(model, mesh, TEMPERATURES_K, isotopes=True)
    assert len(computed_here) == 1
    assert theirs.gamma.max() > 0
    np.testing.assert_allclose(ours.gamma, theirs.gamma, rtol=1e-9, atol=1e-12 * theirs.gamma.max())
    kappas = [each.get_extra_kappa_output() for each in (ours, theirs)]
    for part in ("kappa_intra", "kappa_inter"):
        np.testing.assert_allclose(kappas[0][part], kappas[1][part], rtol=1e-9, atol=1e-12)


def test_linewidths_do_not_depend_on_the_number_of_threads(copper_model):
    copper_model.mesh_numbers = [9, 9, 9]
    copper_model.init_phph_interaction()
    interaction = copper_model.phph_interaction
    interaction.run_phonon_solver_at_gamma()
    interaction.run_phonon_solver()
    points = np.arange(1, 12)
    one, three = (
        linewidths.linewidths_thz(interaction, points, TEMPERATURES_K, threads)
        for threads in (1, 3)
    )
    assert (one > 0).any()
    np.testing.assert_array_equal(one, three)


def test_the_compiled_loop_is_found_by_the_next_program(tmp_path):
    program = (
        "import numpy as np\n"
        "from screening.alloys.exchange_kernel import _change\n"
        "whole, real = np.zeros((2, 2), dtype=int), np.zeros((2, 2))\n"
        "_change(0, 0, real, real, whole[0], real[0], whole[0], whole, whole, whole[0])\n"
        "print(sum(_change.stats.cache_hits.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["0", "1"]
