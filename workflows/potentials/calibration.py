"""From leverage to the force error that is to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from workflows.document_parts import Document
from workflows.potentials.regression import Fit, TrainingRows, left_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SLOPE = 2.0


class Calibration(Document):
    """A line through logarithms: force error against leverage, of cells that were left out.

    Both are numbers of a whole cell: the root mean square of the error over its force components,
    and the largest leverage of its atoms or of the cell itself.
    """

    intercept: float
    """Of the natural logarithm of the error in eV/Å."""
    slope: float = Field(ge=0)
    scatter: float = Field(ge=0)
    """Standard deviation of the logarithm about the line."""
    leverages: list[float]
    """Of the cells behind it."""
    force_errors_ev_per_a: list[float]
    """Of the same cells, in the same order."""

    def expected_force_error_ev_per_a(self, leverage: float) -> float:
        """Return the mean error of cells with a leverage, logarithms being normal."""
        logarithm = self.intercept + self.slope * np.log(max(leverage, 1e-12))
        return float(np.exp(min(logarithm + self.scatter**2 / 2, 50.0)))

    def leverage_of(self, force_error_ev_per_a: float) -> float:
        """Return the leverage at which an error is to be expected."""
        logarithm = np.log(force_error_ev_per_a) - self.scatter**2 / 2 - self.intercept
        return float(np.exp(min(logarithm / max(self.slope, 1e-3), 50.0)))


def cell_leverage(leverage: NDArray[np.float64], n_cell_rows: int) -> float:
    """Return one number of the leverages of all rows of a cell.

    That of the atom with the largest, root mean square over its three components, or that of the
    cell's energy and virials, where it is larger: a perfect crystal has no forces at all.
    """
    atoms = np.sqrt((leverage[n_cell_rows:].reshape(-1, 3) ** 2).mean(axis=1))
    cell = np.sqrt((leverage[:n_cell_rows] ** 2).mean()) if n_cell_rows else 0.0
    return float(max(atoms.max(), cell))


def calibrate(fitted: Fit, cells: Sequence[TrainingRows]) -> Calibration:
    """Return the line through all cells, each left out of the fit."""
    leverages, errors = [], []
    for cell in cells:
        without = left_out(fitted, cell)
        error = float(np.sqrt((without.errors[cell.n_cell_rows :] ** 2).mean()))
        # Forces that vanish by symmetry say nothing.
        if np.abs(cell.values[cell.n_cell_rows :]).max() > 1e-8:
            leverages.append(cell_leverage(without.leverage, cell.n_cell_rows))
            errors.append(error)
    return line_through(leverages, errors)


def line_through(leverages: Sequence[float], errors: Sequence[float]) -> Calibration:
    """Return the line of least squares; that of slope 1 where there are too few points for one."""
    along, up = np.log(np.maximum(leverages, 1e-12)), np.log(np.maximum(errors, 1e-9))
    spread = along.std()
    slope = 1.0
    if len(along) >= 6 and spread > 0.1:
        slope = float(np.clip(np.cov(along, up, bias=True)[0, 1] / spread**2, 0.3, MOST_SLOPE))
    intercept = float(np.mean(up - slope * along))
    scatter = float(np.std(up - slope * along - intercept, ddof=1)) if len(along) > 2 else 0.5
    return Calibration(
        intercept=intercept,
        slope=slope,
        scatter=scatter,
        leverages=[float(leverage) for leverage in leverages],
        force_errors_ev_per_a=[float(error) for error in errors],
    )
