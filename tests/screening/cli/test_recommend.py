from __future__ import annotations

import csv
import io
import itertools
import json

import pytest

pytestmark = pytest.mark.usefixtures("own_cache")

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
TRIVALENT = ("Al", "Ga", "In", "Y", "La", "Nd", "Gd", "Er", "Cr", "Fe")


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> str:
    """A list of ABX2 in which one in five is missing."""
    lines = ["formula,first_year"]
    every = itertools.product(ALKALI, TRIVALENT, ("O", "S", "Se", "Te"))
    lines += [f"{a}{b}{x}2," for number, (a, b, x) in enumerate(every) if number % 5 != 3]
    # One year: too few to learn from.
    lines.append("NaCl,2010")
    path = tmp_path_factory.mktemp("known") / "known.csv"
    path.write_text("\n".join(lines))
    return str(path)


def test_a_ranking_as_csv_and_as_json(screen, listed):
    asked = ("recommend", "--known", listed, "--elements", "Li", "--anion", "S,Se", "--top", "30")
    answer = screen(*asked, "--format", "csv")
    assert answer.status == 0
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all("Li" in row["formula"] and "S" in row["formula"] for row in rows)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert "too few years" in answer.err
    assert {row["chance"] for row in rows} == {""}
    again = json.loads(screen(*asked, "--format", "json").out)
    assert [row["formula"] for row in again] == [row["formula"] for row in rows]
    assert again[0]["relatives"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--elements", "Xx"], "element 'Xx': is no element"),
        (["--elements", "He"], "element 'He': is met in no positive oxidation state"),
        (["--anion", "Fe"], "anion 'Fe': has no negative states"),
        (["--anion", "Q"], "anion 'Q': is no element"),
        (["--kinds", "7"], "--kinds '7'"),
        (["--kinds", ""], "--kinds ''"),
        (["--validate"], "--validate and --since go together"),
        (["--since", "2005"], "--validate and --since go together"),
        (["--known", "nowhere.csv"], "--known 'nowhere.csv': no such file"),
    ],
)
def test_bad_input_is_one_sentence(screen, options, said):
    answer = screen("recommend", *options)
    assert answer.status == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_an_empty_space_is_one_sentence(screen, listed):
    answer = screen("recommend", "--known", listed, "--elements", "U", "--anion", "F")
    assert answer.status == 2
    assert "no balanced composition of 3 elements with U, F" in answer.err
