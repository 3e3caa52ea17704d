"""ICSD's export, read from files written by hand after its format; no licensed data are here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.candidates.candidate import Origin
from screening.candidates.crystal import crystal_from_structure
from screening.candidates.crystal_filters import CrystalFilters
from screening.intake.ingest import Pool, Refused
from screening.intake.refusal_groups import summed_up
from screening.sources import SourceError, open_source
from screening.sources.cif import CifBlock


def block(
    code: int = 900001,
    atoms: str = "Cs1 Cs1+ 1 a 0. 0. 0. . 1.\nCl1 Cl1- 1 b 0.5 0.5 0.5 . 1.",
    formula: str = "Cl1 Cs1",
    facts: str = "",
    remark: str = "",
) -> str:
    """Return an invented entry, laid out as ICSD does: caesium chloride unless told otherwise."""
    return f"""
#(C) an invented entry, for tests
data_{code}-ICSD
_database_code_ICSD                {code}
_audit_creation_date               2001-01-01
_chemical_name_common              'An invented chloride'
_chemical_formula_sum              '{formula}'
_chemical_name_structure_type      CsCl
_chemical_name_mineral             ?
_exptl_crystal_density_diffrn      3.99
_citation_title
;
 An invented work
 on nothing
;
loop_
_citation_id
_citation_journal_full
_citation_year
_citation_journal_volume
primary 'Journal of Invented Crystals' 1987 1
2 'Journal of Invented Crystals' 1988 2
{facts}
_cell_length_a                     4.12(1)
_cell_length_b                     4.12(1)
_cell_length_c                     4.12(1)
_cell_angle_alpha                  90.
_cell_angle_beta                   90.
_cell_angle_gamma                  90.
_cell_volume                       69.9
_cell_formula_units_Z              1
_space_group_name_H-M_alt          'P 1'
_space_group_IT_number             1
loop_
_space_group_symop_id
_space_group_symop_operation_xyz
1 'x, y, z'
loop_
_atom_type_symbol
_atom_type_oxidation_number
Cs1+ 1
Cl1- -1
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_symmetry_multiplicity
_atom_site_Wyckoff_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_B_iso_or_equiv
_atom_site_occupancy
{atoms}
{remark}
#End of TTdata_{code}-ICSD
"""


def read(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.cif").write_text(text)
    return list(open_source(f"icsd:{folder}").records())


def test_an_entry_with_all_its_facts(tmp_path):
    facts = """
_cell_measurement_temperature      295(2)
_diffrn_ambient_pressure           5.2(3)E6
_cell_measurement_pressure         101.3
_refine_ls_R_factor_all            0.0312
_chemical_name_systematic          'Caesium chloride'
"""
    [record] = read(tmp_path, a=block(facts=facts))
    assert (record.material_id, record.error) == ("icsd-900001", None)
    assert record.content.reduced_formula == "CsCl"
    assert record.properties == {
        "icsd_code": 900001,
        "experimental": True,
        "chemical_name": "An invented chloride",
        "structure_type": "CsCl",
        "title": "An invented work on nothing",
        "temperature_k": 295.0,
        # What is no number by the rules of CIF is passed over.
        "pressure_kpa": 101.3,
        "r_factor": 0.0312,
        "density_g_per_cm3": 3.99,
        "year": 1987,
        "oxidation_states": "Cl -1, Cs +1",
    }
    origin = Origin(source="icsd:x", material_id="icsd-900001", properties=record.properties)
    assert crystal_from_structure(record.content, origin).space_group_number == 221


def test_many_blocks_many_files_and_an_entry_twice(tmp_path):
    found = read(
        tmp_path,
        a="data_general\n_journal_year 2001\n" + block(1) + block(2),
        b=block(2),
        c=block(3),
    )
    assert [r.material_id for r in found] == ["icsd-1", "icsd-2", "icsd-2", "icsd-3"]
    assert [r.location for r in found] == ["a.cif#1-1-ICSD", "a.cif#2-2-ICSD", "b.cif", "c.cif"]
    assert [r.error for r in found] == [
        *(None, None),
        "it is the same entry as a.cif#2-2-ICSD",
        None,
    ]


def test_the_whole_copy_of_a_damaged_entry_is_taken(tmp_path):
    whole = block(7)
    broken, fine = read(tmp_path, a=whole[: whole.index("Cl1 Cl1- 1 b")], b=whole)
    assert (broken.material_id, fine.material_id) == ("icsd-7", "icsd-7")
    assert "truncated" in broken.error
    assert fine.error is None


def test_one_file_of_the_export(tmp_path):
    (tmp_path / "all.cif").write_text(block(1) + block(2))
    assert len(list(open_source(f"icsd:{tmp_path / 'all.cif'}").records())) == 2


@pytest.mark.parametrize(
    ("atoms", "formula", "reason"),
    [
        (
            "Cs1 Cs1+ 1 a 0. 0. 0. . 1.\nCl1 Cl1- 1 b 0.5 0.5 0.5 . .",
            "?",
            "its site Cl 1 is occupied partly, by 0",
        ),
        (
            "Cs1 Cs1+ 1 a 0. 0. 0. . 1.2\nCl1 Cl1- 1 b 0.5 0.5 0.5 . 1.",
            "Cl1 Cs1",
            "its site Cs 1 is occupied more than once, by 1.2",
        ),
        (
            "Cs1 Cs1+ 1 a 0. 0. 0. . 1.\nCl1 Cl1- 1 b ? ? ? . 1.",
            "Cl1 Cs1",
            "its site Cl 1 has no position",
        ),
        (
            "Mg1 Mg2+ 1 a 0. 0. 0. . 1.\nO1 O2- 1 b 0.5 0.5 0.5 . 1.\nH1 H1+ 1 . . . . . 1.",
            "H1 Mg1 O1",
            "hydrogen positions are missing: site H 1 has none",
        ),
        (
            "Mg1 Mg2+ 1 a 0. 0. 0. . 1.\nO1 O2- 1 b 0.5 0.5 0.5 . 1.",
            "H1 Mg1 O1",
            "hydrogen positions are missing: its atoms make MgO where _chemical_formula_sum says "
            "MgHO",
        ),
        (
            "Mg1 Mg2+ 1 a 0. 0. 0. . 1.\nO1 O2- 1 b 0.5 0.5 0.5 . 1.",
            "Mg1 O2",
            "its atoms make MgO where _chemical_formula_sum says MgO2; are atoms missing, or is it "
            "truncated?",
        ),
    ],
)
def test_entries_that_must_not_be_used(tmp_path, atoms, formula, reason):
    [record] = read(tmp_path, a=block(atoms=atoms, formula=formula))
    assert (record.material_id, record.content) == ("icsd-900001", None)
    assert record.error == reason


@pytest.mark.parametrize(
    ("atoms", "formula", "shares"),
    [
        (
            "Cs1 Cs1+ 1 a 0. 0. 0. . 0.9(1)\nCl1 Cl1- 1 b 0.5 0.5 0.5 . 1.",
            "Cl1 Cs0.9",
            {"Cs": 0.9},
        ),
        (
            "Cs1 Cs1+ 1 a 0. 0. 0. . 0.25\nRb1 Rb1+ 1 a 0. 0. 1.000 . 0.75\n"
            "Cl1 Cl1- 1 b 0.5 0.5 0.5 . 1.",
            "Cl1 Cs0.25 Rb0.75",
            {"Cs": 0.25, "Rb": 0.75},
        ),
    ],
)
def test_disorder_is_read_and_compared_with_the_formula(tmp_path, atoms, formula, shares):
    [record] = read(tmp_path, a=block(atoms=atoms, formula=formula))
    assert record.error is None
    [mixed] = [site for site in record.content if not site.is_ordered]
    assert mixed.species.get_el_amt_dict() == pytest.approx(shares)
    [record] = read(tmp_path, a=block(atoms=atoms, formula="Cl1 Cs1"))
    assert "its atoms make" in record.error


def test_overfull_sites_are_counted_as_one_reason(tmp_path):
    atoms = "Cs{0} Cs1+ 1 a 0. 0. 0. . {1}\nCl1 Cl1- 1 b 0.5 0.5 0.5 . 1."
    found = read(tmp_path, a=block(1, atoms.format(1, 1.5)), b=block(2, atoms.format(4, 1.25)))
    pool = Pool(refused=[Refused(r.location, r.material_id, r.refusal) for r in found])
    [left_out] = summed_up((entry.location, entry.refusal) for entry in pool.refused)
    assert (left_out.reason, left_out.count) == (
        "its site … is occupied more than once, by 1.25 to 1.5",
        2,
    )


def test_what_the_export_states_is_what_filters_bound(tmp_path):
    hot = block(1, facts="_cell_measurement_temperature 1200(10)")
    found = read(
        tmp_path, a=hot, b=block(2), c=block(3, remark="# structure calculated theoretically")
    )
    filters = CrystalFilters.model_validate(
        {"experimental": True, "temperature_k": {"max": 400}, "where_unknown": "keep"}
    )
    said = []
    for record in found:
        origin = Origin(source="x", material_id=record.material_id, properties=record.properties)
        reason = filters.refusal(crystal_from_structure(record.content, origin))
        said.append(reason and str(reason))
    assert said == [
        "its temperature_k is 1200, above 400",
        None,
        "it is stated to be theoretical, not experimental",
    ]


def test_hydrogens_that_are_only_counted(tmp_path):
    text = block(atoms="Cs1 Cs1+ 1 a 0. 0. 0. . 1. 0\nO1 O2- 1 b 0.5 0.5 0.5 . 1. 1")
    text = text.replace(
        "_atom_site_occupancy", "_atom_site_occupancy\n_atom_site_attached_hydrogens"
    )
    [record] = read(tmp_path, a=text.replace("'Cl1 Cs1'", "?"))
    assert record.error == "hydrogen positions are missing: site O 1 carries 1 without one"


def test_two_valences_on_a_site_are_no_disorder(tmp_path):
    atoms = "Fe1 Fe2+ 1 a 0. 0. 0. . 0.5\nFe2 Fe3+ 1 a 0. 0. 0. . 0.5\nN1 N3- 1 b 0.5 0.5 0.5 . 1."
    types = "Cs1+ 1\nCl1- -1", "Fe2+ 2\nFe3+ 3\nN3- -3"
    [record] = read(tmp_path, a=block(atoms=atoms, formula="Fe1 N1").replace(*types))
    assert record.error is None
    assert record.content.is_ordered
    assert record.properties["oxidation_states"] == "Fe +2, Fe +3, N -3"


@pytest.mark.parametrize(
    "remark",
    [
        "_publ_section_comment\n;\n The structure\n calculated theoretically\n;",
        "# REM Structure calculated theoretically",
    ],
)
def test_theoretical_structures_are_kept_and_flagged(tmp_path, remark):
    computed, measured = read(tmp_path, a=block(1, remark=remark), b=block(2))
    assert computed.content is not None
    assert (computed.properties["theoretical"], computed.properties["experimental"]) == (
        True,
        False,
    )
    assert measured.properties["experimental"] is True
    assert "theoretical" not in measured.properties


def test_files_from_elsewhere_are_refused(tmp_path):
    text = block().replace("_database_code_ICSD   ", "_cod_database_code   ")
    [record] = read(tmp_path, a=text)
    assert record.material_id == "cod-900001"
    assert record.error == "it states no _database_code_ICSD; name its folder without 'icsd:'"
    # The same folder without the prefix.
    [record] = open_source(str(tmp_path)).records()
    assert record.error is None


@pytest.mark.parametrize("rest", ["", "no/such/folder"])
def test_no_folder(rest):
    with pytest.raises(SourceError, match="no such folder; give that of the CIF files"):
        open_source(f"icsd:{rest}")


@given(
    number=st.floats(0, 1e4, allow_nan=False).map(lambda x: f"{x:.3f}"),
    uncertainty=st.sampled_from(["", "(2)", "(12)"]),
)
def test_uncertainties_are_dropped(number, uncertainty):
    facts = f"_diffrn_ambient_temperature {number}{uncertainty}"
    assert CifBlock(f"x\n{facts}\n").facts()["temperature_k"] == float(number)


@pytest.mark.parametrize(
    "text", ["?", ".", "'?'", "room", "100-300", "293(2)K", "nan", "1e", "1e999"]
)
def test_what_is_no_number_is_not_stated(text):
    assert CifBlock(f"x\n_diffrn_ambient_temperature {text}\n").facts() == {}
