"""Thermal conductivity: exact relations, limits and an independent Grüneisen parameter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core.structure import Structure

from workflows.lattice_dynamics import harmonic, third_order, transport
from workflows.lattice_dynamics.cells import q_mesh

MESH = (7, 7, 7)
TEMPERATURES_K = (100.0, 300.0, 600.0, 1000.0, 1250.0)


@pytest.fixture(scope="module")
def pure(copper, copper_pairs, copper_fit) -> transport.Conductivity:
    """Copper without isotopes."""
    model = copper.model(copper_pairs, copper_fit)
    return transport.conductivity(model, MESH, TEMPERATURES_K, isotopes=False)


@pytest.fixture(scope="module")
def natural(copper, copper_pairs, copper_fit) -> transport.Conductivity:
    """Copper with its natural isotopes."""
    model = copper.model(copper_pairs, copper_fit)
    return transport.conductivity(model, MESH, TEMPERATURES_K, isotopes=True)


@pytest.fixture(scope="module")
def compound(cu3au, cu3au_pairs, cu3au_fit) -> transport.Conductivity:
    model = cu3au.model(cu3au_pairs, cu3au_fit)
    return transport.conductivity(model, (5, 5, 5), (300.0, 600.0), isotopes=True)


# --- κ and its modes --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pure", "natural", "compound"])
def test_modes_sum_to_kappa(name, request):
    result = request.getfixturevalue(name)
    isotropic = result.kappa_w_per_m_k[:, :3].mean(axis=1)
    np.testing.assert_allclose(result.mode_kappa_w_per_m_k.sum(axis=(1, 2)), isotropic, rtol=1e-8)
    assert result.isotropic_w_per_m_k(300.0) == pytest.approx(
        isotropic[list(result.temperatures_k).index(300.0)]
    )


@pytest.mark.parametrize("name", ["pure", "natural", "compound"])
def test_modes_are_where_they_should_be(name, request):
    result = request.getfixturevalue(name)
    modes = result.mode_kappa_w_per_m_k
    assert modes.shape == result.mean_free_path_a.shape
    assert modes.shape[1:] == result.frequency_thz.shape
    assert (modes > -1e-12).all()
    assert (result.frequency_thz > -1e-3).all()
    # What carries heat travels.
    assert (result.mean_free_path_a[modes > 1e-12] > 0).all()


def test_cubic_crystals_conduct_alike_in_all_directions(pure, compound):
    for result in (pure, compound):
        xx, yy, zz, *shear = result.kappa_w_per_m_k.T
        np.testing.assert_allclose([yy, zz], [xx, xx], rtol=1e-6)
        np.testing.assert_allclose(shear, 0, atol=1e-8)


def test_populations_do_not_depend_on_the_solver(copper_model, pure):
    # The Wigner solver's diagonal part is the plain Boltzmann solution.
    copper_model.mesh_numbers = list(MESH)
    copper_model.init_phph_interaction()
    copper_model.run_thermal_conductivity(temperatures=[300.0], log_level=0)
    plain = np.asarray(copper_model.thermal_conductivity.kappa)[0, 0, :3].mean()
    assert pure.isotropic_w_per_m_k(300.0) == pytest.approx(plain, rel=1e-3)


def test_tetragonal_crystal_conducts_differently_along_its_axis(cuau):
    plan = cuau.plan()
    model = cuau.model(plan, third_order.fit_third_order(plan))
    result = transport.conductivity(model, (4, 4, 3), [300.0])
    xx, yy, zz, yz, xz, xy = result.kappa_w_per_m_k[0]
    assert xx == pytest.approx(yy, rel=1e-3)
    assert abs(zz / xx - 1) > 0.02
    np.testing.assert_allclose([yz, xz, xy], 0, atol=1e-6 * xx)
    assert result.isotropic_w_per_m_k(300.0) == pytest.approx((xx + yy + zz) / 3)
    assert result.mode_kappa_w_per_m_k.sum() == pytest.approx((xx + yy + zz) / 3, rel=1e-8)


def test_unknown_temperature_is_named(pure):
    with pytest.raises(ValueError, match=r"350\.0 K was not computed; known: \[100\.0"):
        pure.isotropic_w_per_m_k(350.0)


# --- curves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pure", "natural", "compound"])
def test_accumulation_rises_to_kappa(name, request):
    result = request.getfixturevalue(name)
    curves = result.accumulation(300.0, points=50)
    for grid, cumulative in (
        (curves.frequency_thz, curves.cumulative_kappa_of_frequency_w_per_m_k),
        (curves.mean_free_path_angstrom, curves.cumulative_kappa_of_mean_free_path_w_per_m_k),
    ):
        assert len(grid) == len(cumulative) == 50
        assert (np.diff(grid) > 0).all()
        assert (np.diff(cumulative) >= 0).all()
        assert cumulative[0] == pytest.approx(0, abs=1e-4)
        assert cumulative[-1] == pytest.approx(result.isotropic_w_per_m_k(300.0), abs=1e-5)
    middle = curves.cumulative_kappa_of_mean_free_path_w_per_m_k[25]
    assert 0 < middle < result.isotropic_w_per_m_k(300.0)


def test_a_mode_that_stands_still_does_not_stretch_the_curve(pure):
    kappa, path = pure.mode_kappa_w_per_m_k.copy(), pure.mean_free_path_a.copy()
    kappa[:, 0, -1], path[:, 0, -1] = 1e-45, 1e-40
    still = dataclasses.replace(pure, mode_kappa_w_per_m_k=kappa, mean_free_path_a=path)
    assert still.accumulation(300.0).mean_free_path_angstrom[0] > 1e-2


# --- physics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_resistance_grows_with_the_square_of_third_order(
    scale, copper, copper_pairs, copper_fit, pure
):
    scaled = dataclasses.replace(copper_fit, third_order=scale * copper_fit.third_order)
    result = transport.conductivity(
        copper.model(copper_pairs, scaled), MESH, TEMPERATURES_K, isotopes=False
    )
    np.testing.assert_allclose(
        result.kappa_w_per_m_k[:, :3] * scale**2, pure.kappa_w_per_m_k[:, :3], rtol=1e-6
    )
    carries = pure.mode_kappa_w_per_m_k > 1e-9
    np.testing.assert_allclose(
        result.mean_free_path_a[carries] * scale**2, pure.mean_free_path_a[carries], rtol=1e-6
    )


@pytest.mark.parametrize("name", ["pure", "natural", "compound"])
def test_kappa_falls_with_temperature(name, request):
    result = request.getfixturevalue(name)
    assert (result.kappa_w_per_m_k[:, 0] > 0).all()
    assert (np.diff(result.kappa_w_per_m_k[:, 0]) < 0).all()


def test_kappa_becomes_inversely_proportional_to_temperature(pure):
    product = pure.kappa_w_per_m_k[:, 0] * pure.temperatures_k
    assert product[-1] == pytest.approx(product[-2], rel=0.01)
    assert abs(product[0] / product[-1] - 1) > 0.1  # but not where modes freeze out


def test_isotopes_lower_kappa(pure, natural):
    ratio = natural.kappa_w_per_m_k[:, 0] / pure.kappa_w_per_m_k[:, 0]
    assert (ratio < 1).all()
    assert (ratio > 0.5).all()
    # Less and less, the more phonons scatter each other.
    assert (np.diff(ratio) > 0).all()


def test_isotopes_shorten_mean_free_paths(pure, natural):
    carries = pure.mode_kappa_w_per_m_k > 1e-6
    assert (natural.mean_free_path_a[carries] <= pure.mean_free_path_a[carries]).all()


@pytest.mark.parametrize("isotopes", [False, True])
def test_direct_solution_is_not_below_relaxation_times(isotopes, copper_model, pure, natural):
    # Normal processes do not resist, relaxation times count them as if they did.
    direct = transport.direct_conductivity(copper_model, MESH, 300.0, isotopes=isotopes)
    times = (natural if isotopes else pure).isotropic_w_per_m_k(300.0)
    assert times * 0.999 < direct < 2 * times


@pytest.mark.parametrize("name", ["pure", "natural", "compound"])
def test_coherence_adds_a_little(name, request):
    result = request.getfixturevalue(name)
    assert (result.coherence_w_per_m_k[:, :3] > 0).all()
    part = result.isotropic_coherence_w_per_m_k(300.0) / result.isotropic_w_per_m_k(300.0)
    assert part < 0.2


def test_round_off_moves_kappa_little(copper_model, pure):
    """Keep an eye on phono3py's tetrahedron method, which is not continuous.

    Where ω(q′) + ω(q″) equals ω(q) by symmetry, round-off decides which tetrahedra count.  A
    last-digit change of the force constants moved κ of copper by a standard deviation of 4 % on
    5×5×5, 0.8 % on 7×7×7 and 0.3 % on 11×11×11 (Cu₃Au 0.5 % and NaCl 0.5 % on 5×5×5).
    """
    second_order = np.array(copper_model.fc2)
    noise = np.random.default_rng(0).normal(scale=1e-15, size=second_order.shape)
    copper_model.fc2 = second_order + noise
    moved = transport.conductivity(copper_model, MESH, [300.0], isotopes=False)
    assert moved.isotropic_w_per_m_k(300.0) == pytest.approx(
        pure.isotropic_w_per_m_k(300.0), rel=transport.LEAST_MESH_ERROR
    )


def test_harmonic_forces_may_come_from_a_larger_supercell(
    copper_108, copper_pairs, copper_fit, pure
):
    model = copper_108.model(copper_pairs, copper_fit)
    assert len(model.phonon_supercell) == 108
    assert len(model.supercell) == 32
    result = transport.conductivity(model, MESH, [300.0], isotopes=False)
    assert result.isotropic_w_per_m_k(300.0) == pytest.approx(
        pure.isotropic_w_per_m_k(300.0), rel=0.25
    )


# --- Grüneisen --------------------------------------------------------------------------------


def test_gruneisen_of_copper_by_both_routes(
    copper, copper_pairs, copper_fit, copper_finite, copper_finite_fit
):
    pairs = transport.rms_gruneisen(copper.phonon, copper_pairs, copper_fit, 20.0, 300.0)
    finite = transport.rms_gruneisen(copper.phonon, copper_finite, copper_finite_fit, 20.0, 300.0)
    assert pairs == pytest.approx(2.23, abs=0.1)
    assert pairs == pytest.approx(finite, rel=0.01)


@pytest.mark.parametrize("name", ["copper", "cu3au"])
def test_gruneisen_is_the_change_of_frequency_with_volume(name, request, emt):
    crystal = request.getfixturevalue(name)
    plan = request.getfixturevalue(f"{name}_pairs")
    fit = request.getfixturevalue(f"{name}_fit")
    mesh = q_mesh(crystal.phonon.primitive.cell, 20.0)
    strain = 0.004
    frequencies = []
    for sign in (-1, 1):
        strained = Structure(
            crystal.cell.lattice.matrix * (1 + sign * strain),
            crystal.cell.species,
            crystal.cell.frac_coords,
        )
        phonon = harmonic.harmonic_model(
            strained, crystal.centring, crystal.phonon.supercell_matrix, 0.01
        )
        harmonic.set_harmonic_forces(phonon, emt.forces(harmonic.harmonic_supercells(phonon)))
        phonon.run_mesh(mesh, is_gamma_center=True)
        frequencies.append(np.array(phonon.mesh.frequencies))
        weights = np.array(phonon.mesh.weights)
    small, large = frequencies
    real = small > 0.05
    gamma = np.zeros_like(small)
    gamma[real] = -np.log(large[real] / small[real]) / (3 * np.log((1 + strain) / (1 - strain)))
    # All modes of these crystals are classical at 2000 K: equal heat capacities.
    expected = np.sqrt((weights[:, None] * gamma**2).sum() / (weights[:, None] * real).sum())
    found = transport.rms_gruneisen(crystal.phonon, plan, fit, 20.0, 2000.0)
    assert found == pytest.approx(expected, rel=0.05)


# --- extrapolation ----------------------------------------------------------------------------

SERIES = [(n, n, n) for n in (7, 9, 11, 13)]
kappas = st.floats(0.05, 2000.0)


@given(kappas, st.integers(1, 4))
def test_limit_of_a_constant_series_is_the_constant(kappa, count):
    limit = transport.extrapolate(SERIES[:count], [kappa] * count)
    assert limit.kappa_w_per_m_k == pytest.approx(kappa)
    assert limit.error_w_per_m_k >= 0


@given(kappas, st.lists(st.floats(-0.5, 1.0), min_size=2, max_size=4))
def test_limit_is_positive_with_an_error_bar(kappa, changes):
    series = [kappa * (1 + change) for change in changes]
    limit = transport.extrapolate(SERIES[: len(series)], series)
    assert limit.kappa_w_per_m_k > 0
    assert limit.error_w_per_m_k >= 0


@given(kappas, st.floats(0.1, 5.0), st.sampled_from([-1, 1]))
def test_limit_of_a_series_that_converges_is_beyond_its_densest_mesh(kappa, slope, sign):
    series = [kappa * (1 + sign * slope / n**2) for n, _, _ in SERIES]
    limit = transport.extrapolate(SERIES, series)
    densest = series[-1]
    # On the way from the densest mesh to the true limit, which the error bar covers.
    assert min(densest, kappa) * (1 - 1e-9) <= limit.kappa_w_per_m_k
    assert limit.kappa_w_per_m_k <= max(densest, kappa) * (1 + 1e-9)
    assert abs(limit.kappa_w_per_m_k - kappa) <= limit.error_w_per_m_k * (1 + 1e-9)


@given(kappas, st.floats(0.01, 100.0))
def test_limit_scales_with_kappa(kappa, factor):
    series = [kappa * change for change in (0.8, 0.9, 0.94)]
    plain = transport.extrapolate(SERIES[:3], series)
    scaled = transport.extrapolate(SERIES[:3], [factor * each for each in series])
    assert scaled.kappa_w_per_m_k == pytest.approx(factor * plain.kappa_w_per_m_k)
    assert scaled.error_w_per_m_k == pytest.approx(factor * plain.error_w_per_m_k)
