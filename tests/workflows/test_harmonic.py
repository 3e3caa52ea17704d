"""Harmonic phonons of toy crystals against exact properties and independent numbers."""

from __future__ import annotations

import numpy as np
import pytest
import seekpath
from ase.calculators.emt import EMT
from ase.units import GPa, _amu
from bravais_alloys import BRAVAIS
from phonopy import Phonopy
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from workflows.lattice_dynamics import harmonic
from workflows.lattice_dynamics.cells import conventional_cell

QPOINTS = [[0.5, 0.5, 0.0], [0.13, 0.27, 0.41], [0.02, 0.0, 0.0]]


def frequencies_thz(phonon: Phonopy, qpoints=QPOINTS) -> np.ndarray:
    phonon.run_qpoints(qpoints)
    return np.array(phonon.qpoints.frequencies)


def test_displaced_supercells_differ_from_the_perfect_one_by_the_distance(copper):
    phonon = harmonic.harmonic_model(copper.cell, "F", 2 * np.eye(3, dtype=int), 0.02)
    supercells = harmonic.harmonic_supercells(phonon)
    assert len(supercells) == 1  # all symmetry leaves for one atom in a cubic crystal
    moved = supercells[0].cart_coords - phonon.supercell.positions
    lengths = np.linalg.norm(moved, axis=1)
    assert np.count_nonzero(lengths > 1e-10) == 1
    assert lengths.max() == pytest.approx(0.02, abs=1e-10)


@pytest.mark.parametrize("name", ["copper", "cu3au"])
def test_acoustic_sum_rule(name, request):
    phonon = request.getfixturevalue(name).phonon
    sums = np.asarray(phonon.force_constants).sum(axis=1)
    assert np.abs(sums).max() < 1e-12
    at_gamma = np.sort(np.abs(frequencies_thz(phonon, [[0, 0, 0]])[0]))
    assert at_gamma[:3].max() < 1e-5  # phono3py takes what is above 1e-4 THz for a phonon
    assert (at_gamma[3:] > 0.5).all()


def test_drift_tells_of_forces_that_are_not_translation_invariant(copper, emt):
    phonon = harmonic.harmonic_model(copper.cell, "F", 2 * np.eye(3, dtype=int), 0.01)
    forces = emt.forces(harmonic.harmonic_supercells(phonon))
    assert harmonic.set_harmonic_forces(phonon, forces) < 1e-8
    pushed = [force + np.array([0.001, 0.0, 0.0]) for force in forces]
    # Every atom pushed by 1 meV/Å over a displacement of 0.01 Å.
    drift = harmonic.set_harmonic_forces(phonon, pushed)
    assert drift == pytest.approx(32 * 0.001 / 0.01, rel=0.5)
    # What is left after symmetrisation still obeys the sum rule.
    assert np.abs(np.asarray(phonon.force_constants).sum(axis=1)).max() < 1e-10


def test_frequencies_do_not_depend_on_origin_or_orientation(cu3au, crystal):
    turn, _ = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 1]]))
    moved = Structure(
        cu3au.cell.lattice.matrix @ (turn * np.linalg.det(turn)),
        cu3au.cell.species,
        cu3au.cell.frac_coords + np.array([0.11, 0.37, 0.73]),
    )
    before = harmonic.stability(cu3au.phonon, 15.0)
    after = harmonic.stability(crystal(moved).phonon, 15.0)
    assert after.mesh == before.mesh
    assert after.min_frequency_thz == pytest.approx(before.min_frequency_thz, abs=1e-4)
    assert after.max_frequency_thz == pytest.approx(before.max_frequency_thz, abs=1e-4)


def test_long_waves_have_the_speed_of_sound(copper_108):
    copper = copper_108
    atoms = AseAtomsAdaptor.get_atoms(copper.cell)
    atoms.calc = EMT()
    strain = 1e-3
    stress = {}
    for row, column in ((0, 0), (1, 2)):
        sheared = atoms.copy()
        sheared.calc = EMT()
        deformation = np.eye(3)
        deformation[row, column] += strain
        sheared.set_cell(atoms.cell @ deformation, scale_atoms=True)
        stress[row, column] = sheared.get_stress(voigt=False)[row, column]
    density = atoms.get_masses().sum() * _amu / (atoms.get_volume() * 1e-30)
    # q along [100] in the primitive reciprocal basis of F centring: (0, x, x).
    x = 0.01
    transverse, _, longitudinal = frequencies_thz(copper.phonon, [[0, x, x]])[0]
    wave_number_per_m = 2 * x / copper.cell.lattice.a * 1e10
    for frequency, (key, modulus) in zip((longitudinal, transverse), stress.items(), strict=True):
        elastic_pa = modulus / strain / GPa * 1e9
        speed = np.sqrt(elastic_pa / density)
        assert frequency * 1e12 / wave_number_per_m == pytest.approx(speed, rel=0.05), key


@pytest.mark.parametrize(("name", "atoms"), [("copper", 1), ("cu3au", 4)])
def test_density_of_states_counts_all_modes(name, atoms, request):
    phonon = request.getfixturevalue(name).phonon
    spectrum = harmonic.spectrum(phonon, 40.0, points=11)
    count = np.trapezoid(spectrum.dos_per_thz, spectrum.dos_frequency_thz)
    assert count == pytest.approx(3 * atoms, rel=0.02)


def test_bands_meet_at_shared_labels(cu3au):
    spectrum = harmonic.spectrum(cu3au.phonon, 20.0, points=11)
    segments = len(spectrum.band_labels)
    assert segments == len(spectrum.band_distance_per_a) == len(spectrum.band_frequency_thz)
    at_label: dict[str, list[float]] = {}
    for labels, distances, bands in zip(
        spectrum.band_labels,
        spectrum.band_distance_per_a,
        spectrum.band_frequency_thz,
        strict=True,
    ):
        assert len(distances) == len(bands) == 11
        assert (np.diff(distances) > 0).all()
        for label, point in ((labels[0], bands[0]), (labels[1], bands[-1])):
            np.testing.assert_allclose(point, at_label.setdefault(label, point), atol=2e-5)
    gamma = next(point for label, point in at_label.items() if "G" in label)
    assert np.abs(gamma[:3]).max() < 1e-4


@pytest.mark.parametrize("lattice", BRAVAIS)
def test_the_path_of_bands_is_in_the_basis_of_the_cell(lattice):
    """seekpath's primitive cell of triclinic and some monoclinic crystals is not phonopy's."""
    cell, centring = conventional_cell(BRAVAIS[lattice])
    primitive = harmonic.harmonic_model(cell, centring, np.eye(3, dtype=int), 0.01).primitive
    path, _, _ = harmonic.band_path(primitive, 3)
    standard = seekpath.get_path(primitive.totuple())
    ends = [[standard["point_coords"][name] for name in segment] for segment in standard["path"]]
    steps = np.array([segment[-1] - segment[0] for segment in path])
    lengths_per_a = np.linalg.norm(steps @ np.linalg.inv(primitive.cell).T, axis=1)
    expected = np.diff(ends, axis=1)[:, 0] @ standard["reciprocal_primitive_lattice"]
    assert lengths_per_a == pytest.approx(np.linalg.norm(expected, axis=1) / (2 * np.pi), rel=1e-4)


def test_stable_crystals_pass_the_gate(copper, cu3au):
    for crystal in (copper, cu3au):
        gate = harmonic.stability(crystal.phonon, 20.0)
        assert gate.min_frequency_thz > 0.5
        assert gate.max_frequency_thz > gate.min_frequency_thz


@pytest.mark.parametrize("length", [7.0, 10.0, 20.0])
def test_gate_looks_at_the_zone_boundary(length, copper):
    # Where soft modes usually sit: only even divisions contain it.
    gate = harmonic.stability(copper.phonon, length)
    assert all(n % 2 == 0 for n in gate.mesh)


@pytest.mark.parametrize("length", [9.0, 15.0, 22.0, 30.0])
@pytest.mark.parametrize("parity", [None, "odd", "even"])
def test_meshes_keep_the_point_group_of_a_body_centred_tetragonal_cell(length, parity):
    # Al₃Ti type: the three reciprocal vectors have two lengths, yet symmetry links all of them.
    structure = Structure.from_spacegroup(
        "I4/mmm",
        Lattice.tetragonal(3.85, 8.6),
        ["Ni", "Al", "Al"],
        [[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0.25]],
    )
    cell, centring = conventional_cell(structure)
    assert centring == "I"
    model = harmonic.harmonic_model(cell, centring, np.eye(3, dtype=int), 0.01)
    mesh = harmonic.symmetric_mesh(model, length, parity)
    assert min(mesh) >= 1
    if parity is not None:
        assert {n % 2 for n in mesh} == {int(parity == "odd")}
    for rotation in model.primitive_symmetry.pointgroup_operations:
        # A rotation maps the grid q = n/N onto itself when N⁻¹ R N is a matrix of integers.
        on_the_grid = np.array(mesh)[:, np.newaxis] * rotation.T / np.array(mesh)
        np.testing.assert_allclose(on_the_grid, np.rint(on_the_grid), atol=1e-9)


@pytest.mark.parametrize("group", ["Im-3m", "Pm-3m"])
def test_crystals_that_collapse_have_imaginary_modes(group, crystal):
    edge = {"Im-3m": 2.88, "Pm-3m": 2.4}[group]
    structure = Structure.from_spacegroup(group, Lattice.cubic(edge), ["Cu"], [[0, 0, 0]])
    gate = harmonic.stability(crystal(structure, multiple=3).phonon, 20.0)
    assert gate.min_frequency_thz < -0.5


def test_gate_sees_an_instability_at_gamma(cu3au):
    # Every force constant reversed: the stiffest optical mode becomes the most unstable one.
    phonon = cu3au.phonon.replicate()
    phonon.force_constants = -np.asarray(cu3au.phonon.force_constants)
    gate = harmonic.stability(phonon, 1.0)
    assert gate.min_frequency_thz == pytest.approx(
        -harmonic.stability(cu3au.phonon, 1.0).max_frequency_thz, rel=1e-6
    )


@pytest.mark.parametrize("name", ["copper", "cu3au"])
def test_parameter_file_gives_the_same_phonons(name, request):
    phonon = request.getfixturevalue(name).phonon
    loaded = harmonic.load_phonopy_params(harmonic.phonopy_params(phonon))
    np.testing.assert_array_equal(loaded.supercell_matrix, phonon.supercell_matrix)
    np.testing.assert_allclose(frequencies_thz(loaded), frequencies_thz(phonon), rtol=0, atol=1e-6)


def test_parameter_file_is_all_that_is_read(cu3au, tmp_path, monkeypatch):
    params = harmonic.phonopy_params(cu3au.phonon)
    (tmp_path / "BORN").write_text("14.4\n5 0 0 0 5 0 0 0 5\n" + "1 0 0 0 1 0 0 0 1\n" * 4)
    (tmp_path / "FORCE_CONSTANTS").write_text("of another crystal\n")
    (tmp_path / "FORCE_SETS").write_text("of another crystal\n")
    monkeypatch.chdir(tmp_path)
    loaded = harmonic.load_phonopy_params(params)
    assert loaded.nac_params is None
    np.testing.assert_allclose(
        frequencies_thz(loaded), frequencies_thz(cu3au.phonon), rtol=0, atol=1e-6
    )


def test_born_charges_travel_in_the_parameter_file(cu3au):
    phonon = cu3au.phonon.replicate()
    phonon.dataset = cu3au.phonon.dataset
    charges = np.array([-3.0, 1.0, 1.0, 1.0])
    if str(phonon.primitive.symbols[0]) != "Au":
        charges = charges[::-1]
    phonon.nac_params = {
        "born": charges[:, np.newaxis, np.newaxis] * np.eye(3),
        "dielectric": 5 * np.eye(3),
        "factor": 14.4,
    }
    loaded = harmonic.load_phonopy_params(harmonic.phonopy_params(phonon))
    np.testing.assert_allclose(loaded.nac_params["born"], phonon.nac_params["born"], atol=1e-8)


def test_low_symmetry_survives_the_way_through_phonopy(cuau):
    assert (cuau.centring, len(cuau.cell)) == ("P", 2)
    gate = harmonic.stability(cuau.phonon, 15.0)
    assert gate.mesh[0] == gate.mesh[1] > gate.mesh[2]
