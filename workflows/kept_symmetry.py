"""The space group that a relaxation keeps, found so that it never moves a crystal unnoticed.

Symmetry programs fail on some cells, as on strained rhombohedral ones, and ASE's refinement can
then move atoms.  Whatever is found here was checked on the crystal itself; where nothing is, the
crystal relaxes without symmetry, which forces obey by themselves.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from ase.constraints import FixSymmetry

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

_Cell: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]"
"""Lattice vectors, fractional coordinates and atomic numbers, as spglib takes them."""
SYMPREC_A = 1e-3
TOLERANCES_A = (SYMPREC_A, 1e-4, 1e-5)
"""Of the search for symmetry, in the order they are tried: where one finds nothing that holds, the
next may."""
FARTHEST_MOVE_A = 10 * SYMPREC_A
"""Refinement that moves an atom farther has taken the crystal for another."""


@dataclass(frozen=True)
class Operations:
    """Symmetry operations of a cell.

    Attributes
    ----------
    rotations : ndarray
        Shape (operations, 3, 3), integers, in fractional coordinates.
    translations : ndarray
        Shape (operations, 3).
    images : ndarray
        Shape (operations, atoms): where each atom goes.
    """

    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    images: NDArray[np.int64]


class KeptSymmetry(FixSymmetry):
    """ASE's constraint to a space group, of operations that are known.

    Parameters
    ----------
    operations
        Of the cell that is to be relaxed.
    """

    def __init__(self, operations: Operations) -> None:
        self.rotations = operations.rotations
        self.translations = operations.translations
        self.symm_map = operations.images.tolist()
        self.do_adjust_positions = True
        self.do_adjust_cell = True


def keep_symmetry(atoms: Atoms, *, refine: bool) -> Operations | None:
    """Constrain a crystal to its space group; return the operations, None where none were found.

    Parameters
    ----------
    atoms
        Changed: it gets the constraint, and exact symmetry where `refine` is true.
    refine
        Whether the crystal may be moved onto the symmetry it has within the tolerance.  Not a cell
        that was strained on purpose: that one is looked at with the finest tolerance first.
    """
    for symprec_a in TOLERANCES_A if refine else TOLERANCES_A[::-1]:
        exact = _refined(atoms, symprec_a) if refine else atoms
        operations = None if exact is None else _operations(_cell_of(exact), symprec_a)
        if exact is None or operations is None:
            continue
        atoms.set_cell(exact.cell)
        atoms.set_positions(exact.positions)
        atoms.set_constraint(KeptSymmetry(operations))
        return operations
    return None


def operations_of(structure: Structure) -> Operations:
    """Return the symmetry operations of a relaxed crystal; the identity where no search succeeds.

    Whoever uses them does more work with fewer of them, but no wrong one.
    """
    cell = _spglib_cell(structure)
    for symprec_a in TOLERANCES_A:
        operations = _operations(cell, symprec_a)
        if operations is not None:
            return operations
    identity = np.eye(3, dtype=np.int64)[None]
    return Operations(identity, np.zeros((1, 3)), np.arange(len(structure))[None])


def cartesian(rotations: NDArray[np.int64], structure: Structure) -> NDArray[np.float64]:
    """Return rotations in fractional coordinates, shape (n, 3, 3), in Cartesian ones."""
    columns = structure.lattice.matrix.T
    turned: NDArray[np.float64] = columns @ rotations @ np.linalg.inv(columns)
    return turned


def space_group_number(structure: Structure) -> int | None:
    """Return the number of a crystal's space group, None where the search fails."""
    cell = _spglib_cell(structure)
    datasets = (_dataset(cell, symprec_a) for symprec_a in TOLERANCES_A)
    return next((int(dataset.number) for dataset in datasets if dataset is not None), None)


def standard_frame(structure: Structure) -> NDArray[np.float64]:
    """Return the rotation, shape (3, 3), of a crystal into its standard setting.

    The identity where no search succeeds.
    """
    for symprec_a in TOLERANCES_A:
        dataset = symmetry_dataset(structure, symprec_a)
        if dataset is not None:
            left, _, right = np.linalg.svd(np.array(dataset.std_rotation_matrix))
            return np.asarray(left @ right)
    return np.eye(3)


def symmetry_dataset(structure: Structure, symprec_a: float) -> Any:
    """Return what spglib finds of a crystal with one tolerance, None where it finds nothing."""
    return _dataset(_spglib_cell(structure), symprec_a)


def _operations(cell: _Cell, symprec_a: float) -> Operations | None:
    """Return the operations that map a crystal onto itself within a tolerance, or None.

    Each is checked on lattice and atoms: what a failed search left over is not believed.
    """
    dataset = _dataset(cell, symprec_a)
    if dataset is None:
        return None
    lattice, positions, numbers = cell
    rotations, translations = np.array(dataset.rotations), np.array(dataset.translations)
    turned = rotations.transpose(0, 2, 1) @ lattice
    # A change of a length by dl changes its square by 2 l dl.
    allowed = 4 * symprec_a * np.linalg.norm(turned, axis=2).max()
    if np.abs(turned @ turned.transpose(0, 2, 1) - lattice @ lattice.T).max() > allowed:
        return None
    images = []
    for rotation, translation in zip(rotations, translations, strict=True):
        apart = (positions @ rotation.T + translation)[:, None] - positions[None]
        distances_a = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2)
        distances_a[numbers[:, None] != numbers[None]] = np.inf
        nearest = distances_a.argmin(axis=1)
        if len(set(nearest)) < len(numbers) or distances_a.min(axis=1).max() > 4 * symprec_a:
            return None
        images.append(nearest)
    return Operations(rotations, translations, np.array(images))


def _refined(atoms: Atoms, symprec_a: float) -> Atoms | None:
    """Return a crystal with exact symmetry, None where it would become another one."""
    import spglib
    from ase.spacegroup.symmetrize import refine_symmetry

    exact = atoms.copy()
    exact.set_constraint()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            refine_symmetry(exact, symprec_a)
    except (spglib.SpglibError, AttributeError, TypeError, ValueError, AssertionError):
        # spglib's answer where it finds nothing, and ASE's to that.
        return None
    moved = exact.get_scaled_positions(wrap=False) - atoms.get_scaled_positions(wrap=False)
    moved_a = np.abs((moved - np.round(moved)) @ exact.cell.array).max()
    strained_a = np.abs(exact.cell.array - atoms.cell.array).max()
    return exact if max(moved_a, strained_a) <= FARTHEST_MOVE_A else None


def _cell_of(atoms: Atoms) -> _Cell:
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def _spglib_cell(structure: Structure) -> _Cell:
    numbers = np.array([site.specie.Z for site in structure])
    return structure.lattice.matrix, structure.frac_coords, numbers


def _dataset(cell: Any, symprec_a: float) -> Any:
    """Return what spglib finds, None where it finds nothing."""
    import spglib

    with warnings.catch_warnings():
        # spglib announces its coming change of error handling; both ways are handled here.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return spglib.get_symmetry_dataset(cell, symprec=symprec_a)
        except spglib.SpglibError:
            return None
