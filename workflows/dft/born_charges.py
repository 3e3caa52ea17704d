"""Born charges from as few displacements as a crystal's symmetry allows.

A displacement d of an atom changes the polarisation by Z d.  An operation with the rotation R that
keeps the atom tells what R d does, R Z d, and one that takes the atom to another has the Born
charges of that one, R Z Rᵀ.  Rock salt needs two displacements of six.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.kept_symmetry import cartesian, operations_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Floats = NDArray[np.float64]

LEAST_INDEPENDENT = 0.3
"""Least singular value of unit vectors that are taken to be independent."""


@dataclass(frozen=True)
class AtomOrbit:
    """Atoms that symmetry takes to one another, of one of which the Born charges are computed.

    Attributes
    ----------
    atom : int
        The first of them.
    own : ndarray, shape (n, 3, 3)
        Rotations that keep it, Cartesian.
    to : dict of ndarray, shape (3, 3)
        By atom, a rotation that takes the first one there.
    """

    atom: int
    own: Floats
    to: dict[int, Floats]

    def axes(self) -> list[int]:
        """Return the Cartesian axes along which the first atom is to be displaced."""
        chosen: list[int] = []
        for axis in range(3):
            if self._rank([*chosen, axis]) > self._rank(chosen):
                chosen.append(axis)
        return chosen

    def born_charges(self, changes_e: Mapping[int, Floats]) -> Floats:
        """Return the tensor of the first atom, shape (3, 3): row of polarisation, column of axis.

        Parameters
        ----------
        changes_e : mapping of ndarray, shape (3,)
            Polarisation times volume, for each Å along each of `axes`, in e.
        """
        axes = list(changes_e)
        changes = np.stack([changes_e[axis] for axis in axes], axis=1)
        tensor: Floats = _side_by_side(self.own @ changes) @ np.linalg.pinv(self._images(axes))
        return tensor

    def _images(self, axes: Sequence[int]) -> Floats:
        return _side_by_side(self.own[:, :, list(axes)])

    def _rank(self, axes: Sequence[int]) -> int:
        singular = np.linalg.svd(self._images(axes), compute_uv=False) if axes else np.zeros(0)
        return int((singular > LEAST_INDEPENDENT).sum())


def atom_orbits(structure: Structure) -> list[AtomOrbit]:
    """Return the orbits of a relaxed crystal's atoms, in the order of their first ones."""
    operations = operations_of(structure)
    rotations = cartesian(operations.rotations, structure)
    orbits: list[AtomOrbit] = []
    seen: set[int] = set()
    for atom in range(len(structure)):
        if atom in seen:
            continue
        images = operations.images[:, atom].tolist()
        to = dict(zip(images[::-1], rotations[::-1], strict=True))
        orbits.append(AtomOrbit(atom, rotations[operations.images[:, atom] == atom], to))
        seen |= to.keys()
    return orbits


def of_all_atoms(orbits: Sequence[AtomOrbit], tensors: Sequence[Floats]) -> Floats:
    """Return the Born charges of all atoms, shape (atoms, 3, 3).

    Parameters
    ----------
    tensors : sequence of ndarray, shape (3, 3)
        Of the first atom of each orbit.
    """
    by_atom = {
        atom: rotation @ tensor @ rotation.T
        for orbit, tensor in zip(orbits, tensors, strict=True)
        for atom, rotation in orbit.to.items()
    }
    return np.stack([by_atom[atom] for atom in sorted(by_atom)])


def _side_by_side(matrices: Floats) -> Floats:
    """Return n matrices of shape (3, k) as one, shape (3, n k)."""
    return np.concatenate(list(matrices), axis=1)
