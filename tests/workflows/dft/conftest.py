from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure


@pytest.fixture
def sodium_chloride():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture
def iron_oxide():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.3), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
