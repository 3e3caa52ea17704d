"""Folders that phono3py's and phonopy's own programs take up where the product stopped."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.cells import SYMPREC_A
from workflows.lattice_dynamics.transport import phono3py_params

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy

PARAMS = "phono3py_params.yaml"
CUTOFF_FREQUENCY_THZ = 1e-4
"""Modes below it do not scatter: the default of phono3py's library, whose program has another."""


def harmonic_part(model: Phono3py) -> Phonopy:
    """Return the second-order force constants of a model, with cells and Born charges."""
    from phonopy import Phonopy

    phonon = Phonopy(
        model.unitcell,
        supercell_matrix=model.phonon_supercell_matrix,
        primitive_matrix=model.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
    phonon.nac_params = model.nac_params
    phonon.dataset = model.phonon_dataset
    phonon.force_constants = model.fc2
    return phonon


def write_files(model: Phono3py, folder: Path) -> None:
    """Write what phono3py and phonopy need to go on from a model.

    Parameters
    ----------
    model
        With displacements, forces, and second- and third-order force constants.
    folder
        Exists; gets ``phono3py_params.yaml``, ``fc2.hdf5``, ``fc3.hdf5``, ``phonopy_params.yaml``
        and ``FORCE_CONSTANTS``, and ``BORN`` where there are Born charges.
    """
    from phono3py.file_IO import write_fc2_to_hdf5, write_fc3_to_hdf5
    from phonopy.file_IO import write_BORN, write_FORCE_CONSTANTS

    # Written from the numbers, never copied: phono3py's own reader builds any object a file names.
    (folder / PARAMS).write_text(phono3py_params(model), "utf-8")
    first_atoms = model.phonon_primitive.p2s_map
    write_fc2_to_hdf5(
        model.fc2,
        filename=str(folder / "fc2.hdf5"),
        p2s_map=first_atoms,
        physical_unit="eV/angstrom^2",
    )
    write_fc3_to_hdf5(
        model.fc3,
        fc3_nonzero_indices=model.fc3_nonzero_indices,
        filename=str(folder / "fc3.hdf5"),
        p2s_map=model.primitive.p2s_map,
    )
    phonon = harmonic_part(model)
    write_FORCE_CONSTANTS(model.fc2, filename=folder / "FORCE_CONSTANTS", p2s_map=first_atoms)
    own = model.phonon_dataset is not None
    phonon.save(
        folder / "phonopy_params.yaml",
        settings={"force_sets": own, "displacements": own, "force_constants": False},
    )
    if model.nac_params is not None:
        borns, epsilon = model.nac_params["born"], model.nac_params["dielectric"]
        write_BORN(model.primitive, borns, epsilon, filename=folder / "BORN")


def kappa_command(
    mesh: Sequence[int], temperatures_k: Sequence[float], *, isotopes: bool
) -> list[str]:
    """Return the command line that solves for κ as `transport.conductivity` does.

    It finds the force constants in ``fc2.hdf5`` and ``fc3.hdf5`` of the folder it runs in, and
    Born charges in the parameter file.
    """
    return [
        *("phono3py", PARAMS, "--br", "--mesh", *map(str, mesh)),
        *(["--isotope"] if isotopes else []),
        *("--ts", *(f"{temperature:g}" for temperature in temperatures_k)),
        *("--tolerance", f"{SYMPREC_A:g}", "--cutoff-freq", f"{CUTOFF_FREQUENCY_THZ:g}"),
    ]


def run_kappa(folder: Path, command: Sequence[str]) -> None:
    """Run phono3py's program in a folder; it writes ``kappa-m….hdf5`` there.

    Raises
    ------
    RuntimeError
        When it fails, with the last line it wrote.
    """
    # The one of this environment, wherever the shell would find another.
    program = "from phono3py.scripts.phono3py import run; run()"
    finished = subprocess.run(
        [sys.executable, "-c", program, *command[1:]],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        said = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
        last = said[-1] if said else f"exit status {finished.returncode}"
        raise RuntimeError(f"{shlex.join(command)}: {last}")


def kappa_file(mesh: Sequence[int]) -> str:
    """Return the name of the file that phono3py writes for a mesh."""
    return f"kappa-m{''.join(map(str, mesh))}.hdf5"


def read_kappa(path: Path, temperature_k: float) -> NDArray[np.float64]:
    """Return κ in W/m/K of such a file at one of its temperatures: xx, yy, zz, yz, xz, xy."""
    import h5py

    with h5py.File(path) as file:
        index = int(np.argmin(np.abs(np.asarray(file["temperature"]) - temperature_k)))
        kappa: NDArray[np.float64] = np.asarray(file["kappa"], dtype=float)[index]
    return kappa
