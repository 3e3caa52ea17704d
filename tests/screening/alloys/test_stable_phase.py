"""Which branch of a run is the stable phase, at which temperature."""

from __future__ import annotations

import numpy as np

from screening.alloys.thermodynamics import ordered_is_stable


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
