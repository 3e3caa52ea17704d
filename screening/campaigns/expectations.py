"""What first principles are expected to find where an engine with a table has a result.

The table of the engine's errors is where an expectation starts.  Candidates that a better engine
has computed as well correct it, for themselves and for candidates like them: the difference of two
engines is a Gaussian process (M. C. Kennedy and A. O'Hagan, Biometrika 87, 1 (2000)) whose mean and
standard deviation are the table's, so that a single confirmed candidate is of use, and none is
needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.campaigns.engine_errors import engine_errors
from screening.choosing.feature_scaling import FeatureScaling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from screening.campaigns.engine_errors import EngineError
    from screening.campaigns.snapshot import Snapshot

    Floats = NDArray[np.float64]

Expectations = dict[str, tuple[float, float]]
"""Mean and standard deviation on the objective's model scale, by candidate id."""

SHARED = 0.5
"""Share of the variance of a table's errors that alike candidates have in common; the other half
is each candidate's own.  A judgement: half keeps a single confirmation from moving its neighbours
by more than half of what it moved itself."""
LENGTH = 0.7
"""How far likeness reaches in scaled features, where two random candidates are about √2 apart."""


def expectations(
    snapshot: Snapshot, errors: Mapping[str, EngineError] | None = None
) -> Expectations:
    """Return what first principles are expected to find, for results of the exploring engine.

    Candidates that a better engine has computed have its value, those it has found unstable none.
    Empty where the exploring engine has no table.

    Parameters
    ----------
    errors
        What `engine_errors` returns of the exploring engine, where it is there already.
    """
    errors = engine_errors(snapshot, snapshot.stages[0]) if errors is None else errors
    expected = {key: (error.expected, error.std) for key, error in errors.items()}
    if not expected:
        return {}
    confirmed, refused = _confirmed(snapshot)
    pairs = sorted(expected.keys() & confirmed.keys() & snapshot.pool_features.keys())
    asked = sorted(expected.keys() & snapshot.pool_features.keys())
    if pairs:
        expected |= _conditioned(snapshot, expected, confirmed, pairs, asked)
    expected |= {key: value for key, value in confirmed.items() if key in expected}
    return {key: value for key, value in expected.items() if key not in refused}


def _confirmed(snapshot: Snapshot) -> tuple[Expectations, set[str]]:
    """Return the values of better engines, and the candidates that the best has no value for."""
    objective = snapshot.objective
    values: Expectations = {}
    refused: set[str] = set()
    for stage in sorted(snapshot.stages[1:], key=lambda stage: stage.engine.fidelity):
        own = engine_errors(snapshot, stage)
        for key, result in snapshot.results[stage.engine.name].items():
            values.pop(key, None)
            refused.discard(key)
            if key in own:
                values[key] = own[key].expected, own[key].std
            elif objective.is_usable(result):
                value = float(result[objective.value_field])
                error = objective.std_to_model(value, objective.error_of(result))
                values[key] = objective.to_model(value), error
            else:
                refused.add(key)
    return values, refused


def _conditioned(
    snapshot: Snapshot,
    expected: Expectations,
    confirmed: Expectations,
    pairs: list[str],
    asked: list[str],
) -> Expectations:
    """Return expectations given what a better engine found for some candidates."""
    known = snapshot.pool_features
    pool = np.array(list(known.values()), dtype=float)
    places = FeatureScaling.of(pool)(np.array([known[key] for key in asked], dtype=float))
    mean = np.array([expected[key][0] for key in asked])
    std = np.array([expected[key][1] for key in asked])
    rows = np.array([asked.index(key) for key in pairs])
    squared = ((places[:, None, :] - places[None, rows, :]) ** 2).sum(axis=2)
    likeness = SHARED * np.exp(-squared / (2 * LENGTH**2))
    likeness[rows, np.arange(len(rows))] = 1.0
    across = std[:, None] * std[None, rows] * likeness
    found = np.array([confirmed[key][0] for key in pairs])
    noise = np.array([confirmed[key][1] ** 2 for key in pairs]) + 1e-8
    gain = np.linalg.solve(across[rows] + np.diag(noise), across.T).T
    shifted = mean + gain @ (found - mean[rows])
    left = np.sqrt(np.maximum(std**2 - (gain * across).sum(axis=1), 0.0))
    return {key: (float(shifted[i]), float(left[i])) for i, key in enumerate(asked)}
