"""Which crystal is which: one crystal in any guise is one candidate, two crystals are two."""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import pytest
from crystal_representations import (
    BLURRED,
    EXACT,
    crystals,
    everything,
    mirrored,
    noisy,
    of_three_digits,
    strained,
)
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from pymatgen.symmetry.groups import SpaceGroup, sg_symbol_from_int_number

from screening.candidates.candidate import Candidate, Origin, with_free_id
from screening.candidates.crystal import crystal_from_structure
from screening.candidates.crystal_standard import handless

FROM = Structure.from_spacegroup


def candidate(structure: Structure) -> Candidate:
    return crystal_from_structure(structure, Origin(source="test", material_id="1"))


@functools.cache
def known(name: str) -> Candidate:
    return candidate(crystals()[name][0])


def bravais_lattice(space_group_number: int) -> str:

    system = SpaceGroup.from_int_number(space_group_number).crystal_system
    letter = sg_symbol_from_int_number(space_group_number)[0].replace("A", "C")
    family = "hexagonal" if system == "trigonal" else system
    return f"{family} {letter}"


def test_the_crystals_are_of_all_bravais_lattices():
    lattices = Counter(bravais_lattice(number) for _, number in crystals().values())
    assert len(lattices) == 14
    assert sum(lattices.values()) >= 40
    assert all(known(name).space_group_number == crystals()[name][1] for name in crystals())
    assert len({known(name).candidate_id for name in crystals()}) == len(crystals())


@pytest.mark.parametrize("name", crystals())
def test_one_crystal_in_other_guises(name):
    structure, _ = crystals()[name]
    random = np.random.default_rng(1)
    assert candidate(everything(structure, random)).candidate_id == known(name).candidate_id
    blurred = candidate(strained(noisy(0.004)(structure, random), random))
    assert blurred.space_group_number == known(name).space_group_number
    assert blurred.n_sites == known(name).n_sites
    assert known(name).is_same(blurred)


@pytest.mark.slow
def test_every_crystal_in_every_guise():
    """Noise may carry a crystal over the edge of a bin: then its id is another, seldom enough."""
    other_ids = []
    for name, (structure, _) in crystals().items():
        random = np.random.default_rng(7)
        for how, change in EXACT.items():
            made = candidate(change(structure, random))
            assert made.candidate_id == known(name).candidate_id, (name, how)
        for how, change in BLURRED.items():
            made = candidate(change(structure, random))
            assert made.is_same(known(name)), (name, how)
            if made.candidate_id != known(name).candidate_id:
                other_ids.append((name, how))
    assert len(other_ids) < 0.05 * len(crystals()) * len(BLURRED), other_ids


# ---------------------------------------------------------------------- different crystals


def _body_centred(c_over_a: float) -> Structure:
    lattice = Lattice.tetragonal(3.0, 3.0 * c_over_a)
    return Structure(lattice, ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _rhombohedral(alpha: float) -> Structure:
    return Structure(Lattice.rhombohedral(3.0, alpha), ["Cu"], [[0, 0, 0]])


def _close_packed(c_over_a: float) -> Structure:
    lattice = Lattice.hexagonal(3.0, 3.0 * c_over_a)
    return Structure(lattice, ["Cu", "Cu"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])


def _rutile(u: float) -> Structure:
    return FROM("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [u, u, 0]])


def _wurtzite(c_over_a: float) -> Structure:
    lattice = Lattice.hexagonal(3.8, 3.8 * c_over_a)
    return FROM("P6_3mc", lattice, ["Zn", "S"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]])


def _pyrite(u: float) -> Structure:
    return FROM("Pa-3", Lattice.cubic(5.4), ["Fe", "S"], [[0, 0, 0], [u, u, u]])


def _monoclinic(beta: float) -> Structure:
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    return FROM("P2/m", Lattice.monoclinic(4, 5, 6, beta), ["Na", "Cl", "O"], places)


def _orthorhombic(b: float) -> Structure:
    return Structure(Lattice.orthorhombic(2.5, b, 3.5), ["Cu"], [[0, 0, 0]])


def _layered(z: float) -> Structure:
    places = [[0, 0, 0.5], [0, 0, 0], [0, 0, z]]
    return FROM("R-3m", Lattice.hexagonal(2.83, 14.0), ["Li", "Co", "O"], places)


@pytest.mark.parametrize(
    ("family", "one", "other"),
    [
        (_body_centred, 0.70, 1.52),
        (_body_centred, 0.62, 0.85),
        (_body_centred, 1.15, 1.41),
        (_body_centred, 1.60, 2.10),
        (_rhombohedral, 51, 115),
        (_rhombohedral, 48, 57),
        (_rhombohedral, 80, 100),
        (_close_packed, 1.06, 2.19),
        (_close_packed, 1.30, 1.63),
        (_close_packed, 1.63, 1.95),
        (_rutile, 0.23, 0.305),
        (_rutile, 0.305, 0.36),
        (_wurtzite, 1.25, 1.63),
        (_pyrite, 0.33, 0.385),
        (_pyrite, 0.28, 0.385),
        (_monoclinic, 95, 105),
        (_monoclinic, 100, 120),
        (_orthorhombic, 2.6, 3.8),
        (_layered, 0.235, 0.26),
    ],
)
def test_two_shapes_of_one_structure_type_are_two_crystals(family, one, other):
    first, second = candidate(family(one)), candidate(family(other))
    assert first.space_group_number == second.space_group_number
    assert not first.is_same(second)
    assert with_free_id(second, {first.candidate_id}).candidate_id != first.candidate_id


def test_equal_ids_are_no_proof():
    first, second = candidate(_body_centred(0.70)), candidate(_body_centred(1.52))
    claimed = second.model_copy(update={"candidate_id": first.candidate_id})
    assert not first.is_same(claimed)
    renamed = with_free_id(claimed, {first.candidate_id})
    assert renamed.candidate_id.startswith(f"{first.candidate_id}-")
    assert renamed == with_free_id(claimed, {first.candidate_id})


def test_two_functionals_give_one_crystal():
    for family, one, other in [
        (_wurtzite, 1.60, 1.64),
        (_close_packed, 1.57, 1.62),
        (_rutile, 0.303, 0.307),
        (_monoclinic, 99, 100),
    ]:
        larger = family(other)
        larger.scale_lattice(larger.volume * 1.06)
        assert candidate(family(one)).is_same(candidate(larger))


# ------------------------------------------------------------------ noise, and what is none


def test_noise_does_not_multiply_the_work():
    structure, number = crystals()["LiCoO2-mp-22526"]
    rounded = candidate(of_three_digits(structure, np.random.default_rng(0)))
    rattled = candidate(noisy(0.008)(structure, np.random.default_rng(0)))
    assert (rounded.n_sites, rounded.space_group_number) == (4, number)
    assert (rattled.n_sites, rattled.space_group_number) == (4, number)
    assert "to R-3m within 0.0" in rattled.origins[0].note
    assert known("LiCoO2-mp-22526").origins[0].note == ""
    # What is kept is the mean over the symmetry: nearer to the crystal than what was read.
    ours, theirs = (
        sorted(each.content().distance_matrix.ravel())
        for each in (rattled, known("LiCoO2-mp-22526"))
    )
    assert np.abs(np.subtract(ours, theirs)).max() < 0.01


BISMUTH = FROM("R-3m", Lattice.hexagonal(4.546, 11.862), ["Bi"], [[0, 0, 0.2339]])


@pytest.mark.parametrize("structure", [_close_packed(1.06), _close_packed(1.63), BISMUTH])
@pytest.mark.parametrize("times", [(2, 1, 1), (1, 3, 1), (2, 1, 2)])
def test_noise_in_a_supercell_that_lacks_symmetry_of_the_crystal(structure, times):
    random = np.random.default_rng(0)
    known = candidate(structure)
    supercell = structure.get_primitive_structure() * times
    cut = np.trunc(supercell.frac_coords * 1000 + 1e-6) / 1000
    for blurred in (
        noisy(0.008)(supercell, random),
        Structure(supercell.lattice, supercell.species, cut),
    ):
        made = candidate(blurred)
        assert made.space_group_number == known.space_group_number
        assert made.is_same(known)


DISTORTED = {
    "tetragonal BaTiO3": (
        99,
        FROM(
            "P4mm",
            Lattice.tetragonal(3.9945, 4.0335),
            ["Ba", "Ti", "O", "O"],
            [[0, 0, 0], [0.5, 0.5, 0.5135], [0.5, 0.5, -0.0250], [0.5, 0, 0.4850]],
        ),
    ),
    "SrTiO3 at 77 K": (
        140,
        FROM(
            "I4/mcm",
            Lattice.tetragonal(5.507, 7.796),
            ["Sr", "Ti", "O", "O"],
            [[0, 0.5, 0.25], [0, 0, 0], [0, 0, 0.25], [0.2437, 0.7437, 0]],
        ),
    ),
    "GeTe": (
        160,
        FROM("R3m", Lattice.hexagonal(4.164, 10.69), ["Ge", "Te"], [[0, 0, 0.2380], [0, 0, 0.762]]),
    ),
    "indium": (139, Structure(Lattice.tetragonal(3.25, 4.95), ["In"] * 2, [[0] * 3, [0.5] * 3])),
    "nearly cubic": (
        123,
        Structure(Lattice.tetragonal(4.0, 4.04), ["Cs", "Cl"], [[0] * 3, [0.5] * 3]),
    ),
    "FeSe at 7 K": (
        67,
        FROM(
            "Cmme",
            Lattice.orthorhombic(5.3078, 5.3342, 5.486),
            ["Fe", "Se"],
            [[0.25, 0, 0], [0, 0.25, 0.2662]],
        ),
    ),
}


@pytest.mark.parametrize("name", DISTORTED)
def test_small_distortions_stay(name):
    number, structure = DISTORTED[name]
    made = candidate(structure)
    assert made.space_group_number == number
    assert made.origins[0].note == ""
    blurred = candidate(noisy(0.004)(structure, np.random.default_rng(3)))
    assert blurred.space_group_number == number
    assert made.is_same(blurred)


# -------------------------------------------------------------------------------- both hands

PAIRS = [
    *[("P4_1", "P4_3"), ("P4_122", "P4_322"), ("P4_12_12", "P4_32_12"), ("P3_1", "P3_2")],
    *[("P3_112", "P3_212"), ("P3_121", "P3_221"), ("P6_1", "P6_5"), ("P6_2", "P6_4")],
    *[("P6_122", "P6_522"), ("P6_222", "P6_422"), ("P4_332", "P4_132")],
]


@functools.cache
def _general(symbol: str) -> Structure:
    """A crystal with its atoms anywhere, none of them too near another."""
    number = SpaceGroup(symbol).int_number
    if number >= 195:
        lattice = Lattice.cubic(1)
    elif number >= 143:
        lattice = Lattice.hexagonal(1, 1.3)
    elif number >= 75:
        lattice = Lattice.tetragonal(1, 1.2)
    elif number >= 16:
        lattice = Lattice.orthorhombic(1, 1.1, 1.3)
    else:
        lattice = Lattice.monoclinic(1, 1.1, 1.3, 103)
    for seed in range(1000):
        places = np.random.default_rng(seed).uniform(size=(2, 3))
        crystal = FROM(symbol, lattice, ["Si", "Na"], places)
        crystal.scale_lattice(20 * len(crystal))
        distances = crystal.distance_matrix
        if distances[distances > 0].min() > 1.7:
            return crystal
    raise AssertionError(symbol)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_enantiomorphs_are_one_candidate(one, other):
    structure = _general(one)
    image = mirrored(structure, np.random.default_rng(0))
    assert SpacegroupAnalyzer(image).get_space_group_symbol() == other
    first, second = candidate(structure), candidate(image)
    low, high = sorted([SpaceGroup(one).int_number, SpaceGroup(other).int_number])
    assert handless(high) == low == first.space_group_number == second.space_group_number
    assert first.candidate_id == second.candidate_id
    assert first.is_same(second)
    notes = sorted([first.origins[0].note, second.origins[0].note])
    assert notes == ["", "mirrored: both hands are one candidate"]
    # The structure that is kept has the space group that its name says.
    assert candidate(second.content()).origins[0].note == ""


@pytest.mark.parametrize("symbol", ["P2_1", "C2", "P2_12_12_1", "P3", "R3", "P2_13", "I23", "P432"])
def test_the_hand_of_other_chiral_crystals_makes_no_difference(symbol):
    structure = _general(symbol)
    first, second = candidate(structure), candidate(mirrored(structure, np.random.default_rng(0)))
    assert first.candidate_id == second.candidate_id
    assert first.is_same(second)


# ---------------------------------------------------------------------------------- bulk


def _layers(symbol: str, a: float, c: float, species: list[str], places: list) -> Structure:
    return FROM(symbol, Lattice.hexagonal(a, c), species, places)


BULK = {
    "graphite": _layers("P6_3/mmc", 2.464, 6.71, ["C", "C"], [[0, 0, 0.25], [1 / 3, 2 / 3, 0.25]]),
    "BN": _layers(
        "P6_3/mmc", 2.504, 6.66, ["B", "N"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.75]]
    ),
    "MoS2": _layers(
        "P6_3/mmc", 3.16, 12.29, ["Mo", "S"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.621]]
    ),
    "TiS2": _layers("P-3m1", 3.407, 5.695, ["Ti", "S"], [[0, 0, 0], [1 / 3, 2 / 3, 0.249]]),
    "CrI3": _layers("R-3", 6.867, 19.807, ["Cr", "I"], [[0, 0, 0.333], [0.3485, 0.0, 0.0786]]),
    "Bi2Te3": _layers(
        "R-3m", 4.386, 30.5, ["Bi", "Te", "Te"], [[0, 0, 0.4], [0, 0, 0], [0, 0, 0.2097]]
    ),
    "I2": FROM("Cmce", Lattice.orthorhombic(7.14, 4.69, 9.78), ["I"], [[0, 0.154, 0.117]]),
    "CO2": FROM("Pa-3", Lattice.cubic(5.62), ["C", "O"], [[0, 0, 0], [0.118] * 3]),
    "N2": FROM("Pa-3", Lattice.cubic(5.66), ["N"], [[0.056] * 3]),
    "helium": _layers("P6_3/mmc", 3.57, 5.83, ["He"], [[1 / 3, 2 / 3, 0.25]]),
    "neon": FROM("Fm-3m", Lattice.cubic(4.46), ["Ne"], [[0, 0, 0]]),
    "xenon": FROM("Fm-3m", Lattice.cubic(6.13), ["Xe"], [[0, 0, 0]]),
    "mercury": Structure(Lattice.rhombohedral(3.005, 70.53), ["Hg"], [[0, 0, 0]]),
    "caesium": FROM("Im-3m", Lattice.cubic(6.14), ["Cs"], [[0, 0, 0]]),
    "litharge": FROM(
        "P4/nmm",
        Lattice.tetragonal(3.976, 5.023),
        ["O", "Pb"],
        [[0.75, 0.25, 0], [0.25, 0.25, 0.2345]],
    ),
}


@pytest.mark.parametrize("name", BULK)
def test_layered_and_molecular_crystals_are_taken(name):
    candidate(BULK[name])
    # As wide as functionals without dispersion make them.
    wide = BULK[name].copy()
    wide.scale_lattice(wide.volume * 1.2)
    candidate(wide)


def _slab(thickness: int, vacuum_a: float) -> Structure:
    c = 1.805 * thickness + vacuum_a
    places = [
        [0, 0, 1.805 * n] if n % 2 == 0 else [1.276, 1.276, 1.805 * n] for n in range(thickness)
    ]
    lattice = Lattice.tetragonal(2.553, c)
    return Structure(lattice, ["Cu"] * thickness, places, coords_are_cartesian=True)


def _water(edge_a: float) -> Structure:
    places = [[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]]
    return Structure(Lattice.cubic(edge_a), ["O", "H", "H"], places, coords_are_cartesian=True)


def _graphene(c: float) -> Structure:
    return Structure(
        Lattice.hexagonal(2.464, c), ["C", "C"], [[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]
    )


NOT_BULK = [
    ("isolated atoms", Structure(Lattice.cubic(12.0), ["Cu"], [[0, 0, 0]])),
    ("isolated atoms", Structure(Lattice.cubic(6.0), ["Cu"], [[0, 0, 0]])),
    ("isolated atoms", Structure(Lattice.cubic(9.0), ["Ar"], [[0, 0, 0]])),
    ("isolated atoms", Structure(Lattice.cubic(10.0), ["Na", "Cl"], [[0, 0, 0], [0.236, 0, 0]])),
    ("molecules", _water(8.0)),
    ("molecules", _water(10.0)),
    ("molecules", _water(15.0)),
    # Of the right structure, and of a scale at which no atom is bonded.
    ("isolated atoms", FROM("Fd-3m", Lattice.cubic(7.2), ["C"], [[0, 0, 0]])),
    ("isolated atoms", FROM("Fd-3m", Lattice.cubic(9.0), ["Si"], [[0, 0, 0]])),
    ("isolated atoms", FROM("Fm-3m", Lattice.cubic(9.0), ["Ar"], [[0, 0, 0]])),
    ("chains", Structure(Lattice.tetragonal(12.0, 2.5), ["Cu"], [[0, 0, 0]])),
    ("layers", _graphene(20.0)),
    ("layers", _graphene(12.0)),
    ("layers", _slab(4, 10.0)),
    ("layers", _slab(7, 5.0)),
    ("layers", _layers("P-3m1", 3.407, 18.0, ["Ti", "S"], [[0, 0, 0], [1 / 3, 2 / 3, 0.079]])),
]


@pytest.mark.parametrize(("what", "structure"), NOT_BULK)
def test_vacuum_is_refused(what, structure):
    from screening.messages.refusal import RefusedError

    with pytest.raises(RefusedError, match=rf"no bulk crystal but .*{what}.* in vacuum"):
        candidate(structure)
    with pytest.raises(RefusedError, match="in vacuum"):
        candidate(everything(structure, np.random.default_rng(2)))
