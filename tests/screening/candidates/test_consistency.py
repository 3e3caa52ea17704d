"""What sources state of a crystal, against the crystal that was read."""

from __future__ import annotations

import re

import pytest

from screening.candidates.stated_facts import Stated, compared, contradiction, lost_symmetry


@pytest.mark.parametrize(
    ("stated", "fits"),
    [
        (Stated(), True),
        (Stated("Cl1 Na1", 4), True),
        (Stated("Na Cl", 1), True),  # of the primitive cell
        (Stated("Na Cl", 5), False),
        (Stated("Na Cl", 16), False),
        (Stated("Na4 Cl4", 4), True),  # the content of the cell, as pymatgen writes
        (Stated("Na+ Cl-", 4), True),
        (Stated("D2 Na Cl"), False),
        (Stated("what is that"), True),
        (Stated(density_g_per_cm3=2.16), True),
        (Stated(density_g_per_cm3=2160.0), True),
        (Stated(density_g_per_cm3=0.54), False),
        (Stated("Na Cl", 5, density_g_per_cm3=2.16), True),  # one slip of the pen
        (Stated(volume_a3=179.4), True),
        (Stated(volume_a3=170.0), False),
        (Stated(n_sites=8), True),
        (Stated(n_sites=9), False),
    ],
)
def test_what_is_stated_and_what_is_found(rocksalt, stated, fits):
    assert (not compared(rocksalt, stated).refusals) is fits


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"nsites": 2, "volume": 44.85, "formula": "NaCl", "space_group_number": 225}, None),
        ({"nsites": 2, "volume": 60.0}, "states volume_a3 60|Å³ for 2 atoms"),
        ({"nsites": 3}, "states n_sites 3"),
        ({"chemical_formula_reduced": "ClNa2"}, "atoms make NaCl"),
        ({"spacegroup_number": 194}, "space group 194"),
        ({"spacegroup_number": 62}, None),  # a subgroup
    ],
)
def test_facts_of_entries(rocksalt, facts, reason):
    said = contradiction(rocksalt, facts, 225)
    assert said is None if reason is None else re.search(reason, str(said))


def test_more_symmetry_than_is_stated_is_none_lost():
    assert lost_symmetry(186, 194) is None
    assert lost_symmetry(None, 1) is None
    assert "states space group 225, and its atoms have not" in str(lost_symmetry(225, 139))
