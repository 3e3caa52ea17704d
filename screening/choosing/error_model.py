"""How far an engine is from first principles: bias and spread of its error, learned from a table.

The error is what first principles find less what the engine finds, on the objective's model scale.
Its centre is linear in a few features, fitted so that outliers count little (a Student-t
likelihood, by iteratively reweighted least squares: K. L. Lange, R. J. A. Little and
J. M. G. Taylor, J. Am. Stat. Assoc. 84, 881 (1989)), its spread log-linear.  Both are drawn to
constants, because tables are small.

Spreads are not what the fit leaves, but what is left where a whole family of crystals was not in
the fit.  The factor that has 68 % of the table within one standard deviation is found that way, as
in conformal prediction (V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random
World, Springer 2005).

A crystal that is unlike all of the table gets a wider spread, and is said to be unlike it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from screening.choosing.observations import Floats

MIN_ROWS = 10
"""Rows of a table from which on a model is fitted."""
DEGREES_OF_FREEDOM = 3.0
"""Of the Student t: how little an outlier counts."""
CENTRE_PENALTY = 2.0
"""Ridge penalty on the slopes of the centre, in rows: features have a standard deviation of one."""
SPREAD_PENALTY = 20.0
"""The same of the spread; squared residuals say little of it."""
ITERATIONS = 30
WITHIN_ONE, WITHIN_TWO = 0.6827, 0.93
"""Shares of the table within one standard deviation, and at least within two.  The errors of
potentials have heavier tails than a normal distribution, which has 95 % there."""
MOST_WIDENED = 2.0
"""A spread is widened at most by this factor for a crystal that is unlike the table: a judgement,
no measurement; families left out of the table need about 1.3."""
LEAST_SPREAD = 0.3
MOST_SPREAD = 3.0
"""A spread is at least and at most so much of the table's typical one, where nothing is new."""


@dataclass(frozen=True)
class Linear:
    """A constant and slopes."""

    constant: float
    slopes: Floats

    def __call__(self, scaled: Floats) -> Floats:
        """Return the values at scaled features, shape (n, d)."""
        values: Floats = self.constant + scaled @ self.slopes
        return values


@dataclass(frozen=True)
class Core:
    """The fit to some rows, without a calibration."""

    mean: Floats
    width: Floats
    centre: Linear
    spread: Linear
    inverse: NDArray[np.floating[Any]]
    low: float
    high: float

    @classmethod
    def fit(cls, features: Floats, errors: Floats) -> Core:
        """Fit centre and spread.

        Parameters
        ----------
        features : ndarray, shape (n, d)
        errors : ndarray, shape (n,)
        """
        mean, width = _scales(features)
        scaled = _scaled(features, mean, width)
        typical = float(np.median(np.abs(errors - np.median(errors)))) / 0.6745 or 1e-9
        centre = Linear(float(np.median(errors)), np.zeros(features.shape[1]))
        spread = Linear(float(np.log(typical)), np.zeros(features.shape[1]))
        for _ in range(ITERATIONS):
            std = np.exp(_within(spread(scaled), typical))
            residual = (errors - centre(scaled)) / std
            weight = (DEGREES_OF_FREEDOM + 1) / (DEGREES_OF_FREEDOM + residual**2)
            centre = _ridge(scaled, errors, weight * (typical / std) ** 2, CENTRE_PENALTY)
            residual = np.abs(errors - centre(scaled)) / typical
            # The mean of ln|x| of a standard normal x is −0.635.
            logs = np.log(np.maximum(residual, 0.05)) + 0.635 + np.log(typical)
            spread = _ridge(scaled, logs, np.ones(len(logs)), SPREAD_PENALTY)
        gram = scaled.T @ scaled + CENTRE_PENALTY * np.eye(features.shape[1])
        return cls(
            mean=mean,
            width=width,
            centre=centre,
            spread=Linear(spread.constant, spread.slopes),
            inverse=np.linalg.inv(gram),
            low=float(errors.min()),
            high=float(errors.max()),
        )

    def __call__(self, features: Floats) -> tuple[Floats, Floats]:
        """Return centre and uncalibrated spread, shape (n,)."""
        scaled = _scaled(features, self.mean, self.width)
        # A line goes on for ever; no error of the table does.
        bias = np.clip(self.centre(scaled), self.low, self.high)
        leverage = np.einsum("ni,ij,nj->n", scaled, self.inverse, scaled)
        typical = float(np.exp(self.spread.constant))
        std = np.exp(_within(self.spread(scaled), typical)) * np.sqrt(1 + leverage)
        return bias, std


def _within(log_spread: Floats, typical: float) -> Floats:
    low, high = np.log(LEAST_SPREAD * typical), np.log(MOST_SPREAD * typical)
    clipped: Floats = np.clip(log_spread, low, high)
    return clipped


def _ridge(scaled: Floats, values: Floats, weights: Floats, penalty: float) -> Linear:
    """Return a weighted ridge regression, whose constant is not penalised."""
    share = weights / weights.sum()
    middle, level = share @ scaled, float(share @ values)
    shifted = scaled - middle
    gram = shifted.T @ (weights[:, None] * shifted) + penalty * np.eye(scaled.shape[1])
    slopes = np.linalg.solve(gram, shifted.T @ (weights * (values - level)))
    return Linear(level - float(middle @ slopes), slopes)


@dataclass(frozen=True)
class Estimates:
    """What a table lets expect of first principles' value less the engine's.

    Attributes
    ----------
    bias : ndarray, shape (n,)
        Its centre.
    std : ndarray, shape (n,)
        Standard deviation about the centre.
    total_std : ndarray, shape (n,)
        What 68 % of errors are below, bias included: the error bar of the engine's own value.
    extrapolated : ndarray of bool, shape (n,)
        Whether the crystal is unlike all of the table.
    """

    bias: Floats
    std: Floats
    total_std: Floats
    extrapolated: NDArray[np.bool_]


@dataclass(frozen=True)
class ErrorModel:
    """An engine's error, fitted to a table and calibrated on families left out of it.

    Parameters
    ----------
    whole
        The fit to all rows.
    without
        By family, the fit to the rows of all others.
    std_factor, total_factor
        What spreads are multiplied by, so that they hold for families left out.
    known_std
        The part of the errors, typical of the table, that the engine's own error bars tell of.
    likeness
        By family, and of all rows under the empty name: what a crystal must resemble.
    """

    whole: Core
    without: Mapping[str, Core]
    std_factor: float
    total_factor: float
    known_std: float
    likeness: Mapping[str, Likeness]

    @classmethod
    def fit(
        cls,
        features: Floats,
        errors: Floats,
        families: Sequence[str],
        likeness: Floats,
        known_std: Floats,
    ) -> ErrorModel:
        """Fit and calibrate.

        Parameters
        ----------
        features : ndarray, shape (n, d)
            What bias and spread depend on; NaN is allowed.
        errors : ndarray, shape (n,)
            First principles' value less the engine's.
        families
            Of each row; a family is left out as a whole.
        likeness : ndarray, shape (n, l)
            What tells whether another crystal is like these.
        known_std : ndarray, shape (n,)
            The engine's own error bars.

        Raises
        ------
        ValueError
            When there are too few rows or families.
        """
        named = np.array(families)
        distinct = sorted(set(families))
        if len(errors) < MIN_ROWS or len(distinct) < 3:
            raise ValueError(
                f"an error model needs {MIN_ROWS} rows of 3 families, not {len(errors)} of "
                f"{len(distinct)}"
            )
        without, resembled = {}, {"": Likeness.of(likeness, named)}
        bias, std = np.zeros(len(errors)), np.zeros(len(errors))
        for family in distinct:
            own = named == family
            without[family] = Core.fit(features[~own], errors[~own])
            bias[own], std[own] = without[family](features[own])
            resembled[family] = Likeness.of(likeness[~own], named[~own])
        std_factor = _factor(np.abs(errors - bias) / std)
        total_factor = _factor(np.abs(errors) / width_about_zero(bias, std_factor * std))
        return cls(
            whole=Core.fit(features, errors),
            without=without,
            std_factor=std_factor,
            total_factor=total_factor,
            known_std=float(np.median(known_std)),
            likeness=resembled,
        )

    def __call__(
        self, features: Floats, likeness: Floats, known_std: Floats, families: Sequence[str]
    ) -> Estimates:
        """Return the estimates of crystals.

        Parameters
        ----------
        features, likeness, known_std
            As in `fit`, of the crystals that are asked about.
        families
            Of a crystal that is in the table its family, which is then left out: nothing may rest
            on its own reference.  Empty for all others.
        """
        bias, std = np.zeros(len(features)), np.zeros(len(features))
        extrapolated = np.zeros(len(features), dtype=bool)
        named = np.array(families, dtype=object)
        for family in set(families):
            own = named == family
            core = self.without.get(family, self.whole)
            bias[own], std[own] = core(features[own])
            widening, extrapolated[own] = self.likeness.get(family, self.likeness[""])(
                likeness[own]
            )
            std[own] *= widening
        std = self.std_factor * std
        total = self.total_factor * width_about_zero(bias, std)
        # An error bar as wide as those of the table is in the spread already.
        more = np.maximum(np.nan_to_num(known_std) ** 2 - self.known_std**2, 0.0)
        return Estimates(bias, np.sqrt(std**2 + more), np.sqrt(total**2 + more), extrapolated)


@dataclass(frozen=True)
class Likeness:
    """Rows of a table in a space where near means alike."""

    rows: Floats
    mean: Floats
    width: Floats
    usual: float
    most: float

    @classmethod
    def of(cls, rows: Floats, families: NDArray[Any]) -> Likeness:
        """Learn how far rows are from the nearest row of another family."""
        mean, width = _scales(rows)
        scaled = _scaled(rows, mean, width)
        away = _distances(scaled, scaled)
        away[families[:, None] == families[None, :]] = np.inf
        nearest = away.min(axis=1)
        return cls(scaled, mean, width, float(np.quantile(nearest, 0.9)), float(nearest.max()))

    def __call__(self, asked: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return by how much spreads are widened, and whether a crystal is unlike all rows."""
        away = _distances(_scaled(asked, self.mean, self.width), self.rows).min(axis=1)
        widening: Floats = np.clip(away / self.usual, 1.0, MOST_WIDENED)
        return widening, away > self.most


def width_about_zero(centre: Floats, std: Floats) -> Floats:
    """Return the half width about zero that holds 68 % of normal distributions.

    Parameters
    ----------
    centre, std : ndarray, shape (n,)
    """
    return np.array([_half_width(abs(c), s) for c, s in zip(centre, std, strict=True)])


def _half_width(centre: float, std: float) -> float:
    low, high = 0.0, centre + 2 * std
    for _ in range(40):
        middle = (low + high) / 2
        share = _below((middle - centre) / std) - _below((-middle - centre) / std)
        low, high = (middle, high) if share < WITHIN_ONE else (low, middle)
    return high


def _below(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


def _factor(ratios: Floats) -> float:
    """Return what spreads must be multiplied by, so that enough errors are within them."""
    one, two = np.quantile(ratios, [WITHIN_ONE, WITHIN_TWO], method="higher")
    factor = float(max(one, two / 2))
    return factor if isfinite(factor) and factor > 0 else 1.0


def _scales(rows: Floats) -> tuple[Floats, Floats]:
    """Return mean and width of each column; one that is constant has a width of one."""
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows, 0.0).sum(axis=0) / count
    width = np.sqrt(np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0) / count)
    return mean, np.where(width > 1e-9, width, 1.0)


def _scaled(rows: Floats, mean: Floats, width: Floats) -> Floats:
    """Return scaled columns, zero where a number is not known."""
    scaled: Floats = np.where(np.isfinite(rows), (rows - mean) / width, 0.0)
    return scaled


def _distances(asked: Floats, rows: Floats) -> Floats:
    """Return the distance of each row to each, root mean square over the columns."""
    difference = asked[:, None, :] - rows[None, :, :]
    distances: Floats = np.sqrt((difference**2).mean(axis=2))
    return distances
