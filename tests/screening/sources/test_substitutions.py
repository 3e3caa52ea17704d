"""Substituted crystals: balanced, whole, distinct, the same every time; mistakes explained."""

from __future__ import annotations

import itertools

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher

from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.sources.substitution_config import SubstitutionConfig
from screening.sources.substitutions import Substitutions, open_substitutions

OLIVINE = {
    "parent": "LiFePO4.cif",
    "oxidation_states": {"Li": 1, "Fe": 2, "P": 5, "O": -2},
    "sublattices": {
        "Fe": {"species": {"Mg": 2, "Zr": 4}, "fractions": [0.25, 0.5]},
        "P": {"species": {"Si": 4}, "fractions": [0.5, 1.0]},
    },
}


@pytest.fixture
def write(tmp_path):
    def written(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**OLIVINE, **changes}))
        return f"substitutions:{path}"

    return written


@pytest.fixture(scope="module")
def parent():
    return open_substitutions("olivine").parent


def test_only_balanced_combinations_are_made(write):
    records = list(open_source(write()).records())
    # Zr4+ on Fe2+ is paid for by two Si4+ on P5+; Mg2+ by nothing.
    names = {record.material_id for record in records}
    assert names == {
        "LiFePO4",
        "Fe0.75Mg0.25",
        "Fe0.5Mg0.5",
        "Fe0.75Zr0.25 P0.5Si0.5",
        "Fe0.5Zr0.5 Si",
    }
    zirconium = next(each for each in records if each.material_id.startswith("Fe0.75Zr"))
    assert zirconium.content.composition.as_dict() == {
        **{"Li": 4, "Fe": 3, "Zr": 1},
        **{"P": 2, "Si": 2, "O": 16},
    }


def test_choices_that_no_crystal_comes_of_are_named(write):
    iron = {"species": {"Mg": 2, "Zr": 4}, "fractions": [0.3, 0.5]}
    refused = [r for r in open_source(write(sublattices={"Fe": iron})).records() if r.error]
    assert {each.location: each.error.partition(";")[0] for each in refused} == {
        "Mg for 0.3 of the Fe": "0.7 of the 4 Fe is no whole number of Fe",
        "Zr for 0.3 of the Fe": "0.7 of the 4 Fe is no whole number of Fe",
        "Zr for 0.5 of the Fe": "no combination with it is balanced",
    }


def test_mean_oxidation_states_are_taken(write):
    # Half of the iron is oxidised where half of the lithium has left.
    states = {"Li": 1, "Fe": 2.5, "P": 4.5, "O": -2}
    iron = {"species": {"Mn": 2.5}, "fractions": [0.5]}
    spec = write(oxidation_states=states, sublattices={"Fe": iron})
    found = {each.material_id: each for each in open_source(spec).records()}
    assert found["Fe0.5Mn0.5"].inputs["oxidation_states"]["Mn"] == 2.5


def test_the_first_arrangement_has_the_lowest_energy_of_all(write):
    """Zr4+ next to two Si4+ (less than P5+): checked by brute force."""
    from pymatgen.core import Species
    from pymatgen.core.ewald import EwaldSummation

    record = next(
        each for each in open_source(write()).records() if each.material_id.startswith("Fe0.75Zr")
    )
    states = {"Li": 1, "Fe": 2, "P": 5, "O": -2, "Zr": 4, "Si": 4}

    def energy(structure):
        charged = structure.copy()
        for index, site in enumerate(charged):
            charged[index] = Species(site.specie.symbol, states[site.specie.symbol])
        return EwaldSummation(charged).total_energy

    parent = open_substitutions("olivine").parent
    iron = [i for i, site in enumerate(parent) if site.specie.symbol == "Fe"]
    phosphorus = [i for i, site in enumerate(parent) if site.specie.symbol == "P"]
    energies = []
    for metal, pair in itertools.product(iron, itertools.combinations(phosphorus, 2)):
        trial = parent.copy()
        trial[metal] = "Zr"
        for site in pair:
            trial[site] = "Si"
        energies.append(energy(trial))
    assert energy(record.content) == pytest.approx(min(energies), abs=1e-3)


def test_arrangements_are_distinct_by_symmetry(write):
    records = [
        each
        for each in open_source(write(orderings=6)).records()
        if each.material_id.startswith("Fe0.5Mg0.5")
    ]
    # Two of four equivalent sites.
    assert len(records) == 3
    matcher = StructureMatcher(primitive_cell=False, scale=False)
    assert not any(matcher.fit(a.content, b.content) for a, b in itertools.combinations(records, 2))


def test_the_same_yaml_gives_the_same_crystals(write):
    spec = write(orderings=2)
    first, second = (list(open_source(spec).records()) for _ in range(2))
    assert [r.content.as_dict() for r in first] == [r.content.as_dict() for r in second]


def test_another_seed_may_choose_among_equal_energies(write):
    def arrangement(seed):
        spec = write(seed=seed)
        return next(
            str(each.content.as_dict())
            for each in open_source(spec).records()
            if each.material_id.startswith("Fe0.5Mg0.5")
        )

    assert len({arrangement(seed) for seed in range(6)}) > 1


def test_more_arrangements_than_allowed_are_drawn(write):
    records = list(open_source(write(max_orderings_tried=2)).records())
    assert all(each.content.is_ordered for each in records)
    assert len(records) == 5


def test_as_many_ions_leave_as_there_are_electrons(write):
    spec = write(redox_electrons={"Fe": 1}, working_ion="Li")
    found = {each.material_id: each for each in open_source(spec).records()}
    assert found["LiFePO4"].inputs == {
        "working_ion": "Li",
        "remaining_fraction": 0.0,
        "oxidation_states": {"Li": 1, "Fe": 2, "P": 5, "O": -2},
    }
    assert found["Fe0.75Mg0.25"].inputs["remaining_fraction"] == 0.25
    bare = write(redox_electrons={"Mn": 1}, working_ion="Li")
    reasons = {each.error for each in open_source(bare).records()}
    assert reasons == {"none of its elements can give electrons for the Li to leave"}


@settings(max_examples=25, deadline=None)
@given(
    metal=st.dictionaries(
        st.sampled_from(["Mg", "Al", "Ti", "Na"]), st.integers(1, 4), min_size=1, max_size=3
    ),
    cation=st.dictionaries(
        st.sampled_from(["Si", "S", "V"]), st.integers(3, 6), min_size=1, max_size=2
    ),
    fractions=st.lists(st.sampled_from([0.25, 0.5, 0.75, 1.0]), min_size=1, unique=True),
)
def test_every_composition_is_neutral_and_whole(parent, metal, cation, fractions):
    config = SubstitutionConfig.model_validate(
        {
            **OLIVINE,
            "sublattices": {
                "Fe": {"species": metal, "fractions": fractions},
                "P": {"species": cation, "fractions": fractions},
            },
        }
    )
    states = {"Fe": {"Fe": 2, **metal}, "P": {"P": 5, **cation}}
    compositions = list(Substitutions("s", config, parent).compositions())
    assert compositions[0] == {"Fe": {"Fe": 1.0}, "P": {"P": 1.0}}
    assert len({str(each) for each in compositions}) == len(compositions)
    for composition in compositions:
        charge = (
            4
            - 32
            + sum(
                4 * share * states[host][species]
                for host, content in composition.items()
                for species, share in content.items()
            )
        )
        assert charge == pytest.approx(0)


@pytest.mark.parametrize(
    ("composition", "reason"),
    [
        (
            {"Fe": {"Fe": 0.75, "Zr": 0.25}},
            "its charges add up to +2 a cell; balance the substitution",
        ),
        ({"Fe": {"Fe": 0.9, "Mg": 0.1}}, "0.9 of the 4 Fe is no whole number of Fe"),
        ({"Fe": {"Fe": 0.5}}, "fractions on the Fe sublattice add up to 0.5, not 1"),
        ({"Fe": {"Fe": 0.5, "Co": 0.5}}, "the oxidation state of Co is not given"),
    ],
)
def test_a_composition_that_cannot_be_made_says_why(write, composition, reason):
    *_, record = open_source(write(compositions=[composition])).records()
    assert record.content is None
    assert reason in record.error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"sublattices": {"Mn": {"species": {"Mg": 2}, "fractions": [0.5]}}},
            "sublattices: the parent LiFePO4 has no Mn; it has Fe, Li, O, P",
        ),
        ({"oxidation_states": {"Li": 1, "Fe": 2, "P": 5}}, "O of the parent is not among them"),
        (
            {"oxidation_states": {"Li": 1, "Fe": 3, "P": 5, "O": -2}},
            "the parent's charges add up to +4 a cell",
        ),
        ({"parent": "absent.cif"}, "parent 'absent.cif' is not beside the YAML"),
        ({"sublattices": {}}, "give sublattices, compositions, or both"),
        (
            {"sublattices": {"Fe": {"species": {"Mg": 2}, "fractions": [1.5]}}},
            "fraction 1.5 is not above 0 and at most 1",
        ),
        ({"redox_electrons": {"Fe": 1}}, "redox_electrons needs working_ion"),
        ({"redox_electrons": {"Fe": -1}, "working_ion": "Li"}, "redox_electrons.Fe"),
        ({"supercell": [0, 1, 1]}, "field 'supercell.0'"),
        ({"parent": "parent.json"}, "parent 'parent.json' is not one of: .cif, "),
        ({"compositions": [{"Fe": {"Fe": 1.5, "Mg": -0.5}}]}, "a fraction is not above 0"),
        ({"supercel": [1, 1, 1]}, "field 'supercel' is unknown; did you mean 'supercell'?"),
    ],
)
def test_mistakes_in_the_yaml_are_explained(write, changes, said):
    with pytest.raises(ScreenError) as caught:
        open_source(write(**changes))
    assert said in str(caught.value)


def test_the_name_alone_lists_what_is_shipped():
    with pytest.raises(ScreenError, match="give a YAML after a colon; shipped: olivine"):
        open_source("substitutions")


def test_the_shipped_olivines_are_hundreds():
    source = open_substitutions("olivine")
    assert len(list(source.compositions())) >= 300
