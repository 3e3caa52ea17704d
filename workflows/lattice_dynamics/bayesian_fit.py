"""Force constants from few forces: a Gaussian prior, its scales by evidence, and the posterior.

The forces on a snapshot are linear in the coordinates of the force constants (see
`force_constant_basis`), so that with a Gaussian prior all is exact linear algebra (C. E. Rasmussen
and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), sections 2.1 and 5.4).  Three
hyperparameters, the scale of the prior for each order and the noise of the forces, are those of
greatest marginal likelihood ("evidence").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workflows.lattice_dynamics.force_constant_basis import ForceConstantBasis, OrderBasis

PriorKind = Literal["difference", "shape", "distance"]

LEAST_NOISE_EV_PER_A = 1e-4
"""Noise that the forces are taken to have at least: first principles are not better, and from few
forces the evidence would have no maximum."""
FAR_FRACTION = 0.003
"""Spread of the force constants that a potential takes for zero, as a fraction of the largest."""
DECAY_LENGTH_A = 1.0
"""Distance over which force constants decay by a factor e, where there is no potential."""

STARTS = ((0.2, 0.5, 3e-4), (1.0, 1.0, 3e-4), (1.0, 1.0, 3e-3))
"""Scales and noise (eV/Å) from which the greatest evidence is searched for."""
MOST_EVALUATIONS = 90
"""Of the evidence, from each start."""


@dataclass(frozen=True)
class OrderPrior:
    """Gaussian prior of the coordinates of one order, up to a scale.

    Parameters
    ----------
    mean
        Shape (unknowns,).
    factor
        Lower Cholesky factor L of the precision L Lᵀ at scale one, shape (unknowns, unknowns).
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """What is believed of the force constants before any force is known.

    Parameters
    ----------
    kind
        ``difference``: the potential's force constants, with errors that go with their size;
        ``shape``: zero, with the sizes of the potential's; ``distance``: zero, with sizes that
        decay with the distance of the atoms.
    second, third
        Of each order.
    """

    kind: PriorKind
    second: OrderPrior
    third: OrderPrior


def priors_of_potential(
    basis: ForceConstantBasis,
    second_order: NDArray[np.float64],
    third_order: NDArray[np.float64],
) -> list[Prior]:
    """Return the two priors that a potential's compact force constants give."""
    second = _factor(basis.second, sizes(second_order))
    third = _factor(basis.third, sizes(third_order))
    means = basis.second.coordinates(second_order), basis.third.coordinates(third_order)
    return [
        Prior("difference", OrderPrior(means[0], second), OrderPrior(means[1], third)),
        Prior(
            "shape",
            OrderPrior(np.zeros(basis.second.unknowns), second),
            OrderPrior(np.zeros(basis.third.unknowns), third),
        ),
    ]


def prior_of_distance(
    basis: ForceConstantBasis, distances_a: NDArray[np.float64], typical: tuple[float, float]
) -> Prior:
    """Return the prior that knows no potential: force constants decay with distance.

    Parameters
    ----------
    distances_a
        Of the primitive cell's atoms to all atoms of the supercell, and of these to one another:
        shape (n, atoms, atoms), the largest of the three distances of a triplet; its diagonal
        (i, j, j) is the distance of the pair.
    typical
        Sizes at distance zero, eV/Å² and eV/Å³; the evidence scales them.
    """
    pairs = np.einsum("ijj->ij", distances_a)
    floor = np.exp(-5.0)
    second = typical[0] * np.maximum(np.exp(-pairs / DECAY_LENGTH_A), floor**2)
    third = typical[1] * np.maximum(np.exp(-distances_a / DECAY_LENGTH_A), floor**2)
    return Prior(
        "distance",
        OrderPrior(np.zeros(basis.second.unknowns), _factor(basis.second, second)),
        OrderPrior(np.zeros(basis.third.unknowns), _factor(basis.third, third)),
    )


def sizes(force_constants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square element for each pair or triplet, shape (n, atoms[, atoms]).

    `FAR_FRACTION` of the largest is added in quadrature, for what a potential does not see.
    """
    order = np.ndim(force_constants) // 2
    elements = np.asarray(force_constants).reshape(*np.shape(force_constants)[:order], -1)
    found = np.sqrt((elements**2).mean(axis=-1))
    return np.asarray(np.hypot(found, FAR_FRACTION * found.max()))


def _factor(basis: OrderBasis, spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.cholesky(basis.precision(spread)), dtype=np.float64)


@dataclass(frozen=True)
class Posterior:
    """Force constants as they are believed to be once forces are known.

    Parameters
    ----------
    prior
        What was believed before.
    scales
        Of the prior, for second and third order: of a difference the relative error of the
        potential's force constants, of a shape their size relative to the potential's.
    noise_ev_per_a
        Standard deviation of the part of the forces that the force constants do not explain.
    log_evidence
        Natural logarithm of the marginal likelihood of the forces.
    """

    prior: Prior
    scales: tuple[float, float]
    noise_ev_per_a: float
    log_evidence: float
    _basis: ForceConstantBasis
    _equations: _Equations

    def mean(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean: compact force constants of second and third order, eV/Åᵒʳᵈᵉʳ."""
        return self._corrected(self.prior.second.mean, self.prior.third.mean, 0.0)

    def draw(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return force constants drawn from the posterior, as `mean` does.

        A draw of prior and noise, corrected by what the forces say (Matheron's rule; J. T. Wilson
        et al., J. Mach. Learn. Res. 22, 105 (2021)).
        """
        from scipy.linalg import solve_triangular

        random = np.random.default_rng(seed)
        second, third = (
            prior.mean
            + scale
            * solve_triangular(
                prior.factor, random.normal(size=len(prior.mean)), trans="T", lower=True
            )
            for prior, scale in zip((self.prior.second, self.prior.third), self.scales, strict=True)
        )
        noise = self.noise_ev_per_a * random.normal(size=len(self._equations.right))
        return self._corrected(second, third, noise)

    def _corrected(
        self,
        second: NDArray[np.float64],
        third: NDArray[np.float64],
        noise: NDArray[np.float64] | float,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return force constants of a draw of the prior, corrected by what the forces say."""
        from scipy.linalg import cho_solve

        equations, prior = self._equations, self.prior
        weights = cho_solve((self._factor, True), equations.rest(second, third) - noise)

        def change(
            order: OrderPrior, design: NDArray[np.float64], scale: float
        ) -> NDArray[np.float64]:
            return np.asarray(scale**2 * cho_solve((order.factor, True), design.T @ weights))

        return (
            self._basis.second.force_constants(
                second + change(prior.second, equations.second, self.scales[0])
            ),
            self._basis.third.force_constants(
                third + change(prior.third, equations.third, self.scales[1])
            ),
        )

    @cached_property
    def _factor(self) -> NDArray[np.float64]:
        grams = self._equations.grams(self.prior)
        covariance = _covariance(grams, self.scales, self.noise_ev_per_a)
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def fit(
    basis: ForceConstantBasis,
    prior: Prior,
    displacements: NDArray[np.float64],
    forces: NDArray[np.float64],
) -> Posterior:
    """Return the posterior of the force constants, hyperparameters by greatest evidence.

    Parameters
    ----------
    displacements, forces
        Shape (snapshots, atoms, 3), in Å and eV/Å: one snapshot is enough.
    """
    from scipy.optimize import minimize

    equations = _Equations(
        basis.second.forces(displacements),
        basis.third.forces(displacements),
        basis.equations(forces),
    ).reduced()
    grams = equations.grams(prior)
    rest = equations.rest(prior.second.mean, prior.third.mean)

    def loss(logarithms: NDArray[np.float64]) -> float:
        second, third, noise = _hyperparameters(logarithms)
        return -_log_evidence(grams, rest, (second, third), noise, equations)

    def searched() -> Iterator[tuple[float, NDArray[np.float64]]]:
        for start in STARTS:
            origin = np.log(start)
            simplex = origin + np.vstack([np.zeros(3), np.eye(3)])
            options = {
                "maxfev": MOST_EVALUATIONS,
                "xatol": 0.02,
                "fatol": 0.02,
                "initial_simplex": simplex,
            }
            found = minimize(loss, origin, method="Nelder-Mead", options=options)
            yield float(found.fun), found.x

    least, best = min(searched(), key=lambda found: found[0])
    second, third, noise = _hyperparameters(best)
    return Posterior(prior, (second, third), noise, -least, basis, equations)


def _hyperparameters(logarithms: NDArray[np.float64]) -> tuple[float, float, float]:
    # No scale beyond e¹² times the potential's: the search may wander where the data say nothing.
    second, third, noise = np.exp(np.clip(logarithms, -12.0, 12.0))
    return float(second), float(third), float(np.hypot(noise, LEAST_NOISE_EV_PER_A))


def _log_evidence(
    grams: tuple[NDArray[np.float64], NDArray[np.float64]],
    rest: NDArray[np.float64],
    scales: tuple[float, float],
    noise_ev_per_a: float,
    equations: _Equations,
) -> float:
    from scipy.linalg import solve_triangular

    try:
        factor = np.linalg.cholesky(_covariance(grams, scales, noise_ev_per_a))
    except np.linalg.LinAlgError:  # round-off, at a scale that is far too large
        return -1e300
    white = solve_triangular(factor, rest, lower=True)
    unfittable, squares = equations.unfittable, equations.unfittable_squares
    return -float(
        np.log(np.diag(factor)).sum()
        + 0.5 * white @ white
        + unfittable * np.log(noise_ev_per_a)
        + 0.5 * squares / noise_ev_per_a**2
        + 0.5 * (len(rest) + unfittable) * np.log(2 * np.pi)
    )


def _covariance(
    grams: tuple[NDArray[np.float64], NDArray[np.float64]],
    scales: tuple[float, float],
    noise_ev_per_a: float,
) -> NDArray[np.float64]:
    covariance = scales[0] ** 2 * grams[0] + scales[1] ** 2 * grams[1]
    covariance[np.diag_indices_from(covariance)] += noise_ev_per_a**2
    return covariance


@dataclass(frozen=True)
class _Equations:
    """Linear equations second @ c₂ + third @ c₃ = right, in eV/Å.

    Parameters
    ----------
    second, third
        Shapes (equations, unknowns).
    right
        Shape (equations,).
    unfittable, unfittable_squares
        Equations that no force constants can fit, left out, and the sum of squares of their right
        sides.
    """

    second: NDArray[np.float64]
    third: NDArray[np.float64]
    right: NDArray[np.float64]
    unfittable: int = 0
    unfittable_squares: float = 0.0

    def reduced(self) -> _Equations:
        """Return at most as many equations as unknowns, which say the same."""
        split = self.second.shape[1]
        unknowns = split + self.third.shape[1]
        if len(self.right) <= unknowns:
            return self
        orthogonal, triangular = np.linalg.qr(np.hstack([self.second, self.third]))
        right = orthogonal.T @ self.right
        return _Equations(
            triangular[:, :split],
            triangular[:, split:],
            right,
            len(self.right) - unknowns,
            max(float(self.right @ self.right - right @ right), 0.0),
        )

    def rest(self, second: NDArray[np.float64], third: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what coordinates leave of the right-hand side."""
        return np.asarray(self.right - self.second @ second - self.third @ third)

    def grams(self, prior: Prior) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the covariances of the equations that each order of a prior makes, at scale 1."""
        from scipy.linalg import solve_triangular

        second, third = (
            solve_triangular(order.factor, design.T, lower=True)
            for design, order in ((self.second, prior.second), (self.third, prior.third))
        )
        return second.T @ second, third.T @ third
