"""Displaced supercells come back from a parameter file with the forces that belong to them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from phono3py import Phono3py
from phonopy.structure.atoms import PhonopyAtoms
from pymatgen.io.ase import AseAtomsAdaptor

from workflows.lattice_dynamics.recorded_cells import recorded_cells


def forces_on(atoms):
    """Return EMT's forces."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    return atoms.get_forces()


@pytest.fixture(scope="module")
def model():
    """Copper: snapshots of eight atoms for third order, single displacements of 32 for second."""
    copper = bulk("Cu", "fcc", a=3.6, cubic=True)
    return Phono3py(
        PhonopyAtoms(symbols=copper.symbols, cell=copper.cell, positions=copper.positions),
        supercell_matrix=np.diag([2, 1, 1]),
        phonon_supercell_matrix=np.diag([2, 2, 2]),
        primitive_matrix="F",
        log_level=0,
    )


def test_each_cell_has_its_own_forces(model):
    model.generate_displacements(distance=0.05, number_of_snapshots=2, random_seed=3)
    model.generate_fc2_displacements(distance=0.02)
    for name in ("", "phonon_"):
        cells = getattr(model, f"{name}supercells_with_displacements")
        forces = [
            forces_on(Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, pbc=True))
            for cell in cells
        ]
        setattr(model, f"{name}forces", np.array(forces))
    found = recorded_cells(io.StringIO(str(model.to_phono3py_yaml())))
    assert [len(cell.structure) for cell in found] == [8, 8, 32]
    assert [cell.displaced_atoms for cell in found] == [8, 8, 1]
    for cell in found:
        exact = forces_on(AseAtomsAdaptor.get_atoms(cell.structure))
        assert np.abs(exact).max() > 0.01
        assert cell.forces_ev_per_a == pytest.approx(exact, abs=1e-6)


def test_cells_without_forces_are_none(model):
    model.dataset = {"displacements": np.zeros((1, 8, 3))}
    model.phonon_dataset = None
    assert recorded_cells(io.StringIO(str(model.to_phono3py_yaml()))) == []
