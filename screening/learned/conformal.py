"""Conformal sets: which answers stay possible at a stated rate of error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERROR_RATE = 0.10
"""Of each class by itself: sets of unseen members of it hold the truth nine times in ten."""


def class_p_values(
    scores: NDArray[np.float64],
    known_scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return how usual each class would be for each entry, shape (m, 2): not, and yes.

    Class-conditional (Mondrian) conformal prediction with scores of members that were left out of
    the fit (V. Vovk et al., Algorithmic Learning in a Random World (2005), sections 4.5 and 4.6).

    Parameters
    ----------
    scores : ndarray, shape (m, 2)
        How well each entry fits each class; higher is better.
    known_scores : ndarray, shape (n, 2)
        The same of labelled entries, each from a model that did not see its series or scaffold.
    labels : ndarray, shape (n,)
        Whether each of them is of the second class.
    weights : ndarray, shape (n,), optional
        What each of them counts, 1 by default; less where a long series would outvote others. An
        entry itself counts as the mean of its class.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    columns = []
    for of_class in (0, 1):
        members = np.flatnonzero(labels == bool(of_class))
        members = members[np.argsort(known_scores[members, of_class])]
        below = np.cumsum([0.0, *weights[members]])
        as_low = np.searchsorted(known_scores[members, of_class], scores[:, of_class], "right")
        own = weights[members].mean()
        columns.append((below[as_low] + own) / (below[-1] + own))
    return np.stack(columns, axis=1)


def conformal_sets(p_values: NDArray[np.float64]) -> list[list[str]]:
    """Return the classes that stay possible, a subset of ``lc`` and ``not-lc`` for each entry."""
    return [
        [name for name, p in (("lc", yes), ("not-lc", no)) if p > ERROR_RATE]
        for no, yes in p_values.tolist()
    ]


def word_of_set(classes: list[str]) -> str:
    """Return a conformal set in one word, for tables and filters."""
    if len(classes) == 2:
        return "either"
    return classes[0] if classes else "neither"
