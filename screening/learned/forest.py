"""A fitted forest as plain arrays: one polymer is answered in a fraction of a millisecond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 2048
"""Entries that go down the trees at a time."""


@dataclass(frozen=True)
class Forest:
    """Trees of two classes, their nodes one after the other.

    Attributes
    ----------
    roots : ndarray of int, shape (n_trees,)
    left, right : ndarray of int, shape (n_nodes,)
        Nodes that follow; a leaf follows itself.
    feature : ndarray of int, shape (n_nodes,)
    threshold : ndarray, shape (n_nodes,)
        What goes left is not above it.
    share : ndarray, shape (n_nodes,)
        Of the second class among those that were learned from.
    depth : int
    """

    roots: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    share: NDArray[np.float64]
    depth: int

    @classmethod
    def of(cls, fitted: Any) -> Forest:
        """Return the forest of a fitted classifier of scikit-learn."""
        trees = [each.tree_ for each in fitted.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]

        def following(name: str) -> NDArray[np.intp]:
            found = []
            for tree, root in zip(trees, roots, strict=True):
                is_leaf = tree.children_left < 0
                own = np.arange(tree.node_count)
                found.append(np.where(is_leaf, own, getattr(tree, name)) + root)
            return np.concatenate(found)

        values = np.concatenate([tree.value[:, 0, :] for tree in trees])
        return cls(
            roots,
            following("children_left"),
            following("children_right"),
            np.maximum(np.concatenate([tree.feature for tree in trees]), 0),
            np.concatenate([tree.threshold for tree in trees]),
            values[:, 1] / values.sum(axis=1),
            max(tree.max_depth for tree in trees),
        )

    def shares(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of the second class, shape (m,), of features (m, d)."""
        # Thresholds are compared in single precision, as scikit-learn does.
        view = features.astype(np.float32)
        found = np.empty(len(view))
        for first in range(0, len(view), ROWS):
            rows = np.arange(first, min(first + ROWS, len(view)))
            node = np.tile(self.roots, (len(rows), 1))
            for _ in range(self.depth):
                goes_left = view[rows[:, None], self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            found[rows] = self.share[node].mean(axis=1)
        return found
