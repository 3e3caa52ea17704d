"""Born charges of all atoms from those of a few displacements, by symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows.dft.born_charges import atom_orbits, of_all_atoms
from workflows.kept_symmetry import operations_of

RNG = np.random.default_rng(5)


def spacegroup(group, lattice, species, sites):
    return Structure.from_spacegroup(group, lattice, species, sites).get_primitive_structure()


CRYSTALS = {
    "rock salt": spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "wurtzite": spacegroup(
        *("P6_3mc", Lattice.hexagonal(3.8, 6.2), ["Zn", "S"]),
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]],
    ),
    "rhombohedral": Structure(
        Lattice.rhombohedral(4.3, 60.5), ["Ge", "Te"], [[0.02] * 3, [0.51] * 3]
    ),
    "tetragonal": spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]
    ),
    "orthorhombic": spacegroup(
        "Pnma",
        Lattice.orthorhombic(6.9, 4.1, 4.2),
        ["Sn", "Se"],
        [[0.12, 0.25, 0.1], [0.86, 0.25, 0.48]],
    ),
    "monoclinic": spacegroup(
        "P2_1/c",
        Lattice.monoclinic(5.1, 5.2, 5.3, 99.2),
        ["Zr", "O", "O"],
        [[0.28, 0.04, 0.21], [0.07, 0.33, 0.34], [0.45, 0.76, 0.48]],
    ),
    "triclinic": Structure(
        Lattice.from_parameters(3.1, 4.2, 5.3, 81, 97, 104),
        ["Na", "Cl", "Cl"],
        [[0, 0, 0], [0.3, 0.4, 0.6], [0.71, 0.2, 0.13]],
    ),
}


def turned(structure):
    """Return a crystal in a frame whose axes are no axes of symmetry."""
    frame, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    matrix = structure.lattice.matrix @ frame.T
    return Structure(Lattice(matrix), structure.species, structure.frac_coords)


def with_the_symmetry_of(structure):
    """Return Born charges, shape (atoms, 3, 3), random but for the crystal's symmetry."""
    operations = operations_of(structure)
    columns = structure.lattice.matrix.T
    rotations = columns @ operations.rotations @ np.linalg.inv(columns)
    random = RNG.normal(size=(len(structure), 3, 3))
    mean = np.zeros_like(random)
    for rotation, images in zip(rotations, operations.images, strict=True):
        mean[images] += rotation @ random @ rotation.T / len(rotations)
    return mean


@pytest.mark.parametrize("frame", ["as it is", "turned"])
@pytest.mark.parametrize("name", CRYSTALS)
def test_few_displacements_give_all_born_charges(name, frame):
    crystal = CRYSTALS[name] if frame == "as it is" else turned(CRYSTALS[name])
    truth = with_the_symmetry_of(crystal)
    orbits = atom_orbits(crystal)
    tensors = [
        orbit.born_charges({axis: truth[orbit.atom][:, axis] for axis in orbit.axes()})
        for orbit in orbits
    ]
    assert of_all_atoms(orbits, tensors) == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "displacements"),
    [("rock salt", 2), ("rhombohedral", 2), ("wurtzite", 4), ("orthorhombic", 6), ("triclinic", 9)],
)
def test_symmetry_saves_displacements(name, displacements):
    assert sum(len(orbit.axes()) for orbit in atom_orbits(CRYSTALS[name])) == displacements
