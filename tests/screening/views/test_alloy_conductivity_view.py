"""κ of random alloys over their composition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from screening.testing.figure_contract import PictureContract
from screening.views.alloy_conductivity import ComputedAlloy, composition_picture

ROWS = Path(__file__).parents[3] / "benchmarks/results/alloy_conductivity-Si-Ge-sevennet-l3i5.json"


def alloy(fraction, kappa, error=0.1, system="Si-Ge", number=227, ends=(86.0, 25.0)):
    result = {
        "formula": f"{system} {fraction}",
        "alloy_kappa_300k_w_per_m_k": kappa,
        "alloy_kappa_300k_error_w_per_m_k": error,
        "end_member_kappas_300k_w_per_m_k": list(ends),
    }
    return ComputedAlloy(system, number, fraction, result, f"{system}-{number}-{fraction}")


class TestPicture(PictureContract):
    @pytest.fixture
    def pictures(self):
        rows = json.loads(ROWS.read_text("utf-8"))
        alloys = [ComputedAlloy("Si-Ge", 227, row["fraction"], row, row["formula"]) for row in rows]
        return [composition_picture(alloys)]


def test_a_line_goes_from_one_pure_crystal_to_the_other():
    view = composition_picture([alloy(0.5, 10.0, 2.0), alloy(0.1, 16.0)])
    line, points = view.lines
    assert (line.label, points.label) == ("Si-Ge", "")
    assert list(zip(line.x, line.y, strict=True)) == [(0, 86), (0.1, 16), (0.5, 10), (1, 25)]
    assert (points.x, points.y, pytest.approx(points.y_low, rel=1e-4), points.y_high) == (
        *([0.1, 0.5], [16, 10]),
        *([15.9006, 8.33333], [16.1, 12]),
    )
    assert points.ids == ["Si-Ge-227-0.1", "Si-Ge-227-0.5"]
    assert points.texts[1] == "Si-Ge 0.5\nκ(300 K): 10 ± 2 W/m/K"


def test_a_bar_longer_than_its_value_stays_on_the_axis():
    _, points = composition_picture([alloy(0.5, 10.0, 30.0)]).lines
    assert 0 < points.y_low[0] < 10 < points.y_high[0] == 40


def test_systems_stand_by_their_lowest_and_others_are_counted():
    pairs = ["A-B", "C-D", "E-F", "G-H", "I-J"]
    alloys = [alloy(0.5, 10.0 - place, system=pair) for place, pair in enumerate(pairs)]
    view = composition_picture(alloys)
    assert [line.label for line in view.lines if line.label] == ["I-J", "G-H", "E-F", "C-D"]
    assert "5 random alloys in 5 systems" in view.caption
    assert "1 system of higher κ not drawn" in view.caption


def test_one_pair_in_two_structures_are_two_lines():
    view = composition_picture([alloy(0.5, 1.0, number=225), alloy(0.5, 2.0, number=221)])
    assert [line.label for line in view.lines if line.label] == [
        "Si-Ge, space group 225",
        "Si-Ge, space group 221",
    ]


def test_nothing_computed_is_no_picture():
    assert composition_picture([]).absent == "No alloy is computed yet."
