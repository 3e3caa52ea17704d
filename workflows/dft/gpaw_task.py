"""One GPAW calculation: ``python -m workflows.dft.gpaw_task FOLDER``.

Reads ``task.json`` in the folder and writes ``result.json``.  A process of its own, so that a
crash, a leak or an MPI launcher stays outside the worker, and GPAW's licence (GPL-3) with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

DISPLACEMENT_A = 0.01
"""Of atoms for the Berry phase, to both sides."""


def single_point(task: dict[str, Any]) -> dict[str, Any]:
    """Return energy, forces and what else the task asks for."""
    atoms = _atoms(task)
    atoms.calc = _calculator(task["parameters"])
    result: dict[str, Any] = {
        "energy_ev": float(atoms.get_potential_energy(force_consistent=False)),
        "forces_ev_per_a": atoms.get_forces().tolist(),
    }
    if task["stress"]:
        result["stress_ev_per_a3"] = atoms.get_stress().tolist()
    if task["magnetic_moments_mu_b"] is not None:
        result["magnetic_moments_mu_b"] = atoms.get_magnetic_moments().tolist()
    return result


def dielectric(task: dict[str, Any]) -> dict[str, Any]:
    """Return ε∞ (linear response), and how displacements change the polarisation (Berry phase).

    ε∞ is the macroscopic one in the random-phase approximation, with local fields.
    """
    from ase.dft.bandgap import bandgap
    from gpaw.mpi import world
    from gpaw.response.df import DielectricFunction

    atoms = _atoms(task)
    # Several ranks share out k-points: with the few of symmetry some would share out plane waves,
    # of which the full Hamiltonian is not diagonalised.
    ground = task["parameters"] | ({} if world.size == 1 else {"symmetry": "off"})
    atoms.calc = _calculator(ground)
    atoms.get_potential_energy()
    gap_ev = float(bandgap(atoms.calc)[0])
    if gap_ev < task["least_gap_ev"]:
        return {"gap_ev": gap_ev}
    occupied = int(np.ceil(atoms.calc.get_number_of_electrons() / 2))
    bands = occupied * (1 + task["empty_bands_per_occupied"])
    atoms.calc.diagonalize_full_hamiltonian(nbands=bands)
    atoms.calc.write("ground.gpw", mode="all")
    response = DielectricFunction(
        "ground.gpw",
        frequencies=[0.0],
        hilbert=False,
        eta=0.0,
        ecut=task["response_cutoff_ev"],
        nbands=bands,
        txt="response.txt",
    )

    def along(*direction: float) -> float:
        unit = np.array(direction) / np.linalg.norm(direction)
        return float(np.real(response.get_macroscopic_dielectric_constant(direction=unit)[1]))

    epsilon = np.diag([along(1, 0, 0), along(0, 1, 0), along(0, 0, 1)])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        diagonal = np.zeros(3)
        diagonal[[i, j]] = 1
        epsilon[i, j] = epsilon[j, i] = along(*diagonal) - (epsilon[i, i] + epsilon[j, j]) / 2
    changes_e = [
        _polarisation_change_e(atoms, atom, axis, task["parameters"])
        for atom, axis in task["displacements"]
    ]
    return {
        "gap_ev": gap_ev,
        "polarisation_changes_e": changes_e,
        "dielectric_tensor": epsilon.tolist(),
    }


def _polarisation_change_e(
    atoms: Any, atom: int, axis: int, parameters: dict[str, Any]
) -> list[float]:
    """Return the change of polarisation times volume by a displacement, for each Å, in e.

    By the difference of Berry phases, in units of 2π, along the lattice vectors; a phase is known
    but for whole turns, and a hundredth of an Å makes a small part of one.
    """
    from gpaw.berryphase import polarization_phase
    from gpaw.mpi import world

    # A displaced atom has less symmetry, and the Berry phase wants all k-points.
    calculator = _calculator({**parameters, "symmetry": "off"})
    phases = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[atom, axis] += sign * DISPLACEMENT_A
        moved.calc = calculator
        moved.get_potential_energy()
        calculator.write("displaced.gpw", mode="all")
        found = polarization_phase(gpw_wfs=Path("displaced.gpw"), comm=world)
        phases.append(np.array(found["phase_c"]))
    turns = (phases[0] - phases[1]) / (2 * np.pi)
    turns -= np.round(turns)
    change: list[float] = (turns @ atoms.cell.array / (2 * DISPLACEMENT_A)).tolist()
    return change


def _atoms(task: dict[str, Any]) -> Any:
    from ase import Atoms

    return Atoms(
        task["symbols"],
        scaled_positions=task["scaled_positions"],
        cell=task["cell_a"],
        pbc=True,
        magmoms=task["magnetic_moments_mu_b"],
    )


def _calculator(parameters: dict[str, Any]) -> Any:
    from gpaw import GPAW

    return GPAW(**parameters, txt="gpaw.txt")


def main() -> None:
    """Run the task of the folder named on the command line."""
    import os

    folder = Path(sys.argv[1])
    os.chdir(folder)
    task = json.loads(Path("task.json").read_text())
    kinds = {"single-point": single_point, "dielectric": dielectric}
    result = kinds[task["kind"]](task)
    from gpaw.mpi import world

    if world.rank == 0:
        Path("result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
