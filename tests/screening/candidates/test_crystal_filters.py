from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from screening.candidates.candidate import Origin
from screening.candidates.crystal import Crystal
from screening.candidates.crystal_filters import CrystalFilters, prototype_of
from screening.candidates.elements import crustal_abundances_ppm, element_lists
from screening.messages.errors import ScreenError
from screening.messages.validation import validated


def refusal(candidate: Crystal, filters: CrystalFilters) -> str | None:
    """Return the reason as a person reads it."""
    reason = filters.refusal(candidate)
    return None if reason is None else str(reason)


NACL = Crystal(
    candidate_id="NaCl-225-00000000",
    formula="NaCl",
    space_group_number=225,
    n_sites=2,
    elements=["Cl", "Na"],
    structure={},
    origins=[Origin(source="test", material_id="1")],
)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, None),
        ({"max_sites": 2}, None),
        ({"max_sites": 1}, "it has 2 atoms in the primitive cell, more than max_sites = 1"),
        ({"include_elements": ["Na", "Cl", "K"]}, None),
        ({"include_elements": ["K", "Cl"]}, "it contains Na, not among include_elements"),
        ({"exclude_elements": ["K"]}, None),
        ({"exclude_elements": ["Na", "Cl"]}, "it contains Cl, Na, among exclude_elements"),
        ({"space_groups": [216, 225]}, None),
        ({"space_groups": [216]}, "its space group 225 is not among space_groups"),
        ({"min_sites": 2}, None),
        ({"min_sites": 3}, "it has 2 atoms in the primitive cell, fewer than min_sites = 3"),
        ({"min_elements": 2, "max_elements": 2}, None),
        ({"min_elements": 3}, "it has 2 elements, fewer than min_elements = 3"),
        ({"max_elements": 1}, "it has 2 elements, more than max_elements = 1"),
        ({"require_elements": ["Na", "Cl"]}, None),
        ({"require_elements": ["Na", "K", "Br"]}, "it lacks Br, K of require_elements"),
        ({"any_elements": ["K", "Na"]}, None),
        ({"any_elements": ["K", "Br"]}, "it contains none of any_elements"),
        ({"exclude_lists": ["radioactive", "toxic", "noble-gas"]}, None),
        ({"min_crustal_abundance_ppm": 145}, None),
        (
            {"min_crustal_abundance_ppm": 146},
            "it contains Cl, which the Earth's crust holds at 145 ppm, "
            "below min_crustal_abundance_ppm = 146",
        ),
        ({"crystal_systems": ["hexagonal", "cubic"]}, None),
        ({"crystal_systems": ["trigonal"]}, "it is cubic, not among crystal_systems"),
        ({"prototypes": ["AB-216", "AB-225"]}, None),
        ({"prototypes": ["AB-216"]}, "its prototype AB-225 is not among prototypes"),
        ({"band_gap_ev": {"min": 1}}, "its band_gap_ev is not stated"),
        ({"experimental": True}, "whether it is experimental is not stated"),
        ({"band_gap_ev": {"min": 1}, "experimental": True, "where_unknown": "keep"}, None),
    ],
)
def test_reasons(config, reason):
    assert refusal(NACL, CrystalFilters.model_validate(config)) == reason


@pytest.mark.parametrize(
    "config",
    [
        {"max_sites": 0},
        {"max_atoms": 3},
        {"include_elements": ["Na Cl"]},
        {"exclude_elements": ["Xx"]},
        {"exclude_elements": [""]},
        {"space_groups": [231]},
        {"crystal_systems": ["rhombohedral"]},
        {"any_elements": []},
        {"experimental": False},
        {"min_crustal_abundance_ppm": float("nan")},
        {"where_unknown": "ignore"},
        {"band_gap_ev": {}},
    ],
)
def test_config_refuses_nonsense(config):
    with pytest.raises(ValidationError):
        CrystalFilters.model_validate(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"exclude_lists": ["radioactiv"]},
            "campaign: field 'exclude_lists.0': 'radioactiv' is not a list of elements; "
            "known: noble-gas, radioactive, radioactive-except-th-u, toxic",
        ),
        ({"require_elements": ["Xx"]}, "'Xx' is not the symbol of an element"),
        ({"min_sites": 50}, "min_sites 50 is above max_sites 40"),
        ({"min_elements": 3, "max_elements": 2}, "min_elements 3 is above max_elements 2"),
        (
            {"require_elements": ["Na", "Cl"], "max_elements": 1},
            "require_elements has more elements than max_elements 1",
        ),
        (
            {"require_elements": ["Na", "Pb"], "exclude_lists": ["toxic"]},
            "require_elements asks for Pb, which include_elements, exclude_elements or "
            "exclude_lists leave out",
        ),
        (
            {"any_elements": ["K", "Na"], "include_elements": ["Cl"]},
            "any_elements asks for K, Na, which include_elements, exclude_elements or "
            "exclude_lists leave out",
        ),
        ({"prototypes": ["rocksalt"]}, "'rocksalt' is not a formula in A, B, C, … and a space"),
        ({"prototypes": ["AB-231"]}, "'AB-231': space groups have the numbers 1 to 230"),
        ({"temperature_k": {"min": 300, "max": 200}}, "min 300 is above max 200"),
        ({"temperature_k": {"equals": True}}, "takes min, max or both, not equals"),
        ({"temperature_k": {"maximum": 3}}, "is unknown; did you mean 'max'?"),
    ],
)
def test_config_says_what_is_wrong(config, message):
    with pytest.raises(ScreenError) as caught:
        validated(CrystalFilters, config, "campaign")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def with_facts(**properties):
    origin = Origin(source="test", material_id="1", properties=properties)
    return NACL.model_copy(update={"origins": [origin]})


@pytest.mark.parametrize(
    ("facts", "config", "reason"),
    [
        ({"band_gap_ev": 5.0}, {"band_gap_ev": {"min": 1, "max": 6}}, None),
        (
            {"band_gap_ev": 0.52},
            {"band_gap_ev": {"min": 1}, "where_unknown": "keep"},
            "its band_gap_ev is 0.52, below 1",
        ),
        ({"band_gap_ev": "wide"}, {"band_gap_ev": {"min": 1}}, "its band_gap_ev is not stated"),
        ({"band_gap_ev": None}, {"band_gap_ev": {"min": 1}}, "its band_gap_ev is not stated"),
        ({"band_gap_ev": True}, {"band_gap_ev": {"min": 1}}, "its band_gap_ev is not stated"),
        (
            {"temperature_k": 1200, "pressure_kpa": 5e6},
            {"temperature_k": {"max": 400}},
            "its temperature_k is 1200, above 400",
        ),
        (
            {"pressure_kpa": 5e6},
            {"pressure_kpa": {"max": 200}},
            "its pressure_kpa is 5e+06, above 200",
        ),
        (
            {"energy_above_hull_ev_per_atom": 0.08},
            {"energy_above_hull_ev_per_atom": {"max": 0.05}},
            "its energy_above_hull_ev_per_atom is 0.08, above 0.05",
        ),
        ({"experimental": True}, {"experimental": True}, None),
        ({"theoretical": False}, {"experimental": True}, None),
        (
            {"theoretical": True},
            {"experimental": True, "where_unknown": "keep"},
            "it is stated to be theoretical, not experimental",
        ),
        (
            {"theoretical": "yes"},
            {"experimental": True},
            "whether it is experimental is not stated",
        ),
    ],
)
def test_facts_are_what_the_source_states(facts, config, reason):
    assert refusal(with_facts(**facts), CrystalFilters.model_validate(config)) == reason


def test_elements_that_lists_leave_out():
    lead = NACL.model_copy(update={"elements": ["Pb", "Te"]})
    config = CrystalFilters(exclude_lists=["radioactive", "toxic"])
    assert refusal(lead, config) == "it contains Pb, among the toxic elements of exclude_lists"
    technetium = NACL.model_copy(update={"elements": ["O", "Tc"]})
    assert refusal(technetium, CrystalFilters(min_crustal_abundance_ppm=1e-9)) == (
        "it contains Tc, which the Earth's crust holds in traces at most, "
        "below min_crustal_abundance_ppm = 1e-09"
    )


def test_shipped_lists_and_abundances_are_of_elements():
    from pymatgen.core.periodic_table import Element

    lists = element_lists()
    for symbols in (*lists.values(), crustal_abundances_ppm()):
        assert symbols
        assert all(Element.is_valid_symbol(symbol) for symbol in symbols)
    assert lists["radioactive"] - lists["radioactive-except-th-u"] == {"Th", "U"}
    heavy = {Element.from_Z(z).symbol for z in range(84, 119)}
    assert lists["radioactive"] == heavy | {"Tc", "Pm"}
    assert lists["noble-gas"] == {each.symbol for each in Element if each.is_noble_gas} | {"Og"}
    # The abundances are mass fractions of the whole.
    assert sum(crustal_abundances_ppm().values()) == pytest.approx(1e6, rel=0.02)


def test_lists_are_read_only_where_they_are_asked_for():
    code = """
import sys
from screening.candidates.crystal_filters import CrystalFilters
from screening.candidates.elements import element_lists
CrystalFilters(require_elements=["Na"])
assert element_lists.cache_info().currsize == 0
CrystalFilters(exclude_lists=["toxic"], prototypes=["AB-225"], min_crustal_abundance_ppm=1)
sys.exit("pymatgen" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("written", "meant"),
    [("AB-225", "AB-225"), ("A3BC-221", "ABC3-221"), ("A2B2-186", "AB-186"), ("A4-227", "A-227")],
)
def test_prototypes_have_one_spelling(written, meant):
    assert CrystalFilters(prototypes=[written]).prototypes == [meant]


@pytest.mark.parametrize(
    ("formula", "label"),
    [
        ("NaCl", "AB-1"),
        ("Mg3(PO4)2", "A2B3C8-1"),
        ("Li2O2", "AB-1"),
        ("O2", "A-1"),
        ("Fe2O3", "A2B3-1"),
    ],
)
def test_the_prototype_of_a_candidate_is_spelt_so_too(formula, label):
    candidate = NACL.model_copy(update={"formula": formula, "space_group_number": 1})
    assert prototype_of(candidate) == label
    assert CrystalFilters(prototypes=[label]).prototypes == [label]


# ---------------------------------------------------------------------- what filters have in common

SYMBOLS = ["Na", "K", "Cl", "Br", "O", "Pb", "Tc"]
symbols = st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4, unique=True)
facts = st.dictionaries(st.sampled_from(CrystalFilters.STATED), st.none() | st.floats(0, 10))


@st.composite
def candidates(draw):
    elements = sorted(draw(symbols))
    return Crystal(
        candidate_id="x",
        formula="".join(elements),
        space_group_number=draw(st.integers(1, 230)),
        n_sites=draw(st.integers(1, 60)),
        elements=elements,
        structure={},
        origins=[Origin(source="test", material_id="1", properties=draw(facts))],
    )


def bounds(draw):
    low, high = sorted(draw(st.tuples(st.floats(0, 10), st.floats(0, 10))))
    return {"min": low, "max": high}


FIELDS = {
    "min_sites": lambda draw: draw(st.integers(1, 60)),
    "max_sites": lambda draw: draw(st.integers(1, 60)),
    "min_elements": lambda draw: draw(st.integers(1, 4)),
    "max_elements": lambda draw: draw(st.integers(1, 4)),
    "include_elements": lambda draw: draw(symbols),
    "exclude_elements": lambda draw: draw(symbols),
    "exclude_lists": lambda draw: draw(st.lists(st.sampled_from(sorted(element_lists())))),
    "require_elements": lambda draw: draw(symbols),
    "any_elements": lambda draw: draw(symbols),
    "min_crustal_abundance_ppm": lambda draw: draw(st.floats(0, 1e5)),
    "space_groups": lambda draw: draw(st.lists(st.integers(1, 230))),
    "crystal_systems": lambda draw: draw(st.lists(st.sampled_from(["cubic", "trigonal"]))),
    "prototypes": lambda draw: draw(st.lists(st.sampled_from(["AB-225", "ABC3-221"]))),
    "experimental": lambda draw: True,
    **dict.fromkeys(CrystalFilters.STATED, bounds),
}


def accepted(content):
    try:
        return CrystalFilters.model_validate(content)
    except ValidationError:
        assume(False)


@given(data=st.data(), candidate=candidates())
def test_a_filter_left_out_or_loosened_never_refuses_more(data, candidate):
    names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=4))
    content = {"max_sites": 60, **{name: FIELDS[name](data.draw) for name in names}}
    strict = accepted(content)
    assume(refusal(candidate, strict) is None)
    # What passes all of them passes any part of them, and with less demanding ones.
    for name in names:
        rest = {key: value for key, value in content.items() if key != name}
        assert refusal(candidate, accepted({"max_sites": 60, **rest})) is None
    loose = dict(content)
    for name in set(names) & set(CrystalFilters.STATED):
        loose[name] = {"min": content[name]["min"] - 1, "max": content[name]["max"] + 1}
    for name in set(names) & {"include_elements", "any_elements"}:
        loose[name] = SYMBOLS
    assert refusal(candidate, accepted(loose)) is None
    assert refusal(candidate, accepted({**content, "where_unknown": "keep"})) is None


@given(candidate=candidates(), asked=symbols)
def test_require_any_and_exclude_are_consistent(candidate, asked):
    has_all = refusal(candidate, CrystalFilters(max_sites=60, require_elements=asked)) is None
    has_any = refusal(candidate, CrystalFilters(max_sites=60, any_elements=asked)) is None
    has_none = refusal(candidate, CrystalFilters(max_sites=60, exclude_elements=asked)) is None
    has_only = refusal(candidate, CrystalFilters(max_sites=60, include_elements=asked)) is None
    assert has_none == (not has_any)
    assert has_any or not has_all
    assert has_only == (set(candidate.elements) <= set(asked))
    with pytest.raises(ValidationError):
        CrystalFilters(require_elements=asked, exclude_elements=asked)


@given(candidate=candidates(), name=st.sampled_from(CrystalFilters.STATED), low=st.floats(0, 10))
def test_unknown_facts_are_kept_or_refused_as_asked(candidate, name, low):
    content = {"max_sites": 60, name: {"min": low}}
    kept = refusal(candidate, CrystalFilters.model_validate({**content, "where_unknown": "keep"}))
    refused = refusal(candidate, CrystalFilters.model_validate(content))
    if candidate.origins[0].properties.get(name) is None:
        assert (kept, refused) == (None, f"its {name} is not stated")
    else:
        assert kept == refused
