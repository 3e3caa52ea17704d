"""Convergence of forces: which cell, what is compared, what is raised, when it is given up."""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from workflows.conductivity import ThermalConductivityMaker
from workflows.dft import gpaw, vasp
from workflows.dft.convergence import LEAST_ATOMS, folding_cell, force_convergence
from workflows.dft.engine import DftEngine
from workflows.dft.settings import DftSettings, KMesh, k_mesh
from workflows.dielectric import DielectricMaker
from workflows.document_parts import Provenance, StepCost
from workflows.engines import AseEngine
from workflows.errors import CannotCompute, EngineError
from workflows.few_shot_documents import ForceConvergenceDocument
from workflows.force_convergence import ForceConvergenceMaker
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.recipes import ForceConvergenceRecipe, ThermalConductivityRecipe
from workflows.relaxation import RelaxationMaker
from workflows.single_point import SinglePoint

STAND_IN = Path(__file__).parents[2] / "stand_in.py"
SPRING_EV_PER_A2 = 2.0


def factor_of(mesh, cutoff_ev):
    """Return a toy's forces over the converged ones, in supercells of two cells an axis."""
    by_mesh = 0.15 * math.exp(1.5 * (1 - mesh.divisions[0] / 2))
    return (1 + by_mesh) * (1 + (300 / cutoff_ev) ** 4 / 50)


@dataclass
class ToyEngine:
    """Springs to the lattice sites, stiffer the fewer the k-points and plane waves.

    Parameters
    ----------
    sites
        The undisplaced crystal's Cartesian coordinates.
    offset_ev_per_a
        Force on each atom of the undisplaced crystal, over the cut-off in keV.
    """

    settings: DftSettings
    sites: Any
    spring_ev_per_a2: float = SPRING_EV_PER_A2
    offset_ev_per_a: float = 0.0
    moments_by_mesh: bool = False
    factor: Any = factor_of
    name: str = "toy"
    asked: list[Any] = field(default_factory=list)

    def cutoff_ev(self, structure):
        return self.settings.cutoff_ev or 300.0

    def k_spacing_per_a(self):
        return self.settings.k_spacing_per_a

    def with_settings(self, changes):
        return replace(self, settings=self.settings.model_copy(update=changes))

    def provenance(self):
        return Provenance(engine=self.name, calculator="toy")

    def single_point(self, structure, purpose, mesh=None):
        assert purpose == "forces"
        cutoff = self.cutoff_ev(structure)
        self.asked.append((cutoff, mesh, structure))
        factor = self.factor(mesh, cutoff)
        forces = -factor * self.spring_ev_per_a2 * (structure.cart_coords - self.sites)
        forces += self.offset_ev_per_a * 1000 / cutoff
        moments = None
        if self.moments_by_mesh:
            moments = np.full(len(structure), float(mesh.divisions[0]))
        return SinglePoint(0.0, forces, magnetic_moments_mu_b=moments)


def toy(cell, k_spacing_per_a=0.6, cutoff_ev=None, **fields):
    settings = DftSettings(k_spacing_per_a=k_spacing_per_a, cutoff_ev=cutoff_ev)
    return ToyEngine(settings, cell.cart_coords, **fields)


RECIPE = ForceConvergenceRecipe()
DOUBLE = (2, 2, 2)


def test_converged_forces_raise_nothing(sodium_chloride):
    engine = toy(sodium_chloride, factor=lambda mesh, cutoff: 1 + 0.01 / mesh.divisions[0])
    document = force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)
    assert document.converged
    assert document.raised == {}
    assert document.reason == ""
    assert [each.setting for each in document.comparisons] == ["cutoff_ev", "k_spacing_per_a"]
    assert document.cost.cost == len(engine.asked) == 3
    mesh = document.comparisons[1]
    assert mesh.supercell_k_mesh == ((1, 1, 1), (2, 2, 2))
    # From 2×2×2 to 4×4×4 points in the small cell.
    assert mesh.slope == pytest.approx(1.0025 / 1.005)
    assert mesh.relative_rms_difference == pytest.approx(1.005 / 1.0025 - 1)
    assert document.relative_residual == pytest.approx(1.005 / 1.0025 - 1)
    expected_rms = SPRING_EV_PER_A2 * 0.03 / math.sqrt(3) * 1.0025
    assert mesh.rms_force_ev_per_a == pytest.approx(expected_rms)
    assert (document.cell_atoms, document.displacement_distance_a) == (8, 0.03)


def test_every_calculation_has_the_k_points_that_the_supercell_will_have(sodium_chloride):
    engine = toy(sodium_chloride)
    document = force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)
    assert document.converged
    raised = engine.with_settings(document.raised)
    final = k_mesh(sodium_chloride * 2, raised.k_spacing_per_a())
    assert final == KMesh.off_gamma(document.comparisons[-1].supercell_k_mesh[0])
    meshes = [mesh for _, mesh, _ in engine.asked]
    assert meshes[0] == KMesh((2, 2, 2))
    # 2×2×2 shifted off Γ, then 3×3×3 with Γ.
    assert meshes[-2:] == [KMesh((4, 4, 4), (1, 1, 1)), KMesh((6, 6, 6))]
    displaced = [structure.cart_coords for _, _, structure in engine.asked]
    assert all(np.allclose(each, displaced[0]) for each in displaced)
    shifts = np.linalg.norm(displaced[0] - sodium_chloride.cart_coords, axis=1)
    assert np.allclose(shifts, 0.03)


def test_what_is_not_converged_is_raised_and_checked_again(sodium_chloride):
    engine = toy(sodium_chloride)
    document = force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)
    assert document.converged
    assert set(document.raised) == {"k_spacing_per_a"}
    first, second = document.comparisons[1:]
    assert first.relative_rms_difference > 0.03
    assert second.relative_rms_difference <= 0.03
    assert (
        second.k_spacing_per_a[0] == first.k_spacing_per_a[1] == document.raised["k_spacing_per_a"]
    )
    cutoff = document.comparisons[0].relative_rms_difference
    assert document.relative_residual == pytest.approx(
        math.hypot(cutoff, second.relative_rms_difference)
    )


def test_a_low_cutoff_is_raised_and_the_mesh_then_compared_at_the_higher_one(sodium_chloride):
    engine = toy(sodium_chloride, k_spacing_per_a=0.3, cutoff_ev=200)
    document = force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)
    assert document.converged
    assert document.raised == {"cutoff_ev": 280.0}
    cutoffs = [each.cutoff_ev for each in document.comparisons]
    assert cutoffs == [(200, 280), (280, 392), (280, 280)]


@pytest.mark.parametrize("most_raises", [0, 1, 2])
def test_after_the_last_raise_the_crystal_is_refused_with_the_reason(sodium_chloride, most_raises):
    engine = toy(sodium_chloride, factor=lambda mesh, cutoff: 1 + 1 / mesh.divisions[0])
    recipe = ForceConvergenceRecipe(most_raises=most_raises)
    document = force_convergence(engine, sodium_chloride, DOUBLE, recipe)
    assert not document.converged
    assert document.raised == {}
    assert document.cost.cost == 3 + most_raises
    last = document.comparisons[-1]
    assert document.relative_residual == pytest.approx(last.relative_rms_difference)
    n = most_raises + 1
    assert f"from a {n}×{n}×{n} to a {n + 1}×{n + 1}×{n + 1} k-mesh" in document.reason
    assert f"by {100 * last.relative_rms_difference:.0f} %" in document.reason
    assert f"k_spacing_per_a of {last.k_spacing_per_a[1]:.2f}" in document.reason


def test_a_cutoff_that_never_suffices_ends_the_check_before_the_meshes(sodium_chloride):
    engine = toy(sodium_chloride, factor=lambda mesh, cutoff: 1 + 100 / cutoff)
    document = force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)
    assert not document.converged
    assert "from a cut-off of 588 eV to one of 824 eV" in document.reason
    assert {each.setting for each in document.comparisons} == {"cutoff_ev"}


def test_forces_of_a_wrong_direction_are_seen_though_the_slope_is_one(sodium_chloride):
    @dataclass
    class Turning(ToyEngine):
        def single_point(self, structure, purpose, mesh=None):
            point = super().single_point(structure, purpose, mesh)
            across = np.roll(point.forces_ev_per_a, 1, axis=1) * [1, -1, 0]
            across[:, :2] = point.forces_ev_per_a[:, 1::-1] * [1, -1]
            across[:, 2] = 0
            turned = point.forces_ev_per_a + (0.2 / mesh.divisions[0]) * across
            return replace(point, forces_ev_per_a=turned)

    engine = Turning(
        DftSettings(k_spacing_per_a=0.6),
        sodium_chloride.cart_coords,
        factor=lambda mesh, cutoff: 1.0,
    )
    recipe = ForceConvergenceRecipe(most_raises=0)
    document = force_convergence(engine, sodium_chloride, DOUBLE, recipe)
    mesh = document.comparisons[-1]
    assert abs(mesh.slope - 1) < 0.01
    assert mesh.relative_rms_difference > 0.03
    assert not document.converged


def test_forces_at_rest_of_free_positions_do_not_count():
    """Cut-offs differ in where the atoms rest, which force constants know nothing of."""
    wurtzite = Structure.from_spacegroup(
        "P6_3mc",
        Lattice.hexagonal(3.2, 5.2),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0.0], [1 / 3, 2 / 3, 0.38]],
    )
    cell, _ = conventional_cell(wurtzite)
    exact = toy(cell, offset_ev_per_a=0.05, factor=lambda mesh, cutoff: 1.0)
    document = force_convergence(exact, cell, (3, 3, 2), RECIPE)
    assert document.converged
    assert document.relative_residual == pytest.approx(0, abs=1e-9)
    # One undisplaced cell beside each displaced one.
    assert document.cost.cost == len(exact.asked) == 6


def test_small_forces_get_larger_displacements(sodium_chloride):
    soft = toy(sodium_chloride, k_spacing_per_a=0.3, spring_ev_per_a2=0.35)
    document = force_convergence(soft, sodium_chloride, DOUBLE, RECIPE)
    assert document.displacement_distance_a == pytest.approx(0.06)
    assert document.converged
    none = toy(sodium_chloride, spring_ev_per_a2=0.01)
    document = force_convergence(none, sodium_chloride, DOUBLE, RECIPE)
    assert not document.converged
    assert "displaced by 0.12 Å are" in document.reason
    assert "too small beside the noise" in document.reason
    assert document.relative_residual is None


def test_another_magnetic_state_is_told(iron_oxide):
    engine = toy(
        iron_oxide, moments_by_mesh=True, factor=lambda mesh, cutoff: 1 + 1 / mesh.divisions[0]
    )
    recipe = ForceConvergenceRecipe(most_raises=0)
    document = force_convergence(engine, iron_oxide, DOUBLE, recipe)
    assert document.comparisons[-1].largest_moment_change_mu_b == 2
    assert "and magnetic moments by 2.0 μB" in document.reason


def test_a_change_that_changes_nothing_is_no_convergence(sodium_chloride):
    @dataclass
    class Stubborn(ToyEngine):
        def cutoff_ev(self, structure):
            return 300.0

    engine = Stubborn(DftSettings(), sodium_chloride.cart_coords)
    with pytest.raises(CannotCompute, match="change of cutoff_ev has no effect"):
        force_convergence(engine, sodium_chloride, DOUBLE, RECIPE)


# ------------------------------------------------------------------------- which cell


def cubic(space_group, symbols, positions, a=4.0):
    return Structure.from_spacegroup(space_group, Lattice.cubic(a), symbols, positions)


def check_repeats(found, conventional, multiples):
    supercell = (conventional * multiples).lattice.matrix
    assert np.allclose(found.multiples @ found.structure.lattice.matrix, supercell)
    count = abs(np.linalg.det(found.multiples)) * len(found.structure)
    assert count == pytest.approx(len(conventional) * np.prod(multiples))


def test_the_conventional_cell_is_the_first_choice(sodium_chloride):
    found = folding_cell(sodium_chloride, (2, 2, 2))
    assert len(found.structure) == 8
    check_repeats(found, sodium_chloride, (2, 2, 2))


@pytest.mark.parametrize(
    ("multiples", "atoms"), [((4, 4, 4), 4), ((3, 3, 3), 9), ((2, 1, 1), 2), ((1, 1, 5), 5)]
)
def test_a_cell_of_one_atom_is_repeated(multiples, atoms):
    polonium = cubic("Pm-3m", ["Po"], [[0, 0, 0]], 3.3)
    found = folding_cell(polonium, multiples)
    assert len(found.structure) == atoms
    check_repeats(found, polonium, multiples)


def test_one_atom_alone_is_refused():
    polonium = cubic("Pm-3m", ["Po"], [[0, 0, 0]], 3.3)
    with pytest.raises(CannotCompute, match="no force acts on the only atom"):
        folding_cell(polonium, (1, 1, 1))


def test_a_cell_of_two_atoms_is_repeated_too():
    caesium_chloride = cubic("Pm-3m", ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = folding_cell(caesium_chloride, (4, 4, 4))
    assert len(found.structure) >= LEAST_ATOMS
    check_repeats(found, caesium_chloride, (4, 4, 4))


def test_of_a_large_conventional_cell_the_primitive_one_is_taken():
    spinel = cubic("Fd-3m", ["Mg", "Al", "O"], [[0.125] * 3, [0.5, 0.5, 0.5], [0.2624] * 3], 8.08)
    cell, _ = conventional_cell(spinel)
    found = folding_cell(cell, (1, 1, 1))
    assert (len(cell), len(found.structure)) == (56, 14)
    check_repeats(found, cell, (1, 1, 1))
    engine = toy(found.structure, factor=lambda mesh, cutoff: 1.0)
    document = force_convergence(engine, cell, (1, 1, 1), RECIPE)
    assert document.converged
    supercell_mesh = k_mesh(cell, 0.6)
    assert supercell_mesh == KMesh((2, 2, 2), (1, 1, 1))
    _, mesh, structure = engine.asked[0]
    assert structure.volume == pytest.approx(cell.volume / 4)
    # Four times the points in a zone four times as large, and the supercell has the same.
    points = np.array(mesh.points()) @ structure.lattice.reciprocal_lattice.matrix
    in_supercell = points @ cell.lattice.matrix.T / (2 * np.pi) % 1
    assert len(points) == 32
    assert np.allclose(np.abs(in_supercell - 0.5), 0.25)


# ------------------------------------------------------------- programs, engines, jobs


def test_programs_take_a_mesh_of_the_call(sodium_chloride):
    mesh = KMesh((4, 4, 2), (1, 0, 0))
    settings = gpaw.GpawSettings(k_spacing_per_a=0.6)
    points = gpaw.parameters(sodium_chloride, settings, "forces", mesh)["kpts"]["kpts"]
    assert len(points) == 32
    assert {abs(point[0]) for point in points} == {0.125, 0.375}
    generator = vasp.static_generator(sodium_chloride, vasp.VaspSettings(), "forces", mesh)
    written = vasp.input_set(generator, sodium_chloride, potcar_spec=True).kpoints
    assert written.kpts == [(4, 4, 2)]
    assert np.allclose(written.kpts_shift, (0.5, 0, 0))
    assert written.style.name == "Gamma"


def test_cutoffs_of_vasp_come_from_its_input(sodium_chloride):
    def cutoff(**settings):
        return vasp.cutoff_ev(sodium_chloride, vasp.VaspSettings(**settings), "forces")

    assert cutoff(cutoff_ev=450) == 450
    # atomate2's own.
    assert cutoff() == 680


@pytest.fixture
def diary(tmp_path, monkeypatch):
    """Put the stand-in in GPAW's place; return the file it keeps."""
    path = tmp_path / "diary"
    path.touch()
    monkeypatch.setenv("SCREEN_GPAW_COMMAND", f"{sys.executable} {STAND_IN}")
    monkeypatch.setenv("STAND_IN_DIARY", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return path


def test_an_engine_with_other_settings(sodium_chloride):
    engine = DftEngine("mine", "gpaw", {"k_spacing_per_a": 0.6})
    other = engine.with_settings({"cutoff_ev": 500.0})
    assert other.settings == {"k_spacing_per_a": 0.6, "cutoff_ev": 500.0}
    assert engine.settings == {"k_spacing_per_a": 0.6}
    assert other.cutoff_ev(sodium_chloride) == 500
    assert DftEngine.from_dict(other.as_dict()) == other
    with pytest.raises(ValidationError, match="cut_off"):
        engine.with_settings({"cut_off": 500})


def test_potentials_have_nothing_to_check(sodium_chloride):
    potential = AseEngine("emt", "ase.calculators.emt.EMT")
    assert not potential.checks_convergence
    assert DftEngine("mine", "gpaw").checks_convergence
    assert potential.with_settings({}) is potential
    with pytest.raises(EngineError, match="'emt' has no settings cutoff_ev"):
        potential.with_settings({"cutoff_ev": 500})
    with pytest.raises(EngineError, match="no settings whose convergence"):
        potential.force_convergence(sodium_chloride, DOUBLE, RECIPE)


def test_the_job(diary, tmp_path):
    copper = cubic("Fm-3m", ["Cu"], [[0, 0, 0]], 3.7).get_primitive_structure()
    engine = DftEngine("stand-in", "gpaw", {"k_spacing_per_a": 0.35})
    job = ForceConvergenceMaker(engine, min_length_a=7.0).make(copper)
    store = JobStore(MemoryStore())
    ran = run_locally(job, store=store, root_dir=tmp_path, log=False, ensure_success=True)
    output = ran[job.uuid][1].output
    document = ForceConvergenceDocument.model_validate(output)
    # The stand-in's forces know neither k-points nor a cut-off.
    assert document.converged
    assert document.relative_residual == pytest.approx(0, abs=1e-12)
    assert document.supercell_multiples == (2, 2, 2)
    assert document.cell_atoms == 4
    assert document.cost.cost == len(diary.read_text().splitlines()) == 3
    assert document.provenance.engine == "stand-in"


def test_forces_that_do_not_converge_refuse_the_crystal(sodium_chloride, monkeypatch):
    engine = DftEngine("stand-in", "gpaw")

    def unconverged(self, *arguments):
        return ForceConvergenceDocument(
            converged=False,
            reason="forces still change by 12 %",
            cost=StepCost.of_force_calls("force convergence", 3, 1.0),
            provenance=self.provenance(),
        )

    monkeypatch.setattr(DftEngine, "force_convergence", unconverged)
    maker = ForceConvergenceMaker(engine)
    with pytest.raises(CannotCompute, match="NaCl: forces still change by 12 %"):
        maker.make.original(maker, sodium_chloride)


def test_what_follows_takes_the_raised_settings(sodium_chloride, monkeypatch):
    seen = []
    monkeypatch.setattr(
        DftEngine, "relax", lambda self, *_, **__: seen.append(self.settings) or None
    )
    monkeypatch.setattr(
        DftEngine, "dielectric", lambda self, *arguments: seen.append(self.settings) or None
    )
    engine = DftEngine("stand-in", "gpaw", {"cutoff_ev": 300.0})
    for maker in (RelaxationMaker(engine), DielectricMaker(engine)):
        maker.make.original(maker, sodium_chloride, raised={"cutoff_ev": 420.0})
        maker.make.original(maker, sodium_chloride, raised={})
    assert [settings["cutoff_ev"] for settings in seen] == [420.0, 300.0] * 2


def test_the_check_comes_first_in_the_flow(sodium_chloride):
    engine = DftEngine("stand-in", "gpaw")
    flow = ThermalConductivityMaker(engine).make(sodium_chloride.get_primitive_structure())
    names = [job.name for job in flow.jobs]
    assert names[:3] == ["force convergence", "relaxation", "dielectric"]
    recipe = ThermalConductivityRecipe(force_convergence=None)
    flow = ThermalConductivityMaker(engine, recipe=recipe).make(
        sodium_chloride.get_primitive_structure()
    )
    assert [job.name for job in flow.jobs][:2] == ["relaxation", "dielectric"]
