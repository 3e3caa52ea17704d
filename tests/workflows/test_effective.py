"""Effective force constants of a lattice whose self-consistent phonons are known by other means."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from phonopy.physical_units import get_physical_units
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from workflows.effective_conductivity import EffectiveConductivity
from workflows.errors import EngineError
from workflows.lattice_dynamics import effective, harmonic, third_order
from workflows.lattice_dynamics.effective import (
    JACKKNIFE_GROUPS,
    ThermalDistribution,
    find_effective,
)
from workflows.lattice_dynamics.larger_supercell import ChangedAlike
from workflows.lattice_dynamics.third_order import as_phonopy
from workflows.recipes import EffectiveForceConstantsRecipe, ThirdOrderRecipe, TransportRecipe

KELVIN = 300.0
MULTIPLE = 3
CRYSTAL = Structure(Lattice.cubic(3.0), ["Cu"], [[0, 0, 0]])
# Forces cost nothing here: the sample is large, so that its scatter is small.
RECIPE = EffectiveForceConstantsRecipe(pairs=30, tolerance=0.02, overdetermination=60.0)


@dataclass(frozen=True)
class Springs:
    """A simple cubic lattice with springs between neighbours.

    Of a spring along the unit vector e, stretched by d, the energy is k∥(d·e)²/2 + k⊥d⊥²/2 +
    g(d·e)³/6 + b(d·d)²/4; units are eV and Å.  Displacements along the three axes do not mix in
    its harmonic part: ω²(q) along x is 2/m [k∥(1 − cos qₓ) + k⊥(2 − cos q_y − cos q_z)].
    """

    along: float
    across: float
    cubic: float = 0.0
    quartic: float = 0.0

    def forces(self, supercells: list[Structure]) -> list[np.ndarray]:
        found = []
        for supercell in supercells:
            edge = round(len(supercell) ** (1 / 3))
            sites = np.rint(supercell.frac_coords * edge)
            moved = (supercell.frac_coords * edge - sites) * 3.0
            place = {tuple(site): n for n, site in enumerate(sites.astype(int) % edge)}
            force = np.zeros_like(moved)
            for axis, unit in enumerate(np.eye(3)):
                other = [place[tuple(site)] for site in (sites + unit).astype(int) % edge]
                stretch = moved[other] - moved
                pull = self.across * stretch
                pull += self.quartic * (stretch**2).sum(axis=1, keepdims=True) * stretch
                longitudinal = stretch[:, axis]
                pull[:, axis] += (self.along - self.across) * longitudinal
                pull[:, axis] += 0.5 * self.cubic * longitudinal**2
                force += pull
                np.add.at(force, other, -pull)
            found.append(force)
        return found

    def effective(self, recipe=RECIPE, forces=None):
        plan = plan_of(self)

        def is_stable(second) -> bool:
            phonon = as_phonopy(plan.model)
            phonon.force_constants = second
            return harmonic.stability_on(phonon, (6, 6, 6)).min_frequency_thz > -0.1

        return find_effective(
            plan, cold(self).second_order, KELVIN, recipe, forces or self.forces, is_stable
        )

    def self_consistent(self) -> Springs:
        """Return the harmonic springs of the self-consistent solution, by its own equations.

        The mean curvature of b(d·d)²/4 over normally distributed d is b(tr C + 2C), with C the
        covariance of d; C is a sum over the modes of the supercell.
        """
        units = get_physical_units()
        q = 2 * np.pi * np.arange(MULTIPLE) / MULTIPLE
        steps = 1 - np.cos(np.array(np.meshgrid(q, q, q, indexing="ij")).reshape(3, -1))
        mass = float(CRYSTAL[0].specie.atomic_mass)
        along, across = abs(self.along), abs(self.across)
        for _ in range(300):
            square = 2 / mass * (along * steps[0] + across * (steps[1] + steps[2]))
            thz = np.sqrt(square[1:]) * units.DefaultToTHz
            quantum = thz * units.THzToEv
            # ħ/(2mω) coth(ħω/2kT), from ⟨V⟩ = mω²⟨u²⟩/2 = ħω/4 coth
            spread = 0.5 * quantum / np.tanh(quantum / (2 * units.KB * KELVIN))
            spread /= mass * square[1:]
            c_along, c_across = (
                (2 * steps[axis, 1:] * spread).sum() / steps.shape[1] for axis in (0, 1)
            )
            trace = c_along + 2 * c_across
            along += 0.3 * (self.along + self.quartic * (trace + 2 * c_along) - along)
            across += 0.3 * (self.across + self.quartic * (trace + 2 * c_across) - across)
        return Springs(along, across, self.cubic)


@functools.cache
def plan_of(springs: Springs, multiple: int = MULTIPLE):
    """Return tiny displacements and their forces."""
    plan = third_order.plan_third_order(
        CRYSTAL, "P", multiple * np.eye(3, dtype=int), ThirdOrderRecipe(distance_a=1e-3)
    )
    third_order.set_third_order_forces(
        plan, springs.forces(third_order.third_order_supercells(plan))
    )
    return plan


@functools.cache
def cold(springs: Springs):
    """Return the force constants of zero temperature."""
    return third_order.fit_third_order(plan_of(springs))


@pytest.fixture(autouse=True, scope="module")
def one_basis():
    """Find the basis of force constants once: all lattices here have the same symmetry."""
    basis = effective.EffectiveFit(plan_of(BISTABLE).model, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effective, "EffectiveFit", lambda *args: basis)
        yield


BISTABLE = Springs(along=3.0, across=-0.1, cubic=-6.0, quartic=3.0)


@pytest.fixture(scope="module")
def found():
    return BISTABLE.effective()


def frequencies(plan, second) -> np.ndarray:
    return ThermalDistribution(plan.model, second, 0.0).frequencies_thz


def test_harmonic_forces_give_the_harmonic_force_constants():
    springs = Springs(along=3.0, across=0.5)
    result = springs.effective(EffectiveForceConstantsRecipe())
    expected = cold(springs).second_order
    assert result.converged
    assert result.reason == ""
    assert result.cycles[-1].relative_change < 1e-6
    np.testing.assert_allclose(result.found.second_order, expected, atol=1e-7)
    np.testing.assert_allclose(result.found.third_order, 0, atol=1e-6)
    assert result.unexplained_fraction < 1e-6


def test_a_bistable_lattice_has_the_phonons_of_the_self_consistent_equations(found):
    plan = plan_of(BISTABLE)
    assert frequencies(plan, cold(BISTABLE).second_order).min() < -1.0
    exact = cold(BISTABLE.self_consistent()).second_order
    wanted = frequencies(plan, exact)
    assert wanted.min() > 1.0
    assert found.converged
    np.testing.assert_allclose(frequencies(plan, found.found.second_order), wanted, rtol=0.04)


def test_its_third_order_is_that_of_the_cubic_springs(found):
    # The mean third derivative of the quartic part vanishes.
    wanted = cold(BISTABLE).third_order
    wrong = np.linalg.norm(found.found.third_order - wanted) / np.linalg.norm(wanted)
    assert wrong < 0.1


def test_the_jackknife_knows_how_wrong_it_is(found):
    # Of the softest mode: the scatter of four fits is a rough measure.
    plan = plan_of(BISTABLE)
    exact = cold(BISTABLE.self_consistent()).second_order
    fits = found.without
    assert len(fits) == JACKKNIFE_GROUPS
    softest = np.array([frequencies(plan, fit.second_order).min() for fit in fits])
    error = np.sqrt(0.75 * ((softest - softest.mean()) ** 2).sum())
    apart = frequencies(plan, found.found.second_order).min() - frequencies(plan, exact).min()
    assert abs(apart) < 3 * error
    assert error < 0.1 * softest.mean()


def test_the_same_seed_gives_the_same():
    few = EffectiveForceConstantsRecipe()
    one, two = (BISTABLE.effective(few) for _ in range(2))
    np.testing.assert_array_equal(one.found.second_order, two.found.second_order)
    np.testing.assert_array_equal(one.found.third_order, two.found.third_order)
    assert one.cycles == two.cycles
    other = BISTABLE.effective(few.model_copy(update={"seed": 1}))
    assert np.abs(one.found.second_order - other.found.second_order).max() > 1e-4


def test_what_heat_does_not_stabilise_is_not_computed_further():
    recipe = EffectiveForceConstantsRecipe(max_cycles=3)
    result = Springs(along=3.0, across=-0.1).effective(recipe)
    assert not result.converged
    assert result.found is None
    assert result.unexplained_fraction is None
    assert result.without == []
    assert len(result.cycles) == 3
    assert result.force_calls == 3 * 6


def test_it_says_what_was_not_reached():
    recipe = EffectiveForceConstantsRecipe(max_cycles=1, tolerance=1e-4)
    result = BISTABLE.effective(recipe)
    assert not result.converged
    assert result.reason.startswith("in cycle 2 frequencies still changed by ")


def test_snapshots_are_mirrored_and_no_two_cycles_share_them():
    seen = []

    def forces(supercells):
        seen.append(np.array([cell.frac_coords for cell in supercells]))
        return Springs(along=3.0, across=0.5).forces(supercells)

    Springs(along=3.0, across=0.5).effective(EffectiveForceConstantsRecipe(), forces)
    perfect = seen[0].mean(axis=0)
    for cells in seen:
        half = len(cells) // 2
        np.testing.assert_allclose(
            cells[:half] + cells[half:], 2 * np.array([perfect] * half), atol=1e-12
        )
    first, last = seen[0][0], seen[-1][0]
    assert np.abs(first - last).max() > 0.001


def test_quantum_statistics_of_the_distribution():
    springs = Springs(along=3.0, across=0.5)
    plan = plan_of(springs)
    second = cold(springs).second_order
    distribution = ThermalDistribution(plan.model, second, 0.0)
    assert distribution.lifted == 0
    drawn = distribution.pairs(10.0, 400, 0, 0)
    units = get_physical_units()
    # Zero-point motion: ⟨u²⟩ is the mean of ħ/(2mω), twice for q and −q of a pair, over N.
    thz = distribution.frequencies_thz
    quantum, mass = thz * units.THzToEv, float(CRYSTAL[0].specie.atomic_mass)
    each = 0.5 * quantum / (mass * (thz / units.DefaultToTHz) ** 2)
    assert (drawn**2).sum(axis=-1).mean() == pytest.approx(2 * each.sum() / 27, rel=0.03)
    assert np.abs(drawn.mean(axis=1)).max() < 1e-12  # the crystal as a whole stays


def phonons_of(springs: Springs, multiple: int):
    phonon = harmonic.harmonic_model(CRYSTAL, "P", multiple * np.eye(3, dtype=int), 1e-3)
    phonon.forces = np.array(springs.forces(harmonic.harmonic_supercells(phonon)))
    harmonic.fit_compact(phonon)
    return phonon


def test_a_larger_supercell_takes_over_the_change_alone():
    before, after = Springs(along=3.0, across=0.5), Springs(along=3.3, across=0.2)
    smaller, changed = phonons_of(before, 2), phonons_of(after, 2).force_constants
    larger, wanted = phonons_of(before, 3), phonons_of(after, 3).force_constants
    found = ChangedAlike(larger, smaller, smaller.force_constants).phonon(changed)
    np.testing.assert_allclose(found.force_constants, wanted, atol=1e-5)
    same = ChangedAlike(smaller, smaller, smaller.force_constants).phonon(changed)
    np.testing.assert_allclose(same.force_constants, changed)
    # Harmonic phonons of a smaller supercell cannot hold the change.
    other = ChangedAlike(smaller, larger, larger.force_constants).phonon(wanted)
    np.testing.assert_allclose(other.force_constants, wanted)


def test_a_fit_beyond_all_memory_is_not_begun(monkeypatch):
    monkeypatch.setattr(effective, "fit_refusal", lambda *args: "the fit would take 200 GB")
    result = BISTABLE.effective()
    assert result.reason == "the fit would take 200 GB"
    assert result.force_calls == 0


def fields_of(springs: Springs, forces, **recipe) -> dict:
    """Return the fields of a document, as the flow has them."""
    gate = SimpleNamespace(stability_threshold_thz=-0.1, stability_mesh=(6, 6, 6))
    found = EffectiveConductivity(
        CRYSTAL, gate, phonons_of(springs, MULTIPLE), plan_of(springs), cold(springs)
    )
    fields, cost = found.fields(
        SimpleNamespace(forces=forces), EffectiveForceConstantsRecipe(**recipe), TransportRecipe()
    )
    assert cost.cost == fields["effective_force_constants"].force_calls
    return fields


def test_a_crystal_that_heat_does_not_stabilise_has_no_kappa():
    springs = Springs(along=3.0, across=-0.1)
    fields = fields_of(springs, springs.forces, max_cycles=2)
    assert fields["stabilised_at_300k"] is False
    assert fields["min_effective_frequency_300k_thz"] < -1
    assert "kappa_300k_effective_w_per_m_k" not in fields
    record = fields["effective_force_constants"]
    assert record.reason == "force constants at 300 K still have imaginary modes after 2 cycles"
    assert record.force_calls == 12


@pytest.mark.parametrize("kind", [EngineError, RuntimeError])
def test_an_engine_that_fails_on_hot_atoms_leaves_the_reason(kind):
    def forces(supercells):
        raise kind("Cu: 'toy' returned a force that is no number")

    fields = fields_of(BISTABLE, forces)
    assert fields["stabilised_at_300k"] is None
    assert fields["min_effective_frequency_300k_thz"] is None
    assert "no number" in fields["effective_force_constants"].reason


def test_the_cycles_before_a_failure_are_kept():
    def forces(supercells, calls=[]):  # noqa: B006
        calls.append(len(supercells))
        if len(calls) == 3:
            raise ValueError("atoms fly apart")
        return BISTABLE.forces(supercells)

    result = BISTABLE.effective(EffectiveForceConstantsRecipe(), forces)
    assert result.reason == "ValueError: atoms fly apart"
    assert not result.converged
    assert len(result.cycles) == 2


def test_a_mode_too_soft_to_be_drawn_from_is_the_reason(monkeypatch):
    monkeypatch.setattr(effective, "LEAST_FRACTION", 1.0)
    result = Springs(along=3.0, across=0.5).effective(EffectiveForceConstantsRecipe())
    assert "modes were too soft to be drawn from" in result.reason
