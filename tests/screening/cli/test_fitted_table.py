"""Tables on narrow terminals: what is empty or can be spared goes, and no cell is cut."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from screening.cli.fitted_table import Column, fitting


def shown(columns, width, **options):
    out = Console(width=width, file=io.StringIO())
    options = {"title": "t", "caption": "c"} | options
    out.print(fitting(columns, width, **options), crop=False)
    return out.file.getvalue()


WIDE = [
    Column("rank", ["1", "10"], True),
    Column("candidate", ["BaTe-225-834c2a92", "CsF3-225-2ae00224"]),
    Column("material", ["mp-1000", "mp-3"], expendable=9),
    Column("κ(300 K) / (W/m/K)", ["0.859 ± 0.043", "1.96 ± 0.10"], True),
    Column("Debye temperature / K", ["120.3", "98.1"], True, 3),
    Column("shear modulus / GPa", ["20.3", "8.11"], True, 4),
    Column("reason", ["", ""]),
]


@pytest.mark.parametrize(
    ("width", "there", "gone"),
    [
        (160, ["material", "Debye temperature / K", "shear modulus / GPa"], []),
        (80, ["material", "Debye", "shear"], []),
        (64, ["Debye", "temperature", "shear"], ["material"]),
        (50, [], ["Debye temperature / K", "shear modulus / GPa", "material"]),
    ],
)
def test_what_can_be_spared_goes_first(width, there, gone):
    text = shown(WIDE, width, elsewhere=" (elsewhere)")
    assert max(map(len, text.splitlines())) <= width
    assert "reason" not in text
    table, _, caption = text.partition("too wide to show: ")
    assert all(each in table for each in [*there, "BaTe-225-834c2a92", "0.859 ± 0.043"])
    assert not any(heading.split()[0] in table for heading in gone)
    assert " ".join(caption.split()) == (f"{', '.join(gone)} (elsewhere)" if gone else "")


def test_a_unit_stays_with_its_stroke_and_brackets_stay_whole():
    column = Column("Slack's κ(300 K) / (W/m/K)", ["1.2", "3.4"])
    assert column.folded.splitlines() == ["Slack's", "κ(300 K)", "/ (W/m/K)"]


def test_without_rows_the_headings_are_shown():
    assert "reason" in shown([Column("rank", []), Column("reason", [])], 80)


CELL = st.text("abc µκ±×", min_size=1, max_size=20).map(str.strip)


@given(
    st.lists(
        st.tuples(CELL, st.lists(CELL, min_size=2, max_size=2), st.integers(0, 3)), min_size=1
    ),
    st.integers(20, 120),
)
def test_no_cell_is_ever_cut(columns, width):
    made = [Column(heading, cells, expendable=spare) for heading, cells, spare in columns]
    text = shown(made, width)
    needed = [column for column in made if not column.expendable and any(column.cells)]
    for column in needed:
        assert all(cell in text for cell in column.cells)
