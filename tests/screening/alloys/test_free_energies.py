"""Where the free energies of two phases cross, continued from where each was seen."""

from __future__ import annotations

import math

import pytest

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K
from screening.alloys.thermodynamics import _Continued, _crossing_k

TRUE_K = 300.0
DISORDERED_EV, ORDERED_EV = -1.0, -4.0


def branch(temperature_k, energy_ev, variance_ev2=0.0):
    """Return a phase whose reduced free energy has one value at `TRUE_K` for both phases."""
    away = 1 / (BOLTZMANN_EV_PER_K * temperature_k) - 1 / (BOLTZMANN_EV_PER_K * TRUE_K)
    reduced = energy_ev * away - variance_ev2 * away**2 / 2
    return _Continued(
        1 / (BOLTZMANN_EV_PER_K * temperature_k),
        reduced,
        energy_ev - variance_ev2 * away,
        variance_ev2,
    )


@pytest.mark.parametrize("variances", [(0.0, 0.0), (0.3, 0.1), (0.05, 0.4)])
def test_the_crossing_is_found(variances):
    above = branch(1.06 * TRUE_K, DISORDERED_EV, variances[0])
    below = branch(0.94 * TRUE_K, ORDERED_EV, variances[1])
    assert _crossing_k(above, below, curved=True) == pytest.approx(TRUE_K, rel=1e-4)


@pytest.mark.parametrize("curved", [True, False])
@pytest.mark.parametrize(("highest", "lowest"), [(0.9, 0.8), (1.2, 1.1)])
def test_no_temperature_is_given_for_a_crossing_elsewhere(highest, lowest, curved):
    above = branch(highest * TRUE_K, DISORDERED_EV)
    below = branch(lowest * TRUE_K, ORDERED_EV)
    assert math.isnan(_crossing_k(above, below, curved=curved))


def test_curves_that_cross_twice_say_nothing_and_their_tangents_something():
    above, below = branch(1.06 * TRUE_K, DISORDERED_EV), branch(0.94 * TRUE_K, ORDERED_EV, 60.0)
    assert math.isnan(_crossing_k(above, below, curved=True))
    assert 0.94 * TRUE_K < _crossing_k(above, below, curved=False) < 1.06 * TRUE_K
