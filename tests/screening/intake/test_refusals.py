"""Reasons of thousands of entries in few lines."""

from __future__ import annotations

import pickle

import pytest
from campaign_fixtures import toy_candidates
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.crystal_sanity import unusable
from screening.intake.refusal_groups import LeftOut, summed_up
from screening.messages.refusal import Refusal, RefusedError, in_one
from screening.sources.files import cif_record
from screening.sources.record import same_entry


def cif(*rows: str, cell: str = "5.6") -> Refusal:
    """Return why a CIF with these rows of label, element and occupancy is refused."""
    lines = ["data_x", "_symmetry_space_group_name_H-M 'P 1'"]
    lines += [f"_cell_length_{axis} {cell}" for axis in "abc" if cell]
    lines += [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol", "_atom_site_occupancy"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    refusal = cif_record("\n".join([*lines, *(f"{row} 0 0 0" for row in rows), ""]), "x").refusal
    assert isinstance(refusal, Refusal)
    return refusal


def disordered(species: dict[str, float]) -> Refusal:
    return unusable(Structure(Lattice.cubic(5), [species], [[0, 0, 0]]))


def filtered(**filters) -> list[Refusal]:
    """Return why the toy's silver and a silver alloy are left out."""
    crystals = [each for each in toy_candidates() if each.formula in ("Ag", "AgAu3")]
    return [CrystalFilters(**filters).refusal(crystal) for crystal in crystals]


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (
            [
                "it has 41 atoms, more than max_sites = 40",
                "it has 9e+01 atoms, more than max_sites = 40",
            ],
            "it has 41 to 9e+01 atoms, more than max_sites = 40",
        ),
        (
            [same_entry("a.cif#1-17-ICSD"), same_entry("b c/d.cif")],
            "it is the same entry as …",
        ),
        (
            [cif("Cs1 Cs 1.5"), cif("K3 K 0.5", "Rb1 Rb 0.75")],
            "its site … is occupied more than once, by 1.25 to 1.5",
        ),
        (
            filtered(exclude_elements=["Ag", "Au"]),
            "it contains …, among exclude_elements",
        ),
        (
            filtered(prototypes=["ABC3-221"]),
            "its prototype … is not among prototypes",
        ),
        (
            filtered(space_groups=[1]),
            "its space group 221 to 225 is not among space_groups",
        ),
        (
            [disordered({"Na": 0.5, "K": 0.5}), disordered({"O": 0.5, "F": 0.5})],
            "it is disordered: a site holds …",
        ),
        (
            [cif("Na1 Na 1", cell="")] * 2,
            "its CIF lacks _cell_length_a, _cell_length_b, _cell_length_c; is it truncated?",
        ),
        ([cif("Na1 Na 1", cell=""), cif()], "its CIF lacks …; is it truncated?"),
    ],
)
def test_reasons_of_one_kind_are_one(reasons, said):
    found = summed_up([("first.cif", reasons[0]), ("second.cif", reasons[1])])
    assert found == [LeftOut(said, 2, "first.cif")]


def test_reasons_of_other_kinds_stay_apart_the_most_frequent_first():
    places = {"a": filtered(crystal_systems=["cubic"], space_groups=[1])[0]}
    places |= {"b": cif("Cs1 Cs 1.5"), "c": cif("Na1 Na 0"), "d": cif("K3 K 1.25")}
    found = summed_up(places.items())
    assert [(left_out.count, left_out.example) for left_out in found] == [
        (2, "b"),
        (1, "a"),
        (1, "c"),
    ]
    assert found[0].reason == "its site … is occupied more than once, by 1.25 to 1.5"


def test_a_reason_is_data_with_a_text():
    refusal = Refusal.of("it has {n} of {names}: {x:.2f} {{Å}}", n=3, names=["a", "b"], x=1.234)
    assert str(refusal) == "it has 3 of a, b: 1.23 {Å}"
    assert str(refusal.preceded("{who}, ", who="he")) == "he, it has 3 of a, b: 1.23 {Å}"
    assert Refusal.model_validate_json(refusal.model_dump_json()) == refusal
    assert str(Refusal.of_words("a {b} of 3.5 Å")) == "a {b} of 3.5 Å"
    sentences = [Refusal.of_words(f"{name} has no isotopes", [name]) for name in ("Tc", "Pm")]
    assert in_one(sentences) == "… has no isotopes"
    error = pickle.loads(pickle.dumps(RefusedError("{a} is wrong", a="{b}")))
    assert (str(error), error.refusal.values) == ("{b} is wrong", {"a": "{b}"})
