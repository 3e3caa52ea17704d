"""Born charges and dielectric tensors that a source states beside a crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure


def known_dielectric(
    structure: Structure, born_charges_e: Any, dielectric_tensor: Any, source: str
) -> dict[str, Any]:
    """Return the tensors with the primitive cell they belong to.

    Parameters
    ----------
    structure : Structure
        The entry's cell, primitive or not.
    born_charges_e : array-like, shape (sites, 3, 3)
        In the order of its sites and its Cartesian frame, first index the polarisation.
    dielectric_tensor : array-like, shape (3, 3)
        Electronic part, ε∞.
    source : str
        Where they are from.

    Returns
    -------
    dict
        Fields of `workflows.documents.DielectricDocument`.

    Raises
    ------
    ValueError
        When a tensor has another shape or holds what is no number.
    """
    charges = np.asarray(born_charges_e, dtype=float)
    epsilon = np.asarray(dielectric_tensor, dtype=float)
    if charges.shape != (len(structure), 3, 3) or not np.isfinite(charges).all():
        raise ValueError(f"born_charges_e must be {len(structure)} tensors of 3×3 numbers")
    if epsilon.shape != (3, 3) or not np.isfinite(epsilon).all():
        raise ValueError("dielectric_tensor must be 3×3 numbers")
    carrier = structure.copy(site_properties={"born_charge_e": charges.tolist()})
    primitive = carrier.get_primitive_structure()
    bare = primitive.copy()
    bare.remove_site_property("born_charge_e")
    return {
        "structure": bare.as_dict(verbosity=0),
        "born_charges_e": [list(each) for each in primitive.site_properties["born_charge_e"]],
        "dielectric_tensor": epsilon.tolist(),
        "source": source,
    }
