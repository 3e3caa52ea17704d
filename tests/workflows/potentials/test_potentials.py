"""Fitted potentials: rows and their derivatives, the posterior, the domain, the whole fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pypolymlp")

from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from workflows.engines import AseEngine
from workflows.errors import CannotCompute, EngineError
from workflows.potentials.calculator import FittedCalculator
from workflows.potentials.calibration import CellLeverage, line_through
from workflows.potentials.changes import changes
from workflows.potentials.exploration import disturbed_cells, exchangeable
from workflows.potentials.fitting import Family, FittedPotentialMaker, tells_enough
from workflows.potentials.frames import Frame, LabelledFrame, labelled
from workflows.potentials.polynomial import N_CELL_ROWS, PolynomialModel, polymlp_structure
from workflows.potentials.potential import OutsideDomain, Potential, Training, train
from workflows.potentials.recipe import ExplorationRecipe, FitRecipe, PolynomialRecipe
from workflows.potentials.regression import fit, left_out
from workflows.potentials.selection import most_informative, scaled_rows
from workflows.single_point import SinglePoint

EMT = AseEngine(name="emt", calculator="ase.calculators.emt.EMT")
SMALL = PolynomialRecipe(radial_functions=3, angular_momenta=(2,), cutoff_a=5.0)
EXPLORATION = ExplorationRecipe(
    min_length_a=7.0, max_atoms=32, max_displacement_a=0.1, max_strain_fraction=0.03
)
RECIPE = FitRecipe(exploration=EXPLORATION, polynomial=SMALL)
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]])


def labels(frames: list[Frame]) -> list[LabelledFrame]:
    """Return frames with EMT's numbers."""
    points = EMT.single_points([frame.structure for frame in frames])
    return [labelled(*pair) for pair in zip(frames, points, strict=True)]


@pytest.fixture(scope="module")
def frames() -> list[LabelledFrame]:
    """Six cells of copper."""
    return labels(disturbed_cells([COPPER], EXPLORATION, 6, seed=1))


@pytest.fixture(scope="module")
def training(frames: list[LabelledFrame]) -> Training:
    """A potential of them."""
    return train(frames, ["Cu"], RECIPE)


def low_symmetry_cell() -> Structure:
    """Return a triclinic cell of two elements, its atoms in no order of elements."""
    lattice = Lattice.from_parameters(4.1, 4.6, 5.2, 83, 97, 101)
    sites = [[0.02, 0.01, 0.0], [0.51, 0.48, 0.03], [0.03, 0.52, 0.49], [0.55, 0.02, 0.51]]
    return Structure(lattice, ["Cu", "Au", "Au", "Cu"], sites)


def test_rows_are_energy_and_its_derivatives() -> None:
    model = PolynomialModel(("Au", "Cu"), SMALL)
    cell = low_symmetry_cell()
    rows = model.rows(cell)
    coefficients = np.random.default_rng(0).normal(size=rows.shape[1]) / np.abs(rows).max(axis=0)

    def energy(structure: Structure) -> float:
        return float(model.rows(structure)[0] @ coefficients)

    forces = (rows[N_CELL_ROWS:] @ coefficients).reshape(-1, 3)
    step = 1e-4
    for atom, axis in ((0, 1), (2, 0), (3, 2)):
        moved = []
        for sign in (1, -1):
            other = cell.copy()
            shift = np.zeros(3)
            shift[axis] = sign * step
            other.translate_sites([atom], shift, frac_coords=False)
            moved.append(energy(other))
        assert forces[atom, axis] == pytest.approx(-(moved[0] - moved[1]) / (2 * step), rel=1e-4)
    for row, (first, second) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strained = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[first, second] += sign * step / 2
            strain[second, first] += sign * step / 2
            lattice = Lattice(cell.lattice.matrix @ (np.eye(3) + strain))
            strained.append(energy(Structure(lattice, cell.species, cell.frac_coords)))
        found = rows[1 + row] @ coefficients
        assert found == pytest.approx((strained[0] - strained[1]) / (2 * step), rel=1e-4)


def test_the_fast_code_agrees_with_the_rows_whatever_the_order_of_atoms() -> None:
    model = PolynomialModel(("Au", "Cu"), SMALL)
    cell = low_symmetry_cell()
    rows = model.rows(cell)
    coefficients = np.random.default_rng(1).normal(size=rows.shape[1])
    energy, forces, virials = model.evaluator(coefficients)(polymlp_structure(cell, model.elements))
    found = np.concatenate([[energy], virials, forces.ravel()])
    np.testing.assert_allclose(found, rows @ coefficients, rtol=1e-8, atol=1e-8)
    order = [1, 3, 0, 2]
    again = model.rows(Structure.from_sites([cell[index] for index in order]))
    forces_again = (again[N_CELL_ROWS:] @ coefficients).reshape(-1, 3)
    np.testing.assert_allclose(forces_again, forces[order], rtol=1e-8, atol=1e-8)


def test_leaving_out_is_what_a_fit_without_the_cell_gives(training: Training) -> None:
    cell, others = training.cells[0], training.cells[1:]
    whole = training.fitted
    without = left_out(whole, cell)
    scaled = np.vstack([other.features for other in others]) * whole.scale
    values = np.concatenate([other.values for other in others])
    precision = scaled.T @ scaled + whole.alpha * np.eye(scaled.shape[1])
    coefficients = np.linalg.solve(precision, scaled.T @ values)
    own = cell.features * whole.scale
    scale = np.abs(cell.values).max()
    np.testing.assert_allclose(without.errors, own @ coefficients - cell.values, atol=1e-6 * scale)
    squares = np.einsum("ij,ji->i", own, np.linalg.solve(precision, own.T))
    np.testing.assert_allclose(without.leverage, np.sqrt(squares), rtol=1e-4)


def test_many_draws_have_the_leverage_of_the_posterior(training: Training) -> None:
    rows = scaled_rows(PolynomialModel(("Cu",), SMALL), disturbed(0.08, seed=5))
    drawn = rows @ training.fitted.draws(4000, seed=0).T
    np.testing.assert_allclose(
        np.sqrt((drawn**2).mean(axis=1)), training.fitted.leverage(rows), rtol=0.1
    )


def disturbed(amplitude_a: float, seed: int) -> Structure:
    """Return copper displaced by a root mean square."""
    exploration = EXPLORATION.model_copy(
        update={"max_strain_fraction": 0.0, "max_displacement_a": amplitude_a}
    )
    return disturbed_cells([COPPER], exploration, 1, seed)[0].structure


def test_six_cells_teach_the_forces_of_a_seventh(training: Training) -> None:
    cell = disturbed(0.03, seed=7)
    answer = Potential(training.numbers).ask(cell)
    point = EMT.single_points([cell])[0]
    error = np.sqrt(((answer.forces_ev_per_a - point.forces_ev_per_a) ** 2).mean())
    assert error < 1e-3
    assert error < 3 * answer.expected_force_error_ev_per_a
    assert answer.energy_ev == pytest.approx(point.energy_ev, abs=1e-3 * len(cell))
    assert point.stress_ev_per_a3 is not None
    np.testing.assert_allclose(answer.stress_ev_per_a3, point.stress_ev_per_a3, atol=1e-3)


def test_what_is_unlike_the_training_cells_gets_no_number(training: Training) -> None:
    potential = Potential(training.numbers)
    kept: list[Structure] = []
    calculator = FittedCalculator(potential, outside=lambda cell, answer: kept.append(cell))
    # A perfect crystal: all its forces vanish, and the energy alone says that it is unlike.
    bcc = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.3), ["Cu"], [[0, 0, 0]])
    for cell in (bcc, disturbed(0.8, seed=3)):
        atoms = cell.to_ase_atoms()
        atoms.calc = calculator
        with pytest.raises(OutsideDomain, match="outside the domain of the fitted potential"):
            atoms.get_potential_energy()
    assert len(kept) == 2
    near = disturbed(0.05, seed=4).to_ase_atoms()
    near.calc = calculator
    near.get_forces()
    assert calculator.read_indicator()["largest_leverage"] > 0
    assert calculator.read_indicator()["largest_leverage"] == 0


def test_few_draws_do_not_let_through_what_lies_far_outside(frames: list[LabelledFrame]) -> None:
    """Two draws alone let strained crystals through whose exact error is seven times the limit."""
    strained = [COPPER.copy() for _ in range(5)]
    for cell, factor in zip(strained, (0.88, 0.9, 0.92, 1.08, 1.1), strict=True):
        cell.scale_lattice(COPPER.volume * factor**3)
    refused = 0
    for seed in range(24):
        trained = train(frames, ["Cu"], RECIPE.model_copy(update={"seed": seed}))
        potential = Potential(trained.numbers)
        for cell in strained:
            rows = scaled_rows(potential.model, cell)
            exact = CellLeverage.of_rows(trained.fitted.leverage(rows), N_CELL_ROWS)
            error = trained.numbers.calibration.worst_ev_per_a(exact)
            answer = potential.ask(cell)
            largest = trained.numbers.largest_force_error_ev_per_a
            refused += error > largest
            assert error < largest or answer.worst_error_ev_per_a > 0.8 * largest
    assert refused > 50


def test_an_unknown_element_is_named(training: Training) -> None:
    with pytest.raises(CannotCompute, match=r"knows Cu and not Au"):
        Potential(training.numbers).ask(low_symmetry_cell())


def test_a_feature_that_no_cell_had_counts(frames: list[LabelledFrame]) -> None:
    """Gold atoms far from each other teach nothing of two that touch."""
    lone = frames[0].model_copy(deep=True)
    lone.structure.replace(0, "Au")
    training = train(labels([Frame(structure=lone.structure, origin="")]) * 2, ["Cu", "Au"], RECIPE)
    pair = lone.structure.copy()
    neighbour = int(np.argsort(pair.distance_matrix[0])[1])
    pair.replace(neighbour, "Au")
    rows = [
        scaled_rows(PolynomialModel(("Au", "Cu"), SMALL), cell) for cell in (lone.structure, pair)
    ]
    known, unknown = (
        CellLeverage.of_rows(training.fitted.leverage(each), N_CELL_ROWS).atom for each in rows
    )
    assert unknown > 100 * known


def test_chosen_cells_take_the_leverage_from_others_like_them(training: Training) -> None:
    twins = [disturbed(0.5, seed=11), disturbed(0.5, seed=11), disturbed(0.4, seed=12)]
    model = PolynomialModel(("Cu",), SMALL)
    alone = dict(most_informative(model, training.fitted, twins[1:2], 1))[0]
    chosen = most_informative(model, training.fitted, twins, 3)
    together = dict(chosen)
    assert together[0] == pytest.approx(alone, rel=1e-6) or chosen[0][0] == 2
    assert together[1] < 0.8 * alone, "the twin of a chosen cell has little to tell"


def test_a_new_version_changes_what_differs_by_more_than_the_expected_error(
    frames: list[LabelledFrame], training: Training
) -> None:
    old = Potential(training.numbers)
    stiffer = [
        frame.model_copy(update={"forces_ev_per_a": (1.5 * frame.forces).tolist()})
        for frame in frames
    ]
    assert not changes(old, old, COPPER)
    assert changes(old, Potential(train(stiffer, ["Cu"], RECIPE).numbers), COPPER)
    silver = COPPER.copy()
    silver.replace_species({"Cu": "Ag"})
    assert not changes(old, old, silver), "neither knows silver"


def test_phonon_supercells_alone_do_not_tell_enough(frames: list[LabelledFrame]) -> None:
    bare = [frame.model_copy(update={"energy_ev": None}) for frame in frames]
    still = frames[0].model_copy(update={"forces_ev_per_a": np.zeros((32, 3)).tolist()})
    assert tells_enough(frames)
    assert not tells_enough(bare)
    assert not tells_enough([still])
    assert tells_enough([*bare, still])


def test_ions_are_exchanged_for_those_of_their_charge() -> None:
    rocksalts = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), pair, [[0, 0, 0], [0.5, 0.5, 0.5]])
        for pair, a in ((["Na", "Cl"], 5.6), (["K", "Cl"], 6.3), (["K", "Br"], 6.6))
    ]
    assert exchangeable(rocksalts) == {"Br": ["Cl"], "Cl": ["Br"], "K": ["Na"], "Na": ["K"]}
    recipe = EXPLORATION.model_copy(update={"substitutions": 1.0})
    cells = disturbed_cells(rocksalts, recipe, 6, seed=0)
    assert any(len(cell.structure.symbol_set) == 3 for cell in cells)
    assert [cell.origin for cell in cells] == [
        cell.origin for cell in disturbed_cells(rocksalts, recipe, 6, seed=0)
    ]


def test_the_expected_error_is_careful_far_from_the_cells_behind_it() -> None:
    leverages = np.geomspace(0.1, 10, 12)
    steep = line_through(leverages.tolist(), (0.01 * leverages**1.5).tolist())
    flat = line_through(leverages.tolist(), (0.01 * leverages**0.5).tolist())
    assert (steep.slope_below, flat.slope_above) == (1.0, 1.0)
    assert steep.slope_above == pytest.approx(1.5)
    assert flat.slope_below == pytest.approx(0.5)
    assert steep.expected(1e-3) > 0.01 * 1e-3**1.5
    assert flat.expected(1e3) > 0.01 * 1e3**0.5


def test_pypolymlp_reads_the_potential(training: Training, tmp_path: Path) -> None:
    from pypolymlp.calculator.properties import Properties

    potential = Potential(training.numbers)
    path = tmp_path / "polymlp.yaml"
    path.write_text(potential.as_yaml())
    cell = disturbed(0.05, seed=2)
    # Its own energies take the energies of atoms off, which is said in the file.
    energy, forces, _ = Properties(pot=str(path)).eval(polymlp_structure(cell, ("Cu",)))
    answer = potential.ask(cell)
    np.testing.assert_allclose(np.array(forces).T, answer.forces_ev_per_a, atol=1e-6)
    offset = training.numbers.offsets_ev[0] * len(cell)
    assert energy + offset == pytest.approx(answer.energy_ev, abs=1e-5)


def test_a_fit_ends_when_all_new_cells_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = FitRecipe(
        polynomial=SMALL,
        exploration=EXPLORATION.model_copy(update={"dynamics_steps": 4}),
        max_labels=9,
        first_labels=3,
        labels_per_round=3,
        proposals_per_round=8,
        trusted_force_error_ev_per_a=0.002,
    )
    engine = AseEngine(name="emt", calculator="ase.calculators.emt.EMT", inline_supercells=2)
    hashes = []
    for _ in range(2):
        store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
        flow = FittedPotentialMaker(engine, recipe=recipe).make(Family([COPPER]))
        run_locally(flow, store=store, ensure_success=True, log=False)
        document = max(
            store.query({"uuid": flow.output.uuid}, load=True), key=lambda each: each["index"]
        )["output"]
        hashes.append(document["content_hash"])
    assert hashes[0] == hashes[1]
    assert document["n_labels"] == document["cost"] <= 9
    assert document["finished"]
    assert document["force_error_ev_per_a"] < 0.01
    first = document["rounds"][0]
    assert first["labels"] == 3
    if len(document["rounds"]) > 1:
        assert first["found_force_error_ev_per_a"] > 0


@dataclass
class EngineThatOftenFails(AseEngine):
    """EMT that does not converge for cells of more than a volume."""

    largest_a3: float = 0.0

    def single_points(
        self, cells: Sequence[Structure], elements: Collection[str] | None = None
    ) -> list[SinglePoint]:
        """Return energies, forces and stresses."""
        if any(cell.volume > self.largest_a3 for cell in cells):
            raise EngineError("it did not converge")
        return super().single_points(cells, elements)


@pytest.mark.parametrize(("quantile", "fails"), [(0.8, False), (0.1, True)])
def test_labels_that_fail_do_not_lose_the_others(
    quantile: float, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = RECIPE.model_copy(
        update={"max_labels": 8, "first_labels": 6, "proposals_per_round": 8}
    )
    proposals = disturbed_cells([COPPER], recipe.exploration, 8, recipe.seed)
    engine = EngineThatOftenFails(
        name="emt",
        calculator="ase.calculators.emt.EMT",
        inline_supercells=3,
        largest_a3=float(np.quantile([frame.structure.volume for frame in proposals], quantile)),
    )
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    flow = FittedPotentialMaker(engine, recipe=recipe).make(Family([COPPER]))
    run_locally(flow, store=store, ensure_success=False, log=False)
    found = list(store.query({"uuid": flow.output.uuid}, load=True))
    if fails:
        assert not any("content_hash" in (each["output"] or {}) for each in found)
        return
    document = max(found, key=lambda each: each["index"])["output"]
    failed = document["failed_labels"]
    assert failed
    assert all("it did not converge" in reason for reason in failed)
    assert document["n_new_labels"] + len(failed) == document["cost"] <= 8


def test_labels_without_energies_are_taken(frames: list[LabelledFrame]) -> None:
    bare = [
        frame.model_copy(update={"energy_ev": None, "stress_ev_per_a3": None}) for frame in frames
    ]
    training = train(bare, ["Cu"], RECIPE)
    assert training.numbers.calibration.cells is None
    assert training.cells[0].n_cell_rows == 0
    assert fit(training.cells).alpha == training.fitted.alpha
