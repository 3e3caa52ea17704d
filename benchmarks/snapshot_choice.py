"""How much a chosen snapshot would tell beyond a random one, for the route few-shot.

    python benchmarks/snapshot_choice.py --forces phono3py_params_NaCl-rd.yaml.xz [--candidates 24]

After the first recorded snapshot, random candidates for the second are compared by what they would
tell, which needs no forces: the entropy that the posterior loses, and the variance of third-order
force constants, in units of the prior's, that it loses.  The same for larger displacements.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from few_shot import engine_forces, engine_named, potential_force_constants, read_set

from workflows.lattice_dynamics.few_shot import FewShotModel, PotentialForces
from workflows.lattice_dynamics.few_shot_crystal import random_displacements
from workflows.lattice_dynamics.force_constant_basis import force_constant_basis

AMPLITUDES_A = (0.02, 0.03, 0.045, 0.06)


def main() -> None:
    """Print the gains."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--forces", type=Path, required=True, help="random snapshots with forces")
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--engine", default="sevennet-l3i5", help="potential that is the prior")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    recorded = read_set(options.forces, None)
    if recorded.displacements is None or recorded.forces is None:
        parser.error(f"{options.forces} has no random snapshots")
    basis = force_constant_basis(recorded.model)
    engine = engine_named(options.engine)
    first = recorded.displacements[:1]
    second, third = potential_force_constants(engine, recorded.model)
    potential = PotentialForces(second, third, engine_forces(engine, recorded.model, first))
    model = FewShotModel(basis, first, potential, recorded.model.supercell)
    posterior = model.fit(recorded.forces[:1]).posterior
    noise = posterior.noise_ev_per_a
    atoms, split = len(recorded.model.supercell), basis.second.unknowns

    def white(displacements: np.ndarray) -> np.ndarray:
        """Return the equations of a snapshot in units of the prior's standard deviations."""
        from scipy.linalg import solve_triangular

        orders = (basis.second, basis.third)
        priors = (posterior.prior.second, posterior.prior.third)
        parts = [
            scale * solve_triangular(prior.factor, order.forces(displacements).T, lower=True).T
            for order, prior, scale in zip(orders, priors, posterior.scales, strict=True)
        ]
        return np.hstack(parts)

    known = white(first)

    def removed(equations: np.ndarray) -> float:
        """Return the variance of third order that some equations remove, in prior variances."""
        covariance = equations @ equations.T + noise**2 * np.eye(len(equations))
        factor = np.linalg.cholesky(covariance)
        return float((np.linalg.solve(factor, equations[:, split:]) ** 2).sum())

    def entropy(equations: np.ndarray) -> float:
        """Return half the log-determinant of signal over noise of some equations."""
        signal = equations @ equations.T / noise**2
        return float(0.5 * np.linalg.slogdet(np.eye(len(signal)) + signal)[1])

    base = removed(known), entropy(known)

    def gains(seed: int, amplitude_a: float) -> tuple[float, float]:
        snapshot = random_displacements(atoms, 1, amplitude_a, seed, mirrored=False)
        both = np.vstack([known, white(snapshot)])
        return removed(both) - base[0], entropy(both) - base[1]

    amplitude_a = float(np.linalg.norm(first[0], axis=1).mean())
    found = np.array([gains(seed, amplitude_a) for seed in range(options.candidates)])
    best = found.max(axis=0) / found.mean(axis=0) - 1
    print(
        f"{recorded.name}, {options.candidates} candidates of {amplitude_a:.3f} Å: the best one "
        f"removes {100 * best[0]:.1f} % more of third-order variance than the mean, and "
        f"{100 * best[1]:.1f} % more of entropy"
    )
    for length_a in AMPLITUDES_A:
        ratio = np.array(gains(0, length_a)) / gains(0, amplitude_a)
        print(f"{length_a:.3f} Å: {ratio[0]:.2f} and {ratio[1]:.2f} of it")


if __name__ == "__main__":
    main()
