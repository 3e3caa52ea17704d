"""The lower convex hull of energies over compositions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.choosing.observations import Floats

NEGLIGIBLE = 1e-9
"""Differences of compositions that are rounding."""


def hull_energies(compositions: Floats, energies: Floats, asked: Floats) -> Floats:
    """Return the energy of the lower convex hull at compositions.

    Parameters
    ----------
    compositions : ndarray, shape (n, d)
        Independent concentrations of the structures whose energies are known.
    energies : ndarray, shape (n,)
    asked : ndarray, shape (m, d)

    Returns
    -------
    ndarray, shape (m,)
        NaN beyond the compositions that are known.
    """
    axes, origin = _spanned(compositions)
    known, wanted = (compositions - origin) @ axes.T, (asked - origin) @ axes.T
    off = np.linalg.norm((asked - origin) - wanted @ axes, axis=1) > 1e-6
    if not len(axes):
        found = np.full(len(asked), energies.min())
    elif len(axes) == 1:
        found = _of_one_axis(known[:, 0], energies, wanted[:, 0])
    else:
        found = _of_more(known, energies, wanted)
    found[off] = np.nan
    return found


def _spanned(compositions: Floats) -> tuple[Floats, Floats]:
    """Return orthonormal axes of the space that compositions span, and a point of it."""
    origin = compositions[0]
    if not compositions.shape[1]:
        return np.empty((0, 0)), origin
    _, sizes, axes = np.linalg.svd(compositions - origin, full_matrices=False)
    return axes[sizes > NEGLIGIBLE * max(1, len(compositions))], origin


def _of_one_axis(known: Floats, energies: Floats, wanted: Floats) -> Floats:
    order = np.lexsort((energies, known))
    corners: list[tuple[float, float]] = []
    for place, energy in zip(known[order].tolist(), energies[order].tolist(), strict=True):
        if corners and place - corners[-1][0] < NEGLIGIBLE:
            continue
        while len(corners) > 1:
            (x0, e0), (x1, e1) = corners[-2:]
            if (e1 - e0) * (place - x0) < (energy - e0) * (x1 - x0):
                break
            corners.pop()
        corners.append((place, energy))
    places, heights = np.array(corners).T
    inside = (wanted >= places[0] - NEGLIGIBLE) & (wanted <= places[-1] + NEGLIGIBLE)
    return np.where(inside, np.interp(wanted, places, heights), np.nan)


def _of_more(known: Floats, energies: Floats, wanted: Floats) -> Floats:
    from scipy.spatial import ConvexHull, Delaunay

    # A lid, so that points in one plane have a hull, too.
    top = 2 * np.ptp(energies) + 1.0 + energies.max()
    points = np.vstack(
        [np.column_stack([known, energies]), np.column_stack([known, np.full(len(known), top)])]
    )
    equations = ConvexHull(points).equations
    lower = equations[equations[:, -2] < -NEGLIGIBLE]
    # A convex function is the highest of the planes below it.
    planes = -(wanted @ lower[:, :-2].T + lower[:, -1]) / lower[:, -2]
    inside: NDArray[np.bool_] = Delaunay(known).find_simplex(wanted, tol=1e-9) >= 0
    return np.where(inside, planes.max(axis=1), np.nan)
