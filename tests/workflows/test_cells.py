"""Supercells, q-meshes, conventional cells and the way to phonopy and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from phonopy import Phonopy
from phonopy.phonon.grid import length2mesh
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    conventional_cell,
    length_of_multiples,
    phonopy_cell,
    pymatgen_cell,
    q_mesh,
    supercell_matrix,
    supercell_multiples,
)

edges = st.floats(2.0, 25.0)
atoms = st.integers(1, 60)
wanted_lengths = st.floats(3.0, 20.0)
most_atoms = st.integers(1, 400)


@given(st.tuples(edges, edges, edges), atoms, wanted_lengths, most_atoms)
def test_supercell_never_exceeds_max_atoms(lengths, cell_atoms, wanted, max_atoms):
    multiples = supercell_multiples(lengths, cell_atoms, wanted, max_atoms)
    assert min(multiples) >= 1
    assert multiples == (1, 1, 1) or np.prod(multiples) * cell_atoms <= max_atoms


@given(edges, edges, atoms, wanted_lengths, most_atoms)
def test_equal_edges_get_equal_multiples(a, c, cell_atoms, wanted, max_atoms):
    first, second, third = supercell_multiples((a, a, c), cell_atoms, wanted, max_atoms)
    assert first == second
    if a == c:
        assert third == first


@given(edges, edges, atoms, wanted_lengths, most_atoms)
def test_round_off_of_equal_edges_does_not_split_them(a, c, cell_atoms, wanted, max_atoms):
    # Where an axis would just need another cell, round-off may still decide; that is rare.
    assume(all(abs(r / a % 1 - 1e-3) > 1e-6 for r in (wanted, *(k * c for k in range(1, 11)))))
    first, second, _ = supercell_multiples((a, a * (1 + 1e-10), c), cell_atoms, wanted, max_atoms)
    assert first == second


@given(st.permutations([0, 1, 2]), st.tuples(edges, edges, edges), atoms, wanted_lengths)
def test_multiples_follow_the_axes(order, lengths, cell_atoms, wanted):
    plain = supercell_multiples(lengths, cell_atoms, wanted, 200)
    permuted = supercell_multiples(tuple(lengths[axis] for axis in order), cell_atoms, wanted, 200)
    assert permuted == tuple(plain[axis] for axis in order)


@given(st.tuples(edges, edges, edges), atoms, wanted_lengths, wanted_lengths, most_atoms)
def test_longer_wanted_edge_never_shrinks_the_supercell(lengths, cell_atoms, one, other, most):
    short, long = sorted((one, other))
    smaller = supercell_multiples(lengths, cell_atoms, short, most)
    larger = supercell_multiples(lengths, cell_atoms, long, most)
    assert all(a <= b for a, b in zip(smaller, larger, strict=True))


@given(st.tuples(edges, edges, edges), wanted_lengths)
@example((3.0, 3.0, 3.0), 9.0)
def test_supercell_is_the_smallest_that_reaches_the_wanted_edge(lengths, wanted):
    multiples = supercell_multiples(lengths, 1, wanted, 10**9)
    for multiple, edge in zip(multiples, lengths, strict=True):
        assert multiple * edge >= wanted - 2e-3 * edge
        assert multiple == 1 or (multiple - 1) * edge < wanted


@pytest.mark.parametrize(
    ("lengths", "multiples"),
    [((3.6, 3.6, 3.6), (3, 3, 3)), ((3.0, 3.0, 7.0), (5, 5, 2)), ((2.5, 11.0, 4.0), (4, 1, 3))],
)
def test_a_length_makes_the_multiples_that_it_is_for(lengths, multiples):
    """Also in a cell that is a little larger or smaller."""
    wanted = length_of_multiples(lengths, multiples)
    for strain in (-0.02, 0.0, 0.02):
        strained = tuple((1 + strain) * edge for edge in lengths)
        assert supercell_multiples(strained, 1, wanted, 10**9) == multiples


def test_multiples_that_no_length_makes_are_refused():
    with pytest.raises(ValueError, match="no length makes"):
        length_of_multiples((3.0, 9.0, 9.0), (1, 2, 2))


def test_supercell_of_a_known_crystal():
    # NaCl: 8 atoms, 5.64 Å.  9.5 Å takes two cells along each axis; 3×3×3 has 216 atoms.
    lengths = (5.64, 5.64, 5.64)
    assert supercell_multiples(lengths, 8, 9.5, 80) == (2, 2, 2)
    assert supercell_multiples(lengths, 8, 12.0, 216) == (3, 3, 3)
    assert supercell_multiples(lengths, 8, 12.0, 215) == (2, 2, 2)
    assert supercell_multiples(lengths, 8, 12.0, 63) == (1, 1, 1)
    # A long axis gets fewer cells than the short ones.
    assert supercell_multiples((3.2, 3.2, 12.0), 4, 9.5, 80) == (3, 3, 1)


def test_supercell_matrix_is_diagonal():
    cell = Structure(Lattice.tetragonal(3.2, 12.0), ["Si"], [[0, 0, 0]])
    np.testing.assert_array_equal(supercell_matrix(cell, 9.5, 80), np.diag([3, 3, 1]))


@given(st.floats(2.0, 30.0), st.floats(5.0, 100.0))
def test_q_mesh_of_a_cubic_cell_is_length_over_edge(edge, length):
    assume(abs(length / edge % 1 - 0.5) > 1e-6)
    assert q_mesh(edge * np.eye(3), length) == (max(1, round(length / edge)),) * 3


@pytest.mark.parametrize("length", [1.0, 20.0, 37.0])
def test_q_mesh_reads_a_length_as_phonopy_does(length):
    lattice = Lattice.from_parameters(4.0, 5.5, 9.0, 80.0, 95.0, 110.0).matrix
    np.testing.assert_array_equal(q_mesh(lattice, length), length2mesh(length, lattice))


def crystals() -> list:
    """One crystal for each centring, with the primitive cell's share of the conventional one."""
    cubic, hexagonal = Lattice.cubic, Lattice.hexagonal
    return [
        ("P", 1, "Pm-3m", cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        ("F", 4, "Fm-3m", cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        ("I", 2, "Im-3m", cubic(3.2), ["W"], [[0, 0, 0]]),
        ("C", 2, "Cmcm", Lattice.orthorhombic(2.85, 5.87, 4.95), ["U"], [[0, 0.1, 0.25]]),
        (
            "A",  # ferroelectric KNbO3
            2,
            "Amm2",
            Lattice.orthorhombic(3.97, 5.69, 5.72),
            ["K", "Nb", "O", "O"],
            [[0, 0, 0.017], [0.5, 0, 0.5], [0, 0, 0.536], [0.5, 0.252, 0.285]],
        ),
        ("R", 3, "R-3m", hexagonal(4.55, 11.86), ["Bi"], [[0, 0, 0.234]]),
        ("P", 1, "P6_3/mmc", hexagonal(3.2, 5.2), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    ]


@pytest.mark.parametrize(
    ("letter", "share", "group", "lattice", "species", "positions"),
    crystals(),
    ids=[crystal[2] for crystal in crystals()],
)
def test_conventional_cell_and_centring(letter, share, group, lattice, species, positions):
    given_cell = Structure.from_spacegroup(group, lattice, species, positions)
    primitive = given_cell.get_primitive_structure()
    assert len(primitive) * share == len(given_cell)
    # A skewed supercell in a turned frame, as databases hold them.
    turned = primitive.copy()
    turned.make_supercell([[1, 1, 0], [0, 1, 0], [0, 1, 2]])
    turn, _ = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 1]]))
    turned = Structure(
        turned.lattice.matrix @ (turn * np.linalg.det(turn)), turned.species, turned.frac_coords
    )
    for structure in (given_cell, primitive, turned):
        cell, centring = conventional_cell(structure)
        assert centring == letter
        assert len(cell) == len(given_cell)
        assert cell.volume == pytest.approx(given_cell.volume, rel=1e-6)
        # phonopy finds the primitive cell with this letter, and it is the same crystal.
        phonon = Phonopy(
            phonopy_cell(cell), primitive_matrix=centring, symprec=SYMPREC_A, log_level=0
        )
        reduced = pymatgen_cell(phonon.primitive)
        assert len(reduced) == len(primitive)
        assert reduced.volume == pytest.approx(primitive.volume, rel=1e-6)
        assert SpacegroupAnalyzer(reduced, 1e-3).get_space_group_symbol() == group


def test_phonopy_round_trip_keeps_cell_and_order():
    structure = Structure(
        Lattice.from_parameters(4.0, 5.0, 6.0, 80.0, 95.0, 110.0),
        ["Na", "Cl", "Na", "O"],
        [[0.1, 0.2, 0.3], [0.9, -0.1, 1.2], [0.5, 0.5, 0.5], [0.0, 0.25, 0.75]],
    )
    back = pymatgen_cell(phonopy_cell(structure))
    assert [site.specie.symbol for site in back] == ["Na", "Cl", "Na", "O"]
    np.testing.assert_allclose(back.lattice.matrix, structure.lattice.matrix, atol=1e-14)
    np.testing.assert_allclose(back.cart_coords, structure.cart_coords, atol=1e-12)
    again = phonopy_cell(back)
    np.testing.assert_allclose(again.positions, phonopy_cell(structure).positions, atol=1e-12)


def test_oxidation_states_do_not_reach_phonopy():
    structure = Structure(Lattice.cubic(4.1), ["Cs+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert list(phonopy_cell(structure).symbols) == ["Cs", "Cl"]
