"""Linewidths beside phono3py's own, which sums over pairs of atoms for every triplet anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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
    model = crystal.model(plan, third_order.fit_third_order(plan))
    ours = relaxation_time.relaxation_time_solution(model, mesh, TEMPERATURES_K, isotopes=True)
    monkeypatch.setattr(linewidths, "MOST_BYTES", 0)
    theirs = relaxation_time.relaxation_time_solution(model, mesh, TEMPERATURES_K, isotopes=True)
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
