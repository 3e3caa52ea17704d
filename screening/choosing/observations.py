"""What a sampler is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class SearchEndedError(Exception):
    """A sampler cannot go on, whatever the budget: one clause that says why."""


MOST_RESULTS = 3000
"""Results that a prediction rests on: of more, the best third of these and others at random.
The time of a Gaussian process grows with the third power and its memory with the square."""


@dataclass(frozen=True)
class Observations:
    """What the campaign knows about the candidates it has picked so far.

    Attributes
    ----------
    ids : list of str
        The evaluated candidates.
    features : ndarray, shape (n, d)
        Raw; NaN is allowed.
    values : ndarray, shape (n,)
        Objective in its model space, where lower is better.
    value_std : ndarray, shape (n,), optional
        Standard errors of the values.
    infeasible_ids, infeasible_features : list of str and ndarray, shape (k, d)
        Unstable and failed candidates.
    pending_ids, pending_features : list of str and ndarray, shape (p, d)
        Queued or running.
    prior : dict, optional
        What is expected of candidates before anything is computed, by id and in the objective's
        model space: a cheaper engine's value. Candidates without one take what the model makes of
        the others'.
    """

    ids: list[str]
    features: Floats
    values: Floats
    value_std: Floats | None = None
    infeasible_ids: list[str] = field(default_factory=list)
    infeasible_features: Floats | None = None
    pending_ids: list[str] = field(default_factory=list)
    pending_features: Floats | None = None
    prior: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Refuse a value no model can learn from."""
        if not np.isfinite(self.values).all():
            raise ValueError("an observed value is not finite; count the candidate as infeasible")


@dataclass(frozen=True)
class Proposal:
    """One pick, and why it was made.

    Attributes
    ----------
    reason : str
        "space-filling", "prior", "random", or the acquisition function.
    predicted_mean, predicted_std : float or None
        In the objective's model space, as seen before the first pick of the batch.
    acquisition : float or None
        The score that ranked it; higher is better.
    probability_feasible : float or None
    rank : int or None
        1 for the best available candidate by acquisition; later picks of a batch may rank lower,
        because the batch spreads out.
    fitted_on : int
        Number of evaluated candidates the model saw; 0 without a model.
    neighbours : tuple of str
        Ids of the evaluated candidates nearest in the space of features, nearest first.
    """

    candidate_id: str
    reason: str
    predicted_mean: float | None = None
    predicted_std: float | None = None
    acquisition: float | None = None
    probability_feasible: float | None = None
    rank: int | None = None
    fitted_on: int = 0
    neighbours: tuple[str, ...] = ()


def most_telling(values: Floats, limit: int, seed: int) -> NDArray[np.intp]:
    """Return the rows of at most `limit` results: a third the best, the others drawn at random."""
    if len(values) <= limit:
        return np.arange(len(values))
    best_first = np.argsort(values, kind="stable")
    n_best = limit // 3
    others = np.random.default_rng(seed).permutation(best_first[n_best:])
    return np.sort(np.concatenate([best_first[:n_best], others[: limit - n_best]]))
