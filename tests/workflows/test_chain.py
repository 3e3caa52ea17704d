"""The flow of a polymer's chain, and what its document says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from scipy.stats import norm

pytest.importorskip("rdkit")

from workflows.chain import ChainStiffnessMaker, preparing_engine
from workflows.chain_documents import ChainConformer, ChainStiffnessDocument
from workflows.chains.averages import OLIGOMER_ERROR_FRACTION, scatter_between_starts, weights_of
from workflows.chains.straight import straight_conformers
from workflows.recipes import ChainStiffnessRecipe

QUICK = ChainStiffnessRecipe(starts=2, torsion_points=12)
POLY_P_PHENYLENE = "*c1ccc(*)cc1"


def computed(maker: ChainStiffnessMaker, smiles: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = maker.make(smiles)
    store = JobStore(MemoryStore())
    responses = run_locally(flow, store=store, ensure_success=True, log=False)
    output = store.get_output(flow.output.uuid, which="last")
    stated = {key: value for key, value in output.items() if not key.startswith("@")}
    return ChainStiffnessDocument.model_validate(stated), responses


def conformer(energy_ev: float, held: float, seeds: list[int], rise_a: float = 10.0):
    return ChainConformer(
        positions_a=[],
        rise_a=rise_a,
        twist_deg=0.0,
        energy_ev=energy_ev,
        lowest_curvature_ev_per_a2=0.1,
        free_compliance_a2_per_ev=2 * held,
        held_compliance_a2_per_ev=held,
        volume_a3=200.0,
        seeds=seeds,
    )


def test_polyphenylene_is_a_stiff_rod(tmp_path, monkeypatch):
    maker = ChainStiffnessMaker(preparing_engine(), recipe=QUICK)
    found, responses = computed(maker, POLY_P_PHENYLENE, tmp_path, monkeypatch)
    assert found.outcome == "computed"
    # A phenylene and a bond: 4.3 Å.
    assert found.rise_a == pytest.approx(4.3, abs=0.15)
    assert found.speed_of_sound_m_per_s > 14000
    assert found.free_speed_of_sound_m_per_s <= found.speed_of_sound_m_per_s * (1 + 1e-6)
    # Density, modulus and speed belong to one chain: E = ρ v².
    density_kg_per_m3 = found.molar_mass_g_per_mol * 1.66054 / (found.area_a2 * found.rise_a) * 1e3
    assert found.longitudinal_modulus_gpa * 1e9 == pytest.approx(
        density_kg_per_m3 * found.speed_of_sound_m_per_s**2, rel=1e-3
    )
    assert found.speed_of_sound_error_m_per_s >= (
        OLIGOMER_ERROR_FRACTION * found.speed_of_sound_m_per_s
    )
    assert found.persistence_length_nm > 5
    assert len(found.torsions) == 1
    assert sum(each.weight for each in found.conformers) == pytest.approx(1)
    assert found.cost == sum(step.cost for step in found.costs) > 0
    assert found.provenance.engine == "mmff94"
    assert "rdkit" in found.provenance.versions
    assert len(responses) == 4


def test_a_dear_engine_gets_a_job_for_each_conformer(tmp_path, monkeypatch):
    engine = replace(preparing_engine(), inline_supercells=0)
    recipe = QUICK.model_copy(update={"starts": 1})
    found, responses = computed(
        ChainStiffnessMaker(engine, recipe=recipe), "*C*", tmp_path, monkeypatch
    )
    assert found.outcome == "computed"
    assert len(responses) == 4 + len(found.conformers)
    assert found.speed_of_sound_m_per_s == pytest.approx(16000, rel=0.02)
    # One start has no scatter: an error bar would be made up.
    assert found.speed_of_sound_error_m_per_s is None


def test_conformers_come_again_with_the_same_seed():
    calculator = preparing_engine().new_calculator
    recipe = QUICK.model_copy(update={"starts": 1})
    one, other = (straight_conformers("*CCO*", calculator, recipe) for _ in range(2))
    assert one.conformers == other.conformers
    assert len(one.conformers) > 0


def test_a_chain_that_does_not_come_to_rest_is_unstable(tmp_path, monkeypatch):
    recipe = QUICK.model_copy(update={"max_steps": 1, "force_tolerance_ev_per_a": 1e-12})
    found, _ = computed(
        ChainStiffnessMaker(preparing_engine(), recipe=recipe), "*CCO*", tmp_path, monkeypatch
    )
    assert found.outcome == "unstable"
    assert "forces are not below tolerance after 1 steps" in found.reason
    assert found.speed_of_sound_m_per_s is None


def test_what_cannot_be_computed_is_refused_beforehand():
    maker = ChainStiffnessMaker(preparing_engine())
    assert maker.refusal(POLY_P_PHENYLENE) is None
    assert maker.refusal("*CB(C)*") == "MMFF94 has no parameters for B"
    assert "two ends" in str(maker.refusal("*CC"))
    assert "no SMILES" in str(maker.refusal("*c1cc"))
    assert "single bond" in str(maker.refusal("*=CC=*"))
    with pytest.raises(ValueError, match="no parameters for B"):
        maker.make("*CB(C)*")


def test_an_engine_of_crystals_is_refused():
    class Crystals:
        name = "gpaw-fast"

    assert "gpaw-fast" in str(ChainStiffnessMaker(Crystals()).refusal("*C*"))


def test_conformers_weigh_by_boltzmann_and_long_ones_by_the_tension():
    found = [conformer(0.0, 1.0, [0]), conformer(0.0258520 * math.log(3), 4.0, [0])]
    recipe = ChainStiffnessRecipe()
    assert weights_of(found, recipe) == pytest.approx([0.75, 0.25], rel=1e-4)
    lift = 0.0258520 * math.log(3) / recipe.aligning_tension_ev_per_a
    longer = [found[0], conformer(0.0258520 * math.log(3), 4.0, [0], rise_a=10.0 + lift)]
    assert weights_of(longer, recipe) == pytest.approx([0.5, 0.5], rel=1e-4)


def test_the_error_bar_is_the_scatter_between_starts():
    recipe = ChainStiffnessRecipe()
    agreeing = [conformer(0.0, 1.0, [0, 1, 2])]
    assert scatter_between_starts(agreeing, 100.0, recipe) == pytest.approx(0)
    assert scatter_between_starts([conformer(0.0, 1.0, [2])], 100.0, recipe) is None
    # Compliances of 1 and e⁻²: speeds apart by a factor e.
    differing = [conformer(0.0, 1.0, [0]), conformer(1.0, math.exp(-2), [1])]
    # Student's factor of one degree of freedom: the tangent of the angle within which 68.3 % lie.
    student = math.tan(math.pi * (norm.cdf(1.0) - 0.5))
    assert scatter_between_starts(differing, 100.0, recipe) == pytest.approx(
        student * math.sqrt(0.5)
    )
