"""Unfolding: weights, ordered supercells, the virtual crystal, alloys, and the whole flow."""

from __future__ import annotations

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from pymatgen.core import Lattice, Structure

from workflows.lattice_dynamics import harmonic, unfolding
from workflows.recipes import RelaxationRecipe, SpectralFunctionRecipe
from workflows.spectral_documents import SpectralCurves, SpectralFunctionDocument
from workflows.spectral_function import SpectralFunctionMaker, SpectralInputs

FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def l1_2(edge_a: float = 3.74) -> Structure:
    return Structure(Lattice.cubic(edge_a), ["Au", "Cu", "Cu", "Cu"], FACES)


def l1_0() -> Structure:
    return Structure(Lattice.cubic(3.86), ["Au", "Cu", "Cu", "Au"], FACES)


def forced(engine, structure, repeats, distance_a=0.01) -> Phonopy:
    model = harmonic.harmonic_model(structure, "P", repeats * np.eye(3, dtype=int), distance_a)
    forces = engine.forces(harmonic.harmonic_supercells(model))
    harmonic.set_harmonic_forces(model, forces)
    return model


@pytest.fixture(scope="module")
def copper(emt, fcc_copper) -> Phonopy:
    """Force constants of copper in 32 atoms, its four-atom cell the unit cell."""
    structure = Structure(Lattice.cubic(3.61), ["Cu"] * 4, FACES)
    relaxed = emt.relax(structure, RelaxationRecipe()).structure
    return forced(emt, relaxed, 2)


def along(parent) -> np.ndarray:
    return np.concatenate(unfolding.path_of(parent, 5).qpoints)


def bands_of(phonon: Phonopy, qpoints) -> np.ndarray:
    return np.array(phonon.run_qpoints(qpoints).frequencies)


# ------------------------------------------------------------------------------ the lattice


def test_the_lattice_is_found_behind_the_decoration():
    parent = unfolding.parent_of(l1_2(), None)
    assert len(parent.primitive) == 1
    assert parent.primitive.volume == pytest.approx(l1_2().volume / 4)
    assert round(abs(np.linalg.det(parent.multiples))) == 4


def test_sublattices_stay_apart():
    """Zincblende, two cells: In and Ga share a sublattice, As has its own."""
    zincblende = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(5.8), ["In", "As"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    zincblende[0] = "Ga"
    parent = unfolding.parent_of(zincblende, None)
    assert len(parent.primitive) == 2
    # Taken all for one, it would be the lattice of diamond.
    assert unfolding.sharing(zincblende, None) == (("Ga", "In"), ("As",))


def test_a_crystal_that_is_its_own_lattice_has_none_behind_it():
    primitive = unfolding.parent_of(l1_2(), None).primitive
    assert unfolding.parent_of(primitive, None) is None
    assert unfolding.parent_of(l1_2(), (("Cu",), ("Au",))) is None


def test_a_relaxed_supercell_has_no_lattice_behind_it():
    moved = l1_2()
    moved.perturb(0.05, seed=1)
    assert unfolding.parent_of(moved, None) is None


# ---------------------------------------------------------------------------------- weights


def test_weights_add_up_to_three_times_the_atoms(copper, emt):
    """At general wave vectors, for one atom, and for a skewed supercell of four."""
    rng = np.random.default_rng(3)
    parent = unfolding.parent_of(copper_cell(copper), None)
    modes = unfolding.unfold(copper, parent, rng.uniform(-1, 1, (8, 3)))
    assert unfolding.weight_error(modes, parent) < 1e-12
    ordered = forced(emt, skewed(), 1)
    behind = unfolding.parent_of(skewed(), None)
    modes = unfolding.unfold(ordered, behind, rng.uniform(-1, 1, (8, 3)))
    assert unfolding.weight_error(modes, behind) < 1e-12


def skewed() -> Structure:
    """CuAu in a cell whose vectors are neither orthogonal nor of one length."""
    supercell = l1_0().get_primitive_structure()
    return supercell * [[1, 1, 0], [0, 1, 1], [0, 0, 3]]


def copper_cell(copper: Phonopy) -> Structure:
    return Structure(
        copper.unitcell.cell, copper.unitcell.symbols, copper.unitcell.scaled_positions
    )


def test_a_supercell_of_one_element_gives_its_bands_back(copper):
    """The primitive cell of phonopy itself, by its own centring, is the other way."""
    parent = unfolding.parent_of(copper_cell(copper), None)
    qpoints = along(parent)
    modes = unfolding.unfold(copper, parent, qpoints)
    frequency, width = unfolding.branches(modes, parent)
    assert width.max() < 1e-4
    primitive = Phonopy(
        copper.unitcell,
        supercell_matrix=copper.supercell_matrix,
        primitive_matrix=np.linalg.inv(parent.multiples.T),
    )
    primitive.force_constants = copper.force_constants
    assert frequency == pytest.approx(bands_of(primitive, qpoints), abs=1e-4)


def test_an_ordered_supercell_gives_the_bands_of_the_order_back(emt):
    """L1_2 doubled, unfolded to L1_2: all sublattices apart."""
    relaxed = emt.relax(l1_2(), RelaxationRecipe()).structure
    doubled = relaxed * [2, 1, 1]
    apart = (("Cu",), ("Au",))
    parent = unfolding.parent_of(doubled, apart)
    assert len(parent.primitive) == 4
    model = forced(emt, doubled, 1, 0.01)
    qpoints = along(parent)
    frequency, width = unfolding.branches(unfolding.unfold(model, parent, qpoints), parent)
    assert width.max() < 1e-3
    primitive = Phonopy(
        model.unitcell,
        supercell_matrix=model.supercell_matrix,
        primitive_matrix=np.linalg.inv(parent.multiples.T),
    )
    primitive.force_constants = model.force_constants
    assert frequency == pytest.approx(bands_of(primitive, qpoints), abs=1e-3)


def test_two_species_that_are_equal_are_a_virtual_crystal(copper):
    """Equal masses and force constants: no decoration smears the bands."""
    named = PhonopyAtoms(
        symbols=["Cu", "Ag", "Cu", "Ag"],
        cell=copper.unitcell.cell,
        scaled_positions=copper.unitcell.scaled_positions,
        masses=copper.unitcell.masses,
    )
    decorated = Phonopy(named, supercell_matrix=copper.supercell_matrix, primitive_matrix="P")
    decorated.force_constants = copper.force_constants
    parent = unfolding.parent_of(copper_cell(copper), None)
    qpoints = along(parent)
    sharp = unfolding.branches(unfolding.unfold(decorated, parent, qpoints), parent)
    pure = unfolding.branches(unfolding.unfold(copper, parent, qpoints), parent)
    assert sharp[1].max() < 1e-4
    assert sharp[0] == pytest.approx(pure[0], abs=1e-4)
    # With masses of their own they are one no longer.
    named.masses = [63.5, 107.9, 63.5, 107.9]
    heavy = Phonopy(named, supercell_matrix=copper.supercell_matrix, primitive_matrix="P")
    heavy.force_constants = copper.force_constants
    assert unfolding.branches(unfolding.unfold(heavy, parent, qpoints), parent)[1].max() > 0.1


def test_weighted_squares_are_a_lattice_sum_of_force_constants(copper):
    """Σ w ω² = (1/N) Σ tr Φ_ij / √(m_i m_j) e^{iq(r_j − r_i)}, without any diagonalisation."""
    named = PhonopyAtoms(
        symbols=["Cu", "Ag", "Cu", "Ag"],
        cell=copper.unitcell.cell,
        scaled_positions=copper.unitcell.scaled_positions,
        masses=[63.5, 107.9, 63.5, 107.9],
    )
    mixed = Phonopy(named, supercell_matrix=copper.supercell_matrix, primitive_matrix="P")
    mixed.force_constants = copper.force_constants
    parent = unfolding.parent_of(copper_cell(copper), None)
    # Of the supercell's periodicity, so that no images have to be weighed.
    matrix = parent.multiples.T @ np.array(copper.supercell_matrix)
    qpoints = np.array([[1, 0, 0], [0, 1, 2], [1, 1, 1]]) @ np.linalg.inv(matrix)
    modes = unfolding.unfold(mixed, parent, qpoints)
    places = mixed.supercell.positions @ np.linalg.inv(parent.primitive.lattice.matrix)
    root = np.sqrt(mixed.supercell.masses)
    traces = np.trace(mixed.force_constants, axis1=2, axis2=3) / np.outer(root, root)
    for frequency, weight, q in zip(modes.frequency_thz, modes.weight, qpoints, strict=True):
        phase = np.exp(2j * np.pi * (places @ q))
        expected = (phase.conj() @ traces @ phase).real / len(places)
        signed = np.sign(frequency) * frequency**2
        # phonopy's unit of frequency: √(eV/Å²/u)/2π in THz.
        assert weight @ signed == pytest.approx(15.633302**2 * expected, rel=1e-5)


# ------------------------------------------------------------------------- spectral function


def test_the_integral_of_the_spectral_function_is_three_times_the_atoms():
    rng = np.random.default_rng(0)
    weight = rng.random((2, 12))
    weight *= 3 / weight.sum(axis=1, keepdims=True)
    modes = unfolding.UnfoldedModes(rng.uniform(1, 6, (2, 12)), weight)
    grid = np.linspace(-1, 9, 2001)
    found = unfolding.spectral_function([modes, modes], grid, 0.1)
    assert np.trapezoid(found, grid, axis=1) == pytest.approx([3, 3], abs=1e-6)


def test_branches_of_known_weights():
    frequency = np.array([[5.0, 1.0, 2.0, 4.0, 7.0]])
    weight = np.array([[1.0, 0.5, 0.5, 0.25, 0.75]])
    parent = unfolding.parent_of(l1_2(), None)
    mean, width = unfolding.branches(unfolding.UnfoldedModes(frequency, weight), parent)
    # Pieces of one: {1, 2}, {4 and three quarters of 5}, {a quarter of 5 and 7}.
    assert mean[0] == pytest.approx([1.5, 4.75, 6.5])
    assert width[0] == pytest.approx([0.5, np.sqrt(0.1875), np.sqrt(0.75)])


# -------------------------------------------------------------------------------------- flow


def run(flow, folder, monkeypatch) -> SpectralFunctionDocument:
    monkeypatch.chdir(folder)
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(flow, store=store, ensure_success=True, log=False)
    content = store.get_output(flow.output.uuid, which="last", load=True)
    return SpectralFunctionDocument.model_validate(
        {key: value for key, value in content.items() if not key.startswith("@")}
    )


SMALL = SpectralFunctionRecipe(min_length_a=3.0, path_points=4)


@pytest.fixture(scope="module")
def alloy(emt, tmp_path_factory) -> SpectralFunctionDocument:
    """The mean over CuAu in L1_0, whose axis is along z, and along x."""
    turned = Structure(Lattice.cubic(3.86), ["Au", "Au", "Cu", "Cu"], FACES)
    inputs = SpectralInputs(approximants=(turned,))
    with pytest.MonkeyPatch.context() as patch:
        flow = SpectralFunctionMaker(emt, recipe=SMALL).make(l1_0(), inputs)
        return run(flow, tmp_path_factory.mktemp("spectral"), patch)


def test_the_document_has_the_mean_and_its_spread(alloy):
    assert alloy.outcome == "computed"
    assert alloy.supercells == 2
    assert alloy.parent_atoms == 1
    assert alloy.parent_space_group_number == 225
    assert alloy.weight_error < 1e-12
    assert alloy.spectral_width_thz > 0.1
    assert alloy.spectral_width_error_thz is not None
    assert alloy.no_error_reason == ""
    curves = SpectralCurves.model_validate(
        {key: value for key, value in alloy.spectral_function.items() if not key.startswith("@")}
    )
    assert len(curves.labels) == len(curves.distance_per_a) == len(curves.intensity_per_thz)
    assert len(curves.intensity_per_thz[0][0]) == len(curves.frequency_thz)
    for segment in curves.intensity_per_thz:
        assert np.trapezoid(segment, curves.frequency_thz, axis=1) == pytest.approx(3, abs=0.02)


def test_one_supercell_says_why_it_has_no_error_bar(emt, tmp_path, monkeypatch):
    alone = run(SpectralFunctionMaker(emt, recipe=SMALL).make(l1_2()), tmp_path, monkeypatch)
    assert alone.spectral_width_error_thz is None
    assert "one supercell" in alone.no_error_reason


def test_what_cannot_be_unfolded_is_refused(emt):
    maker = SpectralFunctionMaker(emt)
    assert "no smaller lattice" in maker.refusal(unfolding.parent_of(l1_2(), None).primitive)
    other = SpectralInputs(approximants=(l1_0(),))
    assert "is CuAu" in maker.refusal(l1_2(), other)
    bcc = Structure(Lattice.cubic(3.0), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert "not the same lattice" in maker.refusal(l1_0(), SpectralInputs(approximants=(bcc,)))
    with pytest.raises(ValueError, match="no smaller lattice"):
        maker.make(unfolding.parent_of(l1_2(), None).primitive)
