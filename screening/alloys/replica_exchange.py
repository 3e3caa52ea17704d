"""Replica exchange at temperatures about a change of phase, and where its heat capacity peaks.

A run that passes a change of phase on its way down or up keeps too long what it has.  Here copies
of the supercell at neighbouring temperatures exchange their occupations, so that one that is caught
in a phase at one temperature leaves it at another (K. Hukushima and K. Nemoto, J. Phys. Soc. Jpn.
65, 1604 (1996)).  The energies seen at all temperatures together give the heat capacity between
them (A. M. Ferrenberg and R. H. Swendsen, Phys. Rev. Lett. 63, 1195 (1989)).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K, run
from screening.alloys.supercell import EnergyTerms

Floats = NDArray[np.float64]

REPLICAS, SPACING = 17, 1.028
"""Temperatures, and their ratio: together a quarter below the middle of the ladder to above it."""
BLOCK = 5
"""Sweeps between exchanges."""
MOST_LADDERS = 4
"""Ladders that are tried, each about the peak of the one before."""


def heat_capacity_peak_k(
    terms: EnergyTerms, start: NDArray[np.int64], near_k: float, sweeps: int, seed: int
) -> float:
    """Return the temperature (K) at which the heat capacity is largest.

    Parameters
    ----------
    start
        Occupation with which all copies begin, shape (sites,).
    near_k
        About where; where the peak is at an end of the ladder of temperatures, another ladder is
        set about it.
    sweeps
        At each temperature that count; half as many come before.
    seed
        Of all that is drawn.

    Returns
    -------
    float
        NaN where the last ladder still has the peak at one of its ends.
    """
    for attempt in range(MOST_LADDERS):
        ladder_k = near_k * SPACING ** np.arange(REPLICAS // 2, REPLICAS // 2 - REPLICAS, -1.0)
        energies = _exchange(terms, start, ladder_k, sweeps, seed + 15_485_863 * attempt)
        near_k = peak_k(energies, 1 / (BOLTZMANN_EV_PER_K * ladder_k))
        # Beyond the last but one on either side the heat capacity may still rise.
        if ladder_k[-2] < near_k < ladder_k[1]:
            return near_k
    return math.nan


def _exchange(
    terms: EnergyTerms, start: NDArray[np.int64], ladder_k: Floats, sweeps: int, seed: int
) -> Floats:
    """Return energies of the supercell (eV), shape (temperatures, sweeps)."""
    random = np.random.default_rng(seed)
    inverse = 1 / (BOLTZMANN_EV_PER_K * ladder_k)
    occupations = [start] * len(ladder_k)
    blocks = math.ceil(sweeps / BLOCK)
    kept = np.empty((len(ladder_k), blocks * BLOCK))
    for block in range(-(blocks // 2), blocks):
        last = np.empty(len(ladder_k))
        seeds = random.integers(2**31, size=len(ladder_k))
        for k, temperature_k in enumerate(ladder_k):
            seen = run(terms, occupations[k], float(temperature_k), BLOCK, int(seeds[k]))
            occupations[k], last[k] = seen.occupation, seen.energies_ev[-1]
            if block >= 0:
                kept[k, block * BLOCK : (block + 1) * BLOCK] = seen.energies_ev
        for k in range(block % 2, len(ladder_k) - 1, 2):
            gain = (inverse[k + 1] - inverse[k]) * (last[k + 1] - last[k])
            if gain >= 0 or random.random() < math.exp(gain):
                occupations[k], occupations[k + 1] = occupations[k + 1], occupations[k]
    return kept


def peak_k(energies: Floats, inverse: Floats) -> float:
    """Return where the heat capacity by reweighting is largest, within the temperatures run.

    Parameters
    ----------
    energies
        Of the supercell (eV), shape (temperatures, samples).
    inverse
        Inverse temperatures (1/eV), ascending.
    """
    shift = float(energies.mean())
    pooled = (energies - shift).ravel()
    samples = energies.shape[1]
    # −ln Z of each temperature: what makes its own samples sum to one with the weights they give.
    free = np.concatenate(
        [[0.0], np.cumsum(np.diff(inverse) * (energies.mean(1)[:-1] + energies.mean(1)[1:]) / 2)]
    )
    free -= inverse * shift - inverse[0] * shift
    for _ in range(2000):
        mixture = logsumexp(free[:, None] - inverse[:, None] * pooled, axis=0) + math.log(samples)
        found = np.array([-logsumexp(-each * pooled - mixture) for each in inverse])
        found -= found[0]
        change = float(np.abs(found - free).max())
        free = found
        if change < 1e-6:
            break
    fine = 1 / np.linspace(1 / inverse[0], 1 / inverse[-1], 401)
    capacities = []
    for each in fine:
        weights = -each * pooled - mixture
        weights = np.exp(weights - weights.max())
        mean = weights @ pooled / weights.sum()
        capacities.append(each**2 * float(weights @ (pooled - mean) ** 2 / weights.sum()))
    return float(1 / (BOLTZMANN_EV_PER_K * fine[int(np.argmax(capacities))]))
