"""Canonical Monte Carlo of species on a lattice, with the energy of a cluster expansion.

icet's own (mchammer) takes a few thousand trial exchanges a second with hundreds of clusters; error
bars of an order–disorder temperature take tens of millions.  So the inner loop is compiled here; a
test compares its energies with those of icet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.alloys.supercell import EnergyTerms

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOLTZMANN_EV_PER_K = 8.617333262e-5


@dataclass(frozen=True)
class Sampled:
    """What a run at one temperature has seen; one value a sweep.

    Attributes
    ----------
    energies_ev : ndarray, shape (sweeps,)
        Of the supercell.
    unlike_first, unlike_second : ndarray, shape (sweeps,)
        Fraction of the neighbours in a shell, of all sites, that are another species.
    occupation : ndarray, shape (n,)
        At the end.
    accepted : float
        Fraction of the exchanges that were tried.
    """

    energies_ev: NDArray[np.float64]
    unlike_first: NDArray[np.float64]
    unlike_second: NDArray[np.float64]
    occupation: NDArray[np.int64]
    accepted: float


def run(
    terms: EnergyTerms,
    occupation: NDArray[np.int64],
    temperature_k: float,
    sweeps: int,
    seed: int,
) -> Sampled:
    """Exchange unlike species on random sites, as many tries a sweep as there are sites.

    Parameters
    ----------
    occupation
        Species of each mixed site at the start, shape (n,); left as it is.
    temperature_k
        Infinite takes every exchange.
    """
    from screening.alloys.exchange_kernel import exchange

    occupation = occupation.copy()
    inverse = 0.0 if np.isinf(temperature_k) else 1 / (BOLTZMANN_EV_PER_K * temperature_k)
    energies = np.empty(sweeps)
    unlike = np.empty((2, sweeps))
    accepted = exchange(
        occupation,
        terms.values(occupation),
        terms.functions,
        terms.first,
        terms.factors_ev,
        terms.own,
        terms.others,
        terms.of_others,
        terms.number,
        terms.first_shell,
        terms.second_shell,
        inverse,
        terms.energy_ev(occupation),
        energies,
        unlike,
        seed,
    )
    return Sampled(energies, unlike[0], unlike[1], occupation, accepted)
