"""Minima of the energy of a regular chain whose twist is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.chains.helix import Helix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflows.chains.energy import ChainEnergy

LEAST_CURVATURE_EV_PER_A2 = 1e-3
LARGEST_STEP_A = 0.5


def loosely_relaxed(
    energy: ChainEnergy, start: Helix, tension_ev_per_a: float, max_steps: int, *, twists: bool
) -> Helix:
    """Return a helix of low energy near another one, under a tension along its axis.

    Parameters
    ----------
    tension_ev_per_a
        0.624 is a nanonewton.
    max_steps
        After so many steps the last helix is returned.
    twists
        Whether the twist is free.
    """
    from scipy.optimize import minimize

    def loss(variables: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = energy(Helix.of_variables(variables))
        gradient[-2] -= tension_ev_per_a
        if not twists:
            gradient[-1] = 0.0
        return value - tension_ev_per_a * variables[-2], gradient

    found = minimize(
        loss,
        start.variables,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_steps, "maxcor": 30, "ftol": 1e-12, "gtol": 1e-3},
    )
    return Helix.of_variables(found.x)


def minimum(
    energy: ChainEnergy,
    start: Helix,
    hessian: NDArray[np.float64],
    force_tolerance_ev_per_a: float,
    max_steps: int,
) -> Helix | None:
    """Return the minimum of energy near a helix of the same twist; None where it is not reached.

    Steps of Newton's method within a trust radius, with the Hessian brought up to date from
    gradients (BFGS) and its eigenvalues made positive (J. Nocedal and S. J. Wright, Numerical
    Optimization, 2nd ed., chapters 4 and 6).

    Parameters
    ----------
    hessian
        At the start, or of a similar engine, with respect to the variables; eV/Å².
    """
    curvature = hessian[:-1, :-1].copy()
    rigid = start.rigid_motions()[:, :-1]
    stiffened = rigid.T @ rigid
    variables = start.variables
    value, gradient = energy(start)
    radius = LARGEST_STEP_A / 2
    for _ in range(max_steps):
        slope = gradient[:-1]
        if abs(slope).max() < force_tolerance_ev_per_a:
            return Helix.of_variables(variables)
        step = _step(curvature, stiffened, slope, radius)
        moved = variables.copy()
        moved[:-1] += step
        new_value, new_gradient = energy(Helix.of_variables(moved))
        change = new_gradient[:-1] - slope
        expected = slope @ step + 0.5 * step @ curvature @ step
        gain = (new_value - value) / expected if expected < 0 else 0.0
        length = float(np.linalg.norm(step))
        if step @ change > 1e-8 * length**2:
            bent = curvature @ step
            curvature += np.outer(change, change) / (step @ change)
            curvature -= np.outer(bent, bent) / (step @ bent)
        if gain > 0.75:
            radius = min(LARGEST_STEP_A, 2 * radius)
        elif gain < 0.25:
            radius = max(0.25 * length, 1e-4)
        # Near the minimum energies differ by less than their noise, and gradients by more.
        if new_value <= value + 1e-6:
            variables, value, gradient = moved, new_value, new_gradient
    return None


def _step(
    curvature: NDArray[np.float64],
    stiffened: NDArray[np.float64],
    slope: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """Return the step to the minimum of a quadratic model within a radius.

    Parameters
    ----------
    stiffened
        Added to the curvature, so that it has no rigid motions.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        newton = -cho_solve(cho_factor(curvature + stiffened), slope)
    except LinAlgError:
        pass
    else:
        if np.linalg.norm(newton) <= radius:
            return np.asarray(newton)
    values, vectors = np.linalg.eigh(curvature)
    stiff = np.maximum(abs(values), LEAST_CURVATURE_EV_PER_A2)
    along = vectors.T @ slope
    low, high = 0.0, 1e3
    if np.linalg.norm(along / stiff) > radius:
        for _ in range(50):
            shift = 0.5 * (low + high)
            if np.linalg.norm(along / (stiff + shift)) > radius:
                low = shift
            else:
                high = shift
        stiff = stiff + high
    return np.asarray(-(vectors @ (along / stiff)))
