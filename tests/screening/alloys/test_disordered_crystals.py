"""Ordered crystals that stand for disordered ones."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.alloys.approximants import MOST_SITES, approximants, balanced_states
from screening.candidates.candidate import Origin
from screening.candidates.crystal_kind import CRYSTAL, split_disordered
from screening.messages.refusal import RefusedError


def rocksalt(cation, anion="Cl", a=5.9):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def amounts(structure):
    return structure.composition.reduced_formula


def test_ions_of_like_charge_are_put_as_by_chance():
    found = approximants(rocksalt({"Na": 0.5, "K": 0.5}))
    assert [each.method for each in found] == ["quasi-random"] * len(found)
    assert len(found) > 1
    for each in found:
        assert each.structure.is_ordered
        assert amounts(each.structure) == "KNaCl2"
        assert each.occupation_error == 0
    assert CRYSTAL.read(found[0].structure, Origin(source="s", material_id="m")).n_sites >= 4


def test_unlike_charges_go_where_their_energy_is_lowest():
    # Half the cations of a square of charges 1 and 3: like ones keep apart.
    crystal = Structure(
        Lattice.tetragonal(4.0, 12.0),
        [{"Li": 0.5, "Al": 0.5}, "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5]],
    )
    found = approximants(crystal)
    best = found[0]
    assert best.method == "electrostatics"
    assert amounts(best.structure) == "LiAlO2"
    cations = [site for site in best.structure if site.specie.symbol != "O"]
    for site in cations:
        near = min(
            (other for other in cations if other is not site), key=lambda o: site.distance(o)
        )
        assert near.specie.symbol != site.specie.symbol


def test_an_empty_share_leaves_sites_empty():
    crystal = rocksalt({"Fe": 0.75}, "O", 4.3)
    with pytest.raises(RefusedError, match="no oxidation states balance"):
        approximants(rocksalt({"Mg": 0.75}, "O", 4.2))
    best = approximants(crystal)[0]
    assert amounts(best.structure) == "Fe3O4"
    assert best.method == "electrostatics"


@pytest.mark.parametrize(
    ("mixture", "said"),
    [
        ({"Na": 0.987, "K": 0.013}, "no cell of up to"),
        ({"Na": 0.5, "Mg": 0.5}, "no oxidation states balance"),
    ],
)
def test_what_nothing_stands_for_is_refused_with_the_reason(mixture, said):
    with pytest.raises(RefusedError, match=said) as caught:
        approximants(rocksalt(mixture))
    assert not str(caught.value).endswith(".")


def test_thirds_given_in_few_digits_are_thirds():
    found = approximants(rocksalt({"Na": 0.333, "K": 0.333, "Rb": 0.333}))
    assert {round(each.occupation_error, 3) for each in found} == {0.0}
    assert {len(each.structure) % 6 for each in found} == {0}
    assert max(len(each.structure) for each in found) <= MOST_SITES


def test_a_fraction_that_fits_no_small_cell_is_approached_and_said():
    [first, *_] = approximants(rocksalt({"Na": 0.46, "K": 0.54}))
    assert 0 < first.occupation_error <= 0.02
    share = first.structure.composition["K"] / (len(first.structure) / 2)
    assert abs(share - 0.54) == pytest.approx(first.occupation_error)


def test_alloys_of_metals_have_no_charges():
    found = approximants(Structure(Lattice.cubic(3.0), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]]))
    assert {each.method for each in found} == {"quasi-random"}


def test_the_same_crystal_gives_the_same_approximants():
    first, again = (approximants(rocksalt({"Na": 0.25, "K": 0.75})) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.structure.frac_coords, other.structure.frac_coords)
        assert one.structure.species == other.structure.species


def test_states_are_those_that_balance():
    assert balanced_states({"Na": 1, "Cl": 1}) == {"Na": 1, "Cl": -1}
    assert balanced_states({"Fe": 3, "O": 4}) == {"Fe": pytest.approx(8 / 3), "O": -2}
    assert balanced_states({"Li": 1, "Fe": 1, "P": 1, "O": 4}) == {
        "Li": 1,
        "Fe": 2,
        "P": 5,
        "O": -2,
    }
    assert balanced_states({"Fe": 1, "Co": 1}) is None


def test_what_is_stated_of_the_disordered_crystal_is_compared_with_it():
    crystal = rocksalt({"Na": 0.5, "K": 0.5})
    parts = split_disordered(crystal, {"formula": "K0.5Na0.5Cl", "space_group_number": 225})
    assert [facts["approximant"] for _, facts in parts] == list(range(1, len(parts) + 1))
    read = [
        CRYSTAL.read(content, Origin(source="s", material_id="m", properties=facts))
        for content, facts in parts
    ]
    assert {candidate.disordered_from for candidate in read} == {"K0.5Na0.5Cl1"} or {
        candidate.disordered_from for candidate in read
    } == {parts[0][1]["disordered_from"]}
    with pytest.raises(RefusedError, match="its atoms make"):
        split_disordered(crystal, {"formula": "NaCl"})


def test_an_ordered_crystal_is_left_alone():
    crystal = rocksalt("Na")
    assert split_disordered(crystal, {}) == [(crystal, {})]


def disordered_alloys():
    """Return records of disordered CuAu, fcc and bcc."""
    from screening.sources.record import SourceRecord

    mixture = {"Cu": 0.5, "Au": 0.5}
    groups = {"fcc": ("Fm-3m", 3.87), "bcc": ("Im-3m", 3.07)}
    return [
        SourceRecord(
            name,
            Structure.from_spacegroup(group, Lattice.cubic(a), [mixture], [[0, 0, 0]]),
            None,
            name,
        )
        for name, (group, a) in groups.items()
    ]


def computed(values):
    """Return rows of a ranking with these values, by candidate id."""
    from screening.ranking.entries import Entry, RankedRow

    entries = [
        Entry(candidate_id=key, material_id="", label="", facts={}, outcome="computed", value=value)
        for key, value in values.items()
    ]
    return [RankedRow(rank=1, **vars(entry)) for entry in entries]


def test_disordered_crystals_of_one_formula_are_not_one(database):
    from campaign_fixtures import ListSource, every_crystal

    from screening.ranking.disordered import disordered_crystals
    from screening.targets.scale import Scale

    pool = every_crystal(ListSource(*disordered_alloys()), database=database)
    origins = {
        key: [origin.model_dump() for origin in candidate.origins]
        for key, candidate in pool.candidates.items()
    }
    of = {
        name: [key for key, found in origins.items() if found[0]["material_id"] == name]
        for name in ("fcc", "bcc")
    }
    assert len(of["fcc"]) > 1 < len(of["bcc"])
    rows = computed({**dict.fromkeys(of["fcc"], 1.0), **dict.fromkeys(of["bcc"], 3.0)})
    scale = Scale(direction="minimize", logarithmic=False)
    found = disordered_crystals(rows, origins, scale)
    assert [(each.entries, each.value, each.spread) for each in found] == [
        (["fcc"], 1.0, 0.0),
        (["bcc"], 3.0, 0.0),
    ]
    # What older versions stored has no digits.
    for each in origins.values():
        for origin in each:
            del origin["properties"]["disordered_id"]
    again = disordered_crystals(rows, origins, scale)
    assert again == found


def test_a_crystal_may_be_ordered_and_an_approximant_of_several(screen, database):
    from campaign_fixtures import ListSource, every_crystal, toy_content

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.sources.record import SourceRecord
    from screening.targets.engines import engine_config

    [fcc, _] = disordered_alloys()
    stretched = SourceRecord("wide", fcc.content.copy(), None, "wide")
    stretched.content.scale_lattice(fcc.content.volume * 1.1)
    first = every_crystal(ListSource(fcc), database=database)
    ordered = [
        SourceRecord(f"ordered-{key}", candidate.content(), None, key)
        for key, candidate in first.candidates.items()
    ]
    pool = every_crystal(ListSource(*ordered, fcc, stretched), database=database)
    assert pool.candidates.keys() == first.candidates.keys()
    details = next(iter(pool.candidates.values())).details()
    assert [text.split(",")[0] for _, text in details] == ["CuAu (fcc)", "CuAu (wide)"]
    config = CampaignConfig.model_validate(toy_content())
    campaign = Campaign.create(database, "alloys", config, engine_config("emt"), pool)
    database.results.insert_many(
        {
            "_id": f"{key}/value",
            "candidate_id": key,
            **campaign.result_key(),
            "outcome": "computed",
            "kappa_300k_w_per_m_k": 2.0,
        }
        for key in pool.candidates
    )
    said = screen("rank").err
    for entry in ("fcc", "wide"):
        [line] = [line for line in said.splitlines() if f"disordered CuAu ({entry})" in line]
        assert f": toy 2.00 Å³ ×/÷ 1.0 over {len(pool.candidates)} approximants (" in line
