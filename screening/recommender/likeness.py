"""How alike elements are, learnt from the company they keep in known compositions.

A context is what stands beside an element: the rest of a composition with all coefficients. Two
elements are alike where they are known in the same contexts (cosine of the rows of the matrix
element × context, rare contexts weighing more). No table of properties is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.recommender.compositions import KINDS, N_NUMBERS, Compositions, Keys
from screening.recommender.known import KnownList


@dataclass(frozen=True)
class Likeness:
    """Likeness of elements in one role, from 0 to 1.

    Attributes
    ----------
    cations, anions : ndarray of float32, shape (128, 128)
        By atomic numbers; 1 on the diagonal.
    """

    cations: NDArray[np.float32]
    anions: NDArray[np.float32]


@dataclass(frozen=True)
class Incidence:
    """Which elements are known in which contexts, as pairs of row and column.

    Attributes
    ----------
    keys : ndarray of int64, shape (n_contexts,)
        Ascending.
    rows : ndarray of int, shape (n_known,)
        Atomic numbers.
    columns : ndarray of int, shape (n_known,)
        Indices of `keys`.
    weights : ndarray of float32, shape (n_known,)
        How much each counts.
    """

    keys: Keys
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    weights: NDArray[np.float32]

    def dense(self, row_weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return the matrix element × context."""
        found = np.zeros((N_NUMBERS, len(self.keys) + 1), dtype=np.float32)
        weights = self.weights if row_weights is None else row_weights
        np.add.at(found, (self.rows, self.columns), weights)
        return found

    def columns_of(self, keys: Keys) -> NDArray[np.intp]:
        """Return the columns of some contexts; the one after the last for contexts not known."""
        return positions_in(self.keys, keys)


def positions_in(ascending: Keys, keys: Keys) -> NDArray[np.intp]:
    """Return where keys stand in an ascending array; its length for those that do not."""
    if not len(ascending):
        return np.zeros(len(keys), dtype=np.intp)
    places = np.searchsorted(ascending, keys)
    places[places == len(ascending)] = 0
    return np.where(ascending[places] == keys, places, len(ascending))


def incidence(
    known: Compositions, places: range | list[int], weights: NDArray[np.float32]
) -> Incidence:
    """Return which elements are known at some places, in which contexts."""
    if not len(known):
        none = np.empty(0, dtype=np.intp)
        return Incidence(np.empty(0, np.int64), none, none, np.empty(0, np.float32))
    contexts = np.concatenate([known.contexts(place) for place in places])
    rows = np.concatenate([known.numbers[:, place] for place in places]).astype(np.intp)
    keys, columns = np.unique(contexts, return_inverse=True)
    return Incidence(keys, rows, columns, np.tile(weights, len(places)))


def learnt_likeness(known: KnownList) -> Likeness:
    """Return how alike elements are in compositions of all kinds."""
    roles = []
    for anion in (False, True):
        gram = np.zeros((N_NUMBERS, N_NUMBERS), dtype=np.float64)
        for kind in KINDS:
            compositions, _ = known.of_kind(kind)
            places = [kind - 1] if anion else range(kind - 1)
            found = incidence(compositions, places, np.ones(len(compositions), np.float32))
            gram += _gram(found)
        norm = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
        alike = gram / np.outer(norm, norm)
        np.fill_diagonal(alike, 1.0)
        roles.append(alike.astype(np.float32))
    return Likeness(roles[0], roles[1])


def _gram(found: Incidence) -> NDArray[np.float64]:
    """Return the products of the rows; a context counts less the more elements share it."""
    from scipy.sparse import csr_matrix

    if not len(found.rows):
        return np.zeros((N_NUMBERS, N_NUMBERS))
    sizes = np.bincount(found.columns)[found.columns]
    weights = 1.0 / np.sqrt(np.log1p(sizes))
    shape = (N_NUMBERS, len(found.keys))
    matrix = csr_matrix((weights, (found.rows, found.columns)), shape=shape)
    product: NDArray[np.float64] = (matrix @ matrix.T).toarray()
    return product
