"""Which cells to label next: those of the largest leverage, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, solve_triangular

from workflows.potentials.calibration import CellLeverage
from workflows.potentials.polynomial import N_CELL_ROWS, PolynomialModel
from workflows.potentials.regression import Fit, row_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

UNFITTED_PRECISION = 1e-6
"""Prior precision before there is a fit, over the number of rows of all proposals."""


def scaled_rows(model: PolynomialModel, structure: Structure) -> NDArray[np.float64]:
    """Return the rows of a cell scaled to one noise."""
    rows = model.rows(structure)
    scaled: NDArray[np.float64] = rows / row_scale(len(structure), len(rows))[:, None]
    return scaled


def most_informative(
    model: PolynomialModel, fitted: Fit | None, cells: Sequence[Structure], count: int
) -> list[tuple[int, float]]:
    """Return which cells to label, and the leverage of each when it was chosen.

    After each choice the leverages of the others are those that they have once the chosen ones are
    labelled: leverage asks for no labels.

    Parameters
    ----------
    model
        Of the potential.
    fitted
        Posterior of the labelled cells; None where there are none.
    cells
        To choose from.
    count
        Of cells to choose.
    """
    rows = [scaled_rows(model, cell) for cell in cells]
    if fitted is None:
        together = sum(each.T @ each for each in rows)
        n_rows = sum(len(each) for each in rows)
        variance = np.diag(together) / n_rows
        scale = 1 / np.sqrt(np.maximum(variance, 1e-10 * variance.max()))
        precision = UNFITTED_PRECISION * n_rows * np.eye(len(scale))
    else:
        scale = fitted.scale
        precision = fitted.factor @ fitted.factor.T
    lower = np.tril(cho_factor(precision, lower=True)[0])
    # In these coordinates the posterior's covariance is one, and the squared leverage of a row its
    # length; both only lose what the chosen cells tell.
    whitened = [solve_triangular(lower, (each * scale).T, lower=True) for each in rows]
    squares = [(each**2).sum(axis=0) for each in whitened]
    told: list[NDArray[np.float64]] = []
    left = set(range(len(cells)))
    chosen: list[tuple[int, float]] = []
    while left and len(chosen) < count:
        leverages = {
            number: CellLeverage.of_rows(
                np.sqrt(np.maximum(squares[number], 0.0)), N_CELL_ROWS
            ).atom
            for number in left
        }
        best = max(leverages, key=lambda number: (leverages[number], -number))
        chosen.append((best, leverages[best]))
        left.remove(best)
        if len(chosen) == count:
            break
        taken = whitened[best]
        covariance = taken - sum(each @ (each.T @ taken) for each in told)
        of_rows = np.eye(taken.shape[1]) + taken.T @ covariance
        factor = np.tril(cho_factor(of_rows, lower=True)[0])
        told.append(solve_triangular(factor, covariance.T, lower=True).T)
        for number in left:
            squares[number] = squares[number] - ((told[-1].T @ whitened[number]) ** 2).sum(axis=0)
    return chosen
