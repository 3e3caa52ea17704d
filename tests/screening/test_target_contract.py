"""Targets keep the contract of plug-ins: of crystals, of polymers, and of words."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from screening.testing.target_contract import TargetContract


class TestSlack(TargetContract):
    @pytest.fixture
    def name(self):
        return "slack-thermal-conductivity"

    @pytest.fixture
    def content(self):
        faces = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], faces)


class TestChainSpeedOfSound(TargetContract):
    @pytest.fixture
    def name(self):
        pytest.importorskip("rdkit")
        return "chain-speed-of-sound"

    @pytest.fixture
    def engine_name(self):
        return "mmff94"

    @pytest.fixture
    def recipe(self):
        return {"starts": 2, "torsion_points": 12}

    @pytest.fixture
    def content(self):
        return "*CCO*"


class TestWords(TargetContract):
    """Neither crystals nor force calls."""

    @pytest.fixture
    def name(self):
        return "toy_kind:VOWELS"

    @pytest.fixture
    def content(self):
        return "apple:5"


class TestEnergyAboveHull(TargetContract):
    @pytest.fixture
    def name(self):
        return "energy-above-hull"

    @pytest.fixture
    def content(self):
        faces = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], faces)
