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
    rows = [each * scale for each in rows]
    left = dict(enumerate(rows))
    chosen: list[tuple[int, float]] = []
    while left and len(chosen) < count:
        factor = np.tril(cho_factor(precision, lower=True)[0])
        leverages = {
            number: CellLeverage.of_rows(
                np.sqrt((solve_triangular(factor, each.T, lower=True) ** 2).sum(axis=0)),
                N_CELL_ROWS,
            ).atom
            for number, each in left.items()
        }
        best = max(leverages, key=lambda number: (leverages[number], -number))
        chosen.append((best, leverages[best]))
        taken = left.pop(best)
        precision = precision + taken.T @ taken
    return chosen
