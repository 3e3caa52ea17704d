"""Third-order force constants: two routes to the same numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows.engines import AseEngine
from workflows.errors import CannotCompute
from workflows.lattice_dynamics import third_order, transport
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.recipes import ThirdOrderRecipe

MESH = (5, 5, 5)


def kappa(crystal, plan, force_constants, mesh=MESH) -> float:
    model = crystal.model(plan, force_constants)
    return transport.conductivity(model, mesh, [300.0], isotopes=False).isotropic_w_per_m_k(300)


def displacements_a(plan) -> np.ndarray:
    """Displacements of the supercells that the engine gets, shape (supercells, atoms, 3)."""
    perfect = plan.model.supercell.positions
    return np.array(
        [cell.cart_coords - perfect for cell in third_order.third_order_supercells(plan)]
    )


def even_forces(crystal, plan, displacements) -> np.ndarray:
    """Return (F(u) + F(−u)) / 2 of the engine: where third order is the first term."""
    from workflows.lattice_dynamics.cells import pymatgen_cell

    perfect = pymatgen_cell(plan.model.supercell)
    forces = []
    for sign in (1, -1):
        moved = perfect.copy()
        for index, vector in enumerate(sign * displacements):
            moved.translate_sites([index], vector, frac_coords=False, to_unit_cell=False)
        forces.append(crystal.engine.forces([moved])[0])
    return (forces[0] + forces[1]) / 2


@pytest.fixture(scope="module")
def copper_kappa(copper, copper_pairs, copper_fit) -> float:
    return kappa(copper, copper_pairs, copper_fit)


@pytest.fixture(scope="module")
def copper_finite_kappa(copper, copper_finite, copper_finite_fit) -> float:
    return kappa(copper, copper_finite, copper_finite_fit)


@pytest.fixture(scope="module")
def nearest_pairs(copper):
    """Random pairs of copper, fitted to interactions of nearest neighbours only."""
    return copper.plan(cutoff_a=3.0)


@pytest.fixture(scope="module")
def nearest_fit(nearest_pairs):
    return third_order.fit_third_order(nearest_pairs)


# --- random pairs -----------------------------------------------------------------------------


def test_random_pairs_displace_every_atom_by_the_distance_and_mirror_it(copper_pairs):
    moved = displacements_a(copper_pairs)
    assert len(moved) == 2 * copper_pairs.pairs
    np.testing.assert_allclose(
        np.linalg.norm(moved, axis=2), copper_pairs.recipe.distance_a, atol=1e-10
    )
    half = copper_pairs.pairs
    np.testing.assert_allclose(moved[:half], -moved[half:], atol=1e-10)


def test_random_pairs_are_set_by_the_seed(copper, copper_pairs):
    def planned(seed: int) -> np.ndarray:
        plan = third_order.plan_third_order(
            copper.cell,
            copper.centring,
            copper.phonon.supercell_matrix,
            ThirdOrderRecipe(seed=seed),
        )
        return displacements_a(plan)

    again = planned(0)
    np.testing.assert_array_equal(again, displacements_a(copper_pairs))
    assert np.abs(planned(1) - again).max() > 0.01


def test_pairs_give_more_equations_than_unknowns(cu3au_pairs):
    recipe = cu3au_pairs.recipe
    equations = cu3au_pairs.pairs * (3 * len(cu3au_pairs.model.supercell) - 3)
    assert equations >= recipe.overdetermination * cu3au_pairs.basis_size
    assert third_order.is_determined(cu3au_pairs, cu3au_pairs.pairs)


def test_too_few_pairs_are_refused(cu3au_pairs):
    # symfc itself would return nonsense here without a word.
    assert not third_order.is_determined(cu3au_pairs, 1)
    with pytest.raises(ValueError, match=r"1 pairs give 93 equations for \d+ unknowns"):
        third_order.fit_third_order(cu3au_pairs, pairs=1)


def test_finite_displacements_are_no_random_pairs(copper_finite):
    assert copper_finite.pairs is None
    assert copper_finite.basis_size is None
    assert not third_order.is_determined(copper_finite, 4)


def test_a_fit_to_fewer_pairs_leaves_the_plan_as_it_was(cu3au_pairs, cu3au_fit):
    before = np.array(cu3au_pairs.model.dataset["forces"])
    fewer = third_order.fit_third_order(cu3au_pairs, cu3au_pairs.pairs - 1)
    np.testing.assert_array_equal(cu3au_pairs.model.dataset["forces"], before)
    assert np.abs(fewer.third_order - cu3au_fit.third_order).max() > 1e-6


def test_pairs_determine_second_order_too(emt, monkeypatch):
    # Layers along [111] in a cell of one atom each: within the cut-off there are fewer unknowns of
    # third order than of second, and symfc says nothing where it cannot find these.
    layers = ["Cu", "Au", "Au", "Cu", "Cu", "Cu", "Au", "Au", "Cu"]
    sites = [[(i % 3) / 3, (2 * i % 3) / 3, i / 9] for i in range(9)]
    crystal = Structure(Lattice.hexagonal(2.687, 19.745), layers, sites)
    cell, centring = conventional_cell(crystal)
    recipe = ThirdOrderRecipe(route="random-pairs", cutoff_a=3.0)

    def fitted():
        plan = third_order.plan_third_order(cell, centring, np.eye(3, dtype=int), recipe)
        supercells = third_order.third_order_supercells(plan)
        third_order.set_third_order_forces(plan, emt.forces(supercells))
        return third_order.fit_third_order(plan)

    assert abs(fitted().third_order).max() > 10
    monkeypatch.setattr(third_order, "EQUATIONS_OF_SECOND_ORDER", 0)
    with pytest.raises(CannotCompute, match=r"it leaves (99|100)% of the forces that"):
        fitted()


def test_displacements_that_are_not_mirrored_are_refused(copper):
    plan = third_order.plan_third_order(
        copper.cell, copper.centring, copper.phonon.supercell_matrix, ThirdOrderRecipe()
    )
    displacements = np.array(plan.model.dataset["displacements"])
    displacements[-1] *= -1
    plan.model.dataset = {"displacements": displacements, "forces": 0 * displacements}
    with pytest.raises(ValueError, match="not mirrored pairs"):
        third_order.fit_third_order(plan)


def test_shared_calculator_keeps_no_memory_of_other_supercells(copper, cu3au, emt):
    mixed = [third_order.third_order_supercells(crystal.plan())[0] for crystal in (copper, cu3au)]
    together = emt.forces([*mixed, *mixed[::-1]])
    for forces, supercell in zip(together, [*mixed, *mixed[::-1]], strict=True):
        np.testing.assert_array_equal(forces, emt.forces([supercell])[0])


# --- what the force constants are -------------------------------------------------------------


@pytest.mark.parametrize("fit", ["copper_fit", "copper_finite_fit", "cu3au_fit"])
def test_third_order_force_constants_obey_the_sum_rule(fit, request):
    constants = request.getfixturevalue(fit).third_order
    scale = np.abs(constants).max()
    assert scale > 1
    assert np.abs(constants.sum(axis=1)).max() < 1e-6 * scale
    assert np.abs(constants.sum(axis=2)).max() < 1e-6 * scale
    np.testing.assert_allclose(constants, constants.transpose(0, 2, 1, 3, 5, 4), atol=1e-6 * scale)


@pytest.mark.parametrize("fit", ["copper_fit", "copper_finite_fit"])
def test_force_constants_predict_forces_they_were_not_fitted_to(fit, copper, copper_pairs, request):
    constants = request.getfixturevalue(fit)
    atoms = len(copper_pairs.model.supercell)
    displacements = np.random.default_rng(12).normal(scale=0.01, size=(atoms, 3))
    engine = even_forces(copper, copper_pairs, displacements)[copper_pairs.model.primitive.p2s_map]
    predicted = -0.5 * np.einsum(
        "ijkabc,jb,kc->ia", constants.third_order, displacements, displacements
    )
    np.testing.assert_allclose(predicted, engine, atol=0.03 * np.abs(engine).max())


def test_second_order_by_product_agrees_with_phonopy(copper, copper_fit, copper_finite_fit):
    reference = np.asarray(copper.phonon.force_constants)
    if reference.shape[0] != copper_fit.second_order.shape[0]:
        reference = reference[copper.phonon.primitive.p2s_map]
    scale = np.abs(reference).max()
    for fit in (copper_fit, copper_finite_fit):
        assert np.abs(fit.second_order - reference).max() < 0.01 * scale


# --- two routes -------------------------------------------------------------------------------


def test_routes_agree_for_copper(
    copper, copper_pairs, copper_fit, copper_finite, copper_finite_fit
):
    pairs = kappa(copper, copper_pairs, copper_fit, (7, 7, 7))
    finite = kappa(copper, copper_finite, copper_finite_fit, (7, 7, 7))
    assert pairs == pytest.approx(finite, rel=0.02)
    calls = [len(third_order.third_order_supercells(p)) for p in (copper_pairs, copper_finite)]
    assert calls[0] < calls[1] / 5


def test_routes_agree_for_a_compound(cu3au, cu3au_pairs, cu3au_fit):
    finite = cu3au.plan(route="finite-displacements")
    constants = third_order.fit_third_order(finite)
    assert kappa(cu3au, cu3au_pairs, cu3au_fit) == pytest.approx(
        kappa(cu3au, finite, constants), rel=0.02
    )


@pytest.mark.slow
def test_seeds_agree(copper, copper_kappa):
    other = copper.plan(seed=5)
    assert kappa(copper, other, third_order.fit_third_order(other)) == pytest.approx(
        copper_kappa, rel=0.03
    )


# --- cut-off ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_cutoff_saves_finite_displacements(copper, copper_finite, copper_finite_kappa):
    cut = copper.plan(route="finite-displacements", cutoff_a=3.0)
    planned = third_order.third_order_supercells(cut)
    assert 0 < len(planned) < len(third_order.third_order_supercells(copper_finite))
    constants = third_order.fit_third_order(cut)
    # Nearest neighbours carry most of it.
    assert kappa(copper, cut, constants) == pytest.approx(copper_finite_kappa, rel=0.3)


def test_cutoff_shrinks_the_fit(copper, copper_pairs, copper_kappa, nearest_pairs, nearest_fit):
    assert nearest_pairs.basis_size < copper_pairs.basis_size
    assert kappa(copper, nearest_pairs, nearest_fit) == pytest.approx(copper_kappa, rel=0.3)


@pytest.mark.parametrize(
    "route", ["random-pairs", pytest.param("finite-displacements", marks=pytest.mark.slow)]
)
def test_cutoff_beyond_the_supercell_changes_nothing(route, copper, copper_finite_kappa):
    wide = copper.plan(route=route, cutoff_a=20.0)
    assert kappa(copper, wide, third_order.fit_third_order(wide)) == pytest.approx(
        copper_finite_kappa, rel=0.02
    )


def test_forces_that_relaxation_left_do_not_matter():
    """In wurtzite symmetry lets atoms move along c: what acts on them there is even in u."""
    wurtzite = Structure.from_spacegroup(
        "P6_3mc",
        Lattice.hexagonal(3.2, 5.2),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0.0], [1 / 3, 2 / 3, 0.38]],
    )
    cell, centring = conventional_cell(wurtzite)
    engine = AseEngine("lj", "ase.calculators.lj.LennardJones", {"sigma": 1.7, "rc": 4.0})
    fitted = []
    for residual_ev_per_a in (0.0, 0.01):
        plan = third_order.plan_third_order(
            cell, centring, np.diag([2, 2, 1]), ThirdOrderRecipe(cutoff_a=2.2)
        )
        assert plan.undisplaced
        supercells = third_order.third_order_supercells(plan)
        assert len(supercells) == 2 * plan.pairs + 1
        signs = np.array([1.0 if site.specie.symbol == "Zn" else -1.0 for site in supercells[0]])
        left = residual_ev_per_a * signs[:, None] * np.array([0.0, 0.0, 1.0])
        third_order.set_third_order_forces(
            plan, [force + left for force in engine.forces(supercells)]
        )
        fitted.append(third_order.fit_third_order(plan).third_order)
    assert np.abs(fitted[0]).max() > 1
    assert np.allclose(fitted[0], fitted[1], atol=1e-8)


def test_only_crystals_with_free_positions_take_the_perfect_supercell_along(copper_pairs):
    assert not copper_pairs.undisplaced


def test_nothing_interacts_beyond_the_cutoff(nearest_pairs, nearest_fit):
    supercell = nearest_pairs.model.supercell
    lattice = Lattice(supercell.cell)
    distances = lattice.get_all_distances(supercell.scaled_positions, supercell.scaled_positions)
    first = distances[nearest_pairs.model.primitive.p2s_map]
    # Of three atoms the two farthest apart decide.
    farthest = np.maximum(np.maximum(first[:, :, None], first[:, None, :]), distances[None, :, :])
    size = np.abs(nearest_fit.third_order).max(axis=(-1, -2, -3))
    assert size[farthest > 3.0].max() == 0
    assert size[farthest < 3.0].max() > 1


def test_a_supercell_without_third_order_force_constants_is_refused():
    """Eight atoms of rocksalt: every neighbour is its own mirror image through the other atom."""
    crystal = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    cell, centring = conventional_cell(crystal.get_primitive_structure())
    for route in ("random-pairs", "finite-displacements"):
        with pytest.raises(CannotCompute, match="supercell of 8 atoms; raise third_order"):
            third_order.plan_third_order(
                cell, centring, np.eye(3, dtype=int), ThirdOrderRecipe(route=route)
            )
