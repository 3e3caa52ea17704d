"""The map of recommended compositions beside known ones."""

from __future__ import annotations

import numpy as np
import pytest

from screening.recommender.known import KnownList, parsed_formula
from screening.testing.figure_contract import PictureContract
from screening.views.composition_map import MOST_ROWS, Proposed, composition_map, place_of


def known_list(*formulas):
    parsed = [parsed_formula(formula) for formula in formulas]
    return KnownList("a list", parsed, np.zeros(len(parsed), dtype=np.int16))


def proposal(formula, chance, rank):
    elements = frozenset(parsed_formula(formula))
    return Proposed(formula, elements, rank, chance, f"{formula}-1")


KNOWN = known_list("NaSbSe2", "Na3SbSe4", "AgSbSe2", "NaSbS2", "Sb2Se3", "KNaSbSe3")
PROPOSED = [
    *(proposal("LiSbSe2", 0.25, 1), proposal("Li3SbSe4", 0.1, 2)),
    *(proposal("NaSb3Se5", 0.04, 3), proposal("KBiTe2", None, 4)),
]


def places(view, line):
    """Return the names of the places of a line's points."""
    columns = {round(tick.at): tick.name for tick in view.x.ticks}
    rows = {round(tick.at): tick.name for tick in view.y.ticks}
    return [(columns[round(x)], rows[round(y)]) for x, y in zip(line.x, line.y, strict=True)]


class TestPicture(PictureContract):
    @pytest.fixture
    def pictures(self):
        return [composition_map(PROPOSED, KNOWN)]


def test_what_is_known_stands_beside_what_is_proposed():
    view = composition_map(PROPOSED, KNOWN)
    lines = {line.label: line for line in view.lines}
    assert list(lines) == ["known", "chance from 20 %", "below 5 %", "chance not known"]
    # Only rows in which something is proposed: neither sulfides, nor binaries, nor quaternaries.
    assert set(places(view, lines["known"])) == {("Na", "Sb–Se"), ("Ag", "Sb–Se")}
    told = dict(zip(places(view, lines["known"]), lines["known"].texts, strict=True))
    assert told["Na", "Sb–Se"] == "known: NaSbSe₂, Na₃SbSe₄"
    # A system has the class of its likeliest composition, and tells of the others.
    assert places(view, lines["chance from 20 %"]) == [("Li", "Sb–Se")]
    assert lines["chance from 20 %"].texts == [
        "LiSbSe₂: chance 25 %, rank 1\nLi₃SbSe₄: chance 10 %, rank 2"
    ]
    assert lines["chance from 20 %"].ids == ["LiSbSe2-1"]
    assert places(view, lines["below 5 %"]) == [("Na", "Sb–Se")]
    assert places(view, lines["chance not known"]) == [("K", "Bi–Te")]


def test_the_likeliest_rows_are_shown_and_others_counted():
    metals = ("Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Hg", "Pb", "Sn", "Ge", "Si", "Ti", "Zr")
    formulas = [f"Na2{metal}{anion}4" for metal in metals for anion in ("S", "Se")]
    view = composition_map(
        [proposal(name, 0.5 - 0.01 * rank, rank) for rank, name in enumerate(formulas)], KNOWN
    )
    assert len(view.y.ticks) == MOST_ROWS
    assert f"{MOST_ROWS} recommended compositions of {len(formulas)}" in view.caption


def test_nothing_recommended_is_no_picture():
    assert composition_map([], KNOWN).absent == "Its pool holds no recommended composition."


@pytest.mark.parametrize(
    ("elements", "place"),
    [("Sb Se Li", ("Li", "Sb–Se")), ("Cl Na", ("Na", "Cl")), ("O P Fe Li", ("Li", "Fe–P–O"))],
)
def test_a_system_is_its_most_electropositive_element_and_the_others(elements, place):
    assert place_of(elements.split()) == place
