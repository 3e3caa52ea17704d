"""`matscreen classify`: polymers alone, whose model is learned in a moment."""

from __future__ import annotations

import csv
import io
import json

import pytest

from screening.cli.classify import classify
from screening.cli.options import TableFormat
from screening.messages.errors import ScreenError

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
BIBENZOATE = "*OCCCCCCOC(=O)c1ccc(-c2ccc(C(*)=O)cc2)cc1"
BAD = {
    "*CC(": "opens 1 and closes 0 round brackets",
    "*CC": "it has 1 attachment point",
    "*C(*)C*": "it has 3 attachment points",
    "*C[Fe]C*": "it contains Fe",
    "*C[NH2+]C*": "it is an ion|charge",
    f"*{'C' * 10_000}*": "10000 atoms|10,000 atoms",
    "[Na+].CC(=O)[O-]": "2 parts",
    "CC(=O)[O-]": "charge -1",
    "C(C": "round brackets",
}


def test_answers_stand_in_the_order_of_the_input(capsys):
    classify([KAPTON, "*CC(", BIBENZOATE], format=TableFormat.json)
    out, err = capsys.readouterr()
    kapton, bad, ester = json.loads(out)
    assert [kapton["smiles"], bad["smiles"], ester["smiles"]] == [KAPTON, "*CC(", BIBENZOATE]
    assert kapton["probability_liquid_crystalline"] < 0.2 < ester["probability_liquid_crystalline"]
    assert set(kapton["conformal_set"]) <= {"lc", "not-lc"}
    assert ester["conformal_set"] == ["lc"]
    assert kapton["inside_domain"] is True
    assert kapton["nearest_known"]["liquid_crystalline"] is False
    assert bad["probability_liquid_crystalline"] is bad["conformal_set"] is None
    assert bad["reason"] in err
    glass = kapton["glass_kappa_300k_w_per_m_k"]
    assert 0.1 < glass["low"] < glass["expected"] < glass["high"] < 0.6
    # Transitions are learned from molecules alone.
    assert kapton["clearing_temperature_c"] is kapton["shapes"] is None


@pytest.mark.parametrize("smiles", BAD)
def test_what_cannot_be_read_gets_one_sentence(smiles, capsys):
    with pytest.raises(ScreenError, match="nothing could be read"):
        classify([smiles], format=TableFormat.json)
    (answer,) = json.loads(capsys.readouterr().out)
    assert any(part in answer["reason"] for part in BAD[smiles].split("|")), answer["reason"]
    assert "\n" not in answer["reason"]


def test_files_name_their_entries(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text(f"name;psmiles\nKapton;{KAPTON}\nempty;\n")
    lines = tmp_path / "lines.txt"
    lines.write_text(f"{BIBENZOATE} bibenzoate\n# a comment\n")
    classify([str(table), str(lines)], format=TableFormat.csv)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows[::2]] == ["Kapton", "bibenzoate"]
    assert rows[0]["conformal_set"] in ("either", "not-lc")
    assert rows[1]["reason"]
    assert rows[2]["nearest_known_name"]
    assert float(rows[2]["glass_kappa_300k_w_per_m_k_low"]) > 0
    assert rows[2]["clearing_temperature_c_expected"] == ""


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ScreenError, match="not found"):
        classify([str(tmp_path / "none.csv")], format=TableFormat.table)


def test_the_table_has_one_line_an_entry(capsys):
    classify([KAPTON, BIBENZOATE], format=TableFormat.table)
    out = capsys.readouterr().out
    assert "P(LC)" in out
    assert out.count("not-lc") + out.count("either") >= 1
    assert "inside" in out


def test_without_rdkit_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScreenError, match=r"pip install 'matscreen\[polymers\]'"):
        classify([KAPTON], format=TableFormat.table)
