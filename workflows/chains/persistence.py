"""Persistence length of a chain whose bonds turn and whose pieces between them bend.

A unit is a row of rigid pieces.  At each bond that turns the rest of the chain is rotated about it,
with the weights of a torsion's energy, and between two such bonds by the thermal bending of the
piece.  All are taken as independent, so that averages of products are products of averages: P. J.
Flory, Statistical Mechanics of Chain Molecules (1969), chapter IV, with Boltzmann averages in the
place of rotational isomeric states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.chains.helix import Helix, turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Piece:
    """What follows a bond that turns, up to the next one.

    Attributes
    ----------
    rotation : ndarray of shape (3, 3)
        Mean of the turn about the bond, away from the reference.
    vector : ndarray of shape (3,)
        From this bond to the next one, in the reference conformer, in Å.
    bending : ndarray of shape (3, 3)
        Mean of the rotations by which the piece bends.
    """

    rotation: NDArray[np.float64]
    vector: NDArray[np.float64]
    bending: NDArray[np.float64]


def mean_bending(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of small random rotations, to the second order of their vectors.

    Parameters
    ----------
    covariance : ndarray of shape (3, 3)
        Of the rotation vectors, in rad².
    """
    values, vectors = np.linalg.eigh(covariance)
    # By the other two axes each component is turned away.
    away = 0.5 * (values.sum() - values)
    return np.asarray((vectors * np.exp(-away)) @ vectors.T)


def kuhn_length_a(pieces: Sequence[Piece], helix: Helix) -> float:
    """Return the Kuhn length of the endless chain: ⟨R²⟩ over its length when stretched out.

    Of products of matrices of one unit, [1 2ρ σ; 0 Q r; 0 0 1], the second moment for each unit is
    σ + 2 ρ (1 − Q)⁻¹ r: Flory, chapter IV, equations 31 to 37, without end effects.

    Parameters
    ----------
    pieces
        Of one unit, in the frame of the reference conformer.
    helix
        That conformer.
    """
    moments = np.eye(5)
    for piece in pieces:
        moments = moments @ _moment_matrix(piece.rotation, np.zeros(3))
        moments = moments @ _moment_matrix(piece.bending, piece.vector)
    # The next unit is turned by the screw.
    moments = moments @ _moment_matrix(turn(helix.twist), np.zeros(3))
    row, square = moments[0, 1:4], moments[0, 4]
    correlation, mean = moments[1:4, 1:4], moments[1:4, 4]
    second_moment = square + row @ np.linalg.solve(np.eye(3) - correlation, mean)
    return float(second_moment / helix.rise_a)


def _moment_matrix(
    rotation: NDArray[np.float64], vector: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the generator of a step by a vector, after which the frame is rotated."""
    matrix = np.eye(5)
    matrix[0, 1:4] = 2.0 * vector @ rotation
    matrix[0, 4] = vector @ vector
    matrix[1:4, 1:4] = rotation
    matrix[1:4, 4] = vector
    return matrix
