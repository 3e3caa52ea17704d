"""A supercell's k-mesh in the cell that it repeats: the same set of k-points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from workflows.dft.k_folding import denser_k_spacing, folded
from workflows.dft.settings import KMesh, k_mesh

DIVISIONS = st.tuples(*3 * [st.integers(1, 4)])
SHIFT = st.tuples(*3 * [st.integers(0, 1)])
FACE_CENTRED = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
BODY_CENTRED = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
RHOMBOHEDRAL = np.array([[1, -1, 0], [0, 1, -1], [1, 1, 1]])
CRYSTAL_A = np.array([[3.1, 0.2, -0.4], [0.5, 4.3, 0.7], [-0.3, 0.9, 5.2]])


def unfolded(mesh, multiples):
    """Return the k-points of the small cell that a supercell's mesh stands for, by definition."""
    multiples = np.asarray(multiples)
    count = round(abs(np.linalg.det(multiples)))
    # Reciprocal lattice vectors of the supercell, more than enough to reach each of them once.
    vectors = np.indices(3 * [count]).reshape(3, -1).T
    points = (np.array(mesh.points())[:, np.newaxis] + vectors).reshape(-1, 3)
    found = as_keys(points @ np.linalg.inv(multiples).T)
    assert len(found) == count * np.prod(mesh.divisions)
    return found


def as_keys(points):
    """Return k-points in whole 1/40320ths of the reciprocal axes, without lattice vectors."""
    scaled = 40320 * np.asarray(points)
    assert np.allclose(scaled, np.rint(scaled), atol=1e-3)
    return {tuple(key) for key in np.unique(np.rint(scaled).astype(int) % 40320, axis=0).tolist()}


def points_of(fold):
    """Return the folded mesh's points in the reciprocal axes of the cell as it was given."""
    return as_keys(np.array(fold.mesh.points()) @ np.linalg.inv(fold.basis).T)


@settings(max_examples=40, deadline=None)
@given(DIVISIONS, SHIFT, st.tuples(*3 * [st.integers(1, 3)]))
def test_along_the_cells_own_axes(divisions, shift, multiples):
    mesh = KMesh(divisions, shift)
    fold = folded(mesh, np.diag(multiples))
    assert (fold.basis == np.eye(3)).all()
    assert fold.mesh.divisions == tuple(np.multiply(divisions, multiples))
    assert fold.mesh.shift == shift
    lattice = Lattice(CRYSTAL_A)
    supercell = Lattice(np.diag(multiples) @ CRYSTAL_A)
    # In 1/Å, as the programs will have it: no reciprocal vector of the supercell apart.
    in_supercell = np.array(fold.mesh.points()) @ lattice.reciprocal_lattice.matrix
    fractions = in_supercell @ supercell.matrix.T / (2 * np.pi)
    assert as_keys(fractions) == as_keys(mesh.points())
    assert len(fold.mesh.points()) == np.prod(multiples) * len(mesh.points())


@pytest.mark.parametrize("centring", [FACE_CENTRED, BODY_CENTRED, RHOMBOHEDRAL])
@pytest.mark.parametrize("multiples", [(1, 1, 1), (2, 2, 2), (2, 2, 1), (1, 3, 1)])
@pytest.mark.parametrize(
    "mesh",
    [KMesh((1, 1, 1)), KMesh.off_gamma((2, 2, 2)), KMesh.off_gamma((2, 2, 1)), KMesh((3, 2, 1))],
)
def test_of_centred_crystals(centring, multiples, mesh):
    matrix = np.diag(multiples) @ centring
    fold = folded(mesh, matrix)
    assert points_of(fold) == unfolded(mesh, matrix)


@settings(max_examples=40, deadline=None)
@given(
    DIVISIONS,
    SHIFT,
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=3, max_size=3),
)
def test_of_any_supercell(divisions, shift, multiples):
    count = round(abs(np.linalg.det(multiples)))
    assume(1 <= count <= 6)
    mesh = KMesh(divisions, shift)
    assert points_of(folded(mesh, multiples)) == unfolded(mesh, multiples)


def test_what_is_no_supercell_is_refused():
    with pytest.raises(ValueError, match="no supercell"):
        folded(KMesh((1, 1, 1)), [[1, 0, 0], [0, 1, 0], [1, 1, 0]])


def test_another_basis_is_the_same_crystal():
    cell = Structure(Lattice(CRYSTAL_A), ["Na", "Cl"], [[0.1, 0, 0], [0.4, 0.6, 0.3]])
    fold = folded(KMesh.off_gamma((2, 2, 2)), FACE_CENTRED)
    other = fold.in_basis(cell)
    assert not np.allclose(other.lattice.matrix, cell.lattice.matrix)
    assert np.linalg.det(other.lattice.matrix) == pytest.approx(cell.volume)
    assert np.allclose(other.cart_coords, cell.cart_coords)
    between = other.lattice.matrix @ np.linalg.inv(cell.lattice.matrix)
    assert np.allclose(between, np.rint(between))


def box(a, b, c, gamma=90.0):
    return Structure(Lattice.from_parameters(a, b, c, 90, 90, gamma), ["Si"], [[0, 0, 0]])


@given(st.floats(2, 40), st.floats(2, 40), st.floats(2, 40), st.floats(0.1, 1.5))
def test_the_next_mesh_is_denser_where_it_was_coarsest(a, b, c, spacing):
    supercell = box(a, b, c)
    before = k_mesh(supercell, spacing)
    denser = denser_k_spacing(supercell, spacing)
    after = k_mesh(supercell, denser)
    assert denser < spacing * (1 + 1e-2)
    lengths = np.array(supercell.lattice.reciprocal_lattice.abc)
    coarsest = np.argmax(lengths / before.divisions)
    assert after.divisions[coarsest] > before.divisions[coarsest]
    bound = lengths[coarsest] / (before.divisions[coarsest] + 1)
    unchanged = np.equal(before.divisions, after.divisions)
    assert (lengths / before.divisions)[unchanged].max(initial=0) <= 1.02 * bound


@pytest.mark.parametrize("edge", [9.0, 10.4719, 10.4720, 11.2, 20.9])
def test_a_cubic_supercell_gets_one_division_more_along_each_axis(edge):
    """Also where relaxation has left its edges a hair apart."""
    supercell = box(edge, edge * (1 + 3e-5), edge * (1 - 3e-5))
    spacing = 0.6
    for _ in range(4):
        n = k_mesh(box(edge, edge, edge), spacing).divisions[0]
        spacing = denser_k_spacing(supercell, spacing)
        assert k_mesh(supercell, spacing).divisions == (n + 1, n + 1, n + 1)


def test_short_axes_of_a_supercell_are_not_refined_without_need():
    supercell = box(5.0, 5.0, 40.0, gamma=120.0)
    assert k_mesh(supercell, 0.8).divisions == (2, 2, 1)
    spacing = denser_k_spacing(supercell, 0.8)
    assert k_mesh(supercell, spacing).divisions == (3, 3, 1)
