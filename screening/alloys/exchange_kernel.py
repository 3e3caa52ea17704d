"""The loop over exchanges, compiled; imported where it is needed, as numba takes its time."""

from __future__ import annotations

from typing import Any

import numpy as np

from workflows.compiled import compiled


@compiled
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


@compiled
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
    """Exchange unlike species, and fill in energies and fractions of unlike neighbours.

    `occupation` and `values` end as the last exchange leaves them.  See `monte_carlo.run`.

    Returns
    -------
    float
        Fraction of the exchanges that were tried.
    """
    np.random.seed(seed)
    n = len(occupation)
    accepted = 0
    for sweep in range(len(energies)):
        for _ in range(n):
            i, j = np.random.randint(n), np.random.randint(n)
            a, b = occupation[i], occupation[j]
            if a == b:
                continue
            change = _change(
                i, b, values, functions, first, factors, own, others, of_others, number
            )
            values[:, i] = functions[:, b]
            change += _change(
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
