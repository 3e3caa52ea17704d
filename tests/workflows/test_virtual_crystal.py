"""Random alloys as virtual crystals: masses, limits, symmetry, and recorded forces of silicon."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from phono3py import Phono3py
from phono3py.other.isotope import get_mass_variances
from phonopy.structure.atoms import PhonopyAtoms

from workflows.errors import CannotCompute
from workflows.lattice_dynamics import transport
from workflows.lattice_dynamics.alloy_conductivity import (
    alloy_conductivity,
    dense_limit,
    three_phonon_rates,
)
from workflows.lattice_dynamics.cells import atomic_mass_u
from workflows.lattice_dynamics.recorded_forces import recorded_model
from workflows.lattice_dynamics.virtual_crystal import VirtualCrystal, mixed_mass, virtual_crystal


@pytest.fixture(scope="module")
def silicon(dft_forces) -> Phono3py:
    return recorded_model(dft_forces / "phono3py_params_Si-111-222-fd.yaml.xz")


@pytest.fixture(scope="module")
def heavy(silicon) -> Phono3py:
    """Germanium's masses and a lattice 4 % wider, with softer force constants."""
    cell = PhonopyAtoms(
        symbols=["Ge"] * len(silicon.unitcell),
        cell=1.04 * silicon.unitcell.cell,
        scaled_positions=silicon.unitcell.scaled_positions,
        masses=[atomic_mass_u("Ge")] * len(silicon.unitcell),
    )
    model = Phono3py(
        cell,
        supercell_matrix=silicon.supercell_matrix,
        phonon_supercell_matrix=silicon.phonon_supercell_matrix,
        primitive_matrix=silicon.primitive_matrix,
        log_level=0,
    )
    model.fc2, model.fc3 = 0.9 * silicon.fc2, 0.95 * silicon.fc3
    model.fc3_nonzero_indices = silicon.fc3_nonzero_indices
    return model


def kappa(crystal, mesh=5) -> float:
    return transport.conductivity(
        crystal.model, [mesh] * 3, [300.0], mass_variances=crystal.mass_variances
    ).isotropic_w_per_m_k(300.0)


def test_a_pure_element_has_its_isotopes():
    mean, variance = mixed_mass("Si", "Ge", 0.0)
    assert mean == pytest.approx(atomic_mass_u("Si"))
    assert variance == pytest.approx(get_mass_variances(symbols=["Si"])[0], rel=1e-3)
    assert mixed_mass("Si", "Ge", 1.0)[1] == pytest.approx(
        get_mass_variances(symbols=["Ge"])[0], rel=1e-3
    )


def test_an_alloy_of_two_masses_has_tamuras_variance():
    """x (1 − x) (Δm/m̄)² without isotopes; with them those of both come on top."""
    x, light, dense = 0.3, atomic_mass_u("Si"), atomic_mass_u("Ge")
    mean, variance = mixed_mass("Si", "Ge", x, isotopes=False)
    assert mean == pytest.approx((1 - x) * light + x * dense)
    assert variance == pytest.approx(x * (1 - x) * ((dense - light) / mean) ** 2)
    # Total variance is that of the means and the mean of the variances.
    own = (1 - x) * get_mass_variances(symbols=["Si"])[0] * light**2
    own += x * get_mass_variances(symbols=["Ge"])[0] * dense**2
    assert mixed_mass("Si", "Ge", x)[1] == pytest.approx(variance + own / mean**2, rel=1e-3)


def test_an_element_without_isotope_data_counts_as_one_mass():
    assert mixed_mass("Po", "Po", 0.5) == (pytest.approx(atomic_mass_u("Po")), pytest.approx(0))


def test_the_ends_are_the_end_members(silicon, heavy):
    pure = transport.conductivity(silicon, [5] * 3, [300.0]).isotropic_w_per_m_k(300.0)
    assert kappa(virtual_crystal(silicon, heavy, 0.0)) == pytest.approx(pure, rel=1e-3)
    other = virtual_crystal(silicon, heavy, 1.0)
    assert other.model.unitcell.cell == pytest.approx(heavy.unitcell.cell)
    direct = transport.conductivity(heavy, [5] * 3, [300.0]).isotropic_w_per_m_k(300.0)
    assert kappa(other) == pytest.approx(direct, rel=1e-3)


def test_it_does_not_matter_which_end_is_first(silicon, heavy):
    one, other = virtual_crystal(silicon, heavy, 0.3), virtual_crystal(heavy, silicon, 0.7)
    assert one.model.unitcell.cell == pytest.approx(other.model.unitcell.cell)
    assert one.model.fc3 == pytest.approx(other.model.fc3)
    assert one.mass_variances == pytest.approx(other.mass_variances)
    assert one.model.fc2 == pytest.approx(other.model.fc2)


def test_the_lattice_and_the_masses_are_in_between(silicon, heavy):
    mixed = virtual_crystal(silicon, heavy, 0.25).model
    assert mixed.unitcell.cell == pytest.approx(1.01 * silicon.unitcell.cell)
    expected = 0.75 * atomic_mass_u("Si") + 0.25 * atomic_mass_u("Ge")
    for cell in (mixed.unitcell, mixed.primitive, mixed.phonon_supercell):
        assert np.array(cell.masses) == pytest.approx(expected)


def test_mass_disorder_makes_an_alloy_conduct_little(silicon, heavy):
    mixed = virtual_crystal(silicon, heavy, 0.3)
    without = transport.conductivity(mixed.model, [5] * 3, [300.0], isotopes=False)
    assert kappa(mixed) < 0.4 * without.isotropic_w_per_m_k(300.0)


def test_interpolated_rates_are_the_computed_ones_on_their_mesh(silicon, heavy):
    """Without scattering by masses, which phono3py does with tetrahedra, κ is phono3py's own."""
    mixed = virtual_crystal(silicon, heavy, 0.3)
    ordered = VirtualCrystal(mixed.model, np.zeros(2))
    rates = three_phonon_rates(mixed.model, [5] * 3, 300.0)
    own = transport.conductivity(mixed.model, [5] * 3, [300.0], isotopes=False)
    found = alloy_conductivity(ordered, rates, [5] * 3, 300.0)
    assert found == pytest.approx(own.isotropic_w_per_m_k(300.0), rel=1e-3)
    assert alloy_conductivity(mixed, rates, [5] * 3, 300.0) < 0.4 * found
    between = rates.at(np.array([[0.1, 0.0, 0.0]]), np.ones((1, 6)))
    ends = rates.at(np.array([[0.0, 0.0, 0.0], [1.2, 0.0, -1.0]]), np.ones((2, 6)))
    assert between[0] == pytest.approx(ends.mean(axis=0))


def test_round_off_does_not_move_strong_scattering(silicon, heavy):
    """The same alloy from either end differs in its last digits alone."""
    found = []
    for crystal in (virtual_crystal(silicon, heavy, 0.3), virtual_crystal(heavy, silicon, 0.7)):
        rates = three_phonon_rates(crystal.model, [3] * 3, 300.0)
        found.append(alloy_conductivity(crystal, rates, [5] * 3, 300.0))
    assert found[0] == pytest.approx(found[1], rel=5e-3)


def test_the_limit_of_dense_meshes():
    """κ(N) = 9 − 42/N is a straight line in 1/N."""
    found = dense_limit([7, 15, 21], [1.0, 9 - 42 / 15, 9 - 42 / 21])
    assert found.kappa_w_per_m_k == pytest.approx(9)
    assert found.error_w_per_m_k == pytest.approx(1)


def test_end_members_that_do_not_belong_together_are_refused(silicon, heavy):
    larger = Phono3py(heavy.unitcell, supercell_matrix=2 * np.eye(3, dtype=int), log_level=0)
    with pytest.raises(CannotCompute, match="different supercells"):
        virtual_crystal(silicon, larger, 0.5)
    smaller = Phono3py(heavy.primitive, supercell_matrix=np.eye(3, dtype=int), log_level=0)
    with pytest.raises(CannotCompute, match="8 and 2 atoms in their cells"):
        virtual_crystal(silicon, smaller, 0.5)
    moved = copy.deepcopy(heavy)
    positions = moved.unitcell.scaled_positions
    positions[0] += 0.2
    moved.unitcell.scaled_positions = positions
    with pytest.raises(CannotCompute, match="not one crystal structure"):
        virtual_crystal(silicon, moved, 0.5)


def test_born_charges_of_one_end_member_are_not_dropped(silicon, heavy):
    charged = copy.deepcopy(heavy)
    count = len(charged.primitive)
    charged.nac_params = {
        "born": np.zeros((count, 3, 3)),
        "dielectric": 12.0 * np.eye(3),
        "factor": 14.4,
    }
    for pair in ((silicon, charged), (charged, silicon)):
        with pytest.raises(CannotCompute, match="give those of both, or of neither"):
            virtual_crystal(*pair, 0.5)
    assert virtual_crystal(charged, charged, 0.5).model.nac_params is not None
