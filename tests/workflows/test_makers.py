"""Makers run by jobflow: the whole flow, its chunks, its early end and what it stores."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.emt import EMT
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from workflows.conductivity import (
    ConductivityMaker,
    ThermalConductivityInputs,
    ThermalConductivityMaker,
)
from workflows.documents import (
    DielectricDocument,
    PhononDocument,
    RelaxationDocument,
    SpectrumDocument,
    ThermalConductivityDocument,
    TransportDocument,
)
from workflows.engines import AseEngine
from workflows.errors import EngineError
from workflows.lattice_dynamics import third_order, transport
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.lattice_dynamics.harmonic import load_phonopy_params
from workflows.lattice_dynamics.meshes import mesh_series
from workflows.lattice_dynamics.recorded_forces import recorded_model
from workflows.phonons import PhononMaker
from workflows.recipes import (
    PhononRecipe,
    RelaxationRecipe,
    ThermalConductivityRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
)
from workflows.relaxation import RelaxationMaker

RECIPE = ThermalConductivityRecipe(
    phonons=PhononRecipe(
        min_length_a=7.0,
        max_atoms=64,
        stability_mesh_length_a=20.0,
        spectrum_mesh_length_a=20.0,
    ),
    third_order=ThirdOrderRecipe(
        route="random-pairs", min_length_a=7.0, max_atoms=32, overdetermination=2.0
    ),
    transport=TransportRecipe(
        temperatures_k=(200.0, 300.0), mesh_lengths_a=(6.5, 10.4, 14.5), direct_solution=True
    ),
)
# The coarsest series there is, and no isotopes: for flows of which κ is not looked into.
COARSE = TransportRecipe(
    temperatures_k=(300.0,),
    mesh_lengths_a=(3.0, 3.1, 3.2),
    isotopes=False,
    gruneisen_mesh_length_a=10.0,
)


class Finished:
    """A flow that ran in this process, and its stores in memory."""

    def __init__(self, flow, folder, *, ensure_success: bool = True) -> None:
        self.store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
        self.flow = flow
        self.responses = run_locally(
            flow, store=self.store, root_dir=folder, log=False, ensure_success=ensure_success
        )

    def output(self, kind=ThermalConductivityDocument, job=None):
        """Return the document of a job, blobs included; of the whole flow without one."""
        uuid = (self.flow if job is None else job).output.uuid
        output = MontyDecoder().process_decoded(self.store.get_output(uuid, load=True))
        assert isinstance(output, kind)
        return output

    def stored(self) -> list[dict]:
        """Return all documents of the store as they lie there, blobs being references."""
        # The first index of a job that was replaced by others has no output.
        return list(self.store.query({"output": {"$ne": None}}, load=False))


def run(engine, structure, folder, recipe=RECIPE, **settings) -> Finished:
    maker = ThermalConductivityMaker(engine, recipe=recipe)
    return Finished(maker.make(structure), folder, **settings)


def chunked(emt: AseEngine, size: int) -> AseEngine:
    return AseEngine(emt.name, emt.calculator, elements=emt.elements, inline_supercells=size)


@pytest.fixture(scope="module")
def finished(emt, fcc_copper, tmp_path_factory) -> Finished:
    return run(emt, fcc_copper, tmp_path_factory.mktemp("inline"))


@pytest.fixture(scope="module")
def document(finished) -> ThermalConductivityDocument:
    return finished.output()


@pytest.fixture(scope="module")
def finished_in_chunks(emt, ordered_cuau, tmp_path_factory) -> dict[int, Finished]:
    """One flow with so many supercells a job; with 0 every supercell is a job."""
    recipe = ThermalConductivityRecipe(
        phonons=RECIPE.phonons.model_copy(update={"min_length_a": 5.0}),
        third_order=ThirdOrderRecipe(route="random-pairs", min_length_a=5.0, min_pairs=4),
        transport=COARSE,
    )
    return {
        size: run(chunked(emt, size), ordered_cuau, tmp_path_factory.mktemp(f"{size}"), recipe)
        for size in (0, 3, 64)
    }


# --- the computed crystal ---------------------------------------------------------------------


def test_document_is_measured(document):
    assert document.outcome == "computed"
    assert document.reason == ""
    assert document.formula == "Cu"
    assert document.kappa_300k_w_per_m_k > 0
    parts = (document.kappa_300k_mesh_error_w_per_m_k, document.kappa_300k_fit_error_w_per_m_k)
    assert min(parts) > 0
    assert document.kappa_300k_error_w_per_m_k == pytest.approx(np.hypot(*parts))
    assert document.kappa_300k_coherence_w_per_m_k > 0
    assert document.gruneisen_rms == pytest.approx(2.23, abs=0.1)
    assert document.nac is False
    assert document.isotope_scattering is True
    assert document.min_frequency_thz > 0
    assert document.max_frequency_thz == pytest.approx(8.1, abs=0.2)


def test_tensor_and_meshes_belong_together(document):
    assert [tuple(mesh.mesh) for mesh in document.meshes] == sorted(
        tuple(mesh.mesh) for mesh in document.meshes
    )
    assert len(document.meshes) == 3
    assert all(n % 2 for mesh in document.meshes for n in mesh.mesh)
    assert document.temperatures_k == [200.0, 300.0]
    tensor = np.array(document.kappa_tensor_w_per_m_k)
    assert tensor.shape == (2, 6)
    densest = document.meshes[-1].kappa_300k_w_per_m_k
    assert tensor[1, :3].mean() == pytest.approx(densest, abs=1e-5)
    series = [mesh.kappa_300k_w_per_m_k for mesh in document.meshes]
    limit = transport.extrapolate([mesh.mesh for mesh in document.meshes], series)
    assert document.kappa_300k_w_per_m_k == pytest.approx(limit.kappa_w_per_m_k)
    assert document.kappa_300k_mesh_error_w_per_m_k == pytest.approx(limit.error_w_per_m_k)


def test_costs_add_up(document):
    assert [cost.step for cost in document.costs] == [
        "relaxation",
        "phonons",
        "third-order forces",
        "transport",
    ]
    calls = {step.step: step.cost for step in document.costs}
    assert calls["phonons"] == 1
    assert calls["third-order forces"] == document.third_order_supercells
    assert calls["transport"] == 0
    assert document.cost == sum(calls.values())
    assert document.wall_s == pytest.approx(sum(cost.wall_s for cost in document.costs))


def test_estimate_of_the_cost(emt, fcc_copper, document):
    estimate = ThermalConductivityMaker(emt, recipe=RECIPE).estimate_cost(fcc_copper)
    assert estimate == 20 + 1 + document.third_order_supercells


def test_provenance_names_the_calculator(document):
    provenance = document.provenance
    assert provenance.engine == "emt"
    assert provenance.calculator == "ase.calculators.emt.EMT"
    assert {"ase", "phonopy", "phono3py", "symfc"} <= provenance.versions.keys()


def test_curves_end_at_the_densest_mesh(document):
    curves = TransportDocument.model_validate(document.transport)
    end = document.meshes[-1].kappa_300k_w_per_m_k
    assert curves.cumulative_kappa_of_frequency_w_per_m_k[-1] == pytest.approx(end, abs=1e-5)
    assert max(curves.frequency_thz) <= document.max_frequency_thz * 1.02
    spectrum = SpectrumDocument.model_validate(document.spectrum)
    assert max(spectrum.dos_frequency_thz) >= document.max_frequency_thz * 0.98


def test_direct_solution_uses_all_pairs(finished, document, emt, fcc_copper):
    # Leaving pairs out, to see how much the fit moves, must not leak into other results.
    relaxation = finished.output(RelaxationDocument, finished.flow.jobs[0])
    phonons = finished.output(PhononDocument, finished.flow.jobs[1])
    maker = ConductivityMaker(emt, third_order=RECIPE.third_order, transport=RECIPE.transport)
    plan = maker.plan(relaxation.structure)
    third_order.set_third_order_forces(plan, emt.forces(third_order.third_order_supercells(plan)))
    model = transport.transport_model(
        *conventional_cell(relaxation.structure),
        load_phonopy_params(phonons.phonopy_params),
        plan,
        third_order.fit_third_order(plan),
    )
    densest = document.meshes[-1]
    plain = transport.conductivity(model, densest.mesh, [300.0]).isotropic_w_per_m_k(300.0)
    assert plain == pytest.approx(densest.kappa_300k_w_per_m_k, rel=1e-9)
    direct = transport.direct_conductivity(model, densest.mesh, 300.0)
    assert document.kappa_300k_direct_w_per_m_k == pytest.approx(direct, rel=1e-6)


def test_finite_displacements_have_no_fit_error(emt, fcc_copper, tmp_path, document):
    recipe = RECIPE.model_copy(
        update={
            "third_order": ThirdOrderRecipe(
                route="finite-displacements", min_length_a=7.0, max_atoms=32
            ),
            "transport": RECIPE.transport.model_copy(update={"direct_solution": False}),
        }
    )
    finite = run(emt, fcc_copper, tmp_path, recipe).output()
    assert not finite.kappa_300k_fit_error_w_per_m_k
    assert finite.kappa_300k_error_w_per_m_k > 0
    assert finite.third_order_basis_size is None
    assert finite.third_order_supercells > document.third_order_supercells
    assert finite.meshes[-1].kappa_300k_w_per_m_k == pytest.approx(
        document.meshes[-1].kappa_300k_w_per_m_k, rel=0.05
    )


# --- chunks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 3])
def test_chunks_give_the_same_kappa(size, finished_in_chunks):
    inline = finished_in_chunks[64].output()
    split = finished_in_chunks[size].output()
    assert split.kappa_300k_w_per_m_k == pytest.approx(inline.kappa_300k_w_per_m_k, rel=1e-9)
    np.testing.assert_allclose(
        split.kappa_tensor_w_per_m_k, inline.kappa_tensor_w_per_m_k, rtol=1e-9
    )
    assert split.cost == inline.cost
    # Every supercell is computed by one job and one only.
    names = [stored["name"] for stored in finished_in_chunks[size].stored()]
    count = split.third_order_supercells
    step = max(1, size)
    assert count % 3 != 0, "else the last, shorter job is not tested"
    assert sorted(name for name in names if name.startswith("conductivity forces")) == sorted(
        f"conductivity forces {first + 1}-{min(first + step, count)} of {count}"
        for first in range(0, count, step)
    )
    # Two harmonic displacements: inside the job, unless every supercell is a job.
    assert [name for name in names if name.startswith("phonons forces")] == (
        [f"phonons forces {n}-{n} of 2" for n in (1, 2)] if size == 0 else []
    )


def test_lengths_that_round_alike_still_give_a_series(finished_in_chunks):
    meshes = [tuple(each.mesh) for each in finished_in_chunks[64].output().meshes]
    assert meshes == [(3, 3, 3), (5, 5, 5), (7, 7, 7)]


@pytest.mark.parametrize("name", ["copper", "cuau", "cu3au"])
@pytest.mark.parametrize("most_points", [27, 400, 1400])
def test_mesh_series_ascends_within_its_bound(name, most_points, request):
    model = request.getfixturevalue(name).phonon
    recipe = TransportRecipe(max_mesh_points=most_points)
    series = mesh_series(model, recipe)
    points = [int(np.prod(mesh)) for mesh in series]
    assert len(series) == len(recipe.mesh_lengths_a)
    assert points == sorted(set(points))
    assert all(n % 2 and n >= 3 for mesh in series for n in mesh)
    # Three distinct meshes are always made, were the last ones to pass a tight bound.
    # Cells of one atom may have 2^1.5 times as many points.
    bound = most_points * (2**1.5 if len(model.primitive) == 1 else 1)
    assert points[0 if most_points < 1400 else -1] <= bound


def test_short_lists_are_computed_inside_their_job(finished_in_chunks):
    names = {stored["name"] for stored in finished_in_chunks[64].stored()}
    assert names == {"relaxation", "phonons", "conductivity"}


# --- what is stored ---------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [False, True])
def test_documents_without_their_blobs_are_small(chunks, finished, finished_in_chunks):
    blobs = {"spectrum", "transport", "phono3py_params", "phonopy_params"}
    if chunks:
        finished = finished_in_chunks[0]
        blobs.add("forces")
    seen = set()
    for stored in finished.stored():
        assert len(json.dumps(stored["output"], default=str)) < 100_000, stored["name"]
        for field in blobs & stored["output"].keys():
            seen.add(field)
            assert "blob_uuid" in stored["output"][field], (stored["name"], field)
    assert seen == blobs


def test_documents_round_trip_through_the_store(finished, document):
    for job, kind in zip(
        finished.flow.jobs,
        (RelaxationDocument, PhononDocument, ThermalConductivityDocument),
        strict=True,
    ):
        read = finished.output(kind, job)
        text = json.dumps(read, cls=MontyEncoder)
        again = json.loads(text, cls=MontyDecoder)
        assert isinstance(again, kind)
        assert json.dumps(again, cls=MontyEncoder) == text
    assert isinstance(document.phono3py_params, str)
    assert document.structure.reduced_formula == "Cu"


def test_stored_forces_reproduce_the_measured_kappa(finished, document):
    phonons = finished.output(PhononDocument, finished.flow.jobs[1])
    again = recorded_model(io.StringIO(document.phono3py_params))
    second_order = load_phonopy_params(phonons.phonopy_params).force_constants
    rows = again.fc2[again.phonon_primitive.p2s_map]
    np.testing.assert_allclose(rows, second_order, atol=1e-10)
    again.fc2 = second_order  # else round-off would show, see test_transport
    mesh = document.meshes[-1]
    result = transport.conductivity(again, mesh.mesh, [300.0])
    assert result.isotropic_w_per_m_k(300.0) == pytest.approx(mesh.kappa_300k_w_per_m_k, rel=1e-6)


# --- crystals and engines that do not work out ------------------------------------------------


def test_unstable_crystal_ends_before_third_order(emt, bcc_copper, tmp_path, monkeypatch):
    planned = []
    plan = third_order.plan_third_order
    monkeypatch.setattr(
        third_order, "plan_third_order", lambda *args: planned.append(args) or plan(*args)
    )
    finished = run(emt, bcc_copper, tmp_path, RECIPE.model_copy(update={"unstable": "stop"}))
    document = finished.output()
    assert document.outcome == "unstable"
    assert document.kappa_300k_w_per_m_k is None
    assert document.kappa_300k_real_modes_w_per_m_k is None
    assert document.min_frequency_thz < -0.1
    assert "imaginary modes: lowest frequency -" in document.reason
    assert [cost.step for cost in document.costs] == ["relaxation", "phonons"]
    assert planned == []
    assert document.third_order_supercells is None
    assert document.spectrum is not None  # the bands show what is unstable


@pytest.fixture(scope="module")
def unstable(emt, bcc_copper, tmp_path_factory) -> Finished:
    return run(emt, bcc_copper, tmp_path_factory.mktemp("unstable"))


def test_an_unstable_crystal_gets_an_estimate_without_its_imaginary_modes(unstable):
    document = unstable.output()
    assert document.outcome == "unstable"
    assert document.reason.startswith("imaginary modes: lowest frequency -")
    assert document.kappa_300k_w_per_m_k is None
    assert document.kappa_300k_error_w_per_m_k is None
    assert document.kappa_300k_real_modes_w_per_m_k > 0
    assert document.kappa_300k_real_modes_error_w_per_m_k > 0
    assert [cost.step for cost in document.costs][-1] == "effective force constants"


def test_an_unstable_crystal_gets_kappa_with_force_constants_of_room_temperature(unstable):
    document = unstable.output()
    assert document.stabilised_at_300k
    assert document.min_effective_frequency_300k_thz > 0 > document.min_frequency_thz
    assert document.kappa_300k_effective_w_per_m_k > 0
    record = document.effective_force_constants
    assert record.converged
    parts = (
        record.kappa_300k_mesh_error_w_per_m_k,
        record.kappa_300k_statistical_error_w_per_m_k,
        record.kappa_300k_consistency_error_w_per_m_k,
    )
    assert document.kappa_300k_effective_error_w_per_m_k == pytest.approx(np.linalg.norm(parts))
    assert document.costs[-1].cost == record.force_calls
    assert record.force_calls == sum(cycle.snapshots for cycle in record.cycles) < 60
    second, third = (
        np.array(record.thermal_force_constants[order]) for order in ("second_order", "third_order")
    )
    # Harmonic phonons have the larger supercell here.
    assert second.shape == (1, 54, 3, 3)
    assert third.shape == (1, 16, 16, 3, 3, 3)
    assert record.supercell_atoms == 16
    stored = [each["output"] for each in unstable.stored()][-1]
    assert "blob_uuid" in stored["effective_force_constants"]["thermal_force_constants"]


def test_force_constants_of_room_temperature_are_looked_for_with_cheap_engines_only(emt):
    dear = replace(emt, inline_supercells=0)
    assert ConductivityMaker(emt)._wanted_effective() is not None
    assert ConductivityMaker(dear)._wanted_effective() is None
    recipe = ThermalConductivityRecipe(effective_force_constants=None)
    assert ThermalConductivityMaker(emt, recipe=recipe)._makers()[2]._wanted_effective() is None


def test_auto_estimates_unstable_crystals_with_cheap_engines_only(emt):
    dear = replace(emt, inline_supercells=0)
    assert ConductivityMaker(emt)._estimates_unstable()
    assert not ConductivityMaker(dear)._estimates_unstable()
    assert ConductivityMaker(dear, unstable="estimate")._estimates_unstable()


def test_a_crystal_that_relaxation_loses_ends_there(emt, tmp_path):
    squeezed = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2.3), ["Cu"], [[0, 0, 0]])
    document = run(emt, squeezed, tmp_path).output()
    assert document.outcome == "unstable"
    assert re.match(r"lost in relaxation, step \d+: the cell grew to 2\.", document.reason)
    assert document.kappa_300k_w_per_m_k is None
    assert document.min_frequency_thz is None
    assert document.cost == document.costs[0].cost


def test_gate_threshold_decides(emt, bcc_copper, tmp_path):
    phonons = PhononMaker(
        emt, recipe=RECIPE.phonons.model_copy(update={"stability_threshold_thz": -50.0})
    ).make(bcc_copper)
    tolerant = Finished(phonons, tmp_path).output(PhononDocument)
    assert tolerant.stable
    assert tolerant.min_frequency_thz < -0.1


def test_relaxation_that_cannot_converge_says_so(emt, fcc_copper, tmp_path):
    stretched = fcc_copper.copy()
    stretched.apply_strain(0.05)
    recipe = RelaxationRecipe(max_steps=1)
    message = r"Cu: not relaxed by 'emt' after 1 steps .* GPa\); raise max_steps"
    with pytest.raises(EngineError, match=message):
        emt.relax(stretched, recipe)
    flow = RelaxationMaker(emt, recipe=recipe).make(stretched)
    assert Finished(flow, tmp_path, ensure_success=False).responses == {}


def test_relaxation_finds_the_minimum_and_keeps_the_symmetry(emt, ordered_cu3au):
    strained = ordered_cu3au.copy()
    strained.apply_strain(0.03)
    strained.perturb(2e-4)  # the digits of a CIF
    relaxed = emt.relax(strained, RelaxationRecipe())
    assert relaxed.space_group_number == 221
    # phonopy looks closer than the relaxation did.
    assert SpacegroupAnalyzer(relaxed.structure, 1e-4).get_space_group_number() == 221
    assert relaxed.structure.lattice.a == pytest.approx(3.708, abs=0.002)
    assert relaxed.max_stress_gpa < 0.01
    assert relaxed.initial_volume_a3_per_atom == pytest.approx((3.75 * 1.03) ** 3 / 4)
    assert relaxed.cost.cost == relaxed.steps + 1


def test_an_engine_says_which_elements_it_takes(emt):
    assert {"Cu", "Au"} <= emt.supported_elements()
    assert emt.supported_elements().isdisjoint(["Si", "Na"])
    assert AseEngine("any", "ase.calculators.emt.EMT").supported_elements() is None


def test_engine_that_is_not_installed_says_what_to_do():
    engine = AseEngine("mace", "mace_not_here.calculators.Mace", install_hint="pip install mace")
    assert engine.missing() == ("Python package 'mace_not_here' is not installed; pip install mace")
    with pytest.raises(EngineError, match=r"calculator 'mace_not_here\.calculators\.Mace' cannot"):
        engine.forces([Structure(Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])])


def test_crystal_of_unknown_elements_does_not_pass_for_measured(emt, tmp_path):
    salt = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    finished = run(emt, salt, tmp_path, ensure_success=False)
    assert finished.stored() == []


def test_forces_that_are_no_numbers_are_refused(emt, fcc_copper, monkeypatch):
    monkeypatch.setattr(EMT, "get_forces", lambda self, atoms: np.full((4, 3), np.nan))
    with pytest.raises(EngineError, match="Cu: 'emt' returned a force that is no number"):
        emt.forces([fcc_copper])


@pytest.mark.slow
def test_a_supercell_check_says_how_much_kappa_moves(emt, fcc_copper, tmp_path, document):
    recipe = RECIPE.model_copy(
        update={
            "supercell_check": True,
            # A cut-off that both supercells hold, so that few forces are needed.
            "third_order": RECIPE.third_order.model_copy(update={"cutoff_a": 3.4}),
            "transport": RECIPE.transport.model_copy(update={"direct_solution": False}),
        }
    )
    checked = run(emt, fcc_copper, tmp_path, recipe).output()
    larger = checked.kappa_300k_larger_supercell_w_per_m_k
    assert larger != checked.kappa_300k_w_per_m_k
    assert larger == pytest.approx(checked.kappa_300k_w_per_m_k, rel=0.3)
    assert any(cost.step.endswith("larger supercell") for cost in checked.costs)
    assert checked.cost == sum(step.cost for step in checked.costs)
    assert document.kappa_300k_larger_supercell_w_per_m_k is None


def test_known_born_charges_reach_the_document(emt, ordered_cuau, tmp_path):
    structure = ordered_cuau.get_primitive_structure()
    charges = [
        ((1 if site.specie.symbol == "Cu" else -1) * np.eye(3)).tolist() for site in structure
    ]
    dielectric = DielectricDocument(
        structure=structure,
        born_charges_e=charges,
        dielectric_tensor=(9 * np.eye(3)).tolist(),
        source="a database",
    )
    recipe = ThermalConductivityRecipe(
        phonons=RECIPE.phonons.model_copy(update={"min_length_a": 5.0}),
        third_order=ThirdOrderRecipe(min_length_a=5.0),
        transport=COARSE,
    )
    values = {}
    for nac in ("auto", "off"):
        maker = ThermalConductivityMaker(emt, recipe=recipe.model_copy(update={"nac": nac}))
        folder = tmp_path / nac
        folder.mkdir()
        values[nac] = Finished(
            maker.make(structure, ThermalConductivityInputs(dielectric=dielectric)), folder
        ).output()
    assert (values["auto"].nac, values["auto"].nac_source) == (True, "a database")
    assert (values["off"].nac, values["off"].nac_source) == (False, None)
    assert values["auto"].nac_reason is None
    assert values["off"].nac_reason == "the recipe says nac: off"
    assert values["auto"].max_frequency_thz > values["off"].max_frequency_thz
    kept = values["auto"].phono3py_params
    assert "born_effective_charge" in kept
