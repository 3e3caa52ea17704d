"""The peak of a heat capacity from energies at several temperatures, where it is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K
from screening.alloys.replica_exchange import peak_k

GAP_EV, SYSTEMS = 0.02, 400
PEAK_K = GAP_EV / BOLTZMANN_EV_PER_K / 2.39936
"""Schottky's anomaly: x tanh(x/2) = 2 with x = gap/kT."""


def two_levels(temperatures_k, samples=4000):
    """Return energies of many systems of two levels, drawn at each temperature."""
    generator = np.random.default_rng(0)
    upper = 1 / (1 + np.exp(GAP_EV / (BOLTZMANN_EV_PER_K * temperatures_k)))
    counts = generator.binomial(SYSTEMS, upper[:, None], size=(len(upper), samples))
    # Where energies begin must not matter.
    return GAP_EV * counts - 37.0


def test_the_peak_of_two_levels_lies_between_the_temperatures():
    temperatures_k = PEAK_K * np.geomspace(1.4, 0.7, 9) * 1.03
    inverse = 1 / (BOLTZMANN_EV_PER_K * temperatures_k)
    assert peak_k(two_levels(temperatures_k), inverse) == pytest.approx(PEAK_K, rel=0.02)


@pytest.mark.parametrize(("lowest", "highest", "at"), [(0.3, 0.8, -1), (1.3, 2.0, 0)])
def test_beyond_the_ladder_the_nearest_end_is_named(lowest, highest, at):
    temperatures_k = PEAK_K * np.geomspace(highest, lowest, 7)
    inverse = 1 / (BOLTZMANN_EV_PER_K * temperatures_k)
    end = temperatures_k[0 if at == -1 else -1]
    assert peak_k(two_levels(temperatures_k), inverse) == pytest.approx(end, rel=0.05)
