"""Amorphous polymers: the mean over axes, what is missing, and a small real run of RadonPy."""

from __future__ import annotations

import os

import pytest

from workflows.amorphous.conductivity import AmorphousConductivityMaker, mean_over_axes, unsteady
from workflows.amorphous.documents import AmorphousCellDocument, AxisConductivityDocument
from workflows.amorphous.engine import LAMMPS_VARIABLE, RadonPyEngine
from workflows.amorphous.recipe import AmorphousConductivityRecipe
from workflows.dft.execution import ProgramFailure
from workflows.document_parts import StepCost

NO_COST = StepCost(step="heat current", cost=0.0, cost_unit="", wall_s=0.0)
SMALL = AmorphousConductivityRecipe(
    chains=4,
    atoms_per_chain=60,
    compression_steps=[(500, 500, 500)] * 7,
    sampling_ns=0.01,
    conduction_steps=20_000,
    axes=("x",),
)


def along(axis, kappa, gradients, relative_error=0.0):
    return AxisConductivityDocument(
        axis=axis,
        kappa_w_per_m_k=kappa,
        gradients_k_per_m=gradients,
        gradients_are_linear=True,
        heat_current_relative_error=relative_error,
        cost=NO_COST,
    )


def test_the_error_is_that_of_the_halves_or_the_spread_of_the_axes():
    even = [1.0, 1.0]
    alike = [along(axis, 0.2, even, 0.03) for axis in "xyz"]
    assert mean_over_axes(alike) == (pytest.approx(0.2), pytest.approx(0.2 * 0.03 / 3**0.5))
    spread = [along(axis, kappa, even) for axis, kappa in zip("xyz", (0.1, 0.2, 0.3), strict=True)]
    assert mean_over_axes(spread) == (pytest.approx(0.2), pytest.approx(0.1 / 3**0.5))
    uneven = [along("x", 0.2, [0.8, 1.2])]
    assert mean_over_axes(uneven) == (pytest.approx(0.2), pytest.approx(0.2 * 0.2))


def test_a_run_that_is_not_steady_gives_no_number():
    def cell(equilibrated):
        return AmorphousCellDocument(
            state="", units_per_chain=1, atoms=9, equilibrated=equilibrated, cost=NO_COST
        )

    good = along("x", 0.2, [1.0, 1.0])
    bent = good.model_copy(update={"gradients_are_linear": False})
    assert unsteady(cell(True), [good]) == ""
    assert "equilibrium" in unsteady(cell(False), [good])
    assert "no straight line" in unsteady(cell(True), [good, bent])
    for kappa in (-0.1, float("nan")):
        assert "no steady heat current along y" in unsteady(cell(True), [along("y", kappa, [1, 1])])


def test_the_cost_is_known_beforehand():
    maker = AmorphousConductivityMaker(RadonPyEngine("radonpy-gaff2"))
    # 10,000 atoms for 7 ns, and three times 30,000 atoms for 1 ns.
    assert maker.estimate_cost("*C*") == pytest.approx(10 * 7 + 3 * 30)


def test_psi4_is_asked_for_where_charges_need_it(monkeypatch):
    pytest.importorskip("radonpy")
    monkeypatch.setenv(LAMMPS_VARIABLE, "/nowhere/lmp")
    assert LAMMPS_VARIABLE in RadonPyEngine("radonpy-gaff2").missing()
    assert "psi4" in RadonPyEngine("radonpy-gaff2", charges="RESP").missing()


@pytest.mark.slow
def test_a_small_real_run(tmp_path, monkeypatch):
    pytest.importorskip("radonpy", reason="pip install 'matscreen[amorphous]'")
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    engine = RadonPyEngine("radonpy-gaff2", timeout_h=1)
    if engine.missing():
        pytest.skip(engine.missing())
    flow = AmorphousConductivityMaker(engine, recipe=SMALL).make("*C*")
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    os.chdir(tmp_path)
    run_locally(flow, store=store, ensure_success=True)
    document = store.get_output(flow.output.uuid, load=True)
    # So few steps give no number to quote, and say so; a wild one would be an error of units.
    assert document["outcome"] in ("computed", "unstable")
    assert abs(document["axes"][0]["kappa_w_per_m_k"]) < 20.0
    assert 0.3 < document["density_g_per_cm3"] < 1.2
    assert document["units_per_chain"] > 10


def test_what_radonpy_says_is_passed_on():
    pytest.importorskip("radonpy")
    engine = RadonPyEngine("radonpy-gaff2", timeout_h=0.1)
    settings = AmorphousConductivityRecipe().model_dump(mode="json")
    with pytest.raises(ProgramFailure, match="GAFF2 has no parameters"):
        engine.run("build", {**settings, "smiles": "*[Si](C)(C)*"})
