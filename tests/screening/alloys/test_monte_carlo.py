"""Energies of supercells against icet's, Monte Carlo against sums over all arrangements."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from screening.alloys.lattice import AlloyLattice
from screening.alloys.ordered_supercell import counts_of, degeneracy, multiples_for, occupation_of
from screening.alloys.supercell import energy_terms, neighbour_shell

pytest.importorskip("icet")

FCC_CELL = [[0.0, 1.95, 1.95], [1.95, 0.0, 1.95], [1.95, 1.95, 0.0]]
FCC = AlloyLattice(name="fcc", cell_a=FCC_CELL, positions=[[0, 0, 0]], species=[["Au", "Cu"]])
CUBIC = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])


def neighbours_only(energy_ev=0.02):
    """Return interactions of nearest neighbours alone; unlike ones are favoured."""
    interactions = np.zeros(len(FCC.cluster_space().as_list))
    interactions[2] = energy_ev
    return interactions


def l12():
    from ase import Atoms

    faces = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    return Atoms("AuCu3", cell=[3.9] * 3, scaled_positions=faces, pbc=True)


@pytest.mark.parametrize("species", [["Au", "Cu"], ["Ag", "Au", "Cu"]])
def test_energies_are_those_of_the_cluster_vector(species):
    lattice = FCC.model_copy(update={"species": [species]})
    space = lattice.cluster_space()
    generator = np.random.default_rng(0)
    interactions = generator.normal(size=len(space.as_list))
    # Distant pairs need a large supercell, which takes long here.
    reach = [cluster["radius"] < 2.0 for cluster in space.as_list]
    interactions = np.where(reach, interactions, 0.0)
    terms = energy_terms(lattice, interactions, 2 * CUBIC)
    occupation = generator.integers(0, len(species), len(terms.mixed))
    atoms = terms.decorated(occupation)
    expected = float(interactions @ space.get_cluster_vector(atoms)) * len(atoms)
    assert terms.energy_ev(occupation) == pytest.approx(expected, abs=1e-9)


def test_a_cell_in_which_clusters_meet_their_own_images_is_refused():
    with pytest.raises(ValueError, match="its own image"):
        energy_terms(FCC, neighbours_only(), np.eye(3, dtype=int))


BODY_CENTRED = [[-1.5, 1.5, 1.5], [1.5, -1.5, 1.5], [1.5, 1.5, -1.5]]


def l11():
    """CuPt's structure: planes (111) in turn, which fits even multiples of the cubic cell alone."""
    from ase import Atoms

    vectors = np.array([[0, 1, -1], [1, -1, 0], [0, 0, 2]]) @ np.array(FCC_CELL)
    return Atoms("AuCu", cell=vectors, positions=[[0, 0, 0], FCC_CELL[2]], pbc=True)


@pytest.mark.parametrize(
    ("cell", "shares", "sites", "edges_a", "count"),
    [
        (FCC_CELL, {"Au": 0.25, "Cu": 0.75}, 60, [11.7] * 3, 108),
        (FCC_CELL, {"Au": 0.25, "Cu": 0.75}, 200, [15.6] * 3, 256),
        (BODY_CENTRED, {"Au": 0.5, "Cu": 0.5}, 60, [12.0] * 3, 128),
        # Its edges are 3, 3 and 7 Å: as cubic as they can be.
        ([[3, 0, 0], [0, 3, 0], [0, 0, 7]], {"Au": 0.5, "Cu": 0.5}, 20, [15, 15, 14], 50),
    ],
)
def test_supercells_are_as_cubic_as_the_conventional_cell_lets_them(
    cell, shares, sites, edges_a, count
):
    lattice = FCC.model_copy(update={"cell_a": cell})
    vectors = multiples_for(lattice, shares, sites, None) @ np.array(cell)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(edges_a)
    assert vectors @ vectors.T == pytest.approx(np.diag(np.square(edges_a)), abs=1e-9)
    assert round(abs(np.linalg.det(vectors) / np.linalg.det(cell))) == count


def test_an_ordered_structure_decides_on_the_supercell():
    shares = {"Au": 0.5, "Cu": 0.5}
    free = multiples_for(FCC, shares, 60, None) @ np.array(FCC_CELL)
    assert np.linalg.norm(free, axis=1) == pytest.approx([11.7] * 3)
    even = multiples_for(FCC, shares, 60, l11()) @ np.array(FCC_CELL)
    assert np.linalg.norm(even, axis=1) == pytest.approx([15.6] * 3)


def test_an_ordered_structure_fits_and_has_as_many_variants_as_is_known():
    multiples = multiples_for(FCC, {"Au": 0.25, "Cu": 0.75}, 60, l12())
    assert np.linalg.norm(multiples @ np.array(FCC_CELL), axis=1) == pytest.approx([11.7] * 3)
    terms = energy_terms(FCC, neighbours_only(), 2 * CUBIC)
    occupation = occupation_of(terms, l12())
    counts = counts_of(terms, {"Au": 0.25, "Cu": 0.75})
    assert np.bincount(occupation).tolist() == counts
    assert sorted(counts) == [8, 24]
    # Each gold atom has twelve neighbours of copper: it is the ground state of the neighbours.
    unlike = (occupation[terms.first_shell] != occupation[:, None]).mean()
    assert unlike == pytest.approx(0.5)
    assert degeneracy(terms, occupation) == 4


@pytest.mark.parametrize(("a", "c_over_a"), [(2.9505, np.sqrt(8 / 3)), (2.95, 1.6332)])
def test_the_shells_of_a_hexagonal_lattice_are_those_of_its_neighbours(a, c_over_a):
    from ase.build import bulk

    atoms = bulk("Mg", "hcp", a=a, c=c_over_a * a) * (4, 4, 4)
    # Twelve at a, six at the square root of two times that, as in fcc.
    for number, count, distance_a in ((0, 12, a), (1, 6, np.sqrt(2) * a)):
        shell = neighbour_shell(atoms, np.arange(len(atoms)), number)
        assert shell.shape == (len(atoms), count)
        for own in (0, len(atoms) - 1):
            away = atoms.get_distances(own, shell[own], mic=True)
            np.testing.assert_allclose(away, distance_a, rtol=1e-3)


@pytest.mark.slow
def test_averages_are_those_of_all_arrangements():
    from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K, run

    terms = energy_terms(FCC, neighbours_only(0.12), 3 * np.eye(3, dtype=int))
    sites = len(terms.mixed)
    energies = []
    for pair in itertools.combinations(range(sites), 2):
        occupation = np.zeros(sites, dtype=np.int64)
        occupation[list(pair)] = 1
        energies.append(terms.energy_ev(occupation))
    levels = np.array(energies)
    for temperature_k in (np.inf, 900.0):
        beta = 0.0 if np.isinf(temperature_k) else 1 / (BOLTZMANN_EV_PER_K * temperature_k)
        weights = np.exp(-beta * (levels - levels.min()))
        mean = float(weights @ levels / weights.sum())
        spread = float(np.sqrt(weights @ (levels - mean) ** 2 / weights.sum()))
        seen = run(terms, occupation, temperature_k, 4000, 3)
        assert seen.energies_ev.mean() == pytest.approx(mean, abs=5 * spread / np.sqrt(2000))
        assert seen.energies_ev.std() == pytest.approx(spread, rel=0.1)
        assert seen.energies_ev[-1] == pytest.approx(terms.energy_ev(seen.occupation), abs=1e-9)
        assert run(terms, occupation, temperature_k, 50, 3).energies_ev.tolist() == (
            seen.energies_ev[:50].tolist()
        )


def both_temperatures(found):
    """Return both temperatures of ordering, and the error of their difference."""
    error = np.hypot(
        found.order_temperature_heat_capacity_error_k, found.order_temperature_free_energy_error_k
    )
    by_heat, by_energy = (
        found.order_temperature_heat_capacity_k,
        found.order_temperature_free_energy_k,
    )
    return by_heat, by_energy, error


@pytest.mark.slow
def test_the_alloy_that_is_ising_s_model_orders_where_that_is_known_to():
    """With equal numbers, neighbours on bcc are Ising's ferromagnet on one sublattice turned over:
    kT = 6.35435 J (P. H. Lundow, K. Markström and A. Rosengren, Phil. Mag. 89, 2009 (2009))."""
    from ase import Atoms

    from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K
    from screening.alloys.thermodynamics import thermodynamics

    lattice = FCC.model_copy(update={"name": "bcc", "cell_a": BODY_CENTRED})
    interactions = np.zeros(len(lattice.cluster_space().as_list))
    interactions[2] = 0.02
    terms = energy_terms(lattice, interactions, 7 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))
    ordered = Atoms("AuCu", cell=[3.0] * 3, scaled_positions=[[0] * 3, [0.5] * 3], pbc=True)
    occupation = occupation_of(terms, ordered)
    counts = counts_of(terms, {"Au": 0.5, "Cu": 0.5})
    found = thermodynamics(
        terms, counts, occupation, degeneracy(terms, occupation), 400, range(3), "B2"
    )
    # Four pairs of neighbours a site.
    exact_k = 6.35435 * 0.02 / 4 / BOLTZMANN_EV_PER_K
    by_heat, by_energy, error = both_temperatures(found)
    # 686 sites order some per cent too low.
    assert 0.95 * exact_k < by_heat < 1.01 * exact_k
    assert abs(by_energy - exact_k) < 2 * error + 0.02 * exact_k
    assert abs(by_energy - by_heat) < 3 * error


@pytest.mark.slow
def test_an_alloy_orders_below_the_peak_of_its_heat_capacity():
    from screening.alloys.thermodynamics import mixing_entropy_k, thermodynamics

    # Of nearest neighbours alone L1₂ is one of many ground states; second ones that like each
    # other make it the only one.
    interactions = neighbours_only()
    interactions[3] = -0.008
    terms = energy_terms(FCC, interactions, 5 * CUBIC)
    counts = counts_of(terms, {"Au": 0.25, "Cu": 0.75})
    occupation = occupation_of(terms, l12())
    found = thermodynamics(
        terms, counts, occupation, degeneracy(terms, occupation), 400, range(3), "L12"
    )
    by_heat, by_energy, error = both_temperatures(found)
    assert abs(by_heat - by_energy) < 3 * error
    assert error < 0.05 * by_heat
    # Three quarters of the second neighbours of copper, and all of gold, are of the same kind.
    order = np.array(found.short_range_order)
    assert order[1][0] == pytest.approx(1, abs=0.05)
    assert abs(order[1][-1]) < 0.2
    assert found.temperatures_k[0] < 0.5 * by_heat < by_heat < found.temperatures_k[-1]
    # At high temperature only the entropy is left.
    hottest = found.mixing_free_energy_ev_per_atom[-1]
    ideal = -found.temperatures_k[-1] * 8.617e-5 * mixing_entropy_k(counts) / len(terms.atoms)
    assert hottest - found.mixing_energy_ev_per_atom[-1] == pytest.approx(ideal, rel=0.2)
    # Of L1₂ every gold atom has twelve neighbours of copper, so that half of all are unlike; of the
    # random alloys of 500 sites 3/8 of 500/499 are.
    assert found.short_range_order[0][0] == pytest.approx(1 - 0.5 * 499 / 187.5, abs=0.03)
