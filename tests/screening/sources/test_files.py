"""Files as people have them: packed, linked, damaged, foreign; what is left out is said."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import itertools
import json
import lzma
import os
import re
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from screening.messages.errors import ScreenError
from screening.sources import SourceError, open_source

CIF = """data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""
POSCAR = "salt\n1.0\n5.64 0 0\n0 5.64 0\n0 0 5.64\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
XYZ = '2\nLattice="5.64 0 0 0 5.64 0 0 0 5.64" pbc="T T T"\nNa 0 0 0\nCl 2.82 2.82 2.82\n'
ENTRY = {"material_id": "salt", "cif": CIF}
LINE = json.dumps(ENTRY) + "\n"
TEXTS = {"a.cif": CIF, "POSCAR": POSCAR, "a.xyz": XYZ, "a.jsonl": LINE, "a.json": f"[{LINE}]"}
VOLUME_A3 = 5.64**3


def read(folder: Path, name: str, content: str | bytes) -> list[str]:
    """Write a file; return the formula of each entry, or why it was refused."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return outcomes(path)


def outcomes(path: Path) -> list[str]:
    found = []
    for record in open_source(str(path)).records():
        assert (record.content is None) != (record.error is None)
        if record.content is None:
            assert "\n" not in record.error
            found.append(f"{record.location}: {record.error}")
        else:
            assert record.content.volume == pytest.approx(VOLUME_A3)
            found.append(record.content.reduced_formula)
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_any_system_and_packing(tmp_path, name):
    text = TEXTS[name]
    same = {
        "mark": f"\ufeff{text}",
        "two marks": f"\ufeff\ufeff{text}",
        "DOS": text.replace("\n", "\r\n"),
        "DOS with a mark": f"\ufeff{text}".replace("\n", "\r\n"),
        "old Mac": text.replace("\n", "\r"),
        "control-Z": f"{text}\x1a",
        "typeset": text.replace(" 0 ", "\u00a00 ").replace(" 0\n", " \u22120\n"),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "UTF-16, the other": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "gzip, of another name": gzip.compress(text.encode()),
    }
    for how, content in same.items():
        assert read(tmp_path, name, content) == ["NaCl"], how
    packed = {
        ".gz": gzip.compress(text.encode()),
        ".GZ": gzip.compress(gzip.compress(f"\ufeff{text}".encode())),
        ".bz2": bz2.compress(text.encode()),
        ".xz": lzma.compress(text.encode("utf-16")),
    }
    for ending, content in packed.items():
        assert read(tmp_path, f"{name}{ending}", content) == ["NaCl"], ending
    # A browser unpacks and keeps the name.
    assert read(tmp_path, f"{name}.gz", text) == ["NaCl"]
    many = read(tmp_path, name, f"\ufeff{text}\ufeff{text}")
    assert many == ["NaCl", "NaCl"] or name in ("POSCAR", "a.json")
    refused = {
        "it is empty": "\n \n",
        "it is no text but binary": bytes(range(256)),
        "it is no text but a picture": b"\x89PNG\r\n\x1a\n\0\0\0",
        "it is no text but a zip archive": b"PK\x03\x04\0\0\0\0",
        "it is packed, and damaged or cut off": gzip.compress(text.encode())[:-20],
    }
    for reason, content in refused.items():
        [said] = read(tmp_path, name, content)
        assert said.startswith(f"{name}: {reason}")
        assert said.isprintable()
    latin = text.replace("salt", "sält").encode("latin-1")
    said = read(tmp_path, name, latin)
    assert said == ["NaCl"] or ("json" in name and "in UTF-8" in said[0])


def test_a_mark_within_joined_files_loses_no_crystal(tmp_path):
    other = CIF.replace("data_salt", "\ufeffdata_other").replace("5.64", "5.640")
    assert read(tmp_path, "a.cif", f"\ufeff{CIF}{other}") == ["NaCl", "NaCl"]


# ------------------------------------------------------------------------------- folders, archives


def test_links_are_followed_and_what_is_passed_over_is_said(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    for path in (inside / "sub" / "POSCAR", outside / "POSCAR", inside / ".old" / "POSCAR"):
        path.parent.mkdir(parents=True)
        path.write_text(POSCAR)
    links = {"alias": "../out", "sub/up": "..", "self": ".", "again": "sub", "x.vasp": "sub/POSCAR"}
    broken = {"dead.cif": "no.cif", "gone": "no", "loop.cif": "loop.cif"}
    for name, target in (links | broken).items():
        (inside / name).symlink_to(target)
    os.mkfifo(inside / "pipe.cif")
    for name in ("OUTCAR", "a.rar", "._a.cif", "b\x1b[31m.txt"):
        (inside / name).write_text("x")
    source = open_source(str(inside))
    found = {r.location: r.error or r.content.reduced_formula for r in source.records()}
    assert {place for place, said in found.items() if said == "NaCl"} == {
        *("alias/POSCAR", "sub/POSCAR", "x.vasp")
    }
    assert found["dead.cif"] == "it is a link to no.cif, which does not exist"
    assert found["gone"] == "it is a link to no, which does not exist"
    assert "Too many levels" in found["loop.cif"]
    files, hidden, special, again = source.remarks()
    assert files.startswith("3 files not looked at, of a kind that is not read: OUTCAR, a.rar, b")
    assert hidden == "2 hidden not looked at: ._a.cif, .old"
    assert special == "1 file not looked at, no regular ones: pipe.cif"
    assert again.startswith("3 links to folders that were read under another name: again, self")


def test_what_may_not_be_read_is_named():
    # Below pytest's folder another user may not come.
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp())
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        (folder / "shut").mkdir()
        (folder / "POSCAR").write_text(POSCAR)
        (folder / "secret.cif").write_text(CIF)
        (folder / "secret.cif").chmod(0)
        (folder / "shut").chmod(0)
        if os.geteuid() == 0:
            stack.callback(os.seteuid, 0)
            os.seteuid(65534)
        assert outcomes(folder) == [
            "shut: the folder cannot be listed (Permission denied)",
            "NaCl",
            "secret.cif: it cannot be read (Permission denied)",
        ]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.cif")
    with pytest.raises(SourceError, match="is neither a file nor a folder"):
        open_source(str(tmp_path / "a.cif"))


def test_a_folder_without_crystals_says_what_is_there(tmp_path):
    (tmp_path / "vasprun.xml").write_text("x")
    (tmp_path / ".a.cif").write_text(CIF)
    (tmp_path / "gone.cif").symlink_to("no.cif")
    with pytest.raises(
        SourceError, match=r"no structure file.*gone.cif: it is a link.*vasprun.xml.*1 hidden"
    ):
        open_source(str(tmp_path))


def tar_of(files: dict[str, str], mode: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("gone.cif")
        link.type, link.linkname = tarfile.SYMTYPE, "no.cif"
        tar.addfile(link)
    return content.getvalue()


def test_archives_are_looked_into(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("deep/POSCAR", f"\ufeff{POSCAR}")
        zipped.writestr("../up.cif", CIF)
        zipped.writestr("packed.cif.gz", gzip.compress(CIF.encode()))
        zipped.writestr("notes.txt", "x")
        zipped.writestr("inner.zip", "x")
        zipped.writestr("__MACOSX/._up.cif", "x")
        zipped.writestr("lines.jsonl", LINE + LINE[:50])
    source = open_source(str(tmp_path))
    said = {r.location: r.error or r.content.reduced_formula for r in source.records()}
    assert said.pop("a.zip/lines.jsonl:2").endswith("is the file truncated?")
    assert said == dict.fromkeys(
        ["a.zip/deep/POSCAR", "a.zip/../up.cif", "a.zip/packed.cif.gz", "a.zip/lines.jsonl:1"],
        "NaCl",
    )
    assert not (tmp_path.parent / "up.cif").exists()
    files, hidden = source.remarks()
    assert "2 files not looked at, of a kind that is not read: a.zip/notes.txt, a.zip/inn" in files
    assert hidden == "1 hidden not looked at: a.zip/__MACOSX/._up.cif"
    for name, mode in {
        "a.tar": "w",
        "a.tgz": "w:gz",
        "a.tar.xz": "w:xz",
        "a.tbz2": "w:bz2",
    }.items():
        content = tar_of({"./a.xyz": XYZ, "b.cif": CIF}, mode)
        assert read(tmp_path, name, content) == [
            "NaCl",
            "NaCl",
            f"{name}/gone.cif: it cannot be read (it is a link to no.cif, which is not in the "
            "archive)",
        ]
        if mode != "w":
            assert (
                "archive cannot be read" in read(tmp_path, name, content[: len(content) // 2])[-1]
            )
    for name in ("b.zip", "b.tgz", "b.tar"):
        assert read(tmp_path, name, "no archive")[0].startswith(f"{name}: the archive cannot be")
    assert read(tmp_path, "c.tar", tar_of({"notes.txt": "x"}, "w"))[0].startswith("c.tar/gone.cif")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as zipped:
        zipped.writestr("notes.txt", "x")
    assert outcomes(tmp_path / "d.zip") == ["d.zip: the archive holds no structure file"]


def test_an_archive_with_a_password(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("a.cif", CIF)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    # The flag that says so, of the file and of the list at the end.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    [said] = read(tmp_path, "a.zip", bytes(content))
    assert said.startswith("a.zip/a.cif: it cannot be read (it has a password; unpack it")


def test_an_icsd_export_leaves_nothing_out(tmp_path):
    for name, text in TEXTS.items():
        code = r"\n_database_code_ICSD 7" if "json" in name else "\n_database_code_ICSD 7"
        (tmp_path / name).write_text(text.replace("data_salt", f"data_1{code}"))
    (tmp_path / "gone.cif").symlink_to("no.cif")
    (tmp_path / "list.pdf").write_text("x")
    source = open_source(f"icsd:{tmp_path}")
    said = {r.location: r.error or r.material_id for r in source.records()}
    assert said.pop("a.cif") == "icsd-7"
    assert said.pop("gone.cif").startswith("it is a link")
    assert {place.partition(":")[0].partition("#")[0] for place in said} == TEXTS.keys() - {"a.cif"}
    assert all(reason.startswith("it is no CIF, as ICSD's") for reason in said.values())
    assert "list.pdf" in source.remarks()[0]


# ------------------------------------------------------------------------------------------- JSON


def test_json_in_the_shapes_that_services_give(tmp_path, rocksalt):
    bare = rocksalt.get_primitive_structure()
    bare.scale_lattice(VOLUME_A3)
    crystal = bare.as_dict()
    none = "is not a JSON object with 'cif' or 'structure'"
    shapes = [
        (crystal, ["NaCl"]),
        ([crystal, ENTRY], ["NaCl", "NaCl"]),
        ({"data": [ENTRY, ENTRY, 7], "n": 3}, ["NaCl", "NaCl", f"a.json#data/3: the entry {none}"]),
        (
            {"mp-1": ENTRY, "mp-2": {"formula": "NaCl"}, "version": 2},
            ["NaCl", f"a.json#mp-2: the entry {none}, but an object of 1"],
        ),
        ([[ENTRY, ENTRY]], [f"a.json#1: the entry {none}, but a list of 2"]),
        ([], ["a.json: it is an empty list"]),
        (
            {"cif": [CIF, CIF]},
            ["a.json#1: its 'cif' is no text but a list of 2; give each"],
        ),
        ({"results": [1], "b": 2}, [f"a.json: the file {none}, nor a list or an object of such"]),
        ([{"cif": f"\ufeff{CIF}".replace("\n", "\r")}], ["NaCl"]),
    ]
    for content, expected in shapes:
        said = read(tmp_path, "a.json", json.dumps(content))
        assert len(said) == len(expected), content
        assert all(map(str.startswith, said, expected)), said
    # An object a line, under the other name.
    assert read(tmp_path, "a.json", LINE * 3) == ["NaCl"] * 3


def test_a_line_that_is_no_utf8_costs_no_other(tmp_path):
    content = LINE.encode() + b'{"material_id": "\xe9", "cif": ""}\n' + LINE.encode()
    assert read(tmp_path, "a.jsonl", content) == [
        "NaCl",
        "a.jsonl:2: the line is not text in UTF-8; save the file as UTF-8",
        "NaCl",
    ]


# ------------------------------------------------------------------------------------ extended XYZ


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (XYZ.replace("Lattice", "lattice"), ["NaCl"]),
        (XYZ.replace("Lattice", "LATTICE").replace("pbc", "PBC"), ["NaCl"]),
        (XYZ.replace("Lattice=", "Lattice = ").replace('"T T T"', "T"), ["NaCl"]),
        (XYZ.replace("pbc", 'note="the lattice= is a = 5" pbc'), ["NaCl"]),
        (XYZ.replace(' pbc="T T T"', ""), ["NaCl"]),
        (
            XYZ.replace("T T T", "T T F"),
            ["a.xyz#1: it is not periodic in three dimensions: "],
        ),
        (
            re.sub('Lattice="[^"]*" ', "", XYZ),
            ["a.xyz#1: it is not periodic: its second line"],
        ),
        (
            re.sub('Lattice="[^"]*"', 'Lattice="5 5 5"', XYZ),
            ["a.xyz#1: its Lattice should be"],
        ),
        (XYZ.replace("5.64", "0"), ["a.xyz#1: the three vectors of its Lattice span no volume"]),
        (XYZ.replace("Na ", "Na1 "), ["a.xyz#1: 'Na1' is no symbol of an element"]),
        (XYZ + XYZ.replace("Na 0", "Na zero") + XYZ, ["NaCl", "a.xyz#2: the frame cannot", "NaCl"]),
        (
            XYZ + XYZ.replace("Cl 2.82 2.82 2.82\n", "") + XYZ,
            ["NaCl", "a.xyz#2: it lists 1 atom where its first line says 2; is it", "NaCl"],
        ),
        (
            XYZ + "Cl 0 0 0\n" + XYZ,
            ["a.xyz#1: it lists 3 atoms where its first line says 2", "NaCl"],
        ),
        (f"{XYZ}\n\n{XYZ}\n2\n", ["NaCl", "NaCl", "a.xyz#3: it lists 0 atoms"]),
        (f"hello\n{XYZ}", ["a.xyz#1: a frame should begin with"]),
    ],
    ids=map(str, itertools.count()),
)
def test_frames_of_extended_xyz(tmp_path, text, expected):
    said = read(tmp_path, "a.xyz", text)
    assert len(said) == len(expected)
    assert all(map(str.startswith, said, expected)), said


# ------------------------------------------------------------------------------------------ POSCAR


Z = "0 0 0\n"


def unit(*lines: str) -> str:
    """Return the same salt with a cell of edge 1, to be scaled."""
    return POSCAR.replace("5.64", "1").replace("1.0\n", "\n".join(lines) + "\n", 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (unit("5.64"), None),
        (unit("5.64 5.64 5.64"), None),
        (unit(f"-{VOLUME_A3}"), None),
        (unit("5.64 5.64 5.64").replace("Direct", "Cartesian"), None),
        (unit(f"-{VOLUME_A3} ! the volume in 3 dimensions").replace("Direct", "kartesisch"), None),
        (unit("0.564D+01"), None),
        (POSCAR.replace("1.0\n", "1.0 (Angstrom) 7\n", 1), None),
        (POSCAR.replace("Direct", "Selective dynamics\ndirect").replace("0\n0.5", "0 T T F\n0.5")
         .replace("0.5\n", "0.5 .TRUE. F F Cl\n"), None),
        (POSCAR.replace("Direct", "S\nD").replace("0\n0.5", "0 T F F ! Na\n0.5")
         .replace("0.5\n", "0.5 F F F # here\n"), None),
        (f"{POSCAR}\n0 0 0.1\n0 0 0\n", None),
        (f"{POSCAR}Cartesian\n0 0 0.1\n0 0 0\n", None),
        (f"{POSCAR}Lattice velocities and vectors\n1\n{3 * Z}1 0 0\n0 1 0\n0 0 1\n", None),
        (POSCAR.replace("Direct", "fractional"), None),
        (POSCAR.replace("0 0 0\n0.5", "3 -2 12\n-0.5").replace("\n1 1\n", "\n1 1 ! 2\n"), None),
        (POSCAR.replace("0 0 0\n0.5 0.5 0.5", "0 0 0 Na1 1\n0.5 0.5 0.5 Cl"), None),
        (POSCAR.replace("Na Cl\n", "Na_pv Cl/3f2a\n"), None),
        (POSCAR.replace("Na Cl\n", "").replace("0\n0.5 0.5 0.5", "0 Na\n.5 .5 .5 Cl"), None),
        (POSCAR.replace("0 0 5.64", "0 0 -5.64"), None),
        (POSCAR.replace("salt", ""), None),
        (unit("5.64 5.64"), "line 2 should hold one scale factor, or three above 0"),
        (unit("5.64 -5.64 5.64"), "line 2 should hold one scale factor, or three above 0"),
        (unit("0"), "line 2 should hold one scale factor"),
        (unit("nan"), "line 2 should hold one scale factor"),
        (POSCAR.replace("5.64 0 0", "5,64 0 0"), "line 3 should be a lattice vector, three"),
        (POSCAR.replace("0 0 5.64", "0 5.64 0"), "its three lattice vectors span no volume"),
        (POSCAR.replace("Na Cl\n", ""), "it names no elements (VASP 4 format)"),
        (POSCAR.replace("Na Cl\n", "NA Cl\n"), "line 6 should name elements, and 'NA' is none; wr"),
        (POSCAR.replace("\n1 1\n", "\n2\n"), "line 7 should hold a number of atoms for each elem"),
        (POSCAR.replace("Direct\n", ""), "line 8 should say Direct or Cartesian; it is '0 0 0'"),
        (POSCAR.replace("Direct", "Angstrom"), "line 8 should say Direct or Cartesian"),
        (POSCAR.replace("0.5 0.5 0.5", "0.5 0.5 ****"), "line 10 should be a position, three num"),
        (POSCAR.replace("0.5 0.5 0.5\n", ""), "line 10 should be a position, three numbers; is i"),
        (POSCAR.replace("0.5 0.5 0.5", "0.5 0.5 0.5 Br"), "line 10 says Br, but by the numbers"),
        (f"{POSCAR}0.1 0.1 0.1\n", "line 11 is one more position, but the numbers of atoms make 2"),
        (f"{POSCAR}\n{POSCAR}", "it holds several crystals"),
        (POSCAR.replace("Direct", "Selective\nDirect"), "a position lacks its three flags T or F"),
    ],
    ids=map(str, itertools.count()),
)  # fmt: skip
def test_poscars(tmp_path, text, reason):
    [said] = read(tmp_path, "POSCAR", text)
    assert said == "NaCl" if reason is None else said.startswith(f"POSCAR: {reason}"), said
    if reason is None:
        [record] = open_source(str(tmp_path / "POSCAR")).records()
        assert record.content.get_distance(0, 1) == pytest.approx(5.64 * 3**0.5 / 2)


@pytest.mark.parametrize("mode", ["Direct", "Cartesian"])
def test_three_factors_scale_the_axes_of_space(tmp_path, mode):
    from ase.io import read as read_with_ase

    text = f"x\n2 3 5\n1 1 0\n-1 1 0.5\n0.2 0 1\nNa Cl\n1 1\n{mode}\n0.1 0 0\n0.3 0.5 0.7\n"
    (tmp_path / "POSCAR").write_text(text)
    [record] = open_source(str(tmp_path / "POSCAR")).records()
    lattice = [[2, 3, 0], [-2, 3, 2.5], [0.4, 0, 5]]
    assert np.allclose(record.content.lattice.matrix, lattice)
    theirs = read_with_ase(tmp_path / "POSCAR", format="vasp")
    assert np.allclose(record.content.lattice.matrix, theirs.cell.array)
    if mode == "Cartesian":
        assert np.allclose(record.content.cart_coords, [[0.2, 0, 0], [0.6, 1.5, 3.5]])
    else:
        assert np.allclose(record.content.frac_coords, [[0.1, 0, 0], [0.3, 0.5, 0.7]])


# ------------------------------------------------------------------------------------------- paths


def test_paths_know_the_home_and_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CRYSTALS", str(tmp_path / "$odd"))
    (tmp_path / "$odd").mkdir()
    (tmp_path / "$odd" / "POSCAR").write_text(POSCAR)
    for spec in ("~/$odd", "$CRYSTALS", "${CRYSTALS}/POSCAR", "$HOME/$odd/POSCAR", "icsd:~/$odd"):
        assert len(list(open_source(spec).records())) == 1, spec
    for spec in ("$NOWHERE/x", "icsd:${NOWHERE}/x", "~nobody-of-this-name/x"):
        with pytest.raises(ScreenError, match=r"\$\{?NOWHERE\}? in its path is|names no user"):
            open_source(spec)
