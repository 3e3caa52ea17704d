"""κ from few first-principles snapshots: which prior the forces prefer, and how sure κ is.

The idea: a potential knows nearly all that decides the force constants of a crystal; first
principles need only correct it.  Each snapshot is a supercell in which every atom is displaced in a
random direction.  The force constants are fitted with the potential's as prior, and the posterior
of the force constants is carried over to κ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.bayesian_fit import (
    Posterior,
    Prior,
    SnapshotEquations,
    fit,
    prior_of_distance,
    priors_of_potential,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy.structure.atoms import PhonopyAtoms

    from workflows.lattice_dynamics.force_constant_basis import ForceConstantBasis

MOST_HIGHER_ORDERS = 0.1
"""Part of a potential's forces that fourth and higher orders may be; more says that its force
constants are not those of its forces, and taking them off would hide second and third order."""
BAR_OF_STD = 1.65
"""Standard deviations of κ over the posterior that make its part of the error bar: nine of ten
values of a Gaussian are within."""
LEAST_RELATIVE_BAR = 0.03
"""Part of the error bar that no number of snapshots makes smaller: κ of hundreds of snapshots still
depends by one or two per cent on what is done with higher orders."""
POSTERIOR_DRAWS = 8
"""Force constants drawn from the posterior, for the error bar of κ."""


@dataclass(frozen=True)
class PotentialForces:
    """What a potential says of the crystal at the first-principles lattice.

    Parameters
    ----------
    second_order, third_order
        Its compact force constants, of the supercell that the snapshots displace.
    forces
        Its forces on the snapshots less those on the undisplaced supercell, shape (snapshots,
        atoms, 3), eV/Å.
    larger_second_order
        Its compact force constants of the supercell of harmonic phonons, where that is larger.
    """

    second_order: NDArray[np.float64]
    third_order: NDArray[np.float64]
    forces: NDArray[np.float64]
    larger_second_order: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class FewShotFit:
    """The fit of the prior that the forces prefer.

    Parameters
    ----------
    posterior
        Of that prior.
    higher_orders
        Whether the forces of fourth and higher order were taken from the potential; else they
        count as noise.
    log_evidences
        Of all fits that were compared, by name: the kind of the prior, and ``+ higher orders``
        where those of the potential were taken off.
    """

    posterior: Posterior
    higher_orders: bool
    log_evidences: dict[str, float]


class FewShotModel:
    """Fits force constants to the first snapshots of a crystal, as many as there are.

    Parameters
    ----------
    basis
        Of the supercell.
    displacements
        Of all snapshots that there may be, shape (snapshots, atoms, 3), Å.
    potential
        None where no potential takes the elements.
    supercell
        Gives the distances of a prior without a potential.
    """

    def __init__(
        self,
        basis: ForceConstantBasis,
        displacements: NDArray[np.float64],
        potential: PotentialForces | None,
        supercell: PhonopyAtoms,
    ) -> None:
        self.basis = basis
        self._displacements = displacements
        self._priors: list[Prior]
        self._higher: NDArray[np.float64] | None = None
        if potential is None:
            self._priors = [
                prior_of_distance(basis, triplet_distances_a(basis, supercell), (1.0, 1.0))
            ]
        else:
            self._priors = priors_of_potential(basis, potential.second_order, potential.third_order)
            known = self._priors[0]
            expected = basis.forces(displacements, known.second.mean, known.third.mean)
            higher = potential.forces - expected
            if _rms(higher) < MOST_HIGHER_ORDERS * _rms(potential.forces):
                self._higher = higher

    def fit(
        self, forces: NDArray[np.float64], snapshots: Sequence[int] | None = None
    ) -> FewShotFit:
        """Return the fit of greatest evidence to the forces on some snapshots.

        Parameters
        ----------
        forces
            Of first principles, less those on the undisplaced supercell, shape (snapshots, atoms,
            3), eV/Å.
        snapshots
            Which ones `forces` are of; None: the first ones.
        """
        chosen = np.arange(len(forces)) if snapshots is None else np.asarray(snapshots)
        equations = SnapshotEquations(self.basis, self._displacements[chosen])
        fits = []
        for prior in self._priors:
            fits.append((prior.kind, False, fit(equations, prior, forces)))
            if self._higher is not None:
                rest = forces - self._higher[chosen]
                fits.append((prior.kind, True, fit(equations, prior, rest)))
        _, higher_orders, best = max(fits, key=lambda each: each[2].log_evidence)
        evidences = {
            f"{kind} + higher orders" if higher else kind: found.log_evidence
            for kind, higher, found in fits
        }
        return FewShotFit(best, higher_orders, evidences)

    def expected(
        self, forces: NDArray[np.float64], snapshots: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return the forces expected on some snapshots, from the forces on the first ones.

        Parameters
        ----------
        forces
            Shape (first snapshots, atoms, 3); with none, the prior's mean speaks.
        """
        chosen = np.asarray(snapshots)
        displacements = self._displacements[chosen]
        if len(forces):
            found = self.fit(forces)
            second, third = found.posterior.mean()
            higher = found.higher_orders
            coordinates = self.basis.second.coordinates(second), self.basis.third.coordinates(third)
        else:
            prior = self._priors[0]
            higher = self._higher is not None
            coordinates = prior.second.mean, prior.third.mean
        expected = self.basis.forces(displacements, *coordinates)
        return expected + self._higher[chosen] if higher and self._higher is not None else expected


@dataclass(frozen=True)
class KappaPosterior:
    """κ of the force constants believed most, and how far draws of the posterior are from it.

    Parameters
    ----------
    kappa_w_per_m_k
        Of the mean of the force constants.
    std_w_per_m_k
        Standard deviation of κ over the draws.
    shift_w_per_m_k
        Mean of κ over the draws, less `kappa_w_per_m_k`: negative, because errors of third-order
        force constants scatter phonons.  It is large where they are not yet known well.
    """

    kappa_w_per_m_k: float
    std_w_per_m_k: float
    shift_w_per_m_k: float

    @property
    def error_bar_w_per_m_k(self) -> float:
        """Error bar that is meant to cover the truth in at least nine of ten cases."""
        kappa = self.kappa_w_per_m_k
        return kappa * relative_bar(self.std_w_per_m_k / kappa, self.shift_w_per_m_k / kappa)


def relative_bar(relative_std: float, relative_shift: float) -> float:
    """Return the error bar of κ over κ, from spread and shift over draws of the posterior."""
    return math.hypot(BAR_OF_STD * relative_std, relative_shift, LEAST_RELATIVE_BAR)


def kappa_posterior(
    posterior: Posterior,
    kappa: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    draws: int = POSTERIOR_DRAWS,
) -> KappaPosterior:
    """Return κ and its spread over draws of the posterior.

    Parameters
    ----------
    kappa
        Returns κ in W/m/K of compact second- and third-order force constants.
    draws
        How many; their seeds are 0, 1, 2, …
    """
    value = kappa(*posterior.mean())
    drawn = np.array([kappa(*posterior.draw(seed)) for seed in range(draws)])
    return KappaPosterior(value, float(drawn.std(ddof=1)), float(drawn.mean() - value))


def triplet_distances_a(basis: ForceConstantBasis, supercell: PhonopyAtoms) -> NDArray[np.float64]:
    """Return the largest distance within each triplet of atoms, shape (n, atoms, atoms), Å."""
    from pymatgen.core import Lattice

    positions = supercell.scaled_positions
    apart = Lattice(supercell.cell).get_all_distances(positions, positions)
    from_first = apart[basis.second.primitive_atoms]
    return np.asarray(
        np.maximum(np.maximum(from_first[:, :, None], from_first[:, None, :]), apart[None])
    )


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
