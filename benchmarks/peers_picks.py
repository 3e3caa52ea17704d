"""Picks of other programs' optimisers from a table, for `peers.py`; runs in their environment.

    python peers_picks.py physbo|optuna|scikit-optimize TABLE.npz < starts.json > picks.json

The table has `features` and `values` (lower is better).  Every peer sees all features, centred and
of unit variance or between 0 and 1 as its own documentation has it, and picks by its default
model and expected improvement, one at a time, among what is left of the table.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Done = Callable[[list[int]], bool]
MOST = 40
"""Evaluations of PHYSBO, which runs by itself."""


def physbo_picks(table: Any, start: list[int], seed: int, done: Done) -> list[int]:
    """PHYSBO: an isotropic Gaussian kernel, hyperparameters by marginal likelihood.

    They are learnt once, from the start, as its default `interval` has it.
    """
    return _physbo(table, start, seed, done, interval=0)


def physbo_learning(table: Any, start: list[int], seed: int, done: Done) -> list[int]:
    """PHYSBO that learns them at every step: two seconds each."""
    return _physbo(table, start, seed, done, interval=1)


def _physbo(table: Any, start: list[int], seed: int, done: Done, interval: int) -> list[int]:
    import physbo  # type: ignore[import-not-found]

    features, values = table["features"], table["values"]
    centred = physbo.misc.centering(features)
    policy = physbo.search.discrete.Policy(test_X=centred)
    policy.set_seed(seed)
    policy.write(np.array(start), -values[start])
    policy.actions = np.setdiff1d(policy.actions, start)
    policy.bayes_search(
        max_num_probes=MOST - len(start),
        simulator=lambda action: -values[np.ravel(action)],
        score="EI",
        interval=interval,
        is_disp=False,
    )
    picked: list[int] = [int(i) for i in policy.history.chosen_actions[:MOST]]
    first = next((n for n in range(len(start), MOST) if done(picked[:n])), MOST)
    return picked[:first]


def optuna_picks(table: Any, start: list[int], seed: int, done: Done) -> list[int]:
    """optuna's GPSampler; its acquisition function is maximised over the rows that are left."""
    import optuna  # type: ignore[import-not-found]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pool, values = _between_0_and_1(table["features"]), table["values"]
    names = [f"x{i:03d}" for i in range(pool.shape[1])]
    space: Any = {name: optuna.distributions.FloatDistribution(0, 1) for name in names}
    picked: list[int] = []

    class OverPool(optuna.samplers.GPSampler):  # type: ignore[misc]
        def _optimize_acqf(self, acqf: Any, best_params: Any) -> np.ndarray:
            left = np.setdiff1d(np.arange(len(pool)), picked)
            best = left[int(np.argmax(acqf.eval_acqf_no_grad(pool[left])))]
            picked.append(int(best))
            chosen: np.ndarray = pool[best]
            return chosen

    sampler = OverPool(seed=seed, n_startup_trials=len(start), deterministic_objective=True)
    study = optuna.create_study(sampler=sampler)
    for i in start:
        params = dict(zip(names, pool[i].tolist(), strict=True))
        trial = optuna.trial.create_trial(
            params=params, distributions=space, value=float(values[i])
        )
        study.add_trial(trial)
        picked.append(i)
    while not done(picked):
        trial = study.ask(space)
        study.tell(trial, float(values[picked[-1]]))
    return picked


def skopt_picks(table: Any, start: list[int], seed: int, done: Done) -> list[int]:
    """scikit-optimize: the Gaussian process of `gp_minimize`, its score taken over the pool."""
    from skopt.acquisition import gaussian_ei
    from skopt.space import Space
    from skopt.utils import cook_estimator

    pool, values = _between_0_and_1(table["features"]), table["values"]
    space = Space([(0.0, 1.0)] * pool.shape[1])
    picked = list(start)
    while not done(picked):
        model = cook_estimator("GP", space=space, random_state=seed, noise="gaussian")
        model.fit(pool[picked], values[picked])
        left = np.setdiff1d(np.arange(len(pool)), picked)
        score = gaussian_ei(pool[left], model, y_opt=values[picked].min(), xi=0.01)
        picked.append(int(left[int(np.argmax(score))]))
    return picked


def _between_0_and_1(features: np.ndarray) -> np.ndarray:
    low, high = features.min(0), features.max(0)
    scaled: np.ndarray = (features - low) / (high - low)
    return scaled


PEERS = {
    "physbo": physbo_picks,
    "physbo-learning": physbo_learning,
    "optuna": optuna_picks,
    "scikit-optimize": skopt_picks,
}


def main() -> None:
    """Read starts by seed, print picks by seed."""
    peer, file = sys.argv[1:]
    asked = json.load(sys.stdin)
    table = np.load(file)
    best = table["values"].min()

    def done(picked: list[int]) -> bool:
        found = table["values"][picked].min() <= best
        return bool(len(picked) >= (asked["at_least"] if found else asked["at_most"]))

    warnings.simplefilter("ignore")
    for seed, start in enumerate(asked["starts"]):
        print(json.dumps(PEERS[peer](table, start, seed, done)), flush=True)


if __name__ == "__main__":
    main()
