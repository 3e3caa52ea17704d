"""Canonical Monte Carlo of species on a lattice, with the energy of a cluster expansion.

icet's own (mchammer) takes a few thousand trial exchanges a second with hundreds of clusters; error
bars of an order–disorder temperature take tens of millions.  So the inner loop is compiled here; a
test compares its energies with those of icet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.alloys.supercell import EnergyTerms
from workflows.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

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
    occupation = occupation.copy()
    inverse = 0.0 if np.isinf(temperature_k) else 1 / (BOLTZMANN_EV_PER_K * temperature_k)
    energies = np.empty(sweeps)
    unlike = np.empty((2, sweeps))
    accepted = _compiled()(
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


@cache
def _compiled() -> Callable[..., float]:
    change_of = compiled(_change)

    def exchange(
        occupation: Any,
        values: Any,
        functions: Any,
        first: Any,
        factors: Any,
        own: Any,
        others: Any,
        of_others: Any,
        number: Any,
        first_shell: Any,
        second_shell: Any,
        inverse: float,
        energy: float,
        energies: Any,
        unlike: Any,
        seed: int,
    ) -> float:
        np.random.seed(seed)
        n = len(occupation)
        accepted = 0
        for sweep in range(len(energies)):
            for _ in range(n):
                i, j = np.random.randint(n), np.random.randint(n)
                a, b = occupation[i], occupation[j]
                if a == b:
                    continue
                change = change_of(
                    i, b, values, functions, first, factors, own, others, of_others, number
                )
                values[:, i] = functions[:, b]
                change += change_of(
                    j, a, values, functions, first, factors, own, others, of_others, number
                )
                if change <= 0 or np.random.random() < np.exp(-inverse * change):
                    values[:, j] = functions[:, a]
                    occupation[i], occupation[j] = b, a
                    energy += change
                    accepted += 1
                else:
                    values[:, i] = functions[:, a]
            energies[sweep] = energy
            for shell, neighbours in enumerate((first_shell, second_shell)):
                count = 0
                for i in range(n):
                    for k in neighbours[i]:
                        count += occupation[k] != occupation[i]
                unlike[shell, sweep] = count / neighbours.size
        return accepted / (n * len(energies))

    return compiled(exchange)


def _change(
    site: int,
    species: int,
    values: Any,
    functions: Any,
    first: Any,
    factors: Any,
    own: Any,
    others: Any,
    of_others: Any,
    number: Any,
) -> float:
    """Return the change of energy when a site takes another species."""
    change = 0.0
    for t in range(first[site], first[site + 1]):
        f = own[t]
        product = factors[t] * (functions[f, species] - values[f, site])
        for k in range(number[t]):
            product *= values[of_others[t, k], others[t, k]]
        change += product
    return change
