"""The engines that need no other program keep the contract that plug-ins are tested with."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from screening.testing.engine_contract import EngineContract


class TestEffectiveMediumTheory(EngineContract):
    @pytest.fixture
    def name_or_path(self):
        return "emt"

    @pytest.fixture
    def structure(self):
        return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], _FACES)


class TestAPotentialOfOnesOwn(EngineContract):
    """Triclinic, and given by the path of a YAML."""

    @pytest.fixture
    def name_or_path(self, tmp_path):
        path = tmp_path / "argon.yaml"
        path.write_text(
            "name: argon\ncalculator: ase.calculators.lj.LennardJones\n"
            "arguments: {sigma: 3.4, epsilon: 0.0104, rc: 6.0, smooth: true}\n"
        )
        return str(path)

    @pytest.fixture
    def structure(self):
        lattice = Lattice.from_parameters(5.1, 5.4, 5.9, 82, 95, 101)
        return Structure(lattice, ["Ar"] * 4, _FACES)


_FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
