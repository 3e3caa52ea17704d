from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.io.vasp.inputs import Poscar

from screening.messages.errors import ScreenError
from screening.sources import SOURCES, SourceError, SourcePlugIn, open_source

CIF = """\
#(C) as databases write them
data_18189-ICSD
_database_code_ICSD 18189
_chemical_name_common 'Sodium chloride'
_chemical_formula_sum 'Cl1 Na1'
_cell_length_a 5.6402(2)
_cell_length_b 5.6402(2)
_cell_length_c 5.6402(2)
_cell_angle_alpha 90.
_cell_angle_beta 90.
_cell_angle_gamma 90.
_symmetry_space_group_name_H-M 'P -1'
_symmetry_Int_Tables_number 2
loop_
_symmetry_equiv_pos_site_id
_symmetry_equiv_pos_as_xyz
1 'x, y, z'
2 '-x, -y, -z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_symmetry_multiplicity
_atom_site_Wyckoff_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na1+ 1 a 0 0 0 1.
Cl1 Cl1- 1 h 0.5 0.5 0.5 1.
#End of data_18189-ICSD
"""


def records(path):
    return list(open_source(str(path)).records())


def read_text(folder, name, text):
    (folder / name).write_text(text)
    return records(folder / name)


def test_bundled_data():
    found = list(open_source("phonondb-103").records())
    assert len(found) == 103
    assert all(r.content is not None and r.error is None for r in found)
    lowest = min(found, key=lambda r: r.properties["kappa_300k_without_nac_w_per_m_k"])
    assert lowest.content.reduced_formula == "AgBr"
    assert lowest.material_id == "mp-23231"
    assert "q_mesh" not in lowest.properties


def test_cif(tmp_path):
    [record] = read_text(tmp_path, "salt.cif", CIF)
    assert (record.material_id, record.location) == ("icsd-18189", "salt.cif")
    assert record.error is None
    assert len(record.content) == 2
    assert record.properties == {
        "icsd_code": 18189,
        "experimental": True,
        "chemical_name": "Sodium chloride",
    }
    unnamed = CIF.replace("_database_code_ICSD", "_some_other_code")
    [record] = read_text(tmp_path, "salt.cif", unnamed)
    assert record.material_id == "salt.cif"
    assert "experimental" not in record.properties


def test_cif_with_the_name_of_its_space_group_only(tmp_path):
    start, end = CIF.index("loop_"), CIF.index("loop_\n_atom")
    text = (CIF[:start] + CIF[end:]).replace("P -1", "F m -3 m").replace("number 2", "number 225")
    text = text.replace("Na1+ 1 a", "Na1+ 4 a").replace("Cl1- 1 h", "Cl1- 4 b")
    [record] = read_text(tmp_path, "salt.cif", text)
    assert len(record.content) == 8


def test_cif_with_many_blocks(tmp_path):
    text = f"data_global\n_journal_year 1999\n{CIF}{CIF}{CIF.replace('_cell_length_a', '_x')}"
    found = read_text(tmp_path, "many.cif", text)
    assert [r.location for r in found] == [f"many.cif#{i}-18189-ICSD" for i in (1, 2, 3)]
    assert {r.material_id for r in found} == {"icsd-18189"}
    assert [len(r.content) for r in found[:2]] == [2, 2]
    assert "lacks _cell_length_a" in found[2].error


def test_a_nested_folder_of_cod(tmp_path):
    name = tmp_path / "cod" / "1" / "00" / "00" / "1000001.cif"
    name.parent.mkdir(parents=True)
    text = CIF.replace("_database_code_ICSD 18189", "_cod_database_code 1000001")
    text = text.replace(
        "data_18189-ICSD\n",
        "data_1000001\nloop_\n_publ_author_name\n'A. Author'\n'B. Author'\n"
        "_publ_section_title\n;\n Sodium chloride,\n once more\n;\n_journal_year 1998\n"
        "_diffrn_ambient_temperature 293(2)\n_cell_measurement_temperature 100\n",
    )
    name.write_text(text)
    name.with_name("1000002.cif").write_text(text.replace("1000001", "1000002"))
    first, second = records(tmp_path / "cod")
    assert (first.material_id, second.material_id) == ("cod-1000001", "cod-1000002")
    assert first.location == "1/00/00/1000001.cif"
    assert first.properties == {
        "cod_code": 1000001,
        "experimental": True,
        "chemical_name": "Sodium chloride",
        "title": "Sodium chloride, once more",
        "temperature_k": 293.0,
        "year": 1998,
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("data_empty\n", "not a CIF"),
        (CIF[: CIF.index("_cell_length_c")], "lacks _cell_length_c"),
        (CIF[: CIF.index("_atom_site_fract_y")], "truncated"),
        (CIF[: CIF.index("Cl1 Cl1-")], "its atoms make Na where _chemical_formula_sum says NaCl"),
        (CIF[: CIF.index("0.5 0.5 1.")], "truncated"),
        (CIF.replace("Na1+", "Zz"), "parsed"),
        (CIF.replace("5.6402(2)", "long"), "parsed"),
    ],
)
def test_damaged_cif_is_a_readable_record(tmp_path, text, reason, recwarn, capfd):
    [record] = read_text(tmp_path, "bad.cif", text)
    assert record.content is None
    assert reason in record.error
    assert "\n" not in record.error
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_damage_gets_out_of_records(tmp_path, data):
    line = f'{{"material_id": "x", "cif": {json.dumps(CIF)}, "year": 1930}}'
    poscar = "NaCl\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    xyz = '2\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T T"\nNa 0 0 0\nCl 2 2 2\n'
    kinds = {"a.cif": CIF, "a.vasp": poscar, "a.xyz": xyz, "a.jsonl": line}
    name = data.draw(st.sampled_from(sorted(kinds)))
    text = kinds[name]
    cut = data.draw(st.integers(0, len(text)))
    if data.draw(st.booleans()):
        text = text[:cut]
    else:
        text = (
            text[:cut] + data.draw(st.text(max_size=5)) + text[cut + data.draw(st.integers(0, 9)) :]
        )
    (tmp_path / name).write_text(text, errors="replace")
    for record in records(tmp_path / name):
        assert (record.content is None) != (record.error is None)


def test_poscar(tmp_path, rocksalt):
    text = Poscar(rocksalt).get_str()
    for name in ("POSCAR", "CONTCAR.relaxed", "salt.vasp"):
        [record] = read_text(tmp_path, name, text)
        assert record.content.matches(rocksalt)
    lines = text.splitlines(keepends=True)
    sites = [" ".join(line.split()[:3]) + "\n" for line in lines[8:]]
    anonymous = ["a comment\n", *lines[1:5], *lines[6:8], *sites]
    [record] = read_text(tmp_path, "POSCAR", "".join(anonymous))
    assert "names no elements" in record.error


def test_xyz_frames(tmp_path):
    cell = 'Lattice="4 0 0 0 4 0 0 0 4" pbc="T T T" energy_above_hull=0.1'
    frame = f"2\n{cell}\nNa 0 0 0\nCl 2 2 2\n"
    named = frame.replace(" energy", " material_id=m-7 energy")
    molecule = "1\n\nHe 0 0 0\n"
    found = read_text(tmp_path, "a.extxyz", frame + named + molecule + "2\n")
    assert [r.material_id for r in found] == ["a.extxyz#1", "m-7", "a.extxyz#3", "a.extxyz#4"]
    assert found[0].content.reduced_formula == "NaCl"
    assert found[0].properties["energy_above_hull"] == 0.1
    assert "not periodic" in found[2].error
    assert "truncated" in found[3].error


def test_jsonl(tmp_path, rocksalt):
    lines = [
        json.dumps({"material_id": "a", "cif": CIF, "theoretical": False, "tags": ["x"]}),
        json.dumps({"structure": rocksalt.as_dict(), "gap_ev": 5.0, "hull": float("nan")}),
        "",
        '{"material_id": "cut off',
        "[1, 2]",
        json.dumps({"material_id": "d", "structure": {"lattice": 1}}),
        json.dumps({"material_id": "e", "cif": CIF + CIF}),
    ]
    (tmp_path / "all.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    found = records(tmp_path / "all.jsonl.gz")
    assert [r.error is None for r in found] == [True, True, False, False, False, False]
    assert found[0].properties == {"theoretical": False}
    assert found[1].properties == {"gap_ev": 5.0}
    assert [r.material_id for r in found] == [
        *("a", "all.jsonl.gz:2", "all.jsonl.gz:4", "all.jsonl.gz:5", "d", "e")
    ]
    assert "not JSON" in found[2].error
    assert "describes 2 crystals" in found[5].error


def test_damaged_archive_keeps_what_came_before(tmp_path):
    line = json.dumps({"material_id": "a", "cif": CIF}) + "\n"
    whole = gzip.compress(line.encode())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole + gzip.compress(line.encode())[:-20])
    found = records(tmp_path / "cut.jsonl.gz")
    assert found[0].error is None
    assert "packed, and damaged or cut off" in found[-1].error


def test_folder_is_recursive_sorted_and_goes_on(tmp_path, rocksalt):
    for name in ("b/POSCAR", "a/POSCAR", ".hidden/POSCAR"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(Poscar(rocksalt).get_str())
    (tmp_path / "a.cif").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("not a structure")
    found = records(tmp_path)
    assert [r.material_id for r in found] == ["a/POSCAR", "a.cif", "b/POSCAR"]
    assert [r.error is None for r in found] == [True, False, True]


def test_unusable_specs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    for spec, message in [
        ("phonodb", r"'phonodb': neither .* known: .*phonondb-103.*\.cif"),
        ("no/such.cif", "neither a file"),
        ("empty", "no structure file"),
        ("notes.txt", "not a kind of structure file"),
        ("phonondb-103:x", "takes nothing"),
    ]:
        with pytest.raises(SourceError, match=message):
            open_source(spec)


DEMO = SourcePlugIn(
    name="demo", usage="demo:A:B", help="What it is asked for.", open=lambda rest: rest.split(":")
)


def test_plug_ins_open_by_their_name_and_by_their_import_path(monkeypatch):
    monkeypatch.setitem(SOURCES.built_in, "demo", f"{__name__}:DEMO")
    assert open_source("demo:a:b") == ["a", "b"]
    assert open_source(f"{__name__}:DEMO:a:b") == ["a", "b"]
    with pytest.raises(ScreenError, match="cannot be imported"):
        open_source(f"{__name__}:NOTHING")


def test_plug_ins_say_what_they_are():
    for name in SOURCES.names():
        plug_in = SOURCES.load(name)
        assert plug_in.name == name
        assert plug_in.usage.startswith(name)
        assert plug_in.help.endswith(".")
