"""From leverage to the force error that is to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field

from workflows.document_parts import Document
from workflows.errors import CannotCompute
from workflows.potentials.regression import ENERGY_LENGTH_A, Fit, TrainingRows, left_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SLOPE = 2.0
LEAST_FOR_A_SLOPE = 6
LEAST_SPREAD = 0.1
"""Of the logarithm of the leverage, for a slope."""
SMALLEST_FORCE_EV_PER_A = 1e-8
UNKNOWN_SCATTER = 0.5
"""Of the logarithm of the error, where two points leave it open."""


class Calibration(Document):
    """Error against leverage, of cells that were left out: two lines through logarithms.

    Far from the cells behind them the lines are careful: below their middle no steeper than
    proportional, above it no flatter.
    """

    middle: float
    """Mean of the natural logarithm of the leverage."""
    level: float
    """Mean of the natural logarithm of the error in eV/Å, there."""
    slope_below: float = Field(ge=0, le=1)
    slope_above: float = Field(ge=1)
    scatter: float = Field(ge=0)
    """Standard deviation of the logarithm of the error about the lines."""
    leverages: list[float]
    """Of the cells behind it."""
    errors_ev_per_a: list[float]
    """Of the same cells, in the same order."""

    def expected(self, leverage: float) -> float:
        """Return the mean error of cells with a leverage, logarithms being normal."""
        along = float(np.log(max(leverage, 1e-12))) - self.middle
        slope = self.slope_above if along > 0 else self.slope_below
        return float(np.exp(min(self.level + slope * along + self.scatter**2 / 2, 50.0)))


@dataclass(frozen=True)
class CellLeverage:
    """Leverages of a whole cell.

    Attributes
    ----------
    atom : float
        Of the atom with the largest, root mean square over its three force components.
    cell : float
        Of its energy and virials, root mean square: a perfect crystal has no forces at all, and may
        be unlike the training cells nevertheless.
    """

    atom: float
    cell: float

    @classmethod
    def of_rows(cls, leverage: NDArray[np.float64], n_cell_rows: int) -> Self:
        """Return both from the leverages of all rows, those of the cell first."""
        atoms = np.sqrt((leverage[n_cell_rows:].reshape(-1, 3) ** 2).mean(axis=1))
        cell = np.sqrt((leverage[:n_cell_rows] ** 2).mean()) if n_cell_rows else 0.0
        return cls(float(atoms.max()), float(cell))


class Calibrations(Document):
    """What errors leverages stand for."""

    forces: Calibration
    cells: Calibration | None
    """Of energies and virials, scaled as in `workflows.potentials.regression`: an error of 1 eV/Å
    stands for 0.05 eV of an atom's energy.  None where labels have neither."""

    def expected_force_error_ev_per_a(self, leverage: CellLeverage) -> float:
        """Return the error of forces, root mean square over the components."""
        return self.forces.expected(leverage.atom)

    def expected_energy_error_ev_per_atom(self, leverage: CellLeverage) -> float | None:
        """Return the error of the energy of an atom, None where labels have no energies."""
        return None if self.cells is None else ENERGY_LENGTH_A * self.cells.expected(leverage.cell)

    def worst_ev_per_a(self, leverage: CellLeverage) -> float:
        """Return the error of forces, or that of the cell's energy and virials as a force."""
        cells = 0.0 if self.cells is None else self.cells.expected(leverage.cell)
        return max(self.forces.expected(leverage.atom), cells)


def calibrate(fitted: Fit, cells: Sequence[TrainingRows]) -> Calibrations:
    """Return the lines through all cells, each left out of the fit.

    Raises
    ------
    CannotCompute
        When all forces vanish.
    """
    of_forces: list[tuple[float, float]] = []
    of_cells: list[tuple[float, float]] = []
    for cell in cells:
        n_cell_rows = cell.n_cell_rows
        without = left_out(fitted, cell)
        leverage = CellLeverage.of_rows(without.leverage, n_cell_rows)
        # Forces that vanish by symmetry say nothing.
        if np.abs(cell.values[n_cell_rows:]).max() > SMALLEST_FORCE_EV_PER_A:
            error = float(np.sqrt((without.errors[n_cell_rows:] ** 2).mean()))
            of_forces.append((leverage.atom, error))
        if n_cell_rows:
            of_cells.append(
                (leverage.cell, float(np.sqrt((without.errors[:n_cell_rows] ** 2).mean())))
            )
    if not of_forces:
        raise CannotCompute(
            "the forces of all labelled cells vanish, from which no potential can be fitted; allow "
            "larger supercells by exploration.max_atoms"
        )
    return Calibrations(
        forces=line_through(*zip(*of_forces, strict=True)),
        cells=line_through(*zip(*of_cells, strict=True)) if of_cells else None,
    )


def line_through(leverages: Sequence[float], errors: Sequence[float]) -> Calibration:
    """Return the lines through points; proportional where there are too few for a slope."""
    along, up = np.log(np.maximum(leverages, 1e-12)), np.log(np.maximum(errors, 1e-9))
    middle, level = float(along.mean()), float(up.mean())
    spread = float(along.std())
    slope = 1.0
    if len(along) >= LEAST_FOR_A_SLOPE and spread > LEAST_SPREAD:
        slope = float(np.cov(along, up, bias=True)[0, 1]) / spread**2
    below, above = float(np.clip(slope, 0.0, 1.0)), float(np.clip(slope, 1.0, MOST_SLOPE))
    expected = level + np.where(along > middle, above, below) * (along - middle)
    scatter = float(np.std(up - expected)) if len(along) > 2 else UNKNOWN_SCATTER
    return Calibration(
        middle=middle,
        level=level,
        slope_below=below,
        slope_above=above,
        scatter=scatter,
        leverages=[float(leverage) for leverage in leverages],
        errors_ev_per_a=[float(error) for error in errors],
    )
