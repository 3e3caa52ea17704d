"""Torsions of a polymer's chain, as curves."""

from __future__ import annotations

import pytest

from screening.views.chain_curves import torsions

ANGLES = [-180.0, -90.0, 0.0, 90.0]


def result(*torsions):
    return {
        "persistence_length_nm": 2.43,
        "torsions": [
            {"bond": bond, "angles_deg": ANGLES, "energies_kj_per_mol": energies}
            for bond, energies in torsions
        ],
    }


def test_equal_profiles_are_drawn_once_and_circles_are_closed():
    profile = [0.0, 5.0, 1.0, 5.0]
    (view,) = torsions(
        result(("C1–N2", profile), ("N9–C1", profile), ("C4–O5", [2.0, 0.0, 90.0, 0.0]))
    )
    assert [line.label for line in view.lines] == ["C1–N2, N9–C1", "C4–O5"]
    assert view.lines[0].x == [-180.0, -90.0, 0.0, 90.0, 180.0]
    assert view.lines[0].y == [0.0, 5.0, 1.0, 5.0, 0.0]
    assert view.headline == "persistence length 2.4 nm"
    # A wall does not hide what happens in the valley.
    assert view.y.high == 40.0


def test_many_bonds_get_several_pictures():
    views = torsions(result(*((f"C{i}–C{i + 1}", [0.0, 1.0 + i, 2.0, 3.0]) for i in range(6))))
    assert [len(view.lines) for view in views] == [4, 2]


@pytest.mark.parametrize("empty", [{}, {"torsions": []}, {"torsions": None}])
def test_a_chain_that_does_not_turn_has_no_curve(empty):
    assert torsions(empty) == []
