"""CIFs of many dialects: read as the crystal they mean, or refused with the reason."""

from __future__ import annotations

import random
import re
from functools import cache

import gemmi
import numpy as np
import pytest
from cif_writing import (
    DIALECTS,
    Crystal,
    Text,
    hall_symbol,
    in_setting,
    other_setting,
    settings,
    symbol,
)
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from screening.candidates.candidate import Origin
from screening.candidates.crystal import crystal_from_structure
from screening.sources.cif import CifBlock, crystal_blocks
from screening.sources.cif_symmetry import settings_of_symbol
from screening.sources.record import NOTE, EntryError

CRYSTALS = {
    # name: space group, cell, elements and positions
    "NaCl": ("Fm-3m", (5.64,) * 3 + (90,) * 3, {"Na": [(0, 0, 0)], "Cl": [(0.5, 0.5, 0.5)]}),
    "Si": ("Fd-3m", (5.43,) * 3 + (90,) * 3, {"Si": [(0, 0, 0)]}),
    "spinel": (
        "Fd-3m", (8.08,) * 3 + (90,) * 3,
        {"Mg": [(0, 0, 0)], "Al": [(0.625,) * 3], "O": [(0.387,) * 3]},
    ),
    "pyrite": ("Pa-3", (5.42,) * 3 + (90,) * 3, {"Fe": [(0, 0, 0)], "S": [(0.385,) * 3]}),
    "baddeleyite": (
        "P2_1/c", (5.15, 5.21, 5.32, 90, 99.2, 90),
        {"Zr": [(0.2754, 0.0395, 0.2083)], "O": [(0.07, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)]},
    ),
    "beta-Ga2O3": (
        "C2/m", (12.23, 3.04, 5.8, 90, 103.7, 90),
        {
            "Ga": [(0.0904, 0, 0.7948), (0.3414, 0, 0.6857)],
            "O": [(0.1674, 0, 0.1011), (0.4957, 0, 0.2553), (0.8279, 0, 0.4365)],
        },
    ),
    "monoclinic Cc": (
        "Cc", (6.5, 9.1, 5.7, 90, 112, 90),
        {"Na": [(0.02, 0.11, 0.03)], "P": [(0.31, 0.37, 0.22)], "O": [(0.21, 0.71, 0.64)]},
    ),
    "triclinic": (
        "P-1", (4.1, 5.3, 6.2, 81, 97, 104),
        {"K": [(0.13, 0.22, 0.31)], "F": [(0.61, 0.43, 0.82)], "Mg": [(0, 0.5, 0)]},
    ),
    "corundum": (
        "R-3c", (4.76, 4.76, 12.99, 90, 90, 120),
        {"Al": [(0, 0, 0.3523)], "O": [(0.3065, 0, 0.25)]},
    ),
    "Bi2Te3": (
        "R-3m", (4.386, 4.386, 30.497, 90, 90, 120),
        {"Bi": [(0, 0, 0.4005)], "Te": [(0, 0, 0), (0, 0, 0.2097)]},
    ),
    "LiNbO3": (
        "R3c", (5.148, 5.148, 13.863, 90, 90, 120),
        {"Li": [(0, 0, 0.2787)], "Nb": [(0, 0, 0)], "O": [(0.0476, 0.3433, 0.0633)]},
    ),
    "quartz": (
        "P3_121", (4.913, 4.913, 5.405, 90, 90, 120),
        {"Si": [(0.4697, 0, 1 / 3)], "O": [(0.4135, 0.2669, 0.4524)]},
    ),
    "wurtzite": (
        "P6_3mc", (3.25, 3.25, 5.207, 90, 90, 120),
        {"Zn": [(1 / 3, 2 / 3, 0)], "O": [(1 / 3, 2 / 3, 0.3819)]},
    ),
    "NiAs": (
        "P6_3/mmc", (3.602, 3.602, 5.009, 90, 90, 120),
        {"Ni": [(0, 0, 0)], "As": [(1 / 3, 2 / 3, 0.25)]},
    ),
    "GdFeO3": (
        "Pnma", (5.611, 7.669, 5.349, 90, 90, 90),
        {
            "Gd": [(0.0629, 0.25, 0.9842)],
            "Fe": [(0, 0, 0.5)],
            "O": [(0.4671, 0.25, 0.1006), (0.3012, 0.0506, 0.6957)],
        },
    ),
    "CrB": ("Cmcm", (2.97, 7.86, 2.93, 90, 90, 90),
            {"Cr": [(0, 0.146, 0.25)], "B": [(0, 0.44, 0.25)]}),
    "KNbO3": (
        "Amm2", (3.973, 5.695, 5.721, 90, 90, 90),
        {"K": [(0, 0, 0)], "Nb": [(0.5, 0, 0.503)], "O": [(0, 0, 0.521), (0.5, 0.253, 0.281)]},
    ),
    "anatase": (
        "I4_1/amd", (3.785, 3.785, 9.514, 90, 90, 90), {"Ti": [(0, 0, 0)], "O": [(0, 0, 0.2081)]},
    ),
    "PbO": ("P4/nmm", (3.97, 3.97, 5.02, 90, 90, 90),
            {"O": [(0, 0, 0)], "Pb": [(0, 0.5, 0.2385)]}),
    "BaFe2As2": (
        "I4/mmm", (3.96, 3.96, 13.02, 90, 90, 90),
        {"Ba": [(0, 0, 0)], "Fe": [(0.5, 0, 0.25)], "As": [(0, 0, 0.3545)]},
    ),
    "chiral orthorhombic": (
        "P2_12_12_1", (5.1, 6.3, 7.4, 90, 90, 90),
        {"Li": [(0.11, 0.23, 0.37)], "S": [(0.62, 0.41, 0.19)]},
    ),
}  # fmt: skip


@cache
def crystal(name: str) -> Crystal:
    """Return a crystal in the standard setting of its space group."""
    group, cell, atoms = CRYSTALS[name]
    species = [element for element, places in atoms.items() for _ in places]
    places = [place for positions in atoms.values() for place in positions]
    lattice = Lattice.from_parameters(*cell)
    return in_setting(Structure.from_spacegroup(group, lattice, species, places))


@cache
def reference(name: str):
    return candidate(crystal(name).structure)


@cache
def distances_in(name: str) -> np.ndarray:
    return distances(reference(name))


def candidate(structure):
    return crystal_from_structure(structure, Origin(source="x", material_id="y"))


def distances(candidate) -> np.ndarray:
    """Return all distances up to 6 Å, sorted."""
    return np.sort(candidate.content().get_neighbor_list(6.0)[3])


def read(text: str) -> Structure:
    [block] = crystal_blocks(text)
    return CifBlock(block).structure()


def assert_is(name: str, text: str, *, digits: int = 6) -> None:
    found, wanted = candidate(read(text)), reference(name)
    assert (found.formula, found.space_group_number, found.n_sites) == (
        wanted.formula,
        wanted.space_group_number,
        wanted.n_sites,
    )
    if digits > 3:
        assert found.candidate_id == wanted.candidate_id
        mine, theirs = distances(found), distances_in(name)
        assert len(mine) == len(theirs)
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    else:
        assert found.is_same(wanted)


LEFT_OPEN = "leaves the setting of its space group open"
INCOMPLETE = (
    "atoms make|formula units|states no symmetry|to be .* atoms|overlap|contradict|have not the "
    "symmetry|no operation but the identity"
)
#: What dialects that do not hold all there is are refused with; others must be read.
REFUSED = {
    "identity alone": INCOMPLETE,
    "nothing of symmetry": INCOMPLETE,
    "wrong Z": "formula units",
    "wrong Z, symbol only": "formula units",
}
OPEN = {
    "symbol without its setting": LEFT_OPEN,
    "short symbol": LEFT_OPEN,
    "full symbol": LEFT_OPEN,
    "number only": LEFT_OPEN,
    "number, with multiplicities and density": LEFT_OPEN,
    "another number": "number",
}
#: Some of them each, all of them together.
CASES = [
    (name, dialect)
    for k, name in enumerate(CRYSTALS)
    for j, dialect in enumerate(DIALECTS)
    if (j + k) % 3 == 0 or dialect in ("symbol only", "all atoms, identity and symbol")
]


def test_there_are_enough_of_them():
    assert len(CASES) >= 120
    assert {dialect for _, dialect in CASES} == set(DIALECTS)


@pytest.mark.parametrize(("name", "dialect"), CASES)
def test_a_dialect_is_read_right_or_refused(name, dialect):
    text = DIALECTS[dialect](crystal(name))
    is_primitive_p1 = len(crystal(name).independent) == len(crystal(name).elements)
    if dialect in REFUSED and not is_primitive_p1:
        with pytest.raises(EntryError, match=REFUSED[dialect]):
            read(text)
        return
    try:
        assert_is(name, text, digits=3 if "three digits" in dialect else 6)
    except EntryError as refused:
        assert re.search(OPEN.get(dialect, "^never$"), str(refused)), refused  # noqa: PT017


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("dialect", ["symbol only", "Hall symbol only", "operations only"])
def test_other_settings(name, dialect):
    other = other_setting(crystal(name), random.Random(f"{name} {dialect}"))
    if other is not None:
        assert_is(name, DIALECTS[dialect](other))


def test_every_setting_of_a_monoclinic_group_by_its_short_symbol():
    """Axis a, b or c, and three choices of the cell each."""
    for hall in settings(14):
        other = in_setting(crystal("baddeleyite").structure, hall)
        short = re.sub(r" 1(?= |$)", "", symbol(hall))
        text = Text(other, symbol=short, number=14, operations=None, units=1)
        assert_is("baddeleyite", str(text))


# ------------------------------------------------------------------------------- written by hand


def text_of(name: str, **parts) -> str:
    own = crystal(name)
    parts = {"symbol": symbol(own.hall_number), "units": 1, "operations": None} | parts
    return str(Text(own, **parts))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NaCl", "F m 3 m"), ("NaCl", "F m -3 m Z"), ("NaCl", "Fm3m"), ("NaCl", "F 4/m -3 2/m"),
        ("NaCl", "F m -3 m S"), ("NaCl", "FM-3M"), ("NaCl", "F_m_-3_m"), ("pyrite", "P a 3"),
        ("spinel", "F d -3 m Z"), ("spinel", "F d -3 m :2"), ("spinel", "Fd-3mZ"),
        ("spinel", "F d 3 m :2"), ("spinel", "F d -3 m (origin choice 2)"),
        ("baddeleyite", "P 21/c"), ("baddeleyite", "P2(1)/c"), ("baddeleyite", "P 1 2_1/c 1"),
        ("baddeleyite", "P121/C1"), ("baddeleyite", "P 2~1~/c"), ("beta-Ga2O3", "C2/m"),
        ("corundum", "R -3 c :H"), ("corundum", "R -3 c H"), ("corundum", "R-3c"),
        ("corundum", "R -3 2/c"), ("corundum", "R -3 c {hexagonal axes}"),
        ("corundum", "H -3 c"), ("corundum", "R -3 c {rhombohedral axes}"),
        ("GdFeO3", "P n m a"), ("GdFeO3", "P 21/n 21/m 21/a"), ("GdFeO3", "PNMA"),
        ("anatase", "I 41/a m d Z"), ("anatase", "I 41/a 2/m 2/d:2"), ("PbO", "P 4/n m m :2"),
        ("wurtzite", "P63mc"), ("wurtzite", "P 63 M C"), ("NiAs", "P 63/mmc"),
        ("NiAs", "P 63/m 2/m 2/c"), ("quartz", "P 31 2 1"), ("quartz", "P3(1)21"),
        ("quartz", "P3121"), ("CrB", "C m c m"), ("KNbO3", "A m m 2"), ("triclinic", "P -1"),
        ("chiral orthorhombic", "P212121"), ("BaFe2As2", "I 4/m m m S"),
    ],
)  # fmt: skip
def test_symbols_as_they_are_written(name, said):
    assert_is(name, text_of(name, symbol=said))


@pytest.mark.parametrize(
    ("said", "settings"),
    [
        ("C m m e", ["C m m a", "C m m b"]),
        ("A e m 2", ["A b m 2"]),
        ("C m c e", ["C m c a"]),
        ("A e m m", ["A b m m", "A c m m"]),
    ],
)
def test_glides_along_two_axes(said, settings):
    """A letter e stands for each of two, and the origin may differ."""
    table = list(gemmi.spacegroup_table())
    assert [table[index].hm for index, _ in settings_of_symbol(said)] == settings


@pytest.mark.parametrize("origin", ["1", "2"])
def test_two_origins(origin):
    [hall] = [h for h in settings(227) if symbol(h).endswith(f":{origin}")]
    own = in_setting(crystal("spinel").structure, hall)
    for said in (f"F d -3 m :{origin}", "F d -3 m " + {"1": "S", "2": "Z"}[origin]):
        assert_is("spinel", str(Text(own, symbol=said, number=227, operations=None, units=1)))
    # The formula tells the two apart.
    assert_is("spinel", str(Text(own, symbol="F d -3 m", operations=None, units=1)))


def test_a_setting_that_is_left_open():
    """Silicon fits both origins of its group: as diamond, and as something else."""
    open_text = text_of("Si", symbol="F d -3 m", units=None)
    with pytest.raises(EntryError, match=r"open: F d -3 m:1 .* and F d -3 m:2 .* different"):
        read(open_text)
    assert_is("Si", text_of("Si", symbol="F d -3 m"))  # eight atoms are stated


def test_rhombohedral_axes():
    [hall] = [h for h in settings(167) if symbol(h).endswith(":R")]
    own = in_setting(crystal("corundum").structure, hall)
    for said in ("R -3 c :R", "R -3 c R", "R-3c", "R -3 c"):
        assert_is("corundum", str(Text(own, symbol=said, number=167, operations=None)))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("_cell_volume ", "_cell_volume 2", "is stated"),
        ("_cell_length_b 5", "_cell_length_b 6", "contradict its space group"),
        ("gamma 90", "gamma 95", "contradict its space group"),
        ("Na1 Cl1", "Na1 Cl2", "atoms make NaCl where _chemical_formula_sum says"),
        ("Cl1 Na1", "Cl1 Na1 H2", "hydrogen positions are missing"),
        ("'F m -3 m'", "'F m -3 q'", "'F m -3 q' is no space group that is known"),
        ("_cell_length_a 5", "_cell_length_a five", "cannot be parsed"),
        ("_cell_length_a", "_cell_length_a 5.65\n_cell_length_a", "twice, and not the same"),
        (" 0.000000 0.000000 0.000000", " 0.03 0.03 0.03", "from its own image"),
        ("_atom_site_fract_x", "_atom_site_Cartn_x", "gives Cartesian positions only"),
        ("_atom_site_fract_x", "_x", "lacks _atom_site_fract_x"),
        ("Z 4", "Z 1", None),
        ("Z 4", "Z ?", None),
        ("Z 4", "Z 8", "8 formula units of Cl1 Na1"),
        ("Na1", "NA1", None),
    ],
)
def test_what_is_damaged(old, new, reason):
    text = text_of("NaCl", symbol="F m -3 m")
    if old == "Na1 Cl1":
        old, new = "Cl1 Na1", "Cl2 Na1"
    assert old in text
    text = text.replace(old, new, 1)
    if reason is None:
        assert_is("NaCl", text)
    else:
        with pytest.raises(EntryError, match=reason):
            read(text)


def test_symbol_and_number_of_two_types():
    text = text_of("NaCl", number=2)
    with pytest.raises(EntryError, match="is of number 225, and its number is 2"):
        read(text.replace("_cell_formula_units_Z 4", ""))


def test_operations_of_one_setting_and_the_symbol_of_another():
    other = next(h for h in settings(14) if symbol(h) == "P 1 21/n 1")
    text = text_of("baddeleyite", symbol=symbol(other), operations="all")
    with pytest.raises(EntryError, match="operations are those of P 1 21/c 1, and its symbol"):
        read(text)


def test_operations_cut_off():
    lines = text_of("GdFeO3", operations="all").splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("'"))
    del lines[first + 3]
    with pytest.raises(EntryError, match="no group: 1 are missing"):
        read("\n".join(lines))


@pytest.mark.parametrize("name", ["wurtzite", "NiAs", "quartz", "corundum", "Bi2Te3", "LiNbO3"])
def test_rounded_coordinates_are_put_onto_special_positions(name):
    text = text_of(name, operations="all", digits=3)
    assert_is(name, text, digits=3)
    structure = read(text)
    assert len(structure) == len(crystal(name).elements)
    if name == "NiAs":
        # Of the others no special position needs more than three digits, or 2 thousandths of an Å.
        said = "1 of 2 sites were put onto special positions, by at most 0.00"
        assert structure.properties[NOTE].startswith(said)


@pytest.mark.parametrize(
    "tag", ["_journal_year", "_cell_measurement_temperature", "_space_group_IT_number"]
)
def test_a_tag_without_a_value_says_nothing(tag):
    assert_is("NiAs", text_of("NiAs", operations="all").replace("\nloop_", f"\n{tag}\nloop_", 1))


def test_an_atom_off_its_position_by_more_than_its_digits_is_refused():
    text = text_of("NiAs", operations="all").replace("0.333333 0.666667", "0.345000 0.655000")
    with pytest.raises(EntryError, match=r"lies 0\.\d\d Å from its own image"):
        read(text)


def test_one_of_three_rows_once_more_is_the_same_atom():
    whole = text_of("GdFeO3", operations="all", atoms="all")
    assert "others once more" in read(whole).properties[NOTE]
    assert_is("GdFeO3", whole)


@pytest.mark.parametrize(
    "operation", ["x, y, z", "X,Y,Z", "1 x, y, z", "+x,+y,+z", "'x, y, z'", "1 'x,y,z'"]
)
def test_operations_as_they_are_written(operation):
    text = text_of("triclinic", operations="all")
    second = operation.replace("x", "-x").replace("y", "-y").replace("z", "-z")
    second = second.replace("X", "-X").replace("Y", "-Y").replace("Z", "-Z")
    second = second.replace("+-", "-").replace("1 ", "2 ")
    head = "_symmetry_equiv_pos_as_xyz\n"
    if operation.startswith("1 "):
        text = text.replace(head, "_symmetry_equiv_pos_site_id\n" + head)
    start = text.index(head) + len(head)
    end = text.index("loop_", start)
    assert_is("triclinic", f"{text[:start]}{operation}\n{second}\n{text[end:]}")


def test_ids_with_a_sign_are_no_part_of_an_operation():
    text = text_of("triclinic", operations="all").replace(
        "_symmetry_equiv_pos_as_xyz", "_symmetry_equiv_pos_site_id\n_symmetry_equiv_pos_as_xyz"
    )
    text = text.replace("'x, y, z'", "1 +x,+y,+z").replace("'-x, -y, -z'", "-1 -x,-y,-z")
    assert_is("triclinic", text)


@pytest.mark.parametrize(
    "line",
    [
        "_publ_author_name 'O'Brien' and more",
        "_publ_section_title [not closed",
        "_journal_name_full Zeitschrift für Kristallographie",
        "_publ_section_comment\n;\nüber data_ and loop_\ndata_x\n;",
        "loop_\n_publ_author_name\n'A'\n'not closed",
        "loop_\n_citation_id\n_citation_year\n1 1987 2",
        "_symmetry_cell_setting cubic # a comment with 'quotes",
    ],
)
def test_broken_lines_about_something_else(line):
    text = text_of("NaCl", symbol="F m -3 m")
    for place in ("_cell_length_a", "loop_\n_atom_site"):
        assert_is("NaCl", text.replace(place, f"{line}\n{place}", 1))


def test_broken_lines_about_the_crystal():
    text = text_of("NaCl").replace("Na", "'Na", 1)
    with pytest.raises(EntryError, match="breaks the grammar in line"):
        read(text.replace("Na5", "'Na5"))


def test_blocks():
    first, second = text_of("NaCl"), text_of("Si")
    field = "_publ_section_comment\n;\ndata_ in a text\n;\n"
    whole = "\ufeff" + first.replace("_cell_length_a", field + "_cell_length_a") + second
    assert [CifBlock(b).structure().reduced_formula for b in crystal_blocks(whole)] == [
        "NaCl",
        "Si",
    ]
    # A text without an end must not swallow the blocks after it.
    broken = first.replace("_cell_length_a", "_publ_section_comment\n;\n no end\n_cell_length_a", 1)
    blocks = crystal_blocks(broken + second)
    assert len(blocks) == 2
    with pytest.raises(EntryError):
        CifBlock(blocks[0]).structure()
    assert CifBlock(blocks[1]).structure().reduced_formula == "Si"


@pytest.mark.parametrize(
    ("text", "symbols"),
    [("CA1", {"C", "O"}), ("CA1", {"Ca", "O"}), ("Ca1", None), ("OW1", {"H", "O"}), ("Cs+", None)],
)
def test_elements_of_labels(text, symbols):
    from screening.sources.cif_elements import element_of

    wanted = {("CA1", True): "C", ("OW1", False): "O", ("Ca1", False): "Ca", ("Cs+", False): "Cs"}
    key = (text, "C" in (symbols or ()))
    assert element_of(text, frozenset(symbols or ()), False) == wanted.get(key, "Ca")


def test_a_label_that_may_be_two_elements():
    from screening.sources.cif_elements import element_of

    with pytest.raises(EntryError, match="may be C or Ca"):
        element_of("CA1", frozenset(), False)


def test_hall_symbols_are_those_of_the_tables():
    assert hall_symbol(crystal("corundum").hall_number) == '-R 3 2"c'
