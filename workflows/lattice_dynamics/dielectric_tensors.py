"""Born charges and ε∞: checked, and carried over from one cell of a crystal to another."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from workflows.documents import DielectricDocument
from workflows.errors import CannotCompute
from workflows.lattice_dynamics.alignment import alignments, relaxed_rotation
from workflows.lattice_dynamics.cells import SYMPREC_A, phonopy_cell, pymatgen_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy.structure.atoms import PhonopyAtoms
    from pymatgen.core import Structure

TOLERANCE = 0.05
"""What symmetry, the charge sum rule and equivalent atoms may be broken by, as a fraction of the
largest component of the tensors.  What is broken by less is averaged away."""


def implausible(document: DielectricDocument) -> str | None:
    """Return what tensors that a source states break beyond `TOLERANCE`, or None."""
    borns, epsilon = _tensors(document)
    largest_e = np.abs(borns).max()
    mean_e = np.abs(borns.mean(axis=0)).max()
    if mean_e > TOLERANCE * largest_e:
        return (
            f"its Born charges do not add up to zero: {mean_e:.2g} e an atom are left over, of "
            f"{largest_e:.2g} e"
        )
    if np.abs(epsilon - epsilon.T).max() > TOLERANCE * np.abs(epsilon).max():
        return "its dielectric tensor is not symmetric"
    lowest = float(np.linalg.eigvalsh((epsilon + epsilon.T) / 2).min())
    # Of crystals that hardly polarise rounding may leave a little less than one.
    if lowest < 1 - TOLERANCE:
        return f"its dielectric tensor has the eigenvalue {lowest:.3g}, which cannot be below 1"
    return None


def in_cell(document: DielectricDocument, cell: Structure) -> DielectricDocument:
    """Return the tensors in the frame of another cell and for its sites, symmetrised.

    Parameters
    ----------
    document
        Of any cell of the crystal: supercell, mirrored, rotated, shifted, sites in any order.
    cell
        Primitive cell.

    Raises
    ------
    CannotCompute
        When the document is of another crystal, its tensors do not have the crystal's symmetry,
        or axes fit in several ways of which each gives other tensors.
    """
    borns, epsilon = symmetrised(document, phonopy_cell(cell))
    return document.model_copy(
        update={
            "structure": cell,
            "born_charges_e": borns.tolist(),
            "dielectric_tensor": epsilon.tolist(),
        }
    )


def relaxed(
    document: DielectricDocument, before: Structure, after: Structure
) -> DielectricDocument:
    """Return tensors of a crystal as those of the relaxed crystal, in its frame.

    A relaxation keeps the basis and the order of sites, so that there is nothing to search for: by
    their lengths alone, axes of a pseudo-cubic crystal could be taken for one another.
    """
    rotation = relaxed_rotation(before, after)
    borns, epsilon = _tensors(document)
    return document.model_copy(
        update={
            "structure": after,
            "born_charges_e": (rotation @ borns @ rotation.T).tolist(),
            "dielectric_tensor": (rotation @ epsilon @ rotation.T).tolist(),
        }
    )


def symmetrised(
    document: DielectricDocument, cell: PhonopyAtoms
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Born charges (atoms, 3, 3) and ε∞ (3, 3) for a primitive cell, symmetrised.

    Charge neutrality is part of the symmetrisation.

    Raises
    ------
    CannotCompute
        As `in_cell` does.
    """
    borns, epsilon = _tensors(document)
    name = document.structure.reduced_formula
    reasons: list[str] = []
    kept: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    seen: list[NDArray[np.float64]] = []
    for alignment in alignments(pymatgen_cell(cell), document.structure):
        turned, turned_epsilon = alignment.turned(borns), alignment.turned(epsilon)
        # Several atoms of a supercell fall on one of the primitive cell.
        mean = np.zeros((len(cell), 3, 3))
        np.add.at(mean, alignment.sites, turned * len(cell) / len(borns))
        both = np.concatenate([mean, turned_epsilon[np.newaxis]])
        if any(np.allclose(both, other, atol=1e-8) for other in seen):
            continue
        seen.append(both)
        averaged, averaged_epsilon = _averaged(mean, turned_epsilon, cell)
        if not _agree(turned - turned.mean(axis=0), averaged[alignment.sites], np.abs(borns).max()):
            reasons.append("its Born charges differ between equivalent atoms or directions")
        elif not _agree(turned_epsilon, averaged_epsilon, np.abs(epsilon).max()):
            reasons.append("its dielectric tensor differs between equivalent directions")
        else:
            kept.append((averaged, averaged_epsilon))
    if not kept:
        raise CannotCompute(
            f"{name}: {reasons[0]} of the crystal by more than {TOLERANCE:.0%}: they are those of "
            "another crystal, setting or order of sites"
        )
    for other in kept[1:]:
        if not all(_agree(a, b, np.abs(b).max()) for a, b in zip(other, kept[0], strict=True)):
            raise CannotCompute(
                f"{name}: its axes can be exchanged without a difference that is beyond the noise "
                "of its cell, but its Born charges or dielectric tensor cannot"
            )
    return kept[0]


def _tensors(document: DielectricDocument) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (
        np.asarray(document.born_charges_e, dtype=float),
        np.asarray(document.dielectric_tensor, dtype=float),
    )


def _averaged(
    borns: NDArray[np.float64], epsilon: NDArray[np.float64], cell: PhonopyAtoms
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    with warnings.catch_warnings():
        # phonopy warns of a broken symmetry in absolute numbers; the caller measures it.
        warnings.simplefilter("ignore", UserWarning)
        return symmetrize_borns_and_epsilon(borns, epsilon, cell, symprec=SYMPREC_A)


def _agree(a: NDArray[np.float64], b: NDArray[np.float64], largest: float) -> bool:
    return bool(np.abs(a - b).max() <= TOLERANCE * largest)
