"""GFN-FF of small cells is GFN-FF of the crystal."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gfnff")

from ase import Atoms

from workflows.repeated_cells import RepeatedGFNFF


def polyethylene() -> Atoms:
    """Bunn's crystal, two units of two chains."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = Structure.from_spacegroup(
        "Pnam",
        Lattice.orthorhombic(7.40, 4.93, 2.534),
        ["C", "H", "H"],
        [[0.038, 0.065, 0.25], [0.186, 0.060, 0.25], [0.011, 0.276, 0.25]],
    )
    return AseAtomsAdaptor.get_atoms(structure)


def test_a_cell_and_its_multiple_are_the_same_crystal():
    one = polyethylene()
    one.rattle(0.03, seed=1)
    one.calc = RepeatedGFNFF(7.0)
    same = one.repeat((1, 2, 3))
    same.calc = RepeatedGFNFF(7.0)
    assert same.get_potential_energy() / 6 == pytest.approx(one.get_potential_energy(), rel=1e-8)
    assert same.get_forces()[: len(one)] == pytest.approx(one.get_forces(), abs=1e-4)
    assert same.get_stress() == pytest.approx(one.get_stress(), abs=1e-6)


def test_forces_and_stress_belong_to_the_energy():
    atoms = polyethylene()
    atoms.rattle(0.03, seed=1)
    atoms.calc = RepeatedGFNFF()
    force, stress = atoms.get_forces()[3, 2], atoms.get_stress()[2]
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.positions[3, 2] += sign * 1e-3
        energies.append(moved.get_potential_energy())
    assert -(energies[0] - energies[1]) / 2e-3 == pytest.approx(force, rel=1e-3)
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.calc = atoms.calc
        strained.set_cell(atoms.cell.array * [1, 1, 1 + sign * 1e-4], scale_atoms=True)
        energies.append(strained.get_potential_energy())
    numeric = (energies[0] - energies[1]) / 2e-4 / atoms.get_volume()
    assert numeric == pytest.approx(stress, rel=1e-2, abs=1e-5)


def test_molecules_are_left_alone():
    atoms = Atoms("OH2", positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    atoms.calc = RepeatedGFNFF()
    assert abs(atoms.get_forces().sum(axis=0)).max() < 1e-6
    assert np.isfinite(atoms.get_potential_energy())
