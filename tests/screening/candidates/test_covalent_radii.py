"""Covalent radii, by which overlapping atoms are told."""

from __future__ import annotations

from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core.periodic_table import Element

from screening.candidates.crystal_sanity import _covalent_radius_a


def test_radii_are_those_of_pymatgen():
    symbols = {element.symbol for element in Element}
    assert len(symbols) > 110
    mine = {symbol: _covalent_radius_a(symbol) for symbol in symbols}
    assert mine == {symbol: CovalentRadius.radius.get(symbol, 1.5) for symbol in symbols}
