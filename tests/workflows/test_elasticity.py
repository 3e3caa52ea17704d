"""Elastic constants: textbook formulas, effective-medium metals, symmetry and the whole flow."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.emt import EMT
from bravais_alloys import BRAVAIS, described_anew
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.analysis.elasticity import ElasticTensor
from pymatgen.core import Lattice, Structure
from pymatgen.core.operations import SymmOp
from pymatgen.io.ase import AseAtomsAdaptor
from scipy import constants
from scipy.spatial.transform import Rotation

from workflows import elasticity_analysis
from workflows.dft.engine import DftEngine
from workflows.documents import ElasticityDocument
from workflows.elasticity import ElasticityMaker
from workflows.recipes import ElasticityRecipe, RelaxationRecipe


def cubic_tensor(c11, c12, c44):
    voigt = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    voigt[:3, :3] += c12
    return ElasticTensor.from_voigt(voigt)


def run(flow, folder, monkeypatch):
    monkeypatch.chdir(folder)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    content = store.get_output(flow.output.uuid, which="last")
    return ElasticityDocument.model_validate(
        {key: value for key, value in content.items() if not key.startswith("@")}
    )


def tensor_of(engine, structure, strain_fraction=0.005):
    """Relax, strain and fit, without jobs."""
    relaxed = engine.relax(structure, RelaxationRecipe()).structure
    cells = elasticity_analysis.strained_cells(relaxed, strain_fraction)
    stresses = [
        engine.relax(cell.structure, RelaxationRecipe(), fixed_cell=True).stress_gpa
        for cell in cells
    ]
    return elasticity_analysis.elastic_tensor(relaxed, cells, stresses)[0]


@pytest.fixture(scope="module")
def copper_document(emt, fcc_copper, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        flow = ElasticityMaker(emt).make(fcc_copper.get_primitive_structure())
        return run(flow, tmp_path_factory.mktemp("elasticity"), patch)


def test_the_document_is_complete(copper_document):
    assert copper_document.outcome == "computed"
    assert all(value is not None for value in copper_document.model_dump().values())
    assert [cost.step for cost in copper_document.costs] == ["relaxation", "strained cells"]
    assert copper_document.cost == sum(step.cost for step in copper_document.costs)
    assert copper_document.primitive_atoms == 1
    # Both signs of a stretch; a shear of cubic crystals is its own mirror image.
    assert copper_document.strained_cells == 3


def test_copper_agrees_with_the_curvature_of_its_energy(copper_document):
    """Stresses, pymatgen's strains and symmetry have no part in it."""
    atoms = AseAtomsAdaptor.get_atoms(copper_document.structure)
    cell, volume = atoms.cell.array.copy(), atoms.get_volume()

    def energy(strain):
        atoms.set_cell(cell @ (np.eye(3) + strain), scale_atoms=True)
        atoms.calc = EMT()
        return atoms.get_potential_energy() * 160.21766

    def curvature(strain, step=2e-3):
        flat = energy(0 * strain)
        return (energy(step * strain) + energy(-step * strain) - 2 * flat) / step**2 / volume

    # Isochoric to first order, and the crystal is free of stress: second derivatives are tensors.
    bulk = curvature(np.eye(3)) / 9
    tetragonal = curvature(np.diag([1.0, -1.0, 0.0])) / 4
    shear = curvature(np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]))
    tensor = np.array(copper_document.elastic_tensor_gpa)
    assert copper_document.bulk_modulus_gpa == pytest.approx(bulk, rel=3e-3)
    assert (tensor[0, 0] - tensor[0, 1]) / 2 == pytest.approx(tetragonal, rel=3e-3)
    assert tensor[5, 5] == pytest.approx(shear, rel=3e-3)


def test_copper_has_the_symmetry_of_a_cube(copper_document):
    tensor = np.array(copper_document.elastic_tensor_gpa)
    c11, c12, c44 = tensor[0, 0], tensor[0, 1], tensor[3, 3]
    assert tensor == pytest.approx(cubic_tensor(c11, c12, c44).voigt, abs=1e-3)
    assert copper_document.min_eigenvalue_gpa == pytest.approx(c11 - c12, abs=1e-3)


@pytest.mark.parametrize("fixture", ["fcc_copper", "ordered_cuau"])
def test_the_tensor_turns_with_the_crystal(emt, fixture, request):
    structure = request.getfixturevalue(fixture).get_primitive_structure()
    turn = SymmOp.from_rotation_and_translation(
        Rotation.from_euler("xyz", [0.3, -0.7, 1.1]).as_matrix()
    )
    turned = structure.copy()
    turned.apply_operation(turn)
    still, moved = tensor_of(emt, structure), tensor_of(emt, turned)
    assert moved.k_vrh == pytest.approx(still.k_vrh, rel=1e-3)
    assert moved.g_vrh == pytest.approx(still.g_vrh, rel=2e-3)
    assert moved.voigt == pytest.approx(still.transform(turn).voigt, abs=0.5)


def test_a_smaller_strain_changes_little(emt, fcc_copper):
    copper = fcc_copper.get_primitive_structure()
    small, usual = (tensor_of(emt, copper, strain).voigt for strain in (0.005, 0.01))
    assert usual == pytest.approx(small, abs=0.3)


def test_free_positions_soften_the_crystal(emt):
    """One layer of copper and two of gold, whose distance answers to strain."""
    structure = Structure(
        Lattice.tetragonal(2.7, 5.8),
        ["Cu", "Au", "Au"],
        [[0, 0, 0], [0.5, 0.5, 0.32], [0.5, 0.5, 0.68]],
    )
    recipe = RelaxationRecipe()
    relaxed = emt.relax(structure, recipe).structure
    cell = next(
        each
        for each in elasticity_analysis.strained_cells(relaxed, 0.01)
        if each.deformation[2, 2] > 1.005
    )
    document = emt.relax(cell.structure, recipe, fixed_cell=True)
    assert document.structure.lattice.matrix == pytest.approx(cell.structure.lattice.matrix)
    assert document.max_force_ev_per_a <= recipe.force_tolerance_ev_per_a
    clamped = AseAtomsAdaptor.get_atoms(cell.structure)
    clamped.calc = EMT()
    assert document.stress_gpa[2] < clamped.get_stress()[2] * 160.21766 - 0.004


@pytest.mark.parametrize(
    ("lattice", "group", "count"),
    [
        (Lattice.cubic(4), "Pm-3m", 3),
        (Lattice.hexagonal(3, 5), "P6/mmm", 5),
        (Lattice.tetragonal(3, 5), "P4/mmm", 6),
        (Lattice.orthorhombic(3, 4, 5), "Pmmm", 9),
        (Lattice.from_parameters(3, 4, 5, 80, 95, 100), "P1", 12),
    ],
)
def test_symmetry_spares_cells_and_the_fit_finds_the_tensor_again(lattice, group, count):
    structure = Structure.from_spacegroup(group, lattice, ["Cu"], [[0, 0, 0]])
    if group == "P1":
        structure.append("Au", [0.2, 0.3, 0.4])
        structure.append("Ag", [0.6, 0.15, 0.7])
    cells = elasticity_analysis.strained_cells(structure, 0.01)
    assert len(cells) == count
    random = np.random.default_rng(0).normal(size=(6, 6))
    general = ElasticTensor.from_voigt(50 * np.eye(6) + random + random.T)
    expected = general.fit_to_structure(structure)
    stresses = []
    for cell in cells:
        gradient = np.asarray(cell.deformation)
        response = np.asarray(expected.calculate_stress(cell.deformation.green_lagrange_strain))
        cauchy = gradient @ response @ gradient.T / np.linalg.det(gradient)
        stresses.append([cauchy[i] for i in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])
    tensor, asymmetry_gpa = elasticity_analysis.elastic_tensor(structure, cells, stresses)
    assert tensor.voigt == pytest.approx(expected.voigt, abs=1e-6)
    assert asymmetry_gpa < 1e-6


def test_a_crystal_that_gives_way_to_shear_is_unstable(emt, bcc_copper, tmp_path, monkeypatch):
    document = run(ElasticityMaker(emt).make(bcc_copper), tmp_path, monkeypatch)
    assert document.outcome == "unstable"
    assert document.min_eigenvalue_gpa < 0
    assert document.reason.startswith("mechanically unstable: lowest eigenvalue")
    assert document.slack_kappa_300k_w_per_m_k is None
    assert document.bulk_modulus_gpa is None


def test_the_threshold_of_stability_is_the_recipes(emt, fcc_copper, tmp_path, monkeypatch):
    recipe = ElasticityRecipe(stability_threshold_gpa=80.0)
    flow = ElasticityMaker(emt, recipe=recipe).make(fcc_copper.get_primitive_structure())
    document = run(flow, tmp_path, monkeypatch)
    assert document.outcome == "unstable"
    assert "threshold 80.00 GPa" in document.reason


def test_moduli_and_debye_temperature_of_silicon():
    """Computed constants (H. J. McSkimin and P. Andreatch, 1964) give the computed one."""
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.431), ["Si"], [[0, 0, 0]])
    tensor = cubic_tensor(165.8, 63.9, 79.6)
    assert tensor.k_vrh == pytest.approx(97.8, abs=0.1)
    assert tensor.g_vrh == pytest.approx(66.6, abs=0.3)
    assert tensor.debye_temperature(silicon) == pytest.approx(645, abs=8)
    assert elasticity_analysis.lowest_eigenvalue_gpa(tensor) == pytest.approx(101.9)
    assert elasticity_analysis.primitive_atoms(silicon) == 2


def test_slacks_formula():
    # Leibfried and Schlömann's prefactor in C. Toher et al., Phys. Rev. B 90, 174107 (2014).
    prefactor = 0.849 * 3 * 4 ** (1 / 3) / (20 * np.pi**3)
    exact = prefactor * (constants.k / constants.hbar) ** 3 * constants.atomic_mass * 1e-10
    assert exact == pytest.approx(elasticity_analysis.SLACK_COEFFICIENT, rel=1e-3)
    # γ = 2 makes the classical 3.04e-6, in D. T. Morelli and G. A. Slack's units.
    kappa = elasticity_analysis.slack_kappa_w_per_m_k(1.0, 1.0, 1, 100.0, 2.0, 300.0)
    assert kappa == pytest.approx(3.04e-6 * 100**3 / (4 * 300), rel=2e-3)
    # All atoms alike, in a cell of eight: the same κ from θ_D and n^(−2/3).
    acoustic = elasticity_analysis.acoustic_debye_temperature_k(400.0, 8)
    assert acoustic == pytest.approx(200.0)
    kappa = elasticity_analysis.slack_kappa_w_per_m_k(30.0, 20.0, 8, acoustic, 2.0, 300.0)
    one = elasticity_analysis.slack_kappa_w_per_m_k(30.0, 20.0, 1, 400.0, 2.0, 300.0)
    assert kappa == pytest.approx(one * 8 ** (-2 / 3))


def test_gruneisen_parameter_of_poissons_ratio():
    assert elasticity_analysis.gruneisen_parameter(0.25) == pytest.approx(1.5)
    assert elasticity_analysis.gruneisen_parameter(0.5) == pytest.approx(4.5)


def test_an_engine_that_cannot_compare_cells_is_refused(fcc_copper):
    maker = ElasticityMaker(DftEngine("vasp-standard", "vasp"))
    assert "'vasp-standard' chooses its k-points by the cell" in maker.refusal(fcc_copper)
    with pytest.raises(ValueError, match="Cu: engine 'vasp-standard'"):
        maker.make(fcc_copper)


@pytest.mark.parametrize("lattice", ["hR", "tI", "mC", "cF"])
def test_a_crystal_has_the_same_constants_in_every_cell(emt, lattice):
    crystal = BRAVAIS[lattice]
    known = tensor_of(emt, crystal)
    other = tensor_of(emt, described_anew(crystal, 3))
    assert other.k_vrh == pytest.approx(known.k_vrh, rel=2e-3)
    assert other.g_vrh == pytest.approx(known.g_vrh, rel=2e-3)
    lowest = elasticity_analysis.lowest_eigenvalue_gpa
    assert lowest(other) == pytest.approx(lowest(known), rel=2e-3)


@pytest.mark.parametrize("lattice", sorted(BRAVAIS))
def test_few_strains_span_the_tensor_well(lattice):
    """In a frame of their own, images of too few strains nearly coincided: 12 GPa for 55."""
    crystal = described_anew(BRAVAIS[lattice], 5, 1)
    known = ElasticTensor.from_voigt(np.diag([300.0, 200, 250, 60, 80, 70]) + 40.0)
    rotations = elasticity_analysis.point_group(crystal)
    symmetric = ElasticTensor(
        np.mean([np.einsum("ai,bj,ck,dl,ijkl", r, r, r, r, known) for r in rotations], axis=0)
    )
    cells = elasticity_analysis.strained_cells(crystal, 0.005)
    rng = np.random.default_rng(0)
    stresses = []
    for cell in cells:
        second = symmetric.calculate_stress(cell.deformation.green_lagrange_strain)
        gradient = np.array(cell.deformation)
        cauchy = gradient @ second @ gradient.T / np.linalg.det(gradient)
        noisy = cauchy + rng.normal(scale=1e-3, size=(3, 3))
        stresses.append(((noisy + noisy.T) / 2)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
    fitted, _ = elasticity_analysis.elastic_tensor(crystal, cells, stresses)
    # Noise of 0.001 GPa over strains of 0.005 is 0.2 GPa.
    assert fitted.voigt == pytest.approx(symmetric.voigt, abs=1.5)


def test_a_rhombohedral_alloy_has_slacks_conductivity(emt, tmp_path, monkeypatch):
    """One of its strained cells has no space group that spglib finds."""
    document = run(ElasticityMaker(emt).make(BRAVAIS["hR"]), tmp_path, monkeypatch)
    assert document.outcome == "computed"
    assert document.strained_cells == 6
    assert document.primitive_atoms == 2
    tensor = np.array(document.elastic_tensor_gpa)
    assert tensor == pytest.approx(tensor.T)


def test_a_crystal_that_relaxation_loses_is_unstable(emt, tmp_path, monkeypatch):
    squeezed = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2.3), ["Cu"], [[0, 0, 0]])
    document = run(ElasticityMaker(emt).make(squeezed), tmp_path, monkeypatch)
    assert document.outcome == "unstable"
    assert document.reason.startswith("lost in relaxation, step ")
    assert document.slack_kappa_300k_w_per_m_k is None
    assert document.strained_cells == 0
    assert document.cost == document.costs[0].cost > 0


def test_a_primitive_cell_is_counted_in_every_cell():
    for name, crystal in BRAVAIS.items():
        found = elasticity_analysis.primitive_atoms(described_anew(crystal, 4))
        assert found == len(crystal), name
