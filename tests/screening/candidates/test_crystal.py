from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core.lattice import Lattice
from pymatgen.core.operations import SymmOp
from pymatgen.core.structure import Structure

from screening.candidates.candidate import Origin, merge
from screening.candidates.crystal import Crystal, crystal_from_structure
from screening.messages.refusal import RefusedError

HERE = Origin(source="test", material_id="1")


def candidate(structure: Structure, **origin: object) -> Crystal:
    return crystal_from_structure(structure, HERE.model_copy(update=origin))


def test_names_and_standardises(rocksalt):
    made = candidate(rocksalt)
    assert re.fullmatch(r"NaCl-225-[0-9a-f]{8}", made.candidate_id)
    assert (made.formula, made.space_group_number, made.n_sites) == ("NaCl", 225, 2)
    assert made.elements == ["Cl", "Na"]
    again = Crystal.model_validate_json(made.model_dump_json())
    assert again.content().volume == pytest.approx(5.64**3 / 4)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(["rocksalt", "quartz", "half_heusler"]),
    multiples=st.sampled_from(
        [np.diag([2, 1, 1]), np.diag([1, 1, 2]), [[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.eye(3)]
    ),
    shift=st.tuples(*[st.floats(0, 1)] * 3),
    axis=st.sampled_from([(1, 0, 0), (0, 1, 1), (1, 2, 3)]),
    angle=st.floats(0, 180),
    seed=st.integers(0, 99),
)
def test_id_belongs_to_the_crystal(request, name, multiples, shift, axis, angle, seed):
    crystal = request.getfixturevalue(name)
    other = crystal.copy()
    other.make_supercell(np.array(multiples, dtype=int))
    other.translate_sites(range(len(other)), shift)
    other.apply_operation(SymmOp.from_axis_angle_and_translation(axis, angle))
    sites = np.random.default_rng(seed).permutation(len(other))
    assert (
        candidate(Structure.from_sites([other[int(i)] for i in sites])).candidate_id
        == candidate(crystal).candidate_id
    )


def test_id_survives_noise_scale_and_decoration(rocksalt):
    other = rocksalt.copy()
    other.apply_strain(0.02)
    other.perturb(1e-4)
    other.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    other.add_site_property("magmom", [1.0, -1.0] * 4)
    assert candidate(other).candidate_id == candidate(rocksalt).candidate_id
    assert not candidate(other).content().site_properties


def test_one_crystal_from_two_databases(quartz):
    relaxed = Structure.from_spacegroup(
        "P3_221",
        Lattice.hexagonal(4.99, 5.47),
        ["Si", "O"],
        [[0.4750, 0.0, 2 / 3], [0.4160, 0.2600, 0.7900]],
    )
    ours, theirs = candidate(quartz), candidate(relaxed, source="elsewhere")
    assert ours.candidate_id != theirs.candidate_id
    assert ours.is_same(theirs)


def test_half_heusler_permutations_are_three_crystals(half_heusler):
    variants = [half_heusler.copy() for _ in range(3)]
    variants[1].replace_species({"Ti": "Ni", "Ni": "Ti"})
    variants[2].replace_species({"Sn": "Ni", "Ni": "Sn"})
    made = [candidate(variant) for variant in variants]
    assert {c.space_group_number for c in made} == {216}
    assert len({c.candidate_id for c in made}) == 3
    assert not any(made[i].is_same(made[j]) for i, j in [(0, 1), (0, 2), (1, 2)])


def test_polymorphs_and_stackings_are_different_crystals(rocksalt):
    lattice = Lattice.cubic(4.12)
    caesium_chloride_type = Structure(lattice, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert not candidate(rocksalt).is_same(candidate(caesium_chloride_type))

    def stacking(letters: str) -> Crystal:
        """Close-packed Zn layers with S above each: a ZnS polytype."""
        place = {"A": (0, 0), "B": (1 / 3, 2 / 3), "C": (2 / 3, 1 / 3)}
        n = len(letters)
        zinc = [(*place[x], i / n) for i, x in enumerate(letters)]
        sulphur = [(x, y, z + 0.75 / n) for x, y, z in zinc]
        lattice = Lattice.hexagonal(3.82, 3.12 * n)
        return candidate(Structure(lattice, ["Zn"] * n + ["S"] * n, zinc + sulphur))

    three = [stacking("ABCABACB"), stacking("ABABACAC"), stacking("ABCBABAC")]
    assert len({c.candidate_id for c in three}) == 3
    assert not three[0].is_same(three[1])


def test_merge_joins_origins_once(rocksalt):
    ours = candidate(rocksalt, properties={"theoretical": False, "hull": 0.0})
    theirs = candidate(rocksalt, source="other", material_id="x")
    both = merge(ours, theirs)
    assert [o.source for o in both.origins] == ["test", "other"]
    assert merge(both, theirs) == both
    updated = merge(both, candidate(rocksalt, properties={"hull": 0.1}))
    assert updated.origins[0].properties == {"theoretical": False, "hull": 0.1}
    assert len(ours.origins) == 1


def _disordered(crystal: Structure) -> Structure:
    crystal.replace(0, {"Na": 0.5, "K": 0.5})
    return crystal


def _vacant(crystal: Structure) -> Structure:
    crystal.replace(0, {"Na": 0.9})
    return crystal


def _not_a_number(crystal: Structure) -> Structure:
    crystal.translate_sites([0], [np.nan, 0, 0], to_unit_cell=False)
    return crystal


def _overlapping(crystal: Structure) -> Structure:
    crystal.append("Na", [0.1, 0, 0])
    return crystal


def _same_place(crystal: Structure) -> Structure:
    crystal.append("K", [0, 0, 0])
    return crystal


def _slab(crystal: Structure) -> Structure:
    return Structure(
        Lattice(crystal.lattice.matrix, pbc=(True, True, False)),
        crystal.species,
        crystal.frac_coords,
    )


def _flat(crystal: Structure) -> Structure:
    flat = Lattice([[5, 0, 0], [0, 5, 0], [5, 5, 0]])
    return Structure(flat, crystal.species, crystal.frac_coords)


def _dummy(crystal: Structure) -> Structure:
    crystal.replace(0, "Xa")
    return crystal


def _empty(crystal: Structure) -> Structure:
    return Structure(crystal.lattice, [], [])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_disordered, "disordered"),
        (_vacant, "disordered"),
        (_not_a_number, "finite"),
        (_overlapping, r"overlap: Na-Na at 0\.56"),
        (_same_place, "overlap"),
        (_slab, "three dimensions"),
        (_flat, "lattice vectors"),
        (_dummy, "Xa is not a chemical element"),
        (_empty, "no atoms"),
    ],
)
def test_refuses_with_a_reason(rocksalt, spoil, reason):
    with pytest.raises(RefusedError, match=reason):
        candidate(spoil(rocksalt.copy()))


def test_short_bonds_of_light_elements_pass():
    nitrogen = Structure(
        Lattice.cubic(5.7), ["N", "N"], [[0.5, 0.5, 0.5 - 0.096], [0.5, 0.5, 0.5 + 0.096]]
    )
    assert candidate(nitrogen).n_sites == 2


def test_ids_need_no_quotes_in_a_shell():
    import shlex

    layers = Structure.from_spacegroup(
        "P-3m1",
        Lattice.hexagonal(3.4, 6.2),
        ["Ca", "O", "H"],
        [[0, 0, 0], [1 / 3, 2 / 3, 0.24], [1 / 3, 2 / 3, 0.4]],
    )
    candidate = crystal_from_structure(layers, Origin(source="s", material_id="m"))
    assert candidate.formula == "Ca(HO)2"
    assert candidate.candidate_id.startswith("CaH2O2-164-")
    assert shlex.quote(candidate.candidate_id) == candidate.candidate_id
