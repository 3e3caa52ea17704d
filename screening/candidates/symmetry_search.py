"""spglib's searches, with None for every way in which it says that it finds nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure


def asked(search: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a function of spglib finds, None where it finds nothing.

    It finds nothing of some strained cells, whatever symmetry they have.
    """
    import spglib

    # It prints to stderr whenever a tolerance does not fit, which callers try out.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    with warnings.catch_warnings():
        # spglib announces its coming change of error handling; both ways are handled here.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return search(*arguments, **options)
        except spglib.SpglibError:
            return None


def symmetry_dataset(cell: Any, symprec_a: float) -> Any:
    """Return spglib's dataset of a cell within a tolerance in Å, None where it finds none.

    Parameters
    ----------
    cell
        Lattice vectors in rows (Å), fractional coordinates, atomic numbers.
    """
    import spglib

    return asked(spglib.get_symmetry_dataset, cell, symprec=symprec_a)


def found_number(structure: Structure, symprec_a: float) -> int | None:
    """Return the number of an ordered crystal's space group, None where the search fails."""
    cell = structure.lattice.matrix, structure.frac_coords, list(structure.atomic_numbers)
    dataset = symmetry_dataset(cell, symprec_a)
    return None if dataset is None else int(dataset.number)
