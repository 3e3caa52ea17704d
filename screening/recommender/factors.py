"""Factorisations of what is known: a truncated one, and one that weighs the known more.

Both fill a matrix of a few dozen rows (elements, or pairs of a cation and an anion) and as many
columns as there are contexts. The truncated one keeps the largest singular vectors. The weighted
one is the alternating least squares of implicit feedback (Hu, Koren and Volinsky, IEEE Int. Conf.
Data Mining 2008, 263), in which a cell that is not known is a weak no.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.recommender.likeness import Incidence

_RIDGE = 0.1
_BATCH = 20_000


def truncated(matrix: NDArray[np.float32], rank: int) -> NDArray[np.float32]:
    """Return the best approximation of a matrix by one of a given rank, shape unchanged."""
    _, vectors = np.linalg.eigh(matrix @ matrix.T.astype(np.float64))
    # The signs of vectors, which differ between machines, cancel.
    largest = vectors[:, ::-1][:, :rank]
    filled: NDArray[np.float32] = (largest @ (largest.T @ matrix)).astype(np.float32)
    return filled


def weighted(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    shape: tuple[int, int],
    *,
    rank: int = 32,
    confidence: float = 8.0,
    sweeps: int = 8,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factors of a matrix of which some cells are known to be one.

    Parameters
    ----------
    rows, columns : ndarray, shape (n_known,)
        The cells.
    shape : tuple of int
        Of the matrix.
    rank
        Columns of the factors.
    confidence
        How much more a known cell counts than another one.
    sweeps
        Times that both factors are fitted.
    seed
        Of the start.

    Returns
    -------
    tuple of ndarray, shapes (shape[0], rank) and (shape[1] + 1, rank)
        The last row of the second one is 0, for columns that are not known.
    """
    generator = np.random.default_rng(seed)
    left = generator.normal(0, 0.1, (shape[0], rank)).astype(np.float32)
    right = np.zeros((shape[1] + 1, rank), dtype=np.float32)
    for _ in range(sweeps):
        right[:-1] = _fitted(left, columns, rows, shape[1], confidence)
        left = _fitted(right, rows, columns, shape[0], confidence)
    return left, right


def _fitted(
    other: NDArray[np.float32],
    mine: NDArray[np.intp],
    theirs: NDArray[np.intp],
    n_mine: int,
    confidence: float,
) -> NDArray[np.float32]:
    """Return one factor for a fixed other one."""
    rank = other.shape[1]
    found = np.zeros((n_mine, rank), dtype=np.float32)
    common = other.T @ other + _RIDGE * np.eye(rank, dtype=np.float32)
    order = np.argsort(mine, kind="stable")
    mine, theirs = mine[order], theirs[order]
    present, starts = np.unique(mine, return_index=True)
    ends = np.append(starts[1:], len(mine))
    for first in range(0, len(present), _BATCH):
        last = min(first + _BATCH, len(present))
        cells = slice(starts[first], ends[last - 1])
        vectors = other[theirs[cells]]
        offsets = starts[first:last] - starts[first]
        sums = np.add.reduceat(vectors, offsets, axis=0)
        squares = np.zeros((last - first, rank, rank), dtype=np.float32)
        for column in range(rank):
            # One column at a time: all products at once would not fit the memory.
            squares[:, column] = np.add.reduceat(
                vectors[:, column : column + 1] * vectors, offsets, axis=0
            )
        systems = common + confidence * squares
        right = ((1 + confidence) * sums)[:, :, None]
        found[present[first:last]] = np.linalg.solve(systems, right)[:, :, 0]
    return found


def pair_cells(found: Incidence) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[int, int]]:
    """Return the cells of an incidence and the shape of its matrix."""
    n_rows = int(found.rows.max()) + 1 if len(found.rows) else 0
    return found.rows, found.columns, (n_rows, len(found.keys))
