"""Crystals of which an engine is wrong by a factor, among those of which it is about right.

A mixture of two normal distributions of the error, fitted by expectation maximisation (A. P.
Dempster, N. M. Laird and D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977)).  One has the centre and the
spread of the usual error; the other is that of crystals which the engine finds too soft.  A value
is the likelier to be one of these, the further it is below those of crystals alike.

All prior values are in units of the table's typical error, so that they hold for any quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.choosing.observations import Floats

RARE, RARE_STD = -2.5, 1.0
"""Prior of the log odds of an outlier among values that are not low: one in thirteen."""
SLOPE_STD = 1.0
"""Prior of the slope of the log odds, for each typical error that a value is too low by."""
CENTRE, CENTRE_STD = 4.0, 1.5
"""Prior of the centre of outliers, in typical errors."""
CONVERGED = 1e-9
"""Last step of Newton's method; the next one would be its square."""
SPREAD, SPREAD_ROWS = 2.5, 4.0
"""Prior of their spread, in typical errors, and in how many rows it counts."""


@dataclass(frozen=True)
class Outliers:
    """Their share and their errors.

    Parameters
    ----------
    constant, slope
        Of the log odds, the slope for a shortfall on the scale of the errors.
    centre, spread
        Of their errors.
    """

    constant: float
    slope: float
    centre: float
    spread: float

    @classmethod
    def expected(cls, typical: float) -> Outliers:
        """Return outliers from which a fit can begin.

        Parameters
        ----------
        typical
            Robust spread of all errors of the table.
        """
        return cls(RARE, SLOPE_STD / typical, CENTRE * typical, SPREAD * typical)

    def probability(self, shortfall: Floats) -> Floats:
        """Return the probability of being one of them, shape (n,).

        Parameters
        ----------
        shortfall : ndarray, shape (n,)
            How far values are below those of crystals alike.
        """
        return _logistic(self.constant + self.slope * shortfall)

    def responsibility(
        self, errors: Floats, shortfall: Floats, centre: Floats, std: Floats
    ) -> Floats:
        """Return the probability of being one of them once the error is known, shape (n,).

        Outliers are values that are too low: an error below the usual centre is never theirs.

        Parameters
        ----------
        errors, shortfall : ndarray, shape (n,)
        centre, std : ndarray, shape (n,)
            Of the usual error.
        """
        odds = self.constant + self.slope * shortfall
        own = -np.log(self.spread) - 0.5 * ((errors - self.centre) / self.spread) ** 2
        usual = -np.log(std) - 0.5 * ((errors - centre) / std) ** 2
        return np.where(errors > centre, _logistic(odds + own - usual), 0.0)

    def refitted(
        self, errors: Floats, shortfall: Floats, weights: Floats, typical: float
    ) -> Outliers:
        """Return the outliers of greatest posterior probability.

        Parameters
        ----------
        weights : ndarray, shape (n,)
            What `responsibility` returned.
        typical
            Robust spread of all errors of the table.
        """
        total = float(weights.sum())
        precision = total / self.spread**2 + 1 / (CENTRE_STD * typical) ** 2
        pull = CENTRE * typical / (CENTRE_STD * typical) ** 2
        centre = (float(weights @ errors) / self.spread**2 + pull) / precision
        squares = float(weights @ (errors - centre) ** 2) + SPREAD_ROWS * (SPREAD * typical) ** 2
        spread = float(np.sqrt(squares / (total + SPREAD_ROWS)))
        constant, slope = self._odds(shortfall / typical, weights, typical)
        return Outliers(constant, slope / typical, centre, spread)

    def _odds(self, low: Floats, weights: Floats, typical: float) -> tuple[float, float]:
        """Return constant and slope of the log odds, by Newton's method."""
        constant, slope = self.constant, self.slope * typical
        for _ in range(10):
            share = _logistic(constant + slope * low)
            left, certain = weights - share, share * (1 - share)
            gradient = (
                float(left.sum()) - (constant - RARE) / RARE_STD**2,
                float(left @ low) - slope / SLOPE_STD**2,
            )
            mixed, certain_low = float(certain @ low), certain * low
            of_constant = float(certain.sum()) + RARE_STD**-2.0
            of_slope = float(certain_low @ low) + SLOPE_STD**-2.0
            # Both eigenvalues are positive: the prior's precisions are.
            determinant = of_constant * of_slope - mixed**2
            steps = (
                (of_slope * gradient[0] - mixed * gradient[1]) / determinant,
                (of_constant * gradient[1] - mixed * gradient[0]) / determinant,
            )
            constant += min(max(steps[0], -1.0), 1.0)
            slope += min(max(steps[1], -1.0), 1.0)
            if max(map(abs, steps)) < CONVERGED:
                break
        if slope < 0:  # A low value is no reason to trust it more.
            return self._odds(np.zeros(len(low)), weights, typical)
        return constant, slope


NO_OUTLIERS = Outliers(-np.inf, 0.0, 0.0, 1.0)
"""Where nothing tells how low a value is."""


@dataclass(frozen=True)
class Mixture:
    """Errors of crystals: with a probability those of an outlier, else the usual ones.

    Parameters
    ----------
    centre, std : ndarray, shape (n,)
        Of the usual errors.
    probability : ndarray, shape (n,)
        Of an outlier.
    odd_centre, odd_std : ndarray, shape (n,)
        Of the errors of outliers.
    """

    centre: Floats
    std: Floats
    probability: Floats
    odd_centre: Floats
    odd_std: Floats

    @classmethod
    def joined(cls, parts: Sequence[tuple[NDArray[np.bool_], Mixture]], n: int) -> Mixture:
        """Return the errors of n crystals, each part being of those where its mask is true."""
        columns = [np.zeros(n) for _ in fields(cls)]
        for own, part in parts:
            for column, field in zip(columns, fields(cls), strict=True):
                column[own] = getattr(part, field.name)
        return cls(*columns)

    def where(self, own: NDArray[np.bool_]) -> Mixture:
        """Return the errors of the crystals where a mask is true."""
        return Mixture(*(getattr(self, field.name)[own] for field in fields(self)))

    @property
    def mean(self) -> Floats:
        """Mean, shape (n,)."""
        return self.centre + self.probability * (self.odd_centre - self.centre)

    @property
    def total(self) -> Floats:
        """Standard deviation about the mean, shape (n,)."""
        share = self.probability
        variance = (1 - share) * self.std**2 + share * self.odd_std**2
        apart = self.odd_centre - self.centre
        deviation: Floats = np.sqrt(variance + share * (1 - share) * apart**2)
        return deviation

    def widened(self, factor: Floats) -> Mixture:
        """Return the same errors with spreads larger by a factor, shape (n,)."""
        return replace(self, std=factor * self.std, odd_std=factor * self.odd_std)

    def half_width(self, content: float) -> Floats:
        """Return the half width about zero that holds a share of the errors, shape (n,)."""
        from scipy.special import ndtr

        def inside(width: Floats, centre: Floats, std: Floats) -> Floats:
            share: Floats = ndtr((width - centre) / std) - ndtr((-width - centre) / std)
            return share

        low = np.zeros(len(self.centre))
        high = np.abs(self.centre) + np.abs(self.odd_centre) + 5 * (self.std + self.odd_std)
        for _ in range(40):
            middle = (low + high) / 2
            usual = inside(middle, self.centre, self.std)
            odd = inside(middle, self.odd_centre, self.odd_std)
            # Written so that what is not a number gets the widest bar.
            too_low = ~(usual + self.probability * (odd - usual) >= content)
            low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
        return high


def _logistic(odds: Floats) -> Floats:
    found: Floats = 0.5 * (1 + np.tanh(odds / 2))
    return found
