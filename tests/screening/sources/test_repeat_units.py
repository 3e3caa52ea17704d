"""Files of repeat units: lines and tables, packed or not, with mistakes."""

from __future__ import annotations

import gzip

import pytest

from screening.candidates.polymer import StatedPolymer
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.sources.files import FileSource
from screening.sources.record import kind_of, remarks_of
from screening.sources.repeat_units import RepeatUnitFiles


@pytest.fixture
def read(tmp_path):
    """Write a file and return its records."""

    def read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(open_source(str(path)).records())

    return read


def test_lines_have_a_unit_and_perhaps_a_name(read):
    text = "SMILES name\n# vinyl polymers\n*CC(*)C poly propylene\n\n*CC(*)c1ccccc1\tPS\r\n*CC*\n"
    records = read("a.smi", text)
    assert [(each.material_id, each.content) for each in records] == [
        ("poly propylene", StatedPolymer("*CC(*)C", "poly propylene")),
        ("PS", StatedPolymer("*CC(*)c1ccccc1", "PS")),
        ("a.smi:6", StatedPolymer("*CC*")),
    ]
    assert [each.location for each in records] == ["a.smi:3", "a.smi:5", "a.smi:6"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_have_a_column_of_units(read, delimiter):
    rows = [["Name", "PSMILES", "Tg_k", "lab"], ["PP", "*CC(*)C", "260", "north"], ["", "*CC*"]]
    records = read("a.csv", "\ufeff" + "\n".join(map(delimiter.join, rows)))
    assert [each.content for each in records] == [
        StatedPolymer("*CC(*)C", "PP"),
        StatedPolymer("*CC*"),
    ]
    assert records[0].properties == {"tg_k": 260.0, "lab": "north"}
    assert [each.material_id for each in records] == ["PP", "a.csv:3"]


def test_packed_files_are_read(read):
    packed = gzip.compress(b"smiles\n*CC(*)C\n")
    assert [each.content.smiles for each in read("a.csv.gz", packed)] == ["*CC(*)C"]
    assert [each.content.smiles for each in read("b.psmi", packed)] == ["*CC(*)C"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "unit,name\n*CC*,PE\n", "no column 'psmiles' or 'smiles'; its columns are: unit"),
        ("a.csv", "smiles,name\n,PE\n", "its field 'smiles' is empty"),
        ("a.csv", "", "it is empty"),
        ("a.csv", "smiles\n", "it holds no repeat unit"),
        ("a.smi", "", "it holds no repeat unit"),
        ("a.smi", b"*CC* \xff\n", "not text in UTF-8"),
        ("a.smi", b"\0\1\2" * 99, "it is no text but binary"),
        (
            "a.csv.gz",
            gzip.compress(b"smiles\n" + b"*CC*\n" * 99, mtime=0)[:30],
            "damaged or cut off",
        ),
    ],
)
def test_mistakes_are_refused_entries(read, name, content, reason):
    *_, record = read(name, content)
    assert record.content is None
    assert reason in record.error


def test_a_folder_of_units_is_read_where_it_holds_no_crystals(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.smi").write_text("*CC*\n")
    (tmp_path / "a.csv").write_text("smiles\n*CC(*)C\n")
    (tmp_path / "notes.txt").write_text("notes")
    source = open_source(str(tmp_path))
    assert isinstance(source, RepeatUnitFiles)
    assert kind_of(source) == "polymer"
    assert [each.location for each in source.records()] == ["a.csv:2", "deep/b.smi:1"]
    assert "notes.txt" in remarks_of(source)[0]
    (tmp_path / "a.cif").write_text("data_a\n")
    assert isinstance(open_source(str(tmp_path)), FileSource)


def test_polymers_need_rdkit(tmp_path, monkeypatch):
    (tmp_path / "a.smi").write_text("*CC*\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for spec in (str(tmp_path / "a.smi"), "polyimides"):
        with pytest.raises(ScreenError, match=r"need RDKit.*matscreen\[polymers\]"):
            open_source(spec)
