"""The loop over triplets of waves, compiled; imported where needed, as numba takes its time."""

from __future__ import annotations

from typing import Any

import numpy as np

from workflows.compiled import compiled


@compiled
def _transform(
    q0: int, q1: int, q2: int, origins: Any, table: Any, phases: Any, starts: Any, full: Any
) -> None:
    """Set `full` to Φ(q0 iα, q1 jβ, q2 kγ), by the sum that is left.

    The atom of the first, the second and the third wave vector is the origin in turn.
    """
    count, bands = len(origins), len(full)
    half = np.empty((count, 9 * bands), dtype=np.complex128)
    full[:] = 0.0
    for turn in range(3):
        first = q1 if turn == 0 else q0
        second = q1 if turn == 2 else q2
        for i in range(count):
            for k in range(count):
                images = slice(starts[k], starts[k + 1])
                half[k] = np.dot(phases[second, i, images], table[first, i, images])
            at = half.reshape((count, 3, bands, 3))
            for k in range(count):
                for a in range(3):
                    for b in range(bands):
                        for c in range(3):
                            value = origins[i] * at[k, a, b, c]
                            own, other = 3 * i + a, 3 * k + c
                            if turn == 0:
                                full[own, b, other] += value
                            elif turn == 1:
                                full[b, own, other] += value
                            else:
                                full[b, other, own] += value


@compiled
def _add_squares(
    times: float,
    delta_sum: Any,
    delta_difference: Any,
    is_zero: Any,
    full: Any,
    vectors: Any,
    frequencies: Any,
    occupations_1: Any,
    occupations_2: Any,
    gamma: Any,
) -> None:
    """Add what a triplet contributes: its matrix elements between modes, squared and weighted."""
    bands = len(full)
    first = np.dot(vectors[0], full.reshape((bands, bands * bands)))
    for l0 in range(bands):
        if frequencies[0][l0] == 0.0 or is_zero[l0].all():
            continue
        second = np.dot(vectors[1], first[l0].reshape((bands, bands)))
        elements = np.dot(second, vectors[2].T)
        for l1 in range(bands):
            for l2 in range(bands):
                product = frequencies[0][l0] * frequencies[1][l1] * frequencies[2][l2]
                if is_zero[l0, l1, l2] or product == 0.0:
                    continue
                element = elements[l1, l2]
                square = times * (element.real**2 + element.imag**2) / product
                u, v = delta_sum[l0, l1, l2], delta_difference[l0, l1, l2]
                for temperature in range(len(gamma)):
                    n1, n2 = occupations_1[l1, temperature], occupations_2[l2, temperature]
                    gamma[temperature, l0] += square * ((n1 + n2 + 1) * u + (n1 - n2) * v)


@compiled
def linewidths(
    triplets: Any,
    times: Any,
    origins: Any,
    delta_sum: Any,
    delta_difference: Any,
    is_zero: Any,
    table: Any,
    phases: Any,
    vectors: Any,
    starts: Any,
    frequencies: Any,
    occupations: Any,
) -> Any:
    """Return what triplets add to the linewidths at their first wave vector, without units.

    Parameters
    ----------
    triplets
        Indices of wave vectors, shape (triplets, 3).
    times
        How many triplets each stands for.
    origins
        A third of the phase that the place of each atom gives, shape (triplets, atoms).
    delta_sum, delta_difference
        Weights of the tetrahedron method, shape (triplets, branches, branches, branches).
    is_zero
        Where both are.
    table, phases, vectors, starts, frequencies, occupations
        See `linewidths._same_for_all_points`.

    Returns
    -------
    ndarray, shape (temperatures, branches)
    """
    bands = frequencies.shape[1]
    gamma = np.zeros((occupations.shape[2], bands))
    full = np.empty((bands, bands, bands), dtype=np.complex128)
    for t in range(len(triplets)):
        q0, q1, q2 = triplets[t]
        _transform(q0, q1, q2, origins[t], table, phases, starts, full)
        _add_squares(
            times[t],
            delta_sum[t],
            delta_difference[t],
            is_zero[t],
            full,
            (vectors[q0], vectors[q1], vectors[q2]),
            (frequencies[q0], frequencies[q1], frequencies[q2]),
            occupations[q1],
            occupations[q2],
            gamma,
        )
    return gamma
