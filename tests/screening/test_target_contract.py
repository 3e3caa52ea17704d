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


class TestVacancies(TargetContract):
    @pytest.fixture
    def name(self):
        return "vacancy-formation-energy"

    @pytest.fixture
    def recipe(self):
        return {"image_distance_a": 3.6, "max_atoms": 8}

    @pytest.fixture
    def content(self):
        return Structure(
            Lattice.cubic(3.6), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        ).get_primitive_structure()


class TestAntisitePairs(TargetContract):
    @pytest.fixture
    def name(self):
        return "antisite-pair-energy"

    @pytest.fixture
    def recipe(self):
        return {"image_distance_a": 5.0, "max_atoms": 16}

    @pytest.fixture
    def content(self):
        return Structure(Lattice.cubic(3.0), ["Cu", "Pd"], [[0, 0, 0], [0.5, 0.5, 0.5]])


class TestEnergyAboveHull(TestSlack):
    @pytest.fixture
    def name(self):
        return "energy-above-hull"


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


class TestFittedPotential(TargetContract):
    @pytest.fixture
    def name(self):
        pytest.importorskip("pypolymlp")
        return "fitted-potential"

    @pytest.fixture
    def recipe(self):
        return {
            "polynomial": {
                "radial_functions": 2,
                "angular_momenta": [],
                "model_type": 2,
                "cutoff_a": 4.0,
            },
            "exploration": {"min_length_a": 5.0, "max_atoms": 8, "dynamics_steps": 0},
            "max_labels": 3,
            "first_labels": 3,
            "proposals_per_round": 4,
        }

    @pytest.fixture
    def content(self):
        from screening.candidates.candidate import Origin
        from screening.candidates.family import StatedFamily, read_family

        copper = Structure(Lattice.cubic(2.56), ["Cu"], [[0, 0, 0]])
        return read_family(StatedFamily([copper]), Origin(source="s", material_id="m")).content()


class TestWords(TargetContract):
    """Neither crystals nor force calls."""

    @pytest.fixture
    def name(self):
        return "toy_kind:VOWELS"

    @pytest.fixture
    def content(self):
        return "apple:5"


class TestSpectralWidth(TargetContract):
    @pytest.fixture
    def name(self):
        return "spectral-width"

    @pytest.fixture
    def recipe(self):
        return {"min_length_a": 3.0, "path_points": 3}

    @pytest.fixture
    def content(self):
        faces = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], faces)


class TestMixingEnergyAboveHull(TargetContract):
    @pytest.fixture
    def name(self):
        return "mixing-energy-above-hull"

    @pytest.fixture
    def content(self):
        faces = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], faces)
