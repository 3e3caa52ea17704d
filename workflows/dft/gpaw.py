"""GPAW: plane waves and PAW data sets that install as packages.

J. J. Mortensen et al., J. Chem. Phys. 160, 092503 (2024).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from workflows.dft.born_charges import atom_orbits, of_all_atoms
from workflows.dft.execution import ProgramFailure, run_program, tail
from workflows.dft.programs import Dielectric, Metal, relaxed_from_outside
from workflows.dft.settings import (
    F_SHELL,
    LEAST_GAP_EV,
    RELAXATION_CUTOFF_FACTOR,
    DftSettings,
    KMesh,
    Purpose,
    k_mesh,
)
from workflows.single_point import SinglePoint
from workflows.versions import package_versions

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymatgen.core import Structure

MOST_CHARGE_LEFT_E = 0.1
"""Mean of the Born charges of all atoms, which should be zero."""
COMMAND_VARIABLE = "SCREEN_GPAW_COMMAND"
"""Environment variable: what starts Python with GPAW, as in ``mpiexec -n 8 gpaw python``."""


class GpawSettings(DftSettings):
    """Settings of GPAW.

    Born charges of N atoms take up to 6 N calculations with all k-points, fewer by symmetry: hence
    the coarser mesh, which is that of ε∞ as well.

    Parameters
    ----------
    cutoff_scale
        Factor on the elements' recommended cut-offs, where `cutoff_ev` is None.
    density_tolerance
        Self-consistency: change of the density, in electrons per valence electron.
    force_tolerance_ev_per_a
        Self-consistency: change of the forces.
    mixer_beta
        Share of the new density; None leaves it to GPAW.
    eigensolver
        None leaves it to GPAW.
    """

    dielectric_k_spacing_per_a: float = Field(0.45, gt=0)
    cutoff_scale: float = Field(1.0, gt=0)
    density_tolerance: float = Field(1e-5, gt=0)
    force_tolerance_ev_per_a: float = Field(1e-4, gt=0)
    mixer_beta: float | None = Field(None, gt=0, le=1)
    eigensolver: Literal["dav", "rmm-diis", "cg"] | None = None


Settings = GpawSettings
relax = relaxed_from_outside


def missing() -> str | None:
    """Return what must be installed before GPAW can run, or None."""
    if COMMAND_VARIABLE in os.environ:
        return None
    absent = [name for name in ("gpaw", "gpaw_data") if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    return (
        f"Python package {' and '.join(absent)} not installed; on Debian run: apt-get install "
        "libopenmpi-dev libxc-dev libopenblas-dev gcc, then, in a clone of this project: "
        "pip install '.[gpaw]'"
    )


def known_elements(settings: GpawSettings) -> set[str]:
    """Return the elements with a PAW data set and a stated cut-off."""
    return set(recommended_cutoffs_ev())


def fingerprint(settings: GpawSettings) -> str:
    """Return a hash of the table of cut-offs, where the settings state none."""
    if settings.cutoff_ev is not None:
        return ""
    content = json.dumps(recommended_cutoffs_ev(), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the versions of GPAW and of its PAW data sets."""
    return package_versions(("gpaw", "gpaw-data", "ase"))


@functools.cache
def recommended_cutoffs_ev() -> dict[str, float]:
    """Return element → recommended cut-off in eV; elements without a data set are not there."""
    table: dict[str, float] = json.loads(Path(__file__).with_name("gpaw_cutoffs.json").read_text())[
        "cutoff_ev"
    ]
    return table


def cutoff_ev(structure: Structure, settings: GpawSettings, purpose: Purpose) -> float:
    """Return the plane-wave cut-off for a crystal."""
    symbols = {element.symbol for element in structure.composition.elements}
    return _cutoff_ev(symbols, settings, purpose)


def relaxation_basis(symbols: Collection[str], settings: GpawSettings) -> dict[str, float]:
    """Return the settings that give any crystal the cut-off of relaxations of some elements."""
    return {"relaxation_cutoff_ev": _cutoff_ev(symbols, settings, "relaxation")}


def _cutoff_ev(symbols: Collection[str], settings: GpawSettings, purpose: Purpose) -> float:
    cutoff = settings.cutoff_ev
    if cutoff is None:
        table = recommended_cutoffs_ev()
        highest = max(table[symbol] for symbol in symbols)
        cutoff = settings.cutoff_scale * highest
    if purpose == "relaxation":
        return settings.relaxation_cutoff_ev or RELAXATION_CUTOFF_FACTOR * cutoff
    return cutoff


def single_point(
    structure: Structure,
    settings: GpawSettings,
    purpose: Purpose,
    folder: Path,
    timeout_s: float,
    mesh: KMesh | None = None,
) -> SinglePoint:
    """Return energy, forces and, for relaxation, stress.

    Raises
    ------
    ProgramFailure
        When GPAW crashed, did not converge or was not done in time.
    """
    task = {
        "kind": "single-point",
        "stress": purpose == "relaxation",
        **_cell(structure, settings),
        "parameters": parameters(structure, settings, purpose, mesh),
    }
    result = _run(task, folder, timeout_s)
    stress, moments = result.get("stress_ev_per_a3"), result.get("magnetic_moments_mu_b")
    return SinglePoint(
        energy_ev=result["energy_ev"],
        forces_ev_per_a=np.array(result["forces_ev_per_a"]),
        stress_ev_per_a3=None if stress is None else np.array(stress),
        magnetic_moments_mu_b=None if moments is None else np.array(moments),
    )


def dielectric(
    structure: Structure, settings: GpawSettings, folder: Path, timeout_s: float
) -> Dielectric:
    """Return Born charges from the Berry phase and ε∞ from linear response (RPA).

    Raises
    ------
    Metal
        Where there is no gap.
    """
    orbits = atom_orbits(structure)
    displacements = [(orbit.atom, axis) for orbit in orbits for axis in orbit.axes()]
    task = {
        "kind": "dielectric",
        "displacements": displacements,
        **_cell(structure, settings),
        "parameters": parameters(structure, settings, "dielectric"),
        "least_gap_ev": LEAST_GAP_EV,
        "empty_bands_per_occupied": 5,
        "response_cutoff_ev": 60.0,
    }
    result = _run(task, folder, timeout_s)
    if "polarisation_changes_e" not in result:
        raise Metal(f"band gap {result['gap_ev']:.2f} eV")
    answers = map(np.array, result["polarisation_changes_e"])
    changes_e = dict(zip(displacements, answers, strict=True))
    tensors = [
        orbit.born_charges({axis: changes_e[orbit.atom, axis] for axis in orbit.axes()})
        for orbit in orbits
    ]
    borns = of_all_atoms(orbits, tensors)
    left_e = borns.mean(axis=0)
    if np.abs(left_e).max() > MOST_CHARGE_LEFT_E:
        raise ProgramFailure(
            f"its Born charges leave {np.abs(left_e).max():.2g} e an atom over", ""
        )
    borns -= left_e
    return Dielectric(borns, np.array(result["dielectric_tensor"]))


def parameters(
    structure: Structure, settings: GpawSettings, purpose: Purpose, mesh: KMesh | None = None
) -> dict[str, Any]:
    """Return the keyword arguments of ``gpaw.GPAW``; `mesh` is used in place of the settings'."""
    chosen: dict[str, Any] = {
        "mode": {"name": "pw", "ecut": round(cutoff_ev(structure, settings, purpose), 3)},
        "xc": settings.functional,
        "kpts": k_points(mesh or k_mesh(structure, settings.k_spacing(purpose))),
        "occupations": {"name": "fermi-dirac", "width": settings.smearing_ev},
        "convergence": {
            "energy": settings.energy_tolerance_ev,
            "density": settings.density_tolerance,
            "forces": settings.force_tolerance_ev_per_a,
        },
        "maxiter": settings.max_scf_steps,
        "spinpol": settings.is_spin_polarised(structure),
    }
    if settings.mixer_beta is not None:
        chosen["mixer"] = {"backend": "pulay", "beta": settings.mixer_beta, "nmaxold": 8}
    if settings.eigensolver is not None:
        chosen["eigensolver"] = {"name": settings.eigensolver}
    corrected = settings.hubbard_u(structure)
    if corrected:
        chosen["setups"] = {
            each: f":{'f' if each in F_SHELL else 'd'},{u}" for each, u in corrected.items()
        }
    return chosen


def k_points(mesh: KMesh) -> dict[str, Any]:
    """Return a k-mesh in GPAW's words."""
    if not any(mesh.shift):
        return {"size": mesh.divisions, "gamma": True}
    if all(mesh.shift) and all(n % 2 == 0 for n in mesh.divisions):
        return {"size": mesh.divisions, "gamma": False}
    # Shifted along some of the axes only.
    return {"kpts": mesh.points()}


def _cell(structure: Structure, settings: GpawSettings) -> dict[str, Any]:
    symbols = [site.specie.symbol for site in structure]
    moments = None
    if settings.is_spin_polarised(structure):
        moments = [settings.initial_moment_mu_b(symbol) for symbol in symbols]
    return {
        "symbols": symbols,
        "scaled_positions": structure.frac_coords.tolist(),
        "cell_a": structure.lattice.matrix.tolist(),
        "magnetic_moments_mu_b": moments,
    }


def _run(task: dict[str, Any], folder: Path, timeout_s: float) -> dict[str, Any]:
    (folder / "task.json").write_text(json.dumps(task))
    python = shlex.split(os.environ.get(COMMAND_VARIABLE, "")) or [sys.executable]
    try:
        run_program(
            [*python, "-m", "workflows.dft.gpaw_task", str(folder)], folder, timeout_s=timeout_s
        )
    except ProgramFailure as failure:
        log = tail(folder / "gpaw.txt")
        if "KohnShamConvergenceError" in failure.tail:
            steps = task["parameters"]["maxiter"]
            raise ProgramFailure(f"GPAW did not converge in {steps} steps", log) from None
        raise ProgramFailure(failure.reason, f"{log}\n{failure.tail}") from None
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result
