"""Crystals that several test files build on."""

from __future__ import annotations

import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure


@pytest.fixture(scope="session")
def rocksalt() -> Structure:
    """NaCl, conventional cell of 8 atoms."""
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture(scope="session")
def quartz() -> Structure:
    """Alpha quartz: low symmetry, free positions, 9 atoms."""
    return Structure.from_spacegroup(
        "P3_221",
        Lattice.hexagonal(4.913, 5.405),
        ["Si", "O"],
        [[0.4697, 0.0, 2 / 3], [0.4135, 0.2669, 0.7858]],
    )


@pytest.fixture(scope="session")
def half_heusler() -> Structure:
    """TiNiSn, conventional cell of 12 atoms."""
    return Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(5.93),
        ["Sn", "Ti", "Ni"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]],
    )
