"""Force constants from few forces: a Gaussian prior, its scales by evidence, and the posterior.

The forces on a snapshot are linear in the coordinates of the force constants (see
`force_constant_basis`), so that with a Gaussian prior all is exact linear algebra (C. E. Rasmussen
and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), sections 2.1 and 5.4).  Three
hyperparameters, the scale of the prior for each order and the noise of the forces, are those of
greatest marginal likelihood ("evidence").
"""

from __future__ import annotations

from dataclasses import dataclass
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
MOST_EVALUATIONS = 150
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


class SnapshotEquations:
    """Linear equations second c₂ + third c₃ = right that some snapshots give.

    Parameters
    ----------
    displacements
        Shape (snapshots, atoms, 3), Å: one snapshot is enough.
    """

    def __init__(self, basis: ForceConstantBasis, displacements: NDArray[np.float64]) -> None:
        self.basis = basis
        self.second = basis.second.forces(displacements)
        self.third = basis.third.forces(displacements)
        self.unfittable = 0
        """Equations that no force constants can fit, which are left out."""
        self._orthogonal: NDArray[np.float64] | None = None
        self._parts: dict[tuple[int, int], _Covariance] = {}
        split = self.second.shape[1]
        equations, unknowns = len(self.second), split + self.third.shape[1]
        if equations > unknowns:
            # As many equations as unknowns say the same.
            self._orthogonal, triangular = np.linalg.qr(np.hstack([self.second, self.third]))
            self.second, self.third = triangular[:, :split], triangular[:, split:]
            self.unfittable = equations - unknowns

    def right(self, forces: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return the right-hand side, and the sum of squares of what no force constants can fit."""
        right = self.basis.equations(forces)
        if self._orthogonal is None:
            return right, 0.0
        fitted = self._orthogonal.T @ right
        return fitted, max(float(right @ right - fitted @ fitted), 0.0)

    def covariance(self, prior: Prior) -> _Covariance:
        """Return the covariance that a prior gives the right-hand sides, up to the scales."""
        factors = prior.second.factor, prior.third.factor
        key = id(factors[0]), id(factors[1])
        if key not in self._parts:
            self._parts[key] = _Covariance(self.second, self.third, *factors)
        return self._parts[key]


class _Covariance:
    """Covariance s₂² W Wᵀ + s₃² V diag(λ) Vᵀ + σ² of the right-hand sides, as s₂, s₃ and σ change.

    Decomposed once: the evidence at other hyperparameters then takes a small matrix only (the
    matrix inversion lemma; W has as many columns as there are second-order unknowns).
    """

    def __init__(
        self,
        second: NDArray[np.float64],
        third: NDArray[np.float64],
        second_factor: NDArray[np.float64],
        third_factor: NDArray[np.float64],
    ) -> None:
        from scipy.linalg import solve_triangular

        # Held, so that their identities, by which the covariance is found, stay theirs.
        self._factors = second_factor, third_factor
        white = solve_triangular(third_factor, third.T, lower=True)
        values, self._vectors = np.linalg.eigh(white.T @ white)
        self._values = np.maximum(values, 0.0)
        low_rank = self._vectors.T @ solve_triangular(second_factor, second.T, lower=True).T
        if low_rank.shape[1] > low_rank.shape[0]:
            low_rank = np.asarray(np.linalg.qr(low_rank.T, mode="r")).T
        self._low_rank = low_rank

    def log_density(
        self, rest: NDArray[np.float64], scales: tuple[float, float], noise_ev_per_a: float
    ) -> float:
        """Return the logarithm of the density of right-hand sides with the mean taken off."""
        diagonal, inner, reduced = self._reduced(rest, scales, noise_ev_per_a)
        rotated = self._vectors.T @ rest
        squares = rotated @ (rotated / diagonal) - reduced @ reduced
        logarithms = 0.5 * np.log(diagonal).sum() + np.log(np.diag(inner)).sum()
        return -float(logarithms + 0.5 * squares + 0.5 * len(rest) * np.log(2 * np.pi))

    def solve(
        self, rest: NDArray[np.float64], scales: tuple[float, float], noise_ev_per_a: float
    ) -> NDArray[np.float64]:
        """Return the inverse of the covariance, times a vector."""
        from scipy.linalg import solve_triangular

        diagonal, inner, reduced = self._reduced(rest, scales, noise_ev_per_a)
        back = solve_triangular(inner, reduced, trans="T", lower=True)
        rotated = self._vectors.T @ rest - scales[0] * (self._low_rank @ back)
        return np.asarray(self._vectors @ (rotated / diagonal))

    def _reduced(
        self, rest: NDArray[np.float64], scales: tuple[float, float], noise_ev_per_a: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        from scipy.linalg import solve_triangular

        diagonal = scales[1] ** 2 * self._values + noise_ev_per_a**2
        weighted = scales[0] * self._low_rank / diagonal[:, None]
        inner = scales[0] * self._low_rank.T @ weighted
        inner[np.diag_indices_from(inner)] += 1.0
        factor = np.linalg.cholesky(inner)
        reduced = solve_triangular(factor, weighted.T @ (self._vectors.T @ rest), lower=True)
        return diagonal, factor, reduced


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
    _equations: SnapshotEquations
    _right: NDArray[np.float64]

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
        noise = self.noise_ev_per_a * random.normal(size=len(self._right))
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
        rest = self._right - equations.second @ second - equations.third @ third - noise
        weights = equations.covariance(prior).solve(rest, self.scales, self.noise_ev_per_a)

        def change(
            order: OrderPrior, design: NDArray[np.float64], scale: float
        ) -> NDArray[np.float64]:
            return np.asarray(scale**2 * cho_solve((order.factor, True), design.T @ weights))

        return (
            equations.basis.second.force_constants(
                second + change(prior.second, equations.second, self.scales[0])
            ),
            equations.basis.third.force_constants(
                third + change(prior.third, equations.third, self.scales[1])
            ),
        )


def fit(equations: SnapshotEquations, prior: Prior, forces: NDArray[np.float64]) -> Posterior:
    """Return the posterior of the force constants, hyperparameters by greatest evidence.

    Parameters
    ----------
    forces
        On the snapshots of the equations, shape (snapshots, atoms, 3), eV/Å.
    """
    from scipy.optimize import minimize

    right, unfittable_squares = equations.right(forces)
    rest = right - equations.second @ prior.second.mean - equations.third @ prior.third.mean
    covariance, unfittable = equations.covariance(prior), equations.unfittable

    def loss(logarithms: NDArray[np.float64]) -> float:
        second, third, noise = _hyperparameters(logarithms)
        of_unfittable = (
            unfittable * np.log(noise)
            + 0.5 * unfittable_squares / noise**2
            + 0.5 * unfittable * np.log(2 * np.pi)
        )
        return float(of_unfittable) - covariance.log_density(rest, (second, third), noise)

    def searched() -> Iterator[tuple[float, NDArray[np.float64]]]:
        for start in STARTS:
            origin = np.log(start)
            options = {
                "maxfev": MOST_EVALUATIONS,
                "xatol": 0.01,
                "fatol": 0.01,
                "initial_simplex": origin + np.vstack([np.zeros(3), np.eye(3)]),
            }
            found = minimize(loss, origin, method="Nelder-Mead", options=options)
            yield float(found.fun), found.x

    least, best = min(searched(), key=lambda found: found[0])
    second, third, noise = _hyperparameters(best)
    return Posterior(prior, (second, third), noise, -least, equations, right)


def _hyperparameters(logarithms: NDArray[np.float64]) -> tuple[float, float, float]:
    # The search may wander where the forces say nothing.
    second, third, noise = np.exp(np.clip(logarithms, -12.0, 12.0))
    return float(second), float(third), float(np.hypot(noise, LEAST_NOISE_EV_PER_A))
