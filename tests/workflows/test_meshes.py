"""q-meshes must keep the point group, whatever the centring: phono3py refuses them otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows.lattice_dynamics.cells import SYMPREC_A, conventional_cell, phonopy_cell
from workflows.lattice_dynamics.harmonic import symmetric_mesh
from workflows.lattice_dynamics.meshes import mesh_series
from workflows.recipes import TransportRecipe

CRYSTALS = {
    "I4/mmm": (Lattice.tetragonal(3.9, 12.8), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.2]]),
    "Immm": (Lattice.orthorhombic(3.9, 5.1, 12.8), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.2]]),
    "I-42d": (
        Lattice.tetragonal(6.2, 12.4),
        ["Cu", "In", "Te"],
        [[0, 0, 0], [0, 0, 0.5], [0.22, 0.25, 0.125]],
    ),
    "R-3m": (Lattice.hexagonal(4.1, 28), ["Bi", "Te"], [[0, 0, 0.4], [0, 0, 0]]),
    "C2/m": (
        Lattice.monoclinic(12.2, 3.0, 5.8, 103),
        ["Ga", "O"],
        [[0.09, 0, 0.79], [0.16, 0, 0.1]],
    ),
    "Cmcm": (
        Lattice.orthorhombic(4.3, 11.7, 4.4),
        ["Sn", "Se"],
        [[0, 0.12, 0.25], [0, 0.85, 0.25]],
    ),
    "Fddd": (Lattice.orthorhombic(5.3, 7.1, 9.2), ["Si"], [[0.125, 0.125, 0.125]]),
    "P6_3mc": (
        Lattice.hexagonal(3.8, 6.3),
        ["Zn", "S"],
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]],
    ),
}


@pytest.fixture(params=CRYSTALS)
def model(request):
    from phono3py import Phono3py

    structure = Structure.from_spacegroup(request.param, *CRYSTALS[request.param])
    cell, centring = conventional_cell(structure)
    return Phono3py(
        phonopy_cell(cell),
        supercell_matrix=np.eye(3, dtype=int),
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )


@pytest.mark.parametrize("parity", ["odd", "even", None])
def test_phono3py_takes_the_mesh_of_every_centring(model, parity):
    for length in (12.0, 23.0, 29.0, 36.0):
        mesh = symmetric_mesh(model, length, parity=parity)
        model.mesh_numbers = list(mesh)  # raises where the mesh breaks the symmetry
        if parity is not None:
            assert all(n % 2 == (parity == "odd") for n in mesh)


def test_a_series_always_has_as_many_meshes_as_lengths(model):
    for lengths in ((23.0, 29.0, 36.0), (3.0, 4.0, 5.0), (20.0, 20.5, 21.0)):
        series = mesh_series(model, TransportRecipe(mesh_lengths_a=lengths))
        sizes = [np.prod(mesh) for mesh in series]
        assert len(series) == 3
        assert sizes == sorted(set(sizes))
        assert all(n % 2 == 1 and n >= 3 for mesh in series for n in mesh)
        for mesh in series:
            model.mesh_numbers = list(mesh)


def test_small_cells_get_no_denser_mesh_than_allowed(model):
    recipe = TransportRecipe(mesh_lengths_a=(60.0, 80.0, 100.0), max_mesh_points=1000)
    assert np.prod(mesh_series(model, recipe)[-1]) <= 1000
