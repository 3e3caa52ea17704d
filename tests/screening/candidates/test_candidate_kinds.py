"""The contract of kinds of candidates, kept by crystals, polymers and the words of the tests."""

from __future__ import annotations

import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from toy_kind import WORDS

from screening.candidates.crystal_kind import CRYSTAL
from screening.candidates.polymer import StatedPolymer
from screening.candidates.polymer_kind import POLYMER
from screening.testing.candidate_kind_contract import CandidateKindContract


class TestCrystals(CandidateKindContract):
    @pytest.fixture
    def kind(self):
        return CRYSTAL

    @pytest.fixture
    def contents(self, rocksalt, quartz, half_heusler):
        return [rocksalt, quartz, half_heusler]

    @pytest.fixture
    def unusable(self):
        return Structure(Lattice.cubic(12), ["Cu"], [[0, 0, 0]])


class TestPolymers(CandidateKindContract):
    @pytest.fixture
    def kind(self):
        return POLYMER

    @pytest.fixture
    def contents(self):
        return [
            "*CC(*)C",
            StatedPolymer("*c1ccc(Oc2ccc(*)cc2)cc1", "PPO"),
            "*C/C=C/C*",
            "*C/C=C\\C*",
        ]

    @pytest.fixture
    def unusable(self):
        return "*CC(*)C*"


class TestWords(CandidateKindContract):
    @pytest.fixture
    def kind(self):
        return WORDS

    @pytest.fixture
    def contents(self):
        return ["apple:5", "sky:3"]

    @pytest.fixture
    def unusable(self):
        return "sky:4"
