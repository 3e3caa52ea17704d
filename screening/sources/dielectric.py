"""Born charges and dielectric tensors that a source states beside a crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

SAME_PLACE_A = 0.02
"""A site of a CIF lies where the file says, within the digits that it states."""


def known_dielectric(
    structure: Structure,
    born_charges_e: Any,
    dielectric_tensor: Any,
    source: str,
    cif: str | None = None,
) -> dict[str, Any]:
    """Return the tensors with the cell that they belong to.

    Parameters
    ----------
    structure : Structure
        The entry's cell, primitive or not.
    born_charges_e : array-like, shape (sites, 3, 3)
        In the order of the entry's sites and its Cartesian frame, first index the polarisation.
    dielectric_tensor : array-like, shape (3, 3)
        Electronic part, ε∞.
    source : str
        Where they are from.
    cif : str, optional
        Text that `structure` was read from, where it was: readers sort the sites of a CIF, and the
        charges follow the order of the text.

    Returns
    -------
    dict
        Fields of `workflows.documents.DielectricDocument`.

    Raises
    ------
    ValueError
        When a tensor has another shape or holds what is no number, or a CIF does not list every
        site.
    """
    charges = np.asarray(born_charges_e, dtype=float)
    epsilon = np.asarray(dielectric_tensor, dtype=float)
    if charges.shape != (len(structure), 3, 3) or not np.isfinite(charges).all():
        raise ValueError(f"born_charges_e must be {len(structure)} tensors of 3×3 numbers")
    if epsilon.shape != (3, 3) or not np.isfinite(epsilon).all():
        raise ValueError("dielectric_tensor must be 3×3 numbers")
    if cif is not None:
        charges = charges[_rows_of_cif(structure, cif)]
    bare = structure.copy()
    bare.remove_oxidation_states()
    bare.properties.clear()
    for name in list(bare.site_properties):
        bare.remove_site_property(name)
    return {
        "structure": bare.as_dict(verbosity=0),
        "born_charges_e": charges.tolist(),
        "dielectric_tensor": epsilon.tolist(),
        "source": source,
    }


def _rows_of_cif(structure: Structure, cif: str) -> list[int]:
    """Return for each site its row in the list of atoms of the CIF that it was read from."""
    from pymatgen.io.cif import CifFile, str2float

    wanted = [f"_atom_site_fract_{axis}" for axis in "xyz"]
    blocks = CifFile.from_str(cif).data.values()
    block = next((block for block in blocks if all(tag in block.data for tag in wanted)), None)
    rows = [] if block is None else zip(*(block.data[tag] for tag in wanted), strict=True)
    places = np.array([[str2float(text) for text in row] for row in rows]).reshape(-1, 3)
    found: list[int] = []
    for site in structure:
        apart = places - site.frac_coords
        distances_a = np.linalg.norm((apart - np.rint(apart)) @ structure.lattice.matrix, axis=1)
        if len(places) == len(structure) and distances_a.min() < SAME_PLACE_A:
            found.append(int(distances_a.argmin()))
    if sorted(found) != list(range(len(structure))):
        raise ValueError(
            "born_charges_e need the order of all sites, and its CIF does not list them all; state "
            "the crystal as 'structure', or list every atom of the cell"
        )
    return found
