"""Which branch of a run is the stable phase, and where its heat capacity has a peak."""

from __future__ import annotations

import numpy as np
import pytest

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K
from screening.alloys.thermodynamics import Branch, heat_capacity_peak_k, ordered_is_stable

TEMPERATURES_K = np.array([np.inf, 800.0, 600.0, 500.0, 400.0, 300.0, 200.0])


def branch(capacity_k):
    """Return a run with this heat capacity at all temperatures but the infinite one."""
    variance = np.concatenate(
        [[1.0], np.array(capacity_k) * (BOLTZMANN_EV_PER_K * TEMPERATURES_K[1:]) ** 2]
    )
    nothing = np.zeros(len(TEMPERATURES_K))
    return Branch(TEMPERATURES_K, nothing, variance, np.zeros((2, len(TEMPERATURES_K))))


def test_a_peak_between_temperatures_is_found():
    # A parabola of the logarithm in ln T, with its top at 450 K.
    x = np.log(TEMPERATURES_K[1:] / 450.0)
    assert heat_capacity_peak_k(branch(np.exp(-5 * x**2))) == pytest.approx(450.0)


@pytest.mark.parametrize("capacity_k", [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]])
def test_there_is_no_peak_at_an_end_of_the_range(capacity_k):
    assert np.isnan(heat_capacity_peak_k(branch(capacity_k)))


def test_the_stable_phase_has_the_lower_free_energy_mean_over_runs():
    down = np.array([-np.inf, -8.0, -6.0, -5.0, -4.0, -3.0, -2.0])
    # Ordered below 450 K; where both are disordered again, they differ by noise.
    gap = np.array([0.0, -0.001, 0.3, 0.1, -0.1, -0.3, -0.5])
    runs = np.array([down, down, down])
    noise = np.array([[0.15], [-0.15], [0.0]])
    up = np.where(np.isinf(runs), runs, runs + gap + noise)
    # In the first run the free energies cross elsewhere than in the mean.
    assert up[0, 4] > down[4]
    found = ordered_is_stable(runs, up)
    assert found.tolist() == [False, False, False, False, True, True, True]


def test_a_phase_that_never_is_lower_is_never_taken():
    down = np.array([[-np.inf, -8.0, -6.0, -5.0, -4.0, -3.0, -2.0]] * 3)
    assert not ordered_is_stable(down, np.where(np.isinf(down), down, down + 0.1)).any()
