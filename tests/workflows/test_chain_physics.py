"""Regular chains: what their energies, compliances and persistence lengths must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rdkit")

from workflows.chains.conformers import pulled
from workflows.chains.energy import ChainEnergy, units_of_shorter_oligomer
from workflows.chains.helix import Helix, helix_of_screw, turn
from workflows.chains.minimum import minimum
from workflows.chains.mmff import MMFF94, ForceField, lacking
from workflows.chains.oligomers import RepeatUnit, as_atoms
from workflows.chains.persistence import Piece, kuhn_length_a, mean_bending
from workflows.chains.stiffness import (
    compliance_a2_per_ev,
    hessian,
    internal_modes,
    modulus_gpa,
    speed_of_sound_m_per_s,
    unit_volume_a3,
)
from workflows.chains.torsions import Profile

PPTA = "*Nc1ccc(NC(=O)c2ccc(C(*)=O)cc2)cc1"
PPTA_CUT_ELSEWHERE = "*NC(=O)c1ccc(C(=O)Nc2ccc(*)cc2)cc1"
PPTA_BACKWARDS = "*C(=O)c1ccc(C(=O)Nc2ccc(N*)cc2)cc1"


class Springs:
    """A zigzag of beads: neighbours are held by one spring, next neighbours by another one."""

    def __init__(self, near_ev_per_a2: float, far_ev_per_a2: float, rise_a: float, half_a: float):
        self.springs = (
            (1, near_ev_per_a2, math.hypot(rise_a, 2 * half_a)),
            (2, far_ev_per_a2, 2 * rise_a),
        )

    def __call__(self, helix: Helix):
        energy, gradient = 0.0, np.zeros((5, 1, 3))
        for place, spring, length in self.springs:
            step = helix.image(place)[0] - helix.image(0)[0]
            distance = np.linalg.norm(step)
            energy += 0.5 * spring * (distance - length) ** 2
            pull = spring * (distance - length) * step / distance
            gradient[place, 0] += pull
            gradient[0, 0] -= pull
        return energy, helix.pulled_back(gradient, np.arange(5))


def straight(smiles: str, seed: int = 1000):
    """Return a polymer's straight chain of lowest energy from one start: all of it at rest."""
    unit = RepeatUnit(smiles)
    energy = ChainEnergy(unit, units_of_shorter_oligomer(unit), MMFF94)
    found = []
    for start in pulled(unit, energy, seed, 0.6):
        helix = minimum(energy, start, hessian(energy, start), 1e-4, 400)
        assert helix is not None
        found.append((energy(helix)[0], helix))
    best = min(found, key=lambda each: each[0])[1]
    return unit, energy, best


@pytest.fixture(scope="module")
def polyethylene():
    return straight("*C*")


@pytest.fixture(scope="module")
def ppta():
    return straight(PPTA)


@pytest.mark.parametrize("half_a", [0.0, 0.4])
def test_a_row_of_beads_has_the_compliance_of_its_springs(half_a):
    rise_a = 1.3
    energy = Springs(30.0, 7.0, rise_a, half_a)
    helix = Helix(np.array([[half_a, 0.0, 0.0]]), rise_a, math.pi)
    assert energy(helix)[0] == pytest.approx(0.0, abs=1e-12)
    found = compliance_a2_per_ev(helix, hessian(energy, helix, 1e-4), np.array([6]))
    if half_a:
        # The width of the zigzag gives way until only the springs to next neighbours are strained.
        assert found == pytest.approx(1 / (4 * 7.0), rel=1e-5)
    else:
        assert found == pytest.approx(1 / (30.0 + 4 * 7.0), rel=1e-5)


def test_springs_across_the_axis_hold_a_zigzag():
    energy = Springs(30.0, 7.0, 1.3, 0.4)
    helix = Helix(np.array([[0.4, 0.0, 0.0]]), 1.3, math.pi)
    second = hessian(energy, helix, 1e-4)
    compliances = [
        compliance_a2_per_ev(helix, second, np.array([6]), spring) for spring in (0.0, 1.0, 1e9)
    ]
    assert compliances[0] > compliances[1] > compliances[2]
    # Held altogether, the nearer springs are stretched by the cosine of their slope.
    cosine = 1.3 / math.hypot(1.3, 0.8)
    assert compliances[2] == pytest.approx(1 / (30.0 * cosine**2 + 4 * 7.0), rel=1e-4)


def test_the_speed_of_sound_is_that_of_a_row_of_masses():
    # 12 u, 1 eV/Å², 2 Å: c √(1/(s m)).
    mass_kg, spring = 12 * 1.66053907e-27, 1.602176634e-19 * 1e20
    expected = 2e-10 * math.sqrt(spring / mass_kg)
    assert speed_of_sound_m_per_s(2.0, 1.0, 12.0) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 3.0), st.floats(-3.0, 3.0), st.integers(0, 2**32 - 1), st.floats(0.05, 3.0))
def test_a_screw_is_found_again_from_two_units(rise_a, twist, seed, tilt):
    random = np.random.default_rng(seed)
    helix = Helix(random.normal(size=(5, 3)), rise_a, twist)
    from scipy.spatial.transform import Rotation

    placed = Rotation.from_rotvec(tilt * np.array([1.0, 2.0, -1.0]) / np.sqrt(6)).as_matrix()
    first, second = (helix.image(place) @ placed.T + [3.0, -1.0, 2.0] for place in (0, 1))
    rotation = placed @ turn(twist) @ placed.T
    again = helix_of_screw(first, rotation, second[0] - rotation @ first[0])
    assert again.rise_a == pytest.approx(rise_a, rel=1e-4, abs=5e-3)
    distances = np.linalg.norm(again.image(2)[:, None] - again.image(0)[None], axis=2)
    expected = np.linalg.norm(helix.image(2)[:, None] - helix.image(0)[None], axis=2)
    assert distances == pytest.approx(expected, abs=2e-2)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_gradient_is_that_of_the_energy(seed):
    random = np.random.default_rng(seed)
    unit = RepeatUnit("*OCC(F)*")
    energy = ChainEnergy(unit, 2, MMFF94)
    places = np.linspace(0, 3.0, len(unit.atoms))[:, None] * [0.3, 0.2, 1.0]
    helix = Helix(1.5 * random.normal(size=(len(unit.atoms), 3)) + places, 6.0, 2.0)
    gradient = energy(helix)[1]
    for index in [*random.integers(0, len(gradient), size=3).tolist(), -1, -2]:
        ends = []
        for sign in (1, -1):
            moved = helix.variables
            moved[index] += sign * 1e-5
            ends.append(energy(Helix.of_variables(moved))[0])
        numeric = (ends[0] - ends[1]) / 2e-5
        assert gradient[index] == pytest.approx(numeric, rel=1e-3, abs=1e-3 * abs(gradient).max())


@pytest.mark.parametrize("distance_dependent", [False, True])
def test_gradients_of_the_force_field_belong_to_its_energy(distance_dependent):
    """RDKit takes a third number for the dielectric, with which they do not."""
    molecule = RepeatUnit(PPTA).oligomer(1)
    field = ForceField(molecule, distance_dependent)
    positions = 2.0 * np.random.default_rng(0).normal(size=(molecule.GetNumAtoms(), 3))
    gradient = field.energy_and_gradient(positions)[1]
    for atom in (0, 5, 11):
        ends = []
        for sign in (1, -1):
            moved = positions.copy()
            moved[atom, 1] += sign * 1e-5
            ends.append(field.energy_and_gradient(moved)[0])
        numeric = (ends[0] - ends[1]) / 2e-5
        assert gradient[atom, 1] == pytest.approx(numeric, rel=1e-4)


def test_polyethylene_is_a_planar_zigzag_of_the_modulus_that_x_rays_find(polyethylene):
    unit, energy, helix = polyethylene
    # Bunn's crystal: 2.534 Å for two CH₂.
    assert helix.rise_a == pytest.approx(2.534 / 2, rel=0.02)
    assert abs(helix.twist) == pytest.approx(math.pi)
    second = hessian(energy, helix)
    compliance = compliance_a2_per_ev(helix, second, unit.numbers)
    area_a2 = unit_volume_a3(unit, helix, energy.n_units) / helix.rise_a
    # 7.40 Å × 4.93 Å hold two chains.
    assert area_a2 == pytest.approx(7.40 * 4.93 / 2, rel=0.08)
    assert modulus_gpa(helix.rise_a, compliance, area_a2) == pytest.approx(235, rel=0.1)


def test_the_compliance_is_the_difference_of_long_molecules(polyethylene):
    """Two alkanes pulled at their ends: another way to the same number."""
    unit, energy, helix = polyethylene
    compliances = []
    for n_units in (10, 14):
        molecule = unit.oligomer(n_units)
        field = ForceField(molecule)
        positions = np.concatenate(
            [
                *(helix.image(place) for place in range(n_units)),
                [helix.image(-1)[0], helix.image(n_units)[0]],
            ]
        )
        from scipy.optimize import minimize

        found = minimize(
            lambda x, field=field: field.energy_and_gradient(x),
            positions.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 3000, "gtol": 1e-5, "ftol": 1e-15},
        ).x
        rows = np.zeros((len(found), len(found)))
        for index in range(len(found)):
            for sign in (1, -1):
                moved = found.copy()
                moved[index] += sign * 5e-3
                rows[index] += sign * field.energy_and_gradient(moved)[1] / 1e-2
        inverse = np.linalg.pinv(0.5 * (rows + rows.T), rcond=1e-6, hermitian=True)
        placed = found.reshape(-1, 3)
        # At the middle of the last bond, on the axis: pulled beside it the molecule would bend.
        carbon = [3 * place for place in (0, 1, n_units - 2, n_units - 1)]
        step = placed[carbon[2:]].mean(axis=0) - placed[carbon[:2]].mean(axis=0)
        pull = np.zeros_like(placed)
        pull[carbon[2:]] = 0.5 * step / np.linalg.norm(step)
        pull[carbon[:2]] = -0.5 * step / np.linalg.norm(step)
        pull = pull.ravel()
        compliances.append(pull @ inverse @ pull)
    of_unit = (compliances[1] - compliances[0]) / 4
    expected = compliance_a2_per_ev(helix, hessian(energy, helix), unit.numbers)
    assert of_unit == pytest.approx(expected, rel=0.01)


def test_the_stiffness_does_not_depend_on_the_frame(ppta):
    unit, energy, helix = ppta
    numbers = unit.numbers
    reference = compliance_a2_per_ev(helix, hessian(energy, helix), numbers)
    moved = Helix(helix.unit @ turn(0.7).T + [0.0, 0.0, 4.2], helix.rise_a, helix.twist)
    assert energy(moved)[0] == pytest.approx(energy(helix)[0], abs=1e-9)
    assert compliance_a2_per_ev(moved, hessian(energy, moved), numbers) == pytest.approx(
        reference, rel=1e-3
    )


@pytest.mark.parametrize("smiles", [PPTA_CUT_ELSEWHERE, PPTA_BACKWARDS])
def test_the_same_chain_cut_elsewhere_or_read_backwards_is_as_stiff(ppta, smiles):
    unit, energy, helix = ppta
    other_unit, other_energy, other = straight(smiles)
    assert other_unit.molar_mass_g_per_mol == pytest.approx(unit.molar_mass_g_per_mol)
    assert other.rise_a == pytest.approx(helix.rise_a, rel=1e-3)
    assert other_energy(other)[0] == pytest.approx(energy(helix)[0], abs=2e-3)
    speeds = [
        each.rise_a / math.sqrt(compliance_a2_per_ev(each, hessian(by, each), numbers, spring))
        for each, by, numbers in (
            (helix, energy, unit.numbers),
            (other, other_energy, other_unit.numbers),
        )
        for spring in (0.0, 1.0)
    ]
    assert speeds[2:] == pytest.approx(speeds[:2], rel=0.01)


def test_a_chain_at_rest_has_no_soft_mode_that_is_not_rigid(ppta):
    _, energy, helix = ppta
    curvatures, modes = internal_modes(helix, hessian(energy, helix))
    assert curvatures[0] > 0
    assert abs(helix.rigid_motions()[:, :-1] @ modes).max() < 1e-9


def freely_rotating(angle_deg: float, length_a: float = 1.5, bending=None):
    """Return one unit of a chain of equal bonds at an angle, and its planar zigzag."""
    half = math.radians(angle_deg) / 2
    vector = length_a * np.array([math.sin(half), 0.0, math.cos(half)])
    helix = Helix(np.zeros((1, 3)), length_a * math.cos(half), math.pi)
    axis = vector / length_a
    free = Profile(np.arange(-180.0, 180.0, 15.0), np.zeros(24))
    turned = free.mean_rotation(axis, 0.0, 300.0)
    piece = Piece(turned, vector, np.eye(3) if bending is None else bending)
    return [piece], helix


@pytest.mark.parametrize("angle_deg", [10.0, 68.0, 120.0])
def test_a_freely_rotating_chain_has_the_length_of_the_closed_form(angle_deg):
    """⟨R²⟩ = n l² (1 + cos θ)/(1 − cos θ), θ between one bond and the next one."""
    pieces, helix = freely_rotating(angle_deg)
    cosine = math.cos(math.radians(angle_deg))
    expected = 1.5**2 * (1 + cosine) / (1 - cosine) / helix.rise_a
    assert kuhn_length_a(pieces, helix) == pytest.approx(expected, rel=1e-9)


def test_a_straight_rod_that_bends_is_a_worm():
    """Bent by ⟨θ²⟩ in each of two directions, each of n pieces of length l turns by exp(−⟨θ²⟩)."""
    variance, length_a = 0.01, 5.0
    bending = mean_bending(variance * np.diag([1.0, 1.0, 0.0]))
    piece = Piece(np.eye(3), np.array([0.0, 0.0, length_a]), bending)
    cosine = math.exp(-variance)
    expected = length_a * (1 + cosine) / (1 - cosine)
    helix = Helix(np.zeros((1, 3)), length_a, 0.0)
    assert kuhn_length_a([piece], helix) == pytest.approx(expected, rel=1e-9)


def test_a_torsion_that_is_held_turns_nothing():
    energies = np.full(24, 10.0)
    energies[4] = 0.0
    profile = Profile(np.arange(-180.0, 180.0, 15.0), energies)
    assert profile.mean_rotation(np.array([0.0, 0.0, 1.0]), -120.0, 300.0) == pytest.approx(
        np.eye(3)
    )


@pytest.mark.parametrize(
    ("smiles", "words"),
    [
        ("*C[Se]C*", "Se"),
        ("*CI(C)C*", "I beside C, C, C"),
        ("*CB(C)C*", "B"),
        ("*CP(F)(F)(F)C*", "P beside C, C, F, F, F"),
    ],
)
def test_what_the_force_field_lacks_is_named(smiles, words):
    assert words in str(lacking(RepeatUnit(smiles).oligomer(1)))
    assert lacking(RepeatUnit(PPTA).oligomer(1)) is None


def test_crystals_have_no_bonds_for_mmff():
    from ase.build import bulk

    from workflows.errors import EngineError

    atoms = bulk("Si")
    atoms.calc = MMFF94()
    with pytest.raises(EngineError, match="no crystals"):
        atoms.get_potential_energy()
    atoms = as_atoms(RepeatUnit("*C*").oligomer(2))
    atoms.positions = np.random.default_rng(0).normal(size=(len(atoms), 3))
    atoms.calc = MMFF94()
    assert np.isfinite(atoms.get_potential_energy())


def test_arrangements_at_double_bonds_are_kept():
    from rdkit import Chem

    joined = RepeatUnit("*C/C=C/C*").oligomer(2)
    stereo = [
        bond.GetStereo().name
        for bond in joined.GetBonds()
        if bond.GetBondType() == Chem.BondType.DOUBLE
    ]
    assert stereo == ["STEREOE", "STEREOE"]
