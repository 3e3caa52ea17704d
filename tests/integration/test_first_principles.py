"""Real DFT: GPAW and Quantum ESPRESSO on cells of two atoms, and a campaign of them.

Skipped where the program is not installed (`make gpaw`; `apt-get install quantum-espresso
quantum-espresso-data`).
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from workflows.dft.engine import DftEngine
from workflows.dft.gpaw import k_points
from workflows.dft.k_folding import folded
from workflows.dft.settings import KMesh, k_mesh
from workflows.recipes import ForceConvergenceRecipe, RelaxationRecipe

EXAMPLES = Path("/usr/share/doc/quantum-espresso/examples/EPW/gan/pp")


def rocksalt(cation, anion, a):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).get_primitive_structure()


def zincblende(cation, anion, a):
    return Structure.from_spacegroup(
        "F-43m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.25, 0.25, 0.25]]
    ).get_primitive_structure()


def displaced(structure, shift):
    moved = structure.copy()
    moved.translate_sites([1], shift, frac_coords=False)
    return moved


def check_forces_are_the_slope_of_the_energy(engine, structure, tolerance_ev_per_a):
    direction = np.array([0.6, -0.3, 0.74])
    step = 0.02
    middle = engine.single_point(displaced(structure, 0.15 * direction), "forces")
    ends = [
        engine.single_point(displaced(structure, (0.15 + sign * step) * direction), "forces")
        for sign in (-1, 1)
    ]
    slope = (ends[1].energy_ev - ends[0].energy_ev) / (2 * step)
    along = float(middle.forces_ev_per_a[1] @ direction)
    assert along == pytest.approx(-slope, abs=tolerance_ev_per_a)
    assert np.abs(middle.forces_ev_per_a.sum(axis=0)).max() < tolerance_ev_per_a


@pytest.fixture
def gpaw_engine():
    pytest.importorskip("gpaw")
    settings = {
        "cutoff_ev": 300,
        "relaxation_cutoff_ev": 400,
        "k_spacing_per_a": 0.6,
        "relaxation_k_spacing_per_a": 0.5,
    }
    return DftEngine("gpaw", "gpaw", settings, timeout_h=2)


@pytest.fixture
def espresso_engine(tmp_path, monkeypatch):
    if shutil.which("pw.x") is None or not EXAMPLES.exists():
        pytest.skip("Quantum ESPRESSO or Debian's examples are not installed")
    for path in EXAMPLES.glob("*.upf.gz"):
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
    monkeypatch.setenv("SCREEN_PSEUDOPOTENTIALS", str(tmp_path))
    settings = {
        "functional": "LDA",
        "cutoff_ev": 700,
        "relaxation_cutoff_ev": 700,
        "k_spacing_per_a": 0.7,
        "relaxation_k_spacing_per_a": 0.7,
        "dielectric_k_spacing_per_a": 0.6,
    }
    return DftEngine("espresso", "espresso", settings, timeout_h=2)


@pytest.mark.slow
def test_gpaw_relaxes_silicon(gpaw_engine):
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.40), ["Si"], [[0, 0, 0]])
    document = gpaw_engine.relax(silicon.get_primitive_structure(), RelaxationRecipe())
    # PBE: 5.469 Å (P. Haas, F. Tran and P. Blaha, Phys. Rev. B 79, 085104 (2009)).
    lattice_constant = (4 * document.structure.volume) ** (1 / 3)
    assert lattice_constant == pytest.approx(5.469, rel=0.005)
    assert document.space_group_number == 227
    assert document.max_stress_gpa <= 0.05
    assert document.provenance.versions["gpaw"]


@pytest.mark.slow
def test_gpaw_forces_are_the_slope_of_the_energy(gpaw_engine):
    check_forces_are_the_slope_of_the_energy(gpaw_engine, rocksalt("Na", "Cl", 5.7), 0.01)


def test_gpaw_takes_a_mesh_that_is_shifted_along_some_axes_only(gpaw_engine):
    """By the list of its points, which has to be the same mesh as one given by its divisions."""
    pytest.importorskip("gpaw")
    from gpaw.dft import BZSampling

    atoms = AseAtomsAdaptor.get_atoms(rocksalt("Na", "Cl", 5.7))
    for shift in ((0, 0, 0), (1, 1, 1), (1, 1, 0)):
        mesh = KMesh((2, 2, 4), shift)
        built = BZSampling.from_param(k_points(mesh)).build(atoms)
        expected = np.round(np.array(mesh.points()) % 1, 6)
        found = np.round(built.kpt_Kc % 1, 6)
        assert {tuple(point) for point in found} == {tuple(point) for point in expected}


def test_gpaw_that_cannot_converge_says_so(gpaw_engine):
    gpaw_engine.settings["max_scf_steps"] = 2
    with pytest.raises(Exception, match="GPAW did not converge in 2 steps"):
        gpaw_engine.forces([rocksalt("Na", "Cl", 5.7)])


@pytest.mark.slow
def test_espresso_forces_are_the_slope_of_the_energy(espresso_engine):
    check_forces_are_the_slope_of_the_energy(espresso_engine, zincblende("Ga", "N", 4.5), 0.02)


def check_folded_meshes_give_the_supercells_forces(engine, structure, tolerance_ev_per_a):
    """A cell of 8 atoms, and the 2 that it repeats: with the same k-points one calculation."""
    matrix = [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]
    small = displaced(structure, [0.12, -0.06, 0.15])
    large = small.copy()
    large.make_supercell(matrix)
    for mesh in (KMesh((1, 1, 1)), KMesh((2, 2, 1), (1, 1, 0))):
        of_large = engine.single_point(large, "forces", mesh).forces_ev_per_a
        fold = folded(mesh, matrix)
        of_small = engine.single_point(fold.in_basis(small), "forces", fold.mesh).forces_ev_per_a
        # make_supercell puts the copies of a site one after the other.
        assert np.abs(of_large - np.repeat(of_small, 4, axis=0)).max() < tolerance_ev_per_a
        assert np.abs(of_small).max() > 100 * tolerance_ev_per_a
        # Another shift is another calculation, so that the one above says something.
        x, y, z = fold.mesh.shift
        other = KMesh(fold.mesh.divisions, (1 - x, y, z))
        apart = engine.single_point(fold.in_basis(small), "forces", other).forces_ev_per_a
        assert np.abs(apart - of_small).max() > 3 * tolerance_ev_per_a


@pytest.mark.slow
def test_gpaw_on_folded_meshes(gpaw_engine):
    check_folded_meshes_give_the_supercells_forces(gpaw_engine, zincblende("Si", "Si", 5.43), 3e-3)


@pytest.mark.slow
def test_espresso_on_folded_meshes(espresso_engine):
    check_folded_meshes_give_the_supercells_forces(
        espresso_engine, zincblende("Ga", "N", 4.5), 5e-3
    )


@pytest.mark.slow
def test_gpaw_raises_the_k_mesh_of_eight_atoms_of_silicon(gpaw_engine):
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    engine = gpaw_engine.with_settings({"k_spacing_per_a": 1.2})
    document = engine.force_convergence(silicon, (1, 1, 1), ForceConvergenceRecipe())
    cutoff, *meshes = document.comparisons
    assert cutoff.relative_rms_difference < 0.03
    assert cutoff.supercell_k_mesh == ((1, 1, 1), (1, 1, 1))
    # Γ alone is far off in a cell of eight atoms.
    assert meshes[0].supercell_k_mesh == ((1, 1, 1), (2, 2, 2))
    assert meshes[0].relative_rms_difference > 0.1
    assert document.converged
    assert set(document.raised) == {"k_spacing_per_a"}
    raised = engine.with_settings(document.raised)
    mesh = k_mesh(silicon, raised.k_spacing_per_a())
    assert mesh.divisions == meshes[-1].supercell_k_mesh[0]
    assert document.relative_residual < 0.04


@pytest.mark.slow
def test_espresso_born_charges(espresso_engine):
    document = espresso_engine.dielectric(zincblende("Ga", "N", 4.5))
    charges = dict(
        zip(
            [site.specie.symbol for site in document.structure],
            np.array(document.born_charges_e),
            strict=True,
        )
    )
    # Zincblende GaN, LDA: Z* = 2.65 (K. Karch, J.-M. Wagner and F. Bechstedt, Phys. Rev. B 57,
    # 7043 (1998)).
    assert charges["Ga"][0, 0] == pytest.approx(2.65, abs=0.3)
    assert np.abs(charges["Ga"] + charges["N"]).max() < 0.4
    assert 4.5 < document.dielectric_tensor[0][0] < 8


@pytest.mark.slow
def test_a_dft_campaign_drives_itself_to_a_ranking(project, monkeypatch):
    """Four semiconductors in cells of eight atoms: real DFT, settings far from converged."""
    pytest.importorskip("gpaw")
    crystals = project.folder / "crystals"
    crystals.mkdir()
    # Zincblende: in eight atoms of rocksalt symmetry leaves no third-order force constants.
    for cation, anion, edge in [
        ("Si", "Si", 5.47),
        ("Al", "P", 5.5),
        ("B", "P", 4.55),
        ("Be", "S", 4.88),
    ]:
        zincblende(cation, anion, edge).to(str(crystals / f"{cation}{anion}.cif"))
    project.write(
        "tiny-dft.yaml",
        name="tiny-dft",
        kind="gpaw",
        fidelity=20,
        settings={"k_spacing_per_a": 0.9, "relaxation_k_spacing_per_a": 0.6},
    )
    project.write(
        "semiconductors.yaml",
        objective="lattice-thermal-conductivity",
        engine="tiny-dft.yaml",
        sources=["crystals"],
        budget=3,
        batch_size=1,
        sampler={"kind": "expected-improvement", "initial": 2},
        recipe={
            "nac": "off",
            "phonons": {"min_length_a": 4, "max_atoms": 8, "stability_threshold_thz": -3},
            "third_order": {"route": "random-pairs", "min_length_a": 4, "max_atoms": 8},
            "transport": {"mesh_lengths_a": [9, 13, 17]},
        },
    )
    monkeypatch.setattr("project_folder.TIMEOUT_S", 7200.0)
    project.screen("submit", "--target", "semiconductors.yaml", "--name", "binaries", "--wait")
    rows = project.json("rank", "binaries")
    computed = [row for row in rows if row["outcome"] != "predicted"]
    assert len(computed) == 3
    assert all(row["engine"] == "tiny-dft" for row in computed)
    computed = [row for row in computed if row["outcome"] == "computed"]
    assert len(computed) >= 2
    assert all(0.01 < row["kappa_300k_w_per_m_k"] < 1000 for row in computed)
    with project.database() as database:
        reasons = [pick["reason"] for pick in database.picks.find(sort=[("number", 1)])]
        assert reasons == ["space-filling", "space-filling", "expected-improvement"]
        result = database.results.find_one({"outcome": "computed"})
        assert result["provenance"]["versions"]["gpaw"]
        assert result["nac"] is False
