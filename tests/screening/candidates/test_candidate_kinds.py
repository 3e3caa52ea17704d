"""The contract of kinds of candidates, kept by crystals and by the words of the tests."""

from __future__ import annotations

import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from toy_kind import WORDS

from screening.candidates.crystal_kind import CRYSTAL
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
