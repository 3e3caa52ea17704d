"""How far an engine is from first principles: bias and spread of its error, learned from a table.

The error is what first principles find less what the engine finds, on the objective's model scale.
Its centre is linear in a few features, fitted so that outliers count little (a Student-t
likelihood, by iteratively reweighted least squares: K. L. Lange, R. J. A. Little and
J. M. G. Taylor, J. Am. Stat. Assoc. 84, 881 (1989)), its spread log-linear.  Both are drawn to
constants, because tables are small.  Where it is known how far values are below those of crystals
alike, some of them are taken for outliers (`screening.choosing.outliers`).

Spreads are not what the fit leaves, but what is left where a whole family of crystals was not in
the fit.  The factor that has 68 % of the table within one standard deviation is found that way, as
in conformal prediction (V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random
World, Springer 2005).

Estimates for crystals that the engine calls unstable are no part of the fit.  What it leaves of
them tells by how much they are off beyond it; a table has few, so that both are drawn to a wide
prior.

A crystal that is unlike all of the table gets a wider spread, and is said to be unlike it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Literal

import numpy as np

from screening.choosing.outliers import NO_OUTLIERS, Mixture, Outliers

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
Correction = Literal["none", "constant", "linear"]
CORRECTIONS: tuple[Correction, ...] = ("none", "constant", "linear")
"""What the centre of errors may be, the simplest first."""
WORTH = 0.98
"""A less simple centre must have so small a share of the mean deviation, on families left out."""
ITERATIONS = 30
WITHIN_ONE, WITHIN_TWO = 0.6827, 0.92
"""Shares of the table within one standard deviation, and at least within two.  The errors of
potentials have heavier tails than a normal distribution, which has 95 % there."""
MOST_WIDENED = 2.0
"""A spread is widened at most by this factor for a crystal that is unlike the table: a judgement,
no measurement; families left out of the table need about 1.3."""
PRIOR_ROWS, PRIOR_WIDTH = 2.0, 2.0
"""The prior of unstable crystals: as many as that, off by so many spreads of the others."""
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
    outliers: Outliers

    @classmethod
    def fit(
        cls, features: Floats, errors: Floats, shortfall: Floats, correction: Correction
    ) -> Core:
        """Fit centre, spread and outliers.

        Parameters
        ----------
        features : ndarray, shape (n, d)
        errors, shortfall : ndarray, shape (n,)
        correction
            What the centre may be.
        """
        mean, width = _scales(features)
        scaled = _scaled(features, mean, width)
        typical = float(np.median(np.abs(errors - np.median(errors)))) / 0.6745 or 1e-9
        start = 0.0 if correction == "none" else float(np.median(errors))
        centre = Linear(start, np.zeros(features.shape[1]))
        spread = Linear(float(np.log(typical)), np.zeros(features.shape[1]))
        outliers = Outliers.expected(typical) if shortfall.any() else NO_OUTLIERS
        usual = np.ones(len(errors))
        for _ in range(ITERATIONS):
            std = np.exp(_within(spread(scaled), typical))
            if outliers is not NO_OUTLIERS:
                odd = outliers.responsibility(errors, shortfall, centre(scaled), std)
                outliers = outliers.refitted(errors, shortfall, odd, typical)
                usual = np.maximum(1 - odd, 1e-6)
            residual = (errors - centre(scaled)) / std
            weight = (DEGREES_OF_FREEDOM + 1) / (DEGREES_OF_FREEDOM + residual**2)
            weight = usual * weight * (typical / std) ** 2
            centre = _centre(scaled, errors, weight, correction)
            residual = np.abs(errors - centre(scaled)) / typical
            # The mean of ln|x| of a standard normal x is −0.635.
            logs = np.log(np.maximum(residual, 0.05)) + 0.635 + np.log(typical)
            spread = _ridge(scaled, logs, usual, SPREAD_PENALTY)
        gram = scaled.T @ scaled + CENTRE_PENALTY * np.eye(features.shape[1])
        return cls(
            mean=mean,
            width=width,
            centre=centre,
            spread=Linear(spread.constant, spread.slopes),
            inverse=np.linalg.inv(gram),
            low=float(errors.min()),
            high=float(errors.max()),
            outliers=outliers,
        )

    def __call__(self, features: Floats, shortfall: Floats) -> Mixture:
        """Return the errors expected of crystals, with uncalibrated spreads."""
        scaled = _scaled(features, self.mean, self.width)
        # A line goes on for ever; no error of the table does.
        bias = np.clip(self.centre(scaled), min(self.low, 0.0), max(self.high, 0.0))
        leverage = np.einsum("ni,ij,nj->n", scaled, self.inverse, scaled)
        std = np.exp(_within(self.spread(scaled), self.typical)) * np.sqrt(1 + leverage)
        odd = self.outliers.probability(shortfall)
        whole = np.ones(len(bias))
        return Mixture(bias, std, odd, self.outliers.centre * whole, self.outliers.spread * whole)

    @property
    def typical(self) -> float:
        """Spread of a crystal of average features."""
        return float(np.exp(self.spread.constant))


def _centre(scaled: Floats, errors: Floats, weights: Floats, correction: Correction) -> Linear:
    flat = np.zeros(scaled.shape[1])
    if correction == "none":
        return Linear(0.0, flat)
    if correction == "constant":
        return Linear(float(weights @ errors / weights.sum()), flat)
    return _ridge(scaled, errors, weights, CENTRE_PENALTY)


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
class Beyond:
    """What estimates for unstable crystals are off beyond the fit to all others.

    Parameters
    ----------
    shift
        Its centre.
    variance
        About the centre, added to that of the fit.
    """

    shift: float
    variance: float

    @classmethod
    def of(cls, left: Floats, typical: float) -> Beyond:
        """Learn it from what the fit leaves of unstable crystals.

        Parameters
        ----------
        left : ndarray, shape (k,)
        typical
            Spread of the fit to the others.
        """
        count = len(left)
        shift = float(left.sum()) / (count + 1)
        squares = float(((left - shift) ** 2).sum()) + PRIOR_ROWS * (PRIOR_WIDTH * typical) ** 2
        return cls(shift, squares / (count + PRIOR_ROWS))

    def __call__(self, expected: Mixture) -> Mixture:
        """Return the errors of unstable crystals, from those that stable ones would have."""
        std = np.sqrt(expected.total**2 + self.variance)
        return replace(
            expected, centre=expected.mean + self.shift, std=std, probability=np.zeros(len(std))
        )


@dataclass(frozen=True)
class Estimates:
    """What a table lets expect of first principles' value less the engine's.

    Attributes
    ----------
    bias : ndarray, shape (n,)
        Its mean.
    std : ndarray, shape (n,)
        Standard deviation about the mean.
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
    beyond
        By family, and of all rows under the empty name: what unstable crystals have in addition.
    std_factor, total_factor
        What spreads are multiplied by, so that they hold for families left out.
    known_std
        The part of the errors, typical of the table, that the engine's own error bars tell of.
    likeness
        By family, and of all rows under the empty name: what a crystal must resemble.
    """

    whole: Core
    without: Mapping[str, Core]
    beyond: Mapping[str, Beyond]
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
        unstable: NDArray[np.bool_],
        shortfall: Floats,
    ) -> ErrorModel:
        """Fit and calibrate; correct no more than helps families that are left out.

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
        unstable : ndarray of bool, shape (n,)
            Which values are estimates for crystals that the engine calls unstable.
        shortfall : ndarray, shape (n,)
            How far values are below those of crystals alike; zero where nothing tells.

        Raises
        ------
        ValueError
            When there are too few stable crystals or families of them.
        """
        named = np.array(families)
        distinct = sorted(set(families))
        stable = ~unstable
        of_stable = set(named[stable].tolist())
        if stable.sum() < MIN_ROWS or len(of_stable) < 3:
            raise ValueError(
                f"an error model needs {MIN_ROWS} rows of stable crystals in 3 families, not "
                f"{stable.sum()} in {len(of_stable)}"
            )
        resembled = {"": Likeness.of(likeness, named)}
        for family in distinct:
            rest = named != family
            resembled[family] = Likeness.of(likeness[rest], named[rest])
        least = np.inf
        for tried in CORRECTIONS:
            found = _without_each(features, errors, shortfall, named, unstable, tried)
            loss = float(np.abs(errors - found[1].mean)[stable].mean())
            if loss < WORTH * least:
                least, correction, (without, left_out) = loss, tried, found
        whole = Core.fit(features[stable], errors[stable], shortfall[stable], correction)
        left, beyond = errors - left_out.mean, {}
        for family in ["", *distinct]:
            core = without.get(family, whole)
            beyond[family] = Beyond.of(left[unstable & (named != family)], core.typical)
        judged = _with_unstable(left_out, unstable, named, beyond)
        std_factor = _factor(np.abs(errors - judged.mean) / judged.total)
        total_factor = _factor(np.abs(errors) / judged.half_width(WITHIN_ONE))
        return cls(
            whole=whole,
            without=without,
            beyond=beyond,
            std_factor=std_factor,
            total_factor=total_factor,
            known_std=float(np.median(known_std)),
            likeness=resembled,
        )

    def __call__(
        self,
        features: Floats,
        likeness: Floats,
        known_std: Floats,
        unstable: NDArray[np.bool_],
        shortfall: Floats,
        families: Sequence[str],
    ) -> Estimates:
        """Return the estimates of crystals.

        Parameters
        ----------
        features, likeness, known_std, unstable, shortfall
            As in `fit`, of the crystals that are asked about.
        families
            Of a crystal that is in the table its family, which is then left out: nothing may rest
            on its own reference.  Empty for all others.
        """
        extrapolated = np.zeros(len(features), dtype=bool)
        widening = np.ones(len(features))
        named = np.array(families, dtype=object)
        parts = []
        for family in set(families):
            own = named == family
            core = self.without.get(family, self.whole)
            parts.append((own, core(features[own], shortfall[own])))
            alike = self.likeness.get(family, self.likeness[""])
            widening[own], extrapolated[own] = alike(likeness[own])
        expected = Mixture.joined(parts, len(features))
        judged = _with_unstable(expected, unstable, named, self.beyond).widened(widening)
        std = self.std_factor * judged.total
        total = self.total_factor * judged.half_width(WITHIN_ONE)
        # An error bar as wide as those of the table is in the spread already.
        excess = np.maximum(np.nan_to_num(known_std) ** 2 - self.known_std**2, 0.0)
        return Estimates(
            judged.mean, np.sqrt(std**2 + excess), np.sqrt(total**2 + excess), extrapolated
        )


def _without_each(
    features: Floats,
    errors: Floats,
    shortfall: Floats,
    families: NDArray[Any],
    unstable: NDArray[np.bool_],
    correction: Correction,
) -> tuple[dict[str, Core], Mixture]:
    """Return the fits without each family, and the errors that each expects of its own rows."""
    without: dict[str, Core] = {}
    parts = []
    for family in np.unique(families).tolist():
        own = families == family
        fitted = ~own & ~unstable
        without[family] = Core.fit(features[fitted], errors[fitted], shortfall[fitted], correction)
        parts.append((own, without[family](features[own], shortfall[own])))
    return without, Mixture.joined(parts, len(errors))


def _with_unstable(
    expected: Mixture,
    unstable: NDArray[np.bool_],
    families: NDArray[Any],
    beyond: Mapping[str, Beyond],
) -> Mixture:
    """Return errors in which those of unstable crystals are what is known of such crystals."""
    parts = [(np.ones(len(unstable), dtype=bool), expected)]
    for family in set(families[unstable].tolist()):
        own = unstable & (families == family)
        parts.append((own, beyond.get(family, beyond[""])(expected.where(own))))
    return Mixture.joined(parts, len(unstable))


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


def _factor(ratios: Floats) -> float:
    """Return what spreads must be multiplied by, so that enough errors are within them."""
    one, two = np.quantile(ratios, [WITHIN_ONE, WITHIN_TWO])
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
