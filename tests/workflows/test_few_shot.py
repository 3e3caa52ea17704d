"""Force constants from few snapshots: basis, evidence, posterior, and the flow."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyEncoder
from phono3py import Phono3py
from pymatgen.core import Lattice, Structure
from scipy.stats import multivariate_normal

from workflows import few_shot as few_shot_jobs
from workflows.conductivity import ThermalConductivityMaker
from workflows.documents import ThermalConductivityDocument
from workflows.errors import EngineError
from workflows.few_shot import FewShotMaker
from workflows.forces import queue_forces
from workflows.lattice_dynamics import bayesian_fit, few_shot, harmonic, third_order, transport
from workflows.lattice_dynamics.cells import (
    conventional_cell,
    has_inversion_at_all_sites,
    phonopy_cell,
    pymatgen_cell,
)
from workflows.lattice_dynamics.few_shot_crystal import FewShotCrystal, random_displacements
from workflows.lattice_dynamics.force_constant_basis import force_constant_basis
from workflows.lattice_dynamics.larger_supercell import CarryOver
from workflows.lattice_dynamics.recorded_forces import recorded_model, recorded_phonon
from workflows.recipes import (
    PhononRecipe,
    ThermalConductivityRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
)

RECIPE = ThermalConductivityRecipe(
    phonons=PhononRecipe(
        min_length_a=7.0, max_atoms=32, stability_mesh_length_a=20.0, spectrum_mesh_length_a=20.0
    ),
    third_order=ThirdOrderRecipe(min_length_a=7.0, max_atoms=32),
    transport=TransportRecipe(temperatures_k=(300.0,), mesh_lengths_a=(6.5, 10.4, 14.5)),
)


@pytest.fixture(scope="module")
def model(fcc_copper) -> Phono3py:
    cell, centring = conventional_cell(fcc_copper)
    return Phono3py(
        phonopy_cell(cell), supercell_matrix=np.diag([2, 2, 2]), primitive_matrix=centring
    )


@pytest.fixture(scope="module")
def basis(model):
    return force_constant_basis(model)


@pytest.fixture(scope="module")
def snapshots(model, emt):
    """Displacements, EMT's forces on them."""
    displacements = random_displacements(32, 12, 0.03, 0, mirrored=False)
    cells = []
    for displacement in displacements:
        cell = model.supercell.copy()
        cell.positions = cell.positions + displacement
        cells.append(pymatgen_cell(cell))
    return displacements, np.array(emt.forces(cells))


@pytest.fixture(scope="module")
def solved(basis, snapshots):
    """Coordinates of second and third order by least squares over all snapshots."""
    displacements, forces = snapshots
    design = np.hstack([basis.second.forces(displacements), basis.third.forces(displacements)])
    found = np.linalg.lstsq(design, basis.equations(forces), rcond=None)[0]
    return np.split(found, [basis.second.unknowns])


# --------------------------------------------------------------------------------------- the basis


def test_the_basis_gives_symfcs_own_solution(model, basis, snapshots, solved):
    displacements, forces = snapshots
    model.dataset = {"displacements": displacements, "forces": forces}
    model.produce_fc3(fc_calculator="symfc")
    for order, coordinates, symfcs in (
        (basis.second, solved[0], model.fc2),
        (basis.third, solved[1], model.fc3),
    ):
        np.testing.assert_allclose(
            order.force_constants(coordinates), symfcs, atol=1e-9 * np.abs(symfcs).max()
        )
        np.testing.assert_allclose(order.coordinates(symfcs), coordinates, atol=1e-8)


def test_forces_of_coordinates_are_in_the_order_of_the_atoms(basis, snapshots, solved):
    displacements, forces = snapshots
    expected = basis.forces(displacements, *solved)
    # What is left is fourth order.
    assert np.sqrt(((expected - forces) ** 2).mean()) < 0.01 * np.sqrt((forces**2).mean())


def test_the_precision_of_a_spread_has_that_spread_on_average(basis):
    spread = np.full(basis.second.shape[:2], 0.7)
    covariance = np.linalg.inv(basis.second.precision(spread))
    onto = basis.second.compression @ basis.second.vectors
    variances = np.einsum("ij,jk,ik->i", onto, covariance, onto)
    assert variances.mean() == pytest.approx(0.7**2)


# ------------------------------------------------------------------------------------------ the fit


def priors(basis, solved, error: float):
    """Return priors of a potential whose force constants are off by a relative error."""
    generator = np.random.default_rng(3)
    second, third = (
        order.force_constants(each * (1 + error * generator.normal(size=len(each))))
        for order, each in zip((basis.second, basis.third), solved, strict=True)
    )
    return bayesian_fit.priors_of_potential(basis, second, third)


def fitted_to(basis, prior, displacements, forces):
    equations = bayesian_fit.SnapshotEquations(basis, displacements)
    return bayesian_fit.fit(equations, prior, forces)


def test_the_evidence_is_the_density_of_the_forces(basis, snapshots, solved):
    displacements, forces = snapshots[0][:1], snapshots[1][:1]
    [difference, _] = priors(basis, solved, 0.1)
    found = fitted_to(basis, difference, displacements, forces)
    covariance = found.noise_ev_per_a**2 * np.eye(96)
    mean = np.zeros(96)
    for order, prior, scale in zip(
        (basis.second, basis.third),
        (difference.second, difference.third),
        found.scales,
        strict=True,
    ):
        design = order.forces(displacements)
        inverse = np.linalg.inv(prior.factor @ prior.factor.T)
        covariance += scale**2 * design @ inverse @ design.T
        mean += design @ prior.mean
    density = multivariate_normal(mean, covariance, allow_singular=True)
    assert found.log_evidence == pytest.approx(density.logpdf(basis.equations(forces)), rel=1e-5)


def test_many_snapshots_leave_nothing_to_the_prior(basis, snapshots, solved):
    """With more equations than unknowns, which are then left out, the fit is that of symfc."""
    [difference, shape] = priors(basis, solved, 0.1)
    displacements, forces = snapshots
    assert basis.second.unknowns + basis.third.unknowns < 96 * len(forces)
    for prior in (difference, shape):
        found = fitted_to(basis, prior, displacements, forces)
        for order, mean, truth in zip(
            (basis.second, basis.third), found.mean(), solved, strict=True
        ):
            right = order.force_constants(truth)
            assert np.linalg.norm(mean - right) < 0.02 * np.linalg.norm(right)
        left = forces - basis.forces(
            displacements,
            *(
                o.coordinates(f)
                for o, f in zip((basis.second, basis.third), found.mean(), strict=True)
            ),
        )
        assert found.noise_ev_per_a == pytest.approx(np.sqrt((left**2).mean()), rel=0.3)


def test_one_snapshot_corrects_a_potential(basis, snapshots, solved):
    [difference, _] = priors(basis, solved, 0.1)
    found = fitted_to(basis, difference, snapshots[0][:1], snapshots[1][:1])
    for order, mean, prior, truth in zip(
        (basis.second, basis.third),
        found.mean(),
        (difference.second, difference.third),
        solved,
        strict=True,
    ):
        right = order.force_constants(truth)
        before = np.linalg.norm(order.force_constants(prior.mean) - right)
        assert np.linalg.norm(mean - right) < 0.6 * before


def test_draws_scatter_about_the_mean_as_the_posterior_says(basis, snapshots, solved):
    [difference, _] = priors(basis, solved, 0.1)
    found = fitted_to(basis, difference, snapshots[0][:1], snapshots[1][:1])
    mean = found.mean()[0]
    drawn = np.array([found.draw(seed)[0] for seed in range(60)])
    spread = drawn.std(axis=0)
    seen = spread > 0.1 * spread.max()
    pulls = (drawn.mean(axis=0) - mean)[seen] / spread[seen] * np.sqrt(60)
    assert np.abs(pulls).max() < 4.5
    np.testing.assert_array_equal(found.draw(7)[1], found.draw(7)[1])


def test_the_evidence_takes_only_the_shape_of_a_potential_that_is_wrong(
    basis, snapshots, solved, model
):
    second, third = (
        order.force_constants(-each)
        for order, each in zip((basis.second, basis.third), solved, strict=True)
    )
    potential = few_shot.PotentialForces(second, third, -snapshots[1])
    fitted = few_shot.FewShotModel(basis, snapshots[0], potential, model.supercell).fit(
        snapshots[1][:2]
    )
    assert fitted.posterior.prior.kind == "shape"


def test_higher_orders_are_taken_only_from_a_potential_that_agrees_with_itself(
    basis, snapshots, solved, model
):
    displacements, forces = snapshots
    second, third = basis.second.force_constants(solved[0]), basis.third.force_constants(solved[1])
    right = few_shot.PotentialForces(second, third, forces)
    fitted = few_shot.FewShotModel(basis, displacements, right, model.supercell).fit(forces[:1])
    assert fitted.higher_orders
    assert set(fitted.log_evidences) == {
        "difference",
        "difference + higher orders",
        "shape",
        "shape + higher orders",
    }
    # Half the force constants that its forces have: the rest would pass for higher orders.
    wrong = few_shot.PotentialForces(second / 2, third / 2, forces)
    fitted = few_shot.FewShotModel(basis, displacements, wrong, model.supercell).fit(forces[:1])
    assert not fitted.higher_orders
    assert set(fitted.log_evidences) == {"difference", "shape"}


def test_without_a_potential_distance_decides(basis, snapshots, solved, model):
    displacements, forces = snapshots
    fitted = few_shot.FewShotModel(basis, displacements, None, model.supercell).fit(forces[:4])
    assert fitted.posterior.prior.kind == "distance"
    truth = basis.second.force_constants(solved[0])
    assert np.linalg.norm(fitted.posterior.mean()[0] - truth) < 0.1 * np.linalg.norm(truth)


def test_the_bar_is_of_spread_and_shift():
    found = few_shot.kappa_posterior(_Posterior(), lambda second, third: float(second[0]), draws=3)
    assert found.kappa_w_per_m_k == 10.0
    assert found.std_w_per_m_k == pytest.approx(1.0)
    assert found.shift_w_per_m_k == pytest.approx(-2.0)
    assert found.error_bar_w_per_m_k == pytest.approx(
        math.hypot(few_shot.BAR_OF_STD, 2.0, 10.0 * few_shot.LEAST_RELATIVE_BAR)
    )


class _Posterior:
    """κ is the first number: 10 of the mean, 7, 8 and 9 of draws."""

    def mean(self):
        return np.array([10.0]), None

    def draw(self, seed):
        return np.array([7.0 + seed]), None


# ------------------------------------------------------------------------------------------ cells


@pytest.mark.parametrize(
    ("space_group", "lattice", "symbols", "sites", "inversion"),
    [
        ("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]], True),
        ("F-43m", Lattice.cubic(6.1), ["Zn", "Te"], [[0, 0, 0], [0.25, 0.25, 0.25]], False),
        ("Fd-3m", Lattice.cubic(5.4), ["Si"], [[0, 0, 0]], False),
        (
            "P6_3mc",
            Lattice.hexagonal(3.1, 5.0),
            ["Al", "N"],
            [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]],
            False,
        ),
        ("R-3m", Lattice.hexagonal(4.5, 11.8), ["Bi"], [[0, 0, 0.234]], False),
        ("Im-3m", Lattice.cubic(3.2), ["W"], [[0, 0, 0]], True),
    ],
)
def test_inversion_at_all_sites(space_group, lattice, symbols, sites, inversion):
    crystal = Structure.from_spacegroup(space_group, lattice, symbols, sites)
    assert has_inversion_at_all_sites(phonopy_cell(crystal)) is inversion


def test_snapshots_are_the_same_however_many_there_are():
    few = random_displacements(8, 2, 0.05, 4, mirrored=True)
    many = random_displacements(8, 6, 0.05, 4, mirrored=True)
    np.testing.assert_array_equal(many[:2], few)
    np.testing.assert_array_equal(many[::2], -many[1::2])
    np.testing.assert_allclose(np.linalg.norm(many, axis=-1), 0.05)


def test_force_constants_of_a_supercell_keep_their_phonons_in_a_larger_one(emt, fcc_copper):
    cell, centring = conventional_cell(fcc_copper)
    smaller = harmonic.harmonic_model(cell, centring, np.diag([2, 2, 2]), 0.01)
    harmonic.set_harmonic_forces(smaller, emt.forces(harmonic.harmonic_supercells(smaller)))
    compact = smaller.force_constants[smaller.primitive.p2s_map]
    larger = harmonic.harmonic_model(cell, centring, np.diag([3, 3, 3]), 0.01)
    larger.force_constants = CarryOver(smaller, larger)(compact)
    for point in ([0, 0, 0], [0.5, 0.5, 0], [0.1, 0.23, 0.37], [0.5, 0.25, 0.75]):
        there, here = (model.run_qpoints([point]).frequencies for model in (larger, smaller))
        np.testing.assert_allclose(there, here, atol=1e-4)


def test_a_crystal_with_free_positions_computes_its_undisplaced_cell_too(emt):
    wurtzite = Structure.from_spacegroup(
        "P6_3mc",
        Lattice.hexagonal(3.3, 5.3),
        ["Cu", "Al"],
        [[1 / 3, 2 / 3, 0.0], [1 / 3, 2 / 3, 0.37]],
    )
    crystal = FewShotCrystal(wurtzite, RECIPE.phonons, RECIPE.third_order)
    assert crystal.undisplaced == 1
    assert crystal.mirrored
    cells = crystal.supercells()
    assert len(cells) == 1 + RECIPE.third_order.max_snapshots
    assert crystal.first_snapshots == 2


# -------------------------------------------------------------------------------------------- flow


def computed(engine, structure, recipe=RECIPE) -> tuple[ThermalConductivityDocument, list[str]]:
    """Return the document of the flow, and the names of the jobs that ran."""
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    flow = ThermalConductivityMaker(engine, recipe=recipe).make(structure)
    run_locally(flow, store=store, ensure_success=True, log=False)
    names = [document["name"] for document in store.query(properties=["name"])]
    found = store.get_output(flow.output.uuid, which="last", load=True)
    found = {key: value for key, value in found.items() if not key.startswith("@")}
    return ThermalConductivityDocument.model_validate(found), names


@pytest.fixture(scope="module")
def exact(emt, fcc_copper, tmp_path_factory):
    """κ by random pairs, enough of them."""
    document, _ = computed(emt, fcc_copper)
    assert document.third_order_route == "random-pairs"
    return document


def test_one_snapshot_is_enough_with_a_good_potential(
    emt, fcc_copper, exact, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    dear = replace(emt, inline_supercells=0, prior=emt)
    document, names = computed(dear, fcc_copper)
    assert document.third_order_route == "few-shot"
    assert document.few_shot.snapshots == 1
    assert document.few_shot.prior_engine == "emt"
    assert document.few_shot.prior_kind == "difference"
    assert document.third_order_supercells == 1
    assert names.count("few-shot conductivity forces 1-1 of 1") == 1
    assert document.kappa_300k_w_per_m_k == pytest.approx(exact.kappa_300k_w_per_m_k, rel=0.03)
    assert document.few_shot.unused_snapshot_relative_residual < 0.01
    assert document.kappa_300k_fit_error_w_per_m_k > 0
    again = recorded_model(
        io.StringIO(document.phono3py_params), force_constants=document.force_constants
    )
    mesh = document.meshes[0]
    found = transport.conductivity(again, mesh.mesh, [300.0]).isotropic_w_per_m_k(300.0)
    assert found == pytest.approx(mesh.kappa_300k_w_per_m_k, rel=1e-6)
    phonon = recorded_phonon(
        io.StringIO(document.phono3py_params), force_constants=document.force_constants
    )
    gate = harmonic.stability(phonon, RECIPE.phonons.stability_mesh_length_a)
    assert gate.max_frequency_thz == pytest.approx(document.max_frequency_thz)


def test_without_a_potential_snapshots_are_added_until_kappa_is_sure(
    emt, fcc_copper, exact, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    sure = RECIPE.third_order.model_copy(update={"max_relative_error": 0.034})
    recipe = RECIPE.model_copy(update={"third_order": sure})
    document, names = computed(replace(emt, inline_supercells=0), fcc_copper, recipe)
    record = document.few_shot
    assert record.prior_engine is None
    assert record.prior_kind == "distance"
    assert record.snapshots > 1
    assert [step.snapshots for step in record.steps] == [1, 2, 4, 6, 8][: len(record.steps)]
    # Each snapshot was computed once.
    assert len([name for name in names if " forces " in name]) == record.snapshots
    apart = abs(document.kappa_300k_w_per_m_k - exact.kappa_300k_w_per_m_k)
    assert apart < 2 * document.kappa_300k_error_w_per_m_k


def test_a_lost_crystal_gets_no_snapshots(emt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    squeezed = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2.3), ["Cu"], [[0, 0, 0]])
    document, names = computed(replace(emt, inline_supercells=0, prior=emt), squeezed)
    assert document.outcome == "unstable"
    assert document.reason.startswith("lost in relaxation")
    assert not [name for name in names if " forces " in name]


@pytest.mark.parametrize("unstable", ["auto", "estimate"])
def test_an_unstable_crystal_is_found_unstable(emt, bcc_copper, tmp_path, monkeypatch, unstable):
    monkeypatch.chdir(tmp_path)
    recipe = RECIPE.model_copy(update={"unstable": unstable})
    document, _ = computed(replace(emt, inline_supercells=0, prior=emt), bcc_copper, recipe)
    assert document.outcome == "unstable"
    assert document.few_shot.unstable_draws == document.few_shot.draws
    assert document.kappa_300k_w_per_m_k is None
    assert (document.kappa_300k_real_modes_w_per_m_k is None) is (unstable == "auto")
    if unstable == "auto":
        assert document.few_shot.snapshots == 1


def test_jobs_do_not_carry_the_prior_along(emt, fcc_copper, tmp_path, monkeypatch):
    """Its third-order force constants may be larger than a document may be."""
    monkeypatch.chdir(tmp_path)
    stored = []

    def queued(maker, structure, count, finish, first=0):
        stored.append(finish([{"forces": [], "wall_s": 0.0}]))
        return queue_forces(maker, structure, count, finish, first)

    monkeypatch.setattr(few_shot_jobs, "queue_forces", queued)
    computed(replace(emt, inline_supercells=0, prior=emt), fcc_copper)
    [job] = stored
    assert len(json.dumps(job.as_dict(), cls=MontyEncoder)) < 30_000


def test_a_prior_that_is_not_installed_is_no_reason_to_go_on_without(emt, fcc_copper):
    missing = replace(emt, calculator="not_there.Calculator")
    maker = FewShotMaker(replace(emt, inline_supercells=0, prior=missing))
    with pytest.raises(EngineError, match="prior 'emt': Python package 'not_there'"):
        maker.prior.original(maker, fcc_copper)


def test_a_supercell_check_is_refused(emt, fcc_copper):
    recipe = RECIPE.model_copy(update={"supercell_check": True})
    maker = ThermalConductivityMaker(replace(emt, inline_supercells=0), recipe=recipe)
    assert "supercell_check is not there" in str(maker.refusal(fcc_copper))
    assert ThermalConductivityMaker(emt, recipe=recipe).refusal(fcc_copper) is None


def test_the_larger_supercell_is_the_potentials_with_a_correction(emt, fcc_copper):
    """With a potential that is right its own phonons in the larger supercell come out."""
    phonons = PhononRecipe(min_length_a=10.5, max_atoms=200)
    crystal = FewShotCrystal(fcc_copper, phonons, RECIPE.third_order)
    assert crystal.has_larger_supercell
    plan = crystal.pairs
    third_order.set_third_order_forces(plan, emt.forces(third_order.third_order_supercells(plan)))
    own = third_order.fit_third_order(plan)
    larger = crystal.larger_phonon()
    larger.generate_displacements(distance=0.01)
    harmonic.set_harmonic_forces(larger, emt.forces(harmonic.harmonic_supercells(larger)))
    cells = crystal.with_undisplaced(1)
    forces = np.array(emt.forces(cells))
    potential = few_shot.PotentialForces(
        own.second_order,
        own.third_order,
        forces[1:] - forces[0],
        larger.force_constants[larger.primitive.p2s_map],
    )
    fitted = crystal.fit(forces[1:], potential)
    found = fitted.phonon(fitted.fitted.posterior.mean()[0])
    assert len(found.supercell) > len(crystal.model.supercell)
    for point in ([0.5, 0.5, 0], [0.1, 0.23, 0.37], [1 / 3, 1 / 3, 0]):
        there, here = (model.run_qpoints([point]).frequencies for model in (found, larger))
        np.testing.assert_allclose(there, here, rtol=0.01)
    polar = crystal.fit(forces[1:], potential, polar=True)
    in_smaller = polar.phonon(polar.fitted.posterior.mean()[0])
    assert len(in_smaller.supercell) == len(crystal.model.supercell)
