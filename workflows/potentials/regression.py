"""Bayesian ridge regression of a potential's coefficients, and what its posterior says.

Energies, virials and forces are linear in the coefficients, y = X c + noise.  All rows are scaled
so that their noise is one number, σ, and the columns so that one prior precision α fits all.
α is the one of the largest marginal likelihood, σ follows in closed form (D. J. C. MacKay, Neural
Comput. 4, 415 (1992)).  The leverage of a row x is √(x A⁻¹ xᵀ) with A = XᵀX + α: σ times it is the
standard deviation that the posterior gives the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh, solve_triangular

from workflows.potentials.polynomial import N_CELL_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ENERGY_LENGTH_A = 0.05
"""Noise of the energy of an atom, over that of a force component: 0.5 meV for 10 meV/Å."""
VIRIAL_LENGTH_A = 0.5
"""Noise of the virial of an atom, over that of a force component: 5 meV (0.04 GPa at 20 Å³)."""
SMALLEST_VARIANCE = 1e-10
"""Of a column, over that of the column that varies most."""
ALPHAS = 10.0 ** np.arange(-12.0, 4.01, 0.5)
"""Prior precisions that are tried, in units of the columns' variance over all rows."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows of one labelled cell, scaled to one noise.

    Attributes
    ----------
    features : ndarray, shape (rows, features)
        Of what is known of the cell: energy and virials, where they are, and forces.
    values : ndarray, shape (rows,)
        The same of the labels, energy offsets taken off.
    n_cell_rows : int
        How many of the rows are of the cell as a whole.
    """

    features: Array
    values: Array
    n_cell_rows: int


@dataclass(frozen=True)
class Fit:
    """Posterior of the coefficients.

    Attributes
    ----------
    coefficients : ndarray, shape (features,)
    scale : ndarray, shape (features,)
        Of the columns.
    factor : ndarray, shape (features, features)
        Lower Cholesky factor of A, for scaled columns.
    alpha : float
    noise_ev_per_a : float
        σ, of a force component.
    """

    coefficients: Array
    scale: Array
    factor: Array
    alpha: float
    noise_ev_per_a: float

    def projected(self, features: Array) -> Array:
        """Return L⁻¹ xᵀ of rows that are scaled to one noise, shape (features, rows)."""
        solved: Array = solve_triangular(
            self.factor, (features * self.scale).T, lower=True, check_finite=False
        )
        return solved

    def leverage(self, features: Array) -> Array:
        """Return the leverage of rows that are scaled to one noise, shape (rows,)."""
        squares: Array = (self.projected(features) ** 2).sum(axis=0)
        return np.sqrt(squares)

    def draws(self, count: int, seed: int) -> Array:
        """Return deviations of the coefficients over σ, drawn from the posterior.

        Shape (count, features).
        """
        normal = np.random.default_rng(seed).standard_normal((len(self.scale), count))
        drawn = solve_triangular(self.factor, normal, lower=True, trans="T", check_finite=False)
        return np.asarray(drawn.T * self.scale)


def row_scale(n_atoms: int, n_rows: int) -> Array:
    """Return what the rows of a cell (see `PolynomialModel.rows`) are divided by, shape (rows,)."""
    scale = np.ones(n_rows)
    scale[0] = ENERGY_LENGTH_A * n_atoms
    scale[1:N_CELL_ROWS] = VIRIAL_LENGTH_A * n_atoms
    return scale


def fit(cells: Sequence[TrainingRows]) -> Fit:
    """Return the posterior from the rows of all labelled cells."""
    gram = sum(cell.features.T @ cell.features for cell in cells)
    moment = sum(cell.features.T @ cell.values for cell in cells)
    n_rows = sum(len(cell.values) for cell in cells)
    square = float(sum(cell.values @ cell.values for cell in cells))
    variance = np.diag(gram) / n_rows
    # What no cell had is not left out: a cell that has it lies far outside, by its leverage.
    scale = 1 / np.sqrt(np.maximum(variance, SMALLEST_VARIANCE * variance.max()))
    gram = gram * np.outer(scale, scale)
    moment = moment * scale
    alpha, noise = _most_likely(gram, moment, square, n_rows)
    precision = gram + alpha * np.eye(len(scale))
    factor, _ = cho_factor(precision, lower=True)
    return Fit(
        coefficients=cho_solve((factor, True), moment) * scale,
        scale=scale,
        factor=np.tril(factor),
        alpha=alpha,
        noise_ev_per_a=noise,
    )


def _most_likely(gram: Array, moment: Array, square: float, n_rows: int) -> tuple[float, float]:
    """Return the prior precision of the largest marginal likelihood, and its σ."""
    values, vectors = eigh(gram)
    values = np.maximum(values, 0.0)
    along = vectors.T @ moment
    best = (-np.inf, float(ALPHAS[-1]), 1.0)
    for alpha in ALPHAS * n_rows:
        left = square - float(np.sum(along**2 / (values + alpha)))
        # Rounding leaves no less than this of the sum of squares.
        variance = max(left, 1e-14 * square) / n_rows
        evidence = -0.5 * n_rows * np.log(variance) - 0.5 * np.sum(np.log1p(values / alpha))
        best = max(best, (evidence, float(alpha), float(np.sqrt(variance))))
    return best[1], best[2]


@dataclass(frozen=True)
class LeftOut:
    """What the potential from all other cells says of one.

    Attributes
    ----------
    errors : ndarray, shape (rows,)
        Prediction minus label, scaled rows.
    leverage : ndarray, shape (rows,)
    """

    errors: Array
    leverage: Array


def left_out(fitted: Fit, cell: TrainingRows) -> LeftOut:
    """Return errors and leverages of a cell without its own part in the fit, in closed form.

    With H = X A⁻¹ Xᵀ of the cell's rows, the potential without the cell errs by (I − H)⁻¹ times the
    residuals, and its squared leverages are the diagonal of H (I − H)⁻¹.
    """
    projected = fitted.projected(cell.features)
    hat = projected.T @ projected
    residual = cell.features @ fitted.coefficients - cell.values
    rest = np.eye(len(hat)) - hat
    solved = np.asarray(np.linalg.solve(rest, np.column_stack([residual, hat])), dtype=np.float64)
    return LeftOut(errors=solved[:, 0], leverage=np.sqrt(np.maximum(np.diag(solved[:, 1:]), 0.0)))
