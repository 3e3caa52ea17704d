"""What a crystal has to state as a dictionary of pymatgen, which states some of it twice."""

from __future__ import annotations

from typing import Any

import numpy as np

LENGTH_TOLERANCE = 0.002
"""Relative, of lengths, and in Å of positions: two statements of one number differ by rounding."""


def described_badly(value: Any) -> str | None:
    """Return why a dictionary describes no crystal, as the rest of a sentence, or None.

    pymatgen reads ``matrix`` and ``abc``; where lengths or Cartesian positions beside them are
    those of another crystal, somebody has changed one and not the other.
    """
    if not isinstance(value, dict):
        return f"is no object but a {type(value).__name__}; give pymatgen's dictionary of it"
    lattice, sites = value.get("lattice"), value.get("sites")
    if not isinstance(lattice, dict) or not isinstance(sites, list):
        return "has no lattice and sites, as pymatgen's dictionary of a structure has"
    for number, site in enumerate(sites, start=1):
        for name in ("species", "abc"):
            if not isinstance(site, dict) or not site.get(name):
                return f"has no '{name}' at site {number}"
    try:
        matrix = np.array(lattice["matrix"], dtype=float).reshape(3, 3)
        positions = np.array([site["abc"] for site in sites], dtype=float) @ matrix
        lengths = np.linalg.norm(matrix, axis=1)
        stated = [
            float(lattice.get(name, length)) for name, length in zip("abc", lengths, strict=True)
        ]
        volume = abs(np.linalg.det(matrix))
        stated_volume = float(lattice.get("volume", volume))
        beside = [site.get("xyz", place) for site, place in zip(sites, positions, strict=True)]
        steps = np.array(beside, dtype=float) - positions
        cells = steps @ np.linalg.inv(matrix)
    except (KeyError, TypeError, ValueError, np.linalg.LinAlgError):
        return None  # pymatgen may know other ways, or says what is wrong
    for name, length, other in zip("abc", lengths, stated, strict=True):
        if abs(other - length) > LENGTH_TOLERANCE * length:
            return f"says {name} = {other:g} Å, and its matrix makes it {length:.5g} Å"
    if abs(stated_volume - volume) > 3 * LENGTH_TOLERANCE * volume:
        return f"says that its volume is {stated_volume:g} Å³, and its matrix makes {volume:.5g} Å³"
    apart = np.linalg.norm((cells - np.rint(cells)) @ matrix, axis=1)
    if len(apart) and apart.max() > LENGTH_TOLERANCE * lengths.max():
        k = int(apart.argmax())
        return f"has an 'xyz' at site {k + 1} that is {apart[k]:.2f} Å from its 'abc'"
    return None
