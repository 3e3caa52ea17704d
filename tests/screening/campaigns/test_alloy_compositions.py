"""Compositions that people give for Monte Carlo of an alloy."""

from __future__ import annotations

import pytest

from screening.alloys.lattice import AlloyLattice
from screening.campaigns.alloy_thermodynamics import shares_of
from screening.messages.errors import ScreenError

CELL = [[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]]
FCC = AlloyLattice(name="fcc", cell_a=CELL, positions=[[0, 0, 0]], species=[["Cu", "Au"]])
SALT = AlloyLattice(
    name="rocksalt",
    cell_a=CELL,
    positions=[[0, 0, 0], [0.5, 0.5, 0.5]],
    species=[["Na", "K"], ["Cl"]],
)


@pytest.mark.parametrize(
    ("lattice", "formula", "shares"),
    [
        (FCC, "Cu3Au", {"Au": 0.25, "Cu": 0.75}),
        (FCC, "AuCu3", {"Au": 0.25, "Cu": 0.75}),
        (FCC, "Cu0.75Au0.25", {"Au": 0.25, "Cu": 0.75}),
        (FCC, "CuAuCu2", {"Au": 0.25, "Cu": 0.75}),
        (SALT, "Na3K", {"K": 0.25, "Na": 0.75}),
        (SALT, "Na3KCl4", {"K": 0.25, "Na": 0.75}),
    ],
)
def test_a_formula_gives_the_fractions_of_what_shares_sites(lattice, formula, shares):
    assert shares_of(lattice, formula) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("lattice", "formula", "said"),
    [
        (FCC, "Cu3AuNi", "Ni is not on lattice fcc, which holds Au, Cu"),
        (FCC, "CuAu3.5.5", "is no formula"),
        (FCC, "(CuAu)3", "is no formula"),
        (FCC, "cu3au", "is no formula"),
        (FCC, "", "is no formula"),
        (FCC, "Cu", "at least two of Au, Cu"),
        (FCC, "Cu0Au2", "at least two of Au, Cu"),
        (SALT, "Cl", "at least two of K, Na"),
        (SALT, "NaKCl", "the lattice has 2 Cl beside 2 of K, Na, not 1"),
    ],
)
def test_what_is_no_composition_of_the_alloy_is_refused(lattice, formula, said):
    with pytest.raises(ScreenError, match=said):
        shares_of(lattice, formula)
