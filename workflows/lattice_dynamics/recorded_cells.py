"""Displaced supercells with their forces, read back from a phono3py parameter file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from workflows.lattice_dynamics.cells import SYMPREC_A, pymatgen_cell
from workflows.lattice_dynamics.parameter_files import phono3py_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pymatgen.core import Structure


@dataclass(frozen=True)
class RecordedCell:
    """A supercell with displaced atoms, and the forces that an engine computed for it.

    Attributes
    ----------
    structure : Structure
    forces_ev_per_a : ndarray, shape (atoms, 3)
    displaced_atoms : int
        How many of its atoms are displaced.
    """

    structure: Structure
    forces_ev_per_a: NDArray[np.float64]
    displaced_atoms: int


def recorded_cells(params: str | os.PathLike[str] | TextIO) -> list[RecordedCell]:
    """Return the displaced supercells of a parameter file that have forces.

    Those of third-order force constants first, then those of harmonic phonons where they have
    supercells of their own.  Cells that a cut-off left out, and so were not computed, are not
    among them.

    Parameters
    ----------
    params
        phono3py parameter file, as a path or an open file.

    Raises
    ------
    ValueError
        When it is no YAML of plain values.
    """
    from phono3py import Phono3py

    record = phono3py_record(params)
    model = Phono3py(
        record.unitcell,
        supercell_matrix=record.supercell_matrix,
        phonon_supercell_matrix=record.phonon_supercell_matrix,
        primitive_matrix=record.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
    found: list[RecordedCell] = []
    if record.dataset is not None:
        model.dataset = record.dataset
        found += _cells(model.supercell, model.supercells_with_displacements, model.forces)
    if record.phonon_dataset is not None and record.phonon_supercell_matrix is not None:
        model.phonon_dataset = record.phonon_dataset
        found += _cells(
            model.phonon_supercell,
            model.phonon_supercells_with_displacements,
            model.phonon_forces,
        )
    return found


def _cells(perfect: Any, displaced: Any, forces: Any) -> Iterator[RecordedCell]:
    if displaced is None or forces is None:
        return
    for cell, force in zip(displaced, forces, strict=True):
        if cell is None:
            continue
        moved = np.abs(cell.positions - perfect.positions).max(axis=1) > 1e-8
        yield RecordedCell(
            pymatgen_cell(cell), np.asarray(force, dtype=np.float64), int(moved.sum())
        )
