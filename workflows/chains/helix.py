"""A regular chain: one unit, and the screw that carries each unit to the next one.

Any regular conformer of a chain of equal units is a helix (C. W. Bunn, Trans. Faraday Soc. 35, 482
(1939)): a unit, a rise along the axis z, and a twist about it.  Planar zigzags have a twist of 0 or
180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TWIST_LENGTH_A = 3.0
"""A turn by an angle counts in `Helix.variables` as its arc at this distance from the axis."""


@dataclass(frozen=True)
class Helix:
    """A unit and its screw.

    Attributes
    ----------
    unit : ndarray of shape (atoms, 3)
        Positions of one unit's atoms, in Å; the axis is z through the origin.
    rise_a : float
        From each unit to the next one, along the axis.
    twist : float
        From each unit to the next one, about the axis, in radians.
    """

    unit: NDArray[np.float64]
    rise_a: float
    twist: float

    @property
    def variables(self) -> NDArray[np.float64]:
        """All in one array, in Å: positions, rise, and the arc of the twist."""
        return np.concatenate([self.unit.ravel(), [self.rise_a, self.twist * TWIST_LENGTH_A]])

    @classmethod
    def of_variables(cls, variables: NDArray[np.float64]) -> Helix:
        """Return the helix that `variables` describes."""
        twist = float(variables[-1]) / TWIST_LENGTH_A
        return cls(variables[:-2].reshape(-1, 3), float(variables[-2]), twist)

    def image(self, place: int) -> NDArray[np.float64]:
        """Return the positions of a unit, shape (atoms, 3); the 0th is `unit`."""
        return self.unit @ turn(place * self.twist).T + [0.0, 0.0, place * self.rise_a]

    def pulled_back(
        self, gradient: NDArray[np.float64], places: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the gradient with respect to `variables`.

        Parameters
        ----------
        gradient : ndarray of shape (images, atoms, 3)
            With respect to the positions of several units' atoms.
        places : ndarray of shape (images,)
            Which units these are.
        """
        cosine, sine = np.cos(places * self.twist), np.sin(places * self.twist)
        g_x, g_y, g_z = np.moveaxis(gradient, 2, 0)
        x, y, _ = self.unit.T
        # Turned back into the frame of the unit itself.
        back_x = cosine[:, None] * g_x + sine[:, None] * g_y
        back_y = cosine[:, None] * g_y - sine[:, None] * g_x
        on_unit = np.stack([back_x.sum(axis=0), back_y.sum(axis=0), g_z.sum(axis=0)], axis=1)
        rise = places @ g_z.sum(axis=1)
        twist = places @ (x * back_y - y * back_x).sum(axis=1)
        return np.concatenate([on_unit.ravel(), [rise, twist / TWIST_LENGTH_A]])

    def rigid_motions(self) -> NDArray[np.float64]:
        """Return orthonormal directions of `variables` that move the chain as a whole.

        Shape (motions, variables): along the axis and about it; without a twist across the axis,
        too.
        """
        motions = [np.tile([0.0, 0.0, 1.0], (len(self.unit), 1))]
        motions.append(np.cross([0.0, 0.0, 1.0], self.unit))
        if abs(np.sin(self.twist / 2)) < 1e-6:
            motions += [np.tile(across, (len(self.unit), 1)) for across in np.eye(3)[:2]]
        rows = np.array([np.concatenate([motion.ravel(), [0.0, 0.0]]) for motion in motions])
        return np.asarray(np.linalg.qr(rows.T)[0].T)


def turn(angle: float) -> NDArray[np.float64]:
    """Return the matrix of a rotation about z, shape (3, 3)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def helix_of_screw(
    unit: NDArray[np.float64], rotation: NDArray[np.float64], shift: NDArray[np.float64]
) -> Helix:
    """Return the helix whose next unit is ``unit @ rotation.T + shift``.

    Parameters
    ----------
    unit : ndarray of shape (atoms, 3)
    rotation : ndarray of shape (3, 3)
    shift : ndarray of shape (3,)
    """
    from scipy.spatial.transform import Rotation

    vector = Rotation.from_matrix(rotation).as_rotvec()
    twist = float(np.linalg.norm(vector))
    if twist < 1e-3:
        axis, twist = shift / np.linalg.norm(shift), 0.0
        point = unit.mean(axis=0)
    else:
        axis = vector / twist
        if axis @ shift < 0:
            axis, twist = -axis, -twist
        across = shift - (axis @ shift) * axis
        # The point of the axis that the screw only moves along it.
        point = 0.5 * (across + np.cross(axis, across) / np.tan(twist / 2))
    frame = _frame(axis)
    moved = (unit - point) @ frame.T
    moved[:, 2] -= moved[:, 2].mean()
    return Helix(moved, float(axis @ shift), twist)


def _frame(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation that brings an axis to z, shape (3, 3)."""
    other = np.eye(3)[np.argmin(np.abs(axis))]
    x = np.cross(other, axis)
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(axis, x), axis])
