"""Files that read well and mean another crystal, or none: what gives them away."""

from __future__ import annotations

import json

import gemmi
import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from screening.candidates.stated_facts import contradiction
from screening.sources.cif import CifBlock, crystal_blocks
from screening.sources.extended_xyz import frame_atoms
from screening.sources.files import FileSource
from screening.sources.poscar import poscar_structure
from screening.sources.record import EntryError

NACL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
TRIPLETS = [op.triplet() for op in gemmi.SpaceGroup("F m -3 m").operations()]
EDGES_A = {"a": 5.15, "b": 5.21, "c": 6.78}
COLUMNS = "label fract_x fract_y fract_z"


def rock_salt(
    rows="Na1 0 0 0\nCl1 0.5 0.5 0.5",
    columns=COLUMNS,
    said="",
    operations=TRIPLETS,
    name="F m -3 m",
):
    """Write rock salt as a CIF."""
    cell = [f"_cell_length_{axis} 5.64" for axis in "abc"]
    cell += [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    symmetry = [f"_symmetry_space_group_name_H-M '{name}'"]
    if operations:
        symmetry += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{op}'" for op in operations)]
    tags = [f"_atom_site_{column}" for column in columns.split()]
    return "\n".join(["data_x", said, *cell, *symmetry, "loop_", *tags, rows, ""])


def read(text):
    """Read a CIF of one block."""
    (block,) = crystal_blocks(text)
    return CifBlock(block).structure()


def test_the_file_of_these_tests_is_read():
    assert read(rock_salt()).composition.formula == "Na4 Cl4"


def test_operations_without_the_identity():
    """Some programs leave it out, as every group has it."""
    without = [triplet for triplet in TRIPLETS if triplet != "x,y,z"]
    assert read(rock_salt(operations=without)).composition.formula == "Na4 Cl4"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("F m -3 m (225)", True),
        ("Fm-3m (No. 225)", True),
        ("F m \u20133 m", True),
        ("Fm3\u0304m", True),
        ("Fm-3m (227)", False),
        ("Pm-3m (No. 225)", False),
    ],
)
def test_symbols_with_more_around_them(name, is_known):
    text = rock_salt(operations=[], name=name)
    if is_known:
        assert read(text).composition.formula == "Na4 Cl4"
    else:
        with pytest.raises(EntryError, match="is no space group that is known"):
            read(text)


def test_a_hall_symbol_of_another_setting():
    """A short symbol names one setting of the unique axis b; the Hall symbol another."""
    text = "\n".join(
        [
            "data_x",
            *(f"_cell_length_{axis} {edge}" for axis, edge in EDGES_A.items()),
            "_cell_angle_alpha 90\n_cell_angle_beta 99.2\n_cell_angle_gamma 90",
            "_symmetry_space_group_name_H-M 'P 21/n'",
            "_symmetry_space_group_name_Hall '-P 2ybc'",
            "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z",
            "Zr1 0.2754 0.0395 0.2083\nO1 0.07 0.3317 0.3447\nO2 0.4496 0.7569 0.4792\n",
        ]
    )
    with pytest.raises(EntryError, match=r"of two settings.*correct the one that is wrong"):
        read(text)


@pytest.mark.parametrize(
    ("sodium", "chlorine", "elements"),
    [("Sodium1", "Chlorine1", {"Na", "Cl"}), ("Iron", "Copper", {"Fe", "Cu"}),
     ("Nitrogen", "Carbon", {"N", "C"}), ("Tin2", "OXYGEN", {"Sn", "O"})],
)  # fmt: skip
def test_labels_that_are_names_of_elements(sodium, chlorine, elements):
    """Tin begins as titanium, copper as cobalt, carbon as calcium."""
    structure = read(rock_salt(f"{sodium} 0 0 0\n{chlorine} 0.5 0.5 0.5"))
    assert {element.symbol for element in structure.composition} == elements


@pytest.mark.parametrize(
    ("rows", "columns", "reason"),
    [
        ("Na1 0 0 0\nOW 0.5 0.5 0.5", COLUMNS, "hydrogen positions are missing: site OW"),
        ("Na1 0 0 0\nOh1 0.5 0.5 0.5", COLUMNS, "hydrogen positions are missing: site Oh 1"),
        ("Na1 0 0 0\nH2O 0.5 0.5 0.5", COLUMNS, "hydrogen positions are missing: site H2O"),
        ("NH4 0 0 0\nCl1 0.5 0.5 0.5", COLUMNS, "hydrogen positions are missing: site NH 4"),
        ("N1 NH4+ 0 0 0\nCl1 Cl 0.5 0.5 0.5", "label type_symbol fract_x fract_y fract_z",
         "hydrogen positions are missing: site NH4"),
        ("Na1 Na 0 0 0\nO1 OH1- 0.5 0.5 0.5", "label type_symbol fract_x fract_y fract_z",
         "hydrogen positions are missing: site OH1-"),
        ("Na1 Na 0 0 0\nX1 Va 0.5 0.5 0.5", "label type_symbol fract_x fract_y fract_z",
         "is a vacancy"),
        ("Na1 0 0 0\nBarium2 0.5 0.5 0.5\nSomething 0.25 0.25 0.25", COLUMNS, "names no element"),
        ("Na1 0 0 0 A 1\nCl1 0.5 0.5 0.5 A 2",
         COLUMNS + " disorder_assembly disorder_group", "exclude each other"),
    ],
)  # fmt: skip
def test_sites_that_are_no_atoms(rows, columns, reason):
    with pytest.raises(EntryError, match=reason):
        read(rock_salt(rows, columns))


def test_an_oxygen_at_a_tungsten_is_no_water():
    assert "W" in read(rock_salt("W1 0 0 0\nOW1 0.5 0.5 0.5")).composition


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("_chemical_formula_structural NaCl", "_chemical_formula_structural says NaCl"),
        ("_chemical_formula_moiety 'Na Cl'", "_chemical_formula_moiety says NaCl"),
        ("_chemical_formula_weight 58.44\n_cell_formula_units_Z 4", "58.44 is stated"),
        ("loop_\n_atom_type_symbol\nNa1+\nCl1-", "kind of atom Cl, and no site"),
        ("_cell_modulation_dimension 1", "it is modulated"),
        ("_cell_wave_vector_x 0.31", "it is modulated"),
        ("_space_group_ssg_name 'Fm-3m(00g)'", "it is modulated"),
    ],
)
def test_sites_that_are_not_all(said, reason):
    with pytest.raises(EntryError, match=reason):
        read(rock_salt("Na1 0 0 0", said=said))


@pytest.mark.parametrize(
    "said",
    ["_chemical_formula_structural '(Na) Cl'", "_chemical_formula_moiety 'Na 1+, Cl 1-'",
     "_chemical_formula_weight 58.44\n_cell_formula_units_Z 4", "_cell_modulation_dimension 0",
     "_chemical_formula_structural 'Na+ Cl-, halite'", "loop_\n_atom_type_symbol\nNa+\nCl-",
     "_cell_length_a 5.640"],
)  # fmt: skip
def test_what_says_the_same_in_other_words(said):
    assert read(rock_salt(said=said)).composition.formula == "Na4 Cl4"


def test_of_several_settings_the_one_of_the_cell_says_what_is_wrong():
    """Not that the cell is no hexagonal one."""
    text = rock_salt(
        "Bi1 0.2339 0.2339 0.2339",
        said="_chemical_formula_sum Sb\n_symmetry_Int_Tables_number 166",
        operations=[],
        name="?",
    )
    with pytest.raises(EntryError, match="its atoms make Bi"):
        read(text.replace(" 90", " 57.2"))


@pytest.mark.parametrize(("units", "is_read"), [(2, True), (6, True), (4, False), (12, False)])
def test_formula_units_of_the_hexagonal_cell(units, is_read):
    said = f"_chemical_formula_sum Bi\n_cell_formula_units_Z {units}"
    text = rock_salt("Bi1 0.2339 0.2339 0.2339", said=said, operations=[], name="R -3 m")
    text = text.replace(" 90", " 57.2")
    if is_read:
        assert read(text).composition.formula == "Bi2"
    else:
        with pytest.raises(EntryError, match="formula units of Bi"):
            read(text)


def edited(change):
    """Return pymatgen's dictionary of rock salt, changed."""
    content = json.loads(json.dumps(NACL.as_dict()))
    change(content)
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps(NACL.as_dict()), "is no object but a str"),
        (edited(lambda c: c["sites"][4].pop("abc")), "has no 'abc' at site 5"),
        (edited(lambda c: c["lattice"].update(a=9.0)), "says a = 9 Å, and its matrix makes it"),
        (edited(lambda c: c["lattice"].update(volume=9.0)), "says that its volume is 9 Å³"),
        (edited(lambda c: c["sites"][4].update(xyz=[0, 0, 0.5])), "'xyz' at site 5"),
    ],
)
def test_dictionaries_that_contradict_themselves(tmp_path, content, reason):
    path = tmp_path / "crystal.json"
    path.write_text(json.dumps({"structure": content}))
    (record,) = FileSource(str(path), path).records()
    assert record.content is None
    assert reason in record.error


def test_frames_with_occupancies():
    lattice = " ".join(f"{x:g}" for x in NACL.lattice.matrix.ravel())
    head = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:occupancy:R:1'
    for share in (1.0, 0.5):
        rows = [f"{site.specie} {site.x} {site.y} {site.z} {share}" for site in NACL]
        text = "\n".join([str(len(rows)), head, *rows])
        if share == 1:
            assert len(frame_atoms(text)) == len(NACL)
        else:
            with pytest.raises(EntryError, match=r"its atom 1 is occupied by 0\.5"):
                frame_atoms(text)


def test_a_trajectory_of_vasp():
    text = NACL.to(fmt="poscar").replace("direct", "Direct configuration=     1")
    assert len(poscar_structure(text)) == len(NACL)
    with pytest.raises(EntryError, match="several configurations"):
        poscar_structure(text + "Direct configuration=     2\n" + "0 0 0\n" * len(NACL))


def test_a_space_group_within_a_document_is_a_fact(tmp_path):
    path = tmp_path / "crystal.json"
    path.write_text(json.dumps({"structure": NACL.as_dict(), "symmetry": {"number": 186}}))
    (record,) = FileSource(str(path), path).records()
    reason = contradiction(record.content, record.properties, 225)
    assert "space group 186" in str(reason)
