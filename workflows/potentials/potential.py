"""A fitted potential: its numbers, its domain, and what it says of a cell."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.stats import chi2

from workflows.document_parts import Document
from workflows.errors import CannotCompute
from workflows.potentials.calibration import Calibrations, CellLeverage, calibrate
from workflows.potentials.frames import LabelledFrame, compositions
from workflows.potentials.polynomial import (
    N_CELL_ROWS,
    Evaluator,
    PolynomialModel,
    polymlp_structure,
)
from workflows.potentials.recipe import FitRecipe, PolynomialRecipe
from workflows.potentials.regression import (
    ENERGY_LENGTH_A,
    Fit,
    TrainingRows,
    fit,
    row_scale,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

QUICK_DRAWS = 2
"""That are asked of every cell."""
TOO_LOW = 0.01
"""Share of directions in which draws may lie lower than the bound allows for."""


class OutsideDomain(CannotCompute):
    """A cell is so unlike the training cells that the potential gives no number for it.

    Attributes
    ----------
    structure
        The cell.
    """

    def __init__(self, message: str, structure: Structure | None = None) -> None:
        super().__init__(message)
        self.structure = structure


class PotentialNumbers(Document):
    """All that a worker needs of a potential, as it is stored."""

    elements: list[str]
    polynomial: PolynomialRecipe
    coefficients: list[float]
    """Shape (features,)."""
    draws: list[list[float]]
    """Deviations of the coefficients drawn from the posterior, over σ; shape (draws, features)."""
    offsets_ev: list[float]
    """Energy of an atom of each element that is added to the polynomial's."""
    calibration: Calibrations
    trusted_force_error_ev_per_a: float = Field(gt=0)
    largest_force_error_ev_per_a: float = Field(gt=0)

    @property
    def content_hash(self) -> str:
        """Sixteen hexadecimal digits of the content: two potentials that differ have two."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Value:
    """Energy, forces and stress of a cell.

    Attributes
    ----------
    energy_ev : float
    forces_ev_per_a : ndarray, shape (atoms, 3)
    stress_ev_per_a3 : ndarray, shape (6,)
        ASE's order and sign.
    """

    energy_ev: float
    forces_ev_per_a: NDArray[np.float64]
    stress_ev_per_a3: NDArray[np.float64]


@dataclass(frozen=True)
class Answer(Value):
    """What a potential says of a cell, and how far it is to be believed.

    Attributes
    ----------
    leverage : CellLeverage
        As the draws that were asked estimate it.
    expected_force_error_ev_per_a : float
        Root mean square over the components.
    worst_error_ev_per_a : float
        The same, or the error of the energy and virials of the cell as a force, if larger, with
        leverages that the true ones exceed in one direction of a hundred: what the domain is about.
    """

    leverage: CellLeverage
    expected_force_error_ev_per_a: float
    worst_error_ev_per_a: float


class Potential:
    """A potential that can be asked.

    Parameters
    ----------
    numbers
        As they are stored.
    """

    def __init__(self, numbers: PotentialNumbers) -> None:
        self.numbers = numbers
        self.elements = tuple(numbers.elements)
        self.model = PolynomialModel(self.elements, numbers.polynomial)

    @cached_property
    def _mean(self) -> Evaluator:
        return self.model.evaluator(np.array(self.numbers.coefficients))

    @cached_property
    def _committee(self) -> list[Evaluator]:
        return [self.model.evaluator(np.array(draw)) for draw in self.numbers.draws]

    def ask(self, structure: Structure, limit_ev_per_a: float | None = None) -> Answer:
        """Return energy, forces and stress of a cell, and how far they are to be believed.

        Two draws from the posterior are asked.  Where they do not show that the worst error is
        below a limit, all of them are.

        Parameters
        ----------
        structure
            The cell.
        limit_ev_per_a
            Of the worst error; by default the largest that the potential allows.

        Raises
        ------
        CannotCompute
            When it holds an element that the potential does not know.
        """
        cell = polymlp_structure(structure, self.elements)
        value = self._value(structure, cell)
        numbers = self.numbers
        calibration = numbers.calibration
        largest = numbers.largest_force_error_ev_per_a
        limit = largest if limit_ev_per_a is None else limit_ev_per_a
        leverage, bound = self._leverage(cell, len(structure), self._committee[:QUICK_DRAWS])
        if calibration.worst_ev_per_a(bound) > limit:
            leverage, bound = self._leverage(cell, len(structure), self._committee)
        return Answer(
            energy_ev=value.energy_ev,
            forces_ev_per_a=value.forces_ev_per_a,
            stress_ev_per_a3=value.stress_ev_per_a3,
            leverage=leverage,
            expected_force_error_ev_per_a=calibration.expected_force_error_ev_per_a(leverage),
            worst_error_ev_per_a=calibration.worst_ev_per_a(bound),
        )

    def unchecked(self, structure: Structure) -> Value:
        """Return energy, forces and stress of a cell, whether it is known or not."""
        return self._value(structure, polymlp_structure(structure, self.elements))

    def _value(self, structure: Structure, cell: object) -> Value:
        energy, forces, virials = self._mean(cell)
        offsets = compositions([structure], list(self.elements))[0] @ self.numbers.offsets_ev
        return Value(energy + float(offsets), forces, virials / structure.volume)

    def as_yaml(self) -> str:
        """Return the content of a ``polymlp.yaml``, as pypolymlp and its LAMMPS module read it.

        The energies of atoms are in it, but pypolymlp adds them to nothing that it computes.
        """
        numbers = self.numbers
        return self.model.as_yaml(np.array(numbers.coefficients), np.array(numbers.offsets_ev))

    def _leverage(
        self, cell: object, n_atoms: int, draws: Sequence[Evaluator]
    ) -> tuple[CellLeverage, CellLeverage]:
        """Return the leverage of a cell as draws estimate it, and a bound of the true one.

        The square of what a draw makes of one direction of the coefficients is distributed as χ²:
        few draws may all lie low.
        """
        scale = row_scale(n_atoms, N_CELL_ROWS + 3 * n_atoms)
        squares = np.zeros(len(scale))
        for member in draws:
            energy, forces, virials = member(cell)
            squares += (np.concatenate([[energy], virials, forces.ravel()]) / scale) ** 2
        found = CellLeverage.of_rows(np.sqrt(squares / len(draws)), N_CELL_ROWS)
        factor = float(np.sqrt(len(draws) / chi2.ppf(TOO_LOW, len(draws))))
        return found, CellLeverage(factor * found.atom, factor * found.cell)

    def check(self, structure: Structure, answer: Answer) -> None:
        """Raise `OutsideDomain` for a cell that is too unlike the training cells."""
        largest = self.numbers.largest_force_error_ev_per_a
        if answer.worst_error_ev_per_a <= largest:
            return
        what, error, limit = "forces", answer.worst_error_ev_per_a, largest
        unit = "eV/Å"
        if answer.expected_force_error_ev_per_a < answer.worst_error_ev_per_a:
            what, unit = "the energy", "eV/atom"
            error, limit = ENERGY_LENGTH_A * error, ENERGY_LENGTH_A * limit
        raise OutsideDomain(
            f"{structure.reduced_formula}: outside the domain of the fitted potential: {what} "
            f"would be wrong by about {error:.2g} {unit}, and {limit:.2g} {unit} is allowed; label "
            "such cells and fit again",
            structure,
        )


@dataclass(frozen=True)
class Training:
    """A fit with all that it was made from.

    Attributes
    ----------
    numbers : PotentialNumbers
    fitted : Fit
    cells : list of TrainingRows
    """

    numbers: PotentialNumbers
    fitted: Fit
    cells: list[TrainingRows]


def train(frames: Sequence[LabelledFrame], elements: Sequence[str], recipe: FitRecipe) -> Training:
    """Fit a potential to labelled cells."""
    symbols = sorted(elements)
    model = PolynomialModel(tuple(symbols), recipe.polynomial)
    offsets = _offsets(frames, symbols)
    cells = [training_rows(model, frame, offsets) for frame in frames]
    fitted = fit(cells)
    return Training(
        numbers=PotentialNumbers(
            elements=symbols,
            polynomial=recipe.polynomial,
            coefficients=fitted.coefficients.tolist(),
            draws=fitted.draws(recipe.committee, recipe.seed).tolist(),
            offsets_ev=offsets.tolist(),
            calibration=calibrate(fitted, cells),
            trusted_force_error_ev_per_a=recipe.trusted_force_error_ev_per_a,
            largest_force_error_ev_per_a=recipe.largest_force_error_ev_per_a,
        ),
        fitted=fitted,
        cells=cells,
    )


def training_rows(
    model: PolynomialModel, frame: LabelledFrame, offsets_ev: NDArray[np.float64]
) -> TrainingRows:
    """Return what a labelled cell adds to a fit."""
    structure = frame.structure
    rows = model.rows(structure)
    scale = row_scale(len(structure), len(rows))
    known = np.zeros(N_CELL_ROWS, dtype=bool)
    values = np.zeros(N_CELL_ROWS)
    if frame.energy_ev is not None:
        known[0] = True
        counts = compositions([structure], list(model.elements))[0]
        values[0] = frame.energy_ev - counts @ offsets_ev
    if frame.stress_ev_per_a3 is not None:
        known[1:] = True
        values[1:] = np.array(frame.stress_ev_per_a3) * structure.volume
    kept = np.concatenate([known, np.ones(len(rows) - N_CELL_ROWS, dtype=bool)])
    labels = np.concatenate([values, frame.forces.ravel()])
    return TrainingRows(
        features=rows[kept] / scale[kept, None],
        values=labels[kept] / scale[kept],
        n_cell_rows=int(known.sum()),
    )


def _offsets(frames: Sequence[LabelledFrame], elements: list[str]) -> NDArray[np.float64]:
    """Return the energy of an atom of each element that explains the labels best."""
    known = [frame for frame in frames if frame.energy_ev is not None]
    if not known:
        return np.zeros(len(elements))
    counts = compositions([frame.structure for frame in known], elements)
    energies = np.array([frame.energy_ev for frame in known])
    offsets: NDArray[np.float64] = np.linalg.lstsq(counts, energies, rcond=None)[0]
    return offsets
