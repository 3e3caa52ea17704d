"""Born charges of all atoms from those of a few displacements, by symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from bravais_alloys import of_group
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from workflows.dft import gpaw, gpaw_task
from workflows.dft.born_charges import atom_orbits, of_all_atoms
from workflows.dft.execution import ProgramFailure
from workflows.kept_symmetry import cartesian, operations_of

RNG = np.random.default_rng(5)


CRYSTALS = {
    "rock salt": of_group("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "wurtzite": of_group(
        *("P6_3mc", Lattice.hexagonal(3.8, 6.2), ["Zn", "S"]),
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]],
    ),
    "rhombohedral": Structure(
        Lattice.rhombohedral(4.3, 60.5), ["Ge", "Te"], [[0.02] * 3, [0.51] * 3]
    ),
    "tetragonal": of_group(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]
    ),
    "orthorhombic": of_group(
        "Pnma",
        Lattice.orthorhombic(6.9, 4.1, 4.2),
        ["Sn", "Se"],
        [[0.12, 0.25, 0.1], [0.86, 0.25, 0.48]],
    ),
    "monoclinic": of_group(
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
    rotations = cartesian(operations.rotations, structure)
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


def test_gpaw_is_asked_for_these_and_charges_are_put_together(monkeypatch, tmp_path):
    """The program's answer in place of GPAW: columns of charges that add up to almost nothing."""
    crystal = CRYSTALS["wurtzite"]
    truth = with_the_symmetry_of(crystal)
    truth -= truth.mean(axis=0)
    asked = []

    def answer(task, folder, timeout_s):
        asked.append(task["displacements"])
        changes = [
            (truth[atom] + 0.01 * np.eye(3))[:, axis] for atom, axis in task["displacements"]
        ]
        return {
            "gap_ev": 3.0,
            "polarisation_changes_e": [change.tolist() for change in changes],
            "dielectric_tensor": np.eye(3).tolist(),
        }

    monkeypatch.setattr(gpaw, "_run", answer)
    found = gpaw.dielectric(crystal, gpaw.GpawSettings(), tmp_path, 1.0)
    assert len(asked[0]) == 4
    assert found.born_charges == pytest.approx(truth, abs=1e-6)


def test_charges_that_do_not_add_up_are_refused(monkeypatch, tmp_path):
    crystal = CRYSTALS["rock salt"]

    def answer(task, folder, timeout_s):
        changes = [np.eye(3)[axis].tolist() for _, axis in task["displacements"]]
        return {"polarisation_changes_e": changes, "dielectric_tensor": np.eye(3).tolist()}

    monkeypatch.setattr(gpaw, "_run", answer)
    with pytest.raises(ProgramFailure, match="leave 1 e an atom over"):
        gpaw.dielectric(crystal, gpaw.GpawSettings(), tmp_path, 1.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_phases_become_a_change_of_polarisation(monkeypatch, axis):
    """Point charges: the phases along the lattice vectors are 2π times their fractional dipole."""
    pytest.importorskip("gpaw")
    crystal = turned(CRYSTALS["monoclinic"])
    atoms = AseAtomsAdaptor.get_atoms(crystal)
    charges = RNG.normal(size=len(atoms))
    seen = []

    class Calculator:
        """Stands in for GPAW: knows where the atoms are."""

        def __init__(self, parameters):
            assert parameters["symmetry"] == "off"

        def get_potential_energy(self, moved=None, **_):
            return 0.0

        def write(self, name, mode):
            seen.append(name)

    def phases(*, gpw_wfs, comm):
        dipole = charges @ moved_atoms[-1].get_scaled_positions(wrap=False)
        return {"phase_c": 2 * np.pi * (dipole % 1.0)}

    moved_atoms = []
    original = type(atoms).copy

    def copied(self):
        moved_atoms.append(original(self))
        return moved_atoms[-1]

    monkeypatch.setattr(gpaw_task, "_calculator", Calculator)
    monkeypatch.setattr("gpaw.berryphase.polarization_phase", phases)
    monkeypatch.setattr(type(atoms), "copy", copied)
    monkeypatch.setattr(type(atoms), "get_potential_energy", lambda self: 0.0)
    change = gpaw_task._polarisation_change_e(atoms, 2, axis, {})
    assert change == pytest.approx(charges[2] * np.eye(3)[axis], abs=1e-6)
    assert seen == ["displaced.gpw"] * 2
