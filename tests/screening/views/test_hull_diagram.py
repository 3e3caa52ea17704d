"""Hulls that can be drawn, and the reason where one cannot."""

from __future__ import annotations

import pytest

from screening.testing.figure_contract import PictureContract
from screening.views.hull_diagram import hull


def result(*entries, **fields):
    diagram = [
        {"candidate_id": f"id-{formula}", "formula": formula, "on_hull": on_hull}
        | {"formation_energy_ev_per_atom": energy}
        for formula, energy, on_hull in entries
    ]
    return {"stability_verdict": "no decomposition found", "hull_diagram": diagram} | fields


ELEMENTS = tuple((name, 0.0, True) for name in ("Li", "Na", "P", "S"))


class TestBinary(PictureContract):
    @pytest.fixture
    def pictures(self):
        entries = (ELEMENTS[0], ELEMENTS[3], ("Li2S", -1.4, True), ("LiS", -0.2, False))
        return hull(result(*entries, candidate_id="id-Li2S", hull_distance_ev_per_atom=-1.4))


class TestTernary(PictureContract):
    @pytest.fixture
    def pictures(self):
        entries = (ELEMENTS[0], ELEMENTS[1], ELEMENTS[3], ("LiNaS", -1.2, True))
        return hull(result(*entries, candidate_id="id-LiNaS", hull_distance_ev_per_atom=-1.2))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (result(*ELEMENTS), "the hull of 4 elements has no picture in a plane"),
        (result(), "an element has no energy"),
    ],
)
def test_why_there_is_no_picture(found, said):
    (view,) = hull(found)
    assert said in view.absent
    assert hull({"stability_verdict": None}) == []
