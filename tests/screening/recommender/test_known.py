from __future__ import annotations

import gzip

import pytest

from screening.messages.errors import ScreenError
from screening.recommender.known import parsed_formula, read_known, shipped_list


def listed(tmp_path, text):
    path = tmp_path / "known.csv"
    path.write_text(text)
    return read_known(str(path))


def test_formulas_are_reduced_and_alphabetical():
    assert parsed_formula("O8P2Li6") == {"Li": 3, "O": 4, "P": 1}
    assert list(parsed_formula("NaCl")) == ["Cl", "Na"]
    assert parsed_formula("Fe0.5Ni0.5O") is None


@pytest.mark.parametrize("text", ["Li2(O", "Xx2O", "", "Li0O", "lio", "LiO2+"])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parsed_formula(text)


def test_the_earliest_report_counts(tmp_path):
    known = listed(tmp_path, "formula,first_year\nNaCl,1999\nClNa,1997\nLiF,\nFLi,2001\n")
    assert known.formulas == [{"Cl": 1, "Na": 1}, {"F": 1, "Li": 1}]
    # A report without a year is an old one.
    assert known.years.tolist() == [1997, 0]
    assert known.until(1996).formulas == [{"F": 1, "Li": 1}]


def test_a_list_without_years_takes_those_of_the_shipped_one(tmp_path):
    shipped = shipped_list()
    dated = next(row for row, year in enumerate(shipped.years) if year)
    formula = "".join(f"{el}{count}" for el, count in shipped.formulas[dated].items())
    known = listed(tmp_path, f"{formula}\nNaCl\n")
    assert known.years[0] == shipped.years[dated]
    assert "states no years" in known.remarks[0]


def test_fractions_are_left_out_and_told(tmp_path):
    known = listed(tmp_path, "formula,first_year\nNaCl,1999\nFe0.5O,2000\n")
    assert len(known) == 1
    assert known.remarks == ["1 × left out: a coefficient is no whole number"]


def test_packed_lists_are_read(tmp_path):
    path = tmp_path / "known.csv.gz"
    path.write_bytes(gzip.compress(b"formula,first_year\nNaCl,1999\n"))
    assert len(read_known(str(path))) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("formula\nNaCl\nLi2(O\n", r"line 3: 'Li2\(O'"),
        ("formula,first_year\nNaCl,last\n", "'last' is no year"),
        ("formula,first_year\n,1999\n", "the formula is missing"),
        ("formula\n", "holds no composition"),
    ],
)
def test_a_wrong_list_is_one_sentence(tmp_path, text, said):
    with pytest.raises(ScreenError, match=said):
        listed(tmp_path, text)


def test_a_missing_list_is_named():
    with pytest.raises(ScreenError, match="no such file"):
        read_known("nowhere.csv")
