"""Quantum ESPRESSO: pw.x for forces and stress, ph.x for Born charges and ε∞.

P. Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from workflows.dft.execution import ProgramFailure, run_program, tail
from workflows.dft.programs import Dielectric, Metal, relaxed_from_outside
from workflows.dft.pseudopotentials import (
    RYDBERG_EV,
    Pseudopotential,
    library_fingerprint,
    read_library,
)
from workflows.dft.settings import (
    LEAST_GAP_EV,
    RELAXATION_CUTOFF_FACTOR,
    DftSettings,
    KMesh,
    Purpose,
    k_mesh,
)
from workflows.errors import EngineError
from workflows.single_point import SinglePoint

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymatgen.core import Structure

COMMAND_VARIABLE = "SCREEN_ESPRESSO_COMMAND"
"""Environment variable: what to put before pw.x and ph.x, as in ``mpirun -np 8``."""
LIBRARY_VARIABLE = "SCREEN_PSEUDOPOTENTIALS"
"""Environment variable: folder of UPF files."""


class EspressoSettings(DftSettings):
    """Settings of Quantum ESPRESSO's pw.x and ph.x.

    Parameters
    ----------
    cutoff_ratio
        Cut-off of the density over that of the wave functions; None takes the library's own, or 4
        for norm-conserving and 8 for other pseudopotentials.
    mixing_beta
        Share of the new density.
    diagonalization
        pw.x's eigensolver.
    """

    cutoff_ratio: float | None = Field(None, ge=4)
    mixing_beta: float = Field(0.7, gt=0, le=1)
    diagonalization: Literal["david", "cg"] = "david"


Settings = EspressoSettings
relax = relaxed_from_outside


def missing() -> str | None:
    """Return what must be installed or set before pw.x can run, or None."""
    absent = [program for program in ("pw.x", "ph.x") if shutil.which(program) is None]
    if absent:
        return (
            f"{' and '.join(absent)} not on PATH; on Debian run: apt-get install quantum-espresso"
        )
    if LIBRARY_VARIABLE not in os.environ:
        return f"set {LIBRARY_VARIABLE} to a folder of UPF files (PseudoDojo, SSSP, GBRV, …)"
    return None


def known_elements(settings: EspressoSettings) -> set[str]:
    """Return the elements with a pseudopotential in the library and a stated cut-off."""
    library = _library()
    return {
        element
        for element, pseudo in library.items()
        if settings.cutoff_ev is not None or pseudo.cutoff_ev is not None
    }


def fingerprint(settings: EspressoSettings) -> str:
    """Return a hash of the pseudopotential library: names, contents and stated cut-offs."""
    return library_fingerprint(_folder())


def versions() -> dict[str, str]:
    """Return the fingerprint of the library; pw.x states its own version in its output only."""
    return {"pseudopotentials": library_fingerprint(_folder())}


def cutoff_ev(structure: Structure, settings: EspressoSettings, purpose: Purpose) -> float:
    """Return the plane-wave cut-off of the wave functions for a crystal."""
    return _cutoffs_ev(_used(structure), settings, purpose)[0]


def relaxation_basis(symbols: Collection[str], settings: EspressoSettings) -> dict[str, float]:
    """Return the settings that give any crystal both cut-offs of relaxations of some elements."""
    library = _library()
    used = {symbol: library[symbol] for symbol in symbols}
    wave, density = _cutoffs_ev(used, settings, "relaxation")
    return {"relaxation_cutoff_ev": wave, "cutoff_ratio": density / wave}


def single_point(
    structure: Structure,
    settings: EspressoSettings,
    purpose: Purpose,
    folder: Path,
    timeout_s: float,
    mesh: KMesh | None = None,
) -> SinglePoint:
    """Return energy, forces and, for relaxation, stress.

    Raises
    ------
    ProgramFailure
        When pw.x crashed, did not converge or was not done in time.
    """
    _run_pw(structure, settings, purpose, folder, timeout_s, mesh=mesh)
    point = read_single_point(folder / "pw.out")
    return point if purpose == "relaxation" else replace(point, stress_ev_per_a3=None)


def _refuse_metal(
    structure: Structure, settings: EspressoSettings, folder: Path, timeout_s: float
) -> None:
    """Raise `Metal` unless a calculation with smearing and empty bands finds a gap."""
    if settings.is_spin_polarised(structure):
        raise Metal("Born charges of magnetic crystals are not computed with pw.x")
    _run_pw(structure, settings, "dielectric", folder, timeout_s)
    output = (folder / "pw.out").read_text(errors="replace")
    count = re.search(r"number of electrons\s*=\s*([\d.]+)", output)
    blocks = re.findall(r"bands \(ev\):\s*\n\s*\n(.*?)\n\s*\n", output, re.DOTALL)
    bands = [[float(value) for value in re.findall(r"-?\d+\.\d+", block)] for block in blocks]
    occupied = round(float(count.group(1)) / 2) if count else 0
    if not bands or any(len(energies) <= occupied for energies in bands):
        raise ProgramFailure("pw.x printed no empty bands to find the gap with", output[-3000:])
    top = max(energies[occupied - 1] for energies in bands)
    gap_ev = min(energies[occupied] for energies in bands) - top
    if round(float(count.group(1))) % 2 or gap_ev < LEAST_GAP_EV:  # type: ignore[union-attr]
        raise Metal(f"band gap {max(gap_ev, 0.0):.2f} eV")


def read_single_point(output: Path) -> SinglePoint:
    """Return energy, forces and, where printed, stress and moments of an output of pw.x.

    Raises
    ------
    ProgramFailure
        When it is damaged or self-consistency was not reached.
    """
    from ase.io import read

    text = output.read_text(errors="replace")
    if "convergence NOT achieved" in text:
        raise ProgramFailure("pw.x did not reach self-consistency", tail(output))
    try:
        atoms: Any = read(output, format="espresso-out")
        forces = np.asarray(atoms.get_forces(), dtype=float)
    except Exception as error:  # a damaged file raises whatever the parser meets first
        raise ProgramFailure(
            f"the output of pw.x cannot be read ({type(error).__name__})", tail(output)
        ) from error
    results = atoms.calc.results
    return SinglePoint(
        energy_ev=float(atoms.get_potential_energy()),
        forces_ev_per_a=forces,
        stress_ev_per_a3=results.get("stress"),
        magnetic_moments_mu_b=results.get("magmoms"),
    )


def dielectric(
    structure: Structure, settings: EspressoSettings, folder: Path, timeout_s: float
) -> Dielectric:
    """Return Born charges and ε∞ by density-functional perturbation theory (ph.x at Γ).

    Raises
    ------
    Metal
        Where there is no gap.
    """
    _refuse_metal(structure, settings, folder, timeout_s)
    _run_pw(structure, settings, "dielectric", folder, timeout_s, fixed_occupations=True)
    (folder / "ph.in").write_text(
        "Born charges and dielectric tensor\n&INPUTPH\n  prefix = 'pwscf'\n  outdir = './out'\n"
        "  epsil = .true.\n  trans = .false.\n  zue = .false.\n  tr2_ph = 1.0d-16\n/\n0.0 0.0 0.0\n"
    )
    _run("ph.x", "ph.in", "ph.out", folder, timeout_s)
    return parse_dielectric((folder / "ph.out").read_text(), len(structure))


def parse_dielectric(output: str, atoms: int) -> Dielectric:
    """Return Born charges and ε∞ from what ph.x printed.

    Raises
    ------
    ProgramFailure
        When they are not there.
    """
    number = r"\s*(-?\d+\.\d+)"
    row = rf"\({number * 3}\s*\)"
    tensor = re.search(
        rf"Dielectric constant in cartesian axis\s*\n\s*\n\s*{row}\s*\n\s*{row}\s*\n\s*{row}",
        output,
    )
    if tensor is None:
        raise ProgramFailure("ph.x printed no dielectric tensor", output[-3000:])
    row = rf"E[xyz]\s+\({number * 3}\s*\)"
    charges = re.findall(rf"atom\s+\d+\s+\S+.*\s+{row}\s+{row}\s+{row}", output)
    if len(charges) < atoms:
        raise ProgramFailure("ph.x printed no effective charges", output[-3000:])
    # ph.x lists them once without and, on request, once with the acoustic sum rule.
    born = np.array(charges[:atoms], dtype=float).reshape(atoms, 3, 3)
    return Dielectric(born, np.array(tensor.groups(), dtype=float).reshape(3, 3))


def pw_input(
    structure: Structure,
    settings: EspressoSettings,
    purpose: Purpose,
    *,
    fixed_occupations: bool = False,
    mesh: KMesh | None = None,
) -> str:
    """Return the input of pw.x; `mesh` is used in place of the settings'."""
    import io

    from ase.io.espresso import write_espresso_in
    from pymatgen.io.ase import AseAtomsAdaptor

    used = _used(structure)
    cutoff, density_cutoff = _cutoffs_ev(used, settings, purpose)
    mesh = mesh or k_mesh(structure, settings.k_spacing(purpose))
    system: dict[str, Any] = {
        "ecutwfc": round(cutoff / RYDBERG_EV, 4),
        "ecutrho": round(density_cutoff / RYDBERG_EV, 4),
        "input_dft": settings.functional,
    }
    if fixed_occupations:
        system["occupations"] = "fixed"
    else:
        system |= {
            "occupations": "smearing",
            "smearing": "fermi-dirac",
            "degauss": settings.smearing_ev / RYDBERG_EV,
        }
    if settings.functional == "LDA":
        system["input_dft"] = "sla+pz"
    atoms = AseAtomsAdaptor.get_atoms(structure)
    if settings.is_spin_polarised(structure):
        system["nspin"] = 2
        # write_espresso_in turns moments in μB into one species a moment, relative to z_valence.
        atoms.set_initial_magnetic_moments(
            [
                settings.initial_moment_mu_b(symbol) / max(used[symbol].z_valence, 1.0)
                for symbol in atoms.get_chemical_symbols()
            ]
        )
    corrected = settings.hubbard_u(structure)
    if corrected:
        system["lda_plus_u"] = True
        # pw.x numbers species as ASE lists them: by first appearance.
        order = list(dict.fromkeys(atoms.get_chemical_symbols()))
        system |= {f"Hubbard_U({order.index(symbol) + 1})": u for symbol, u in corrected.items()}
    text = io.StringIO()
    write_espresso_in(
        text,
        atoms,
        input_data={
            "control": {
                "calculation": "scf",
                "tprnfor": True,
                # Band energies, also of long lists of k-points.
                "verbosity": "high" if purpose == "dielectric" else "low",
                "tstress": purpose == "relaxation",
                "outdir": "./out",
                "prefix": "pwscf",
                "pseudo_dir": str(next(iter(used.values())).path.parent),
                "disk_io": "low" if fixed_occupations else "none",
            },
            "system": system,
            "electrons": {
                "conv_thr": settings.energy_tolerance_ev * len(structure) / RYDBERG_EV,
                "mixing_beta": settings.mixing_beta,
                "diagonalization": settings.diagonalization,
                "electron_maxstep": settings.max_scf_steps,
            },
        },
        pseudopotentials={each: pseudo.path.name for each, pseudo in used.items()},
        kpts=mesh.divisions,
        koffset=mesh.shift,
    )
    return text.getvalue()


def _run_pw(
    structure: Structure,
    settings: EspressoSettings,
    purpose: Purpose,
    folder: Path,
    timeout_s: float,
    *,
    fixed_occupations: bool = False,
    mesh: KMesh | None = None,
) -> None:
    text = pw_input(structure, settings, purpose, fixed_occupations=fixed_occupations, mesh=mesh)
    (folder / "pw.in").write_text(text)
    _run("pw.x", "pw.in", "pw.out", folder, timeout_s)


def _run(program: str, source: str, log: str, folder: Path, timeout_s: float) -> None:
    prefix = shlex.split(os.environ.get(COMMAND_VARIABLE, ""))
    command = [*prefix, program, "-in", source]
    run_program(command, folder, timeout_s=timeout_s, log=log)
    if "JOB DONE." not in (folder / log).read_text(errors="replace"):
        raise ProgramFailure(f"{program} stopped before its end", tail(folder / log))


def _cutoffs_ev(
    used: dict[str, Pseudopotential], settings: EspressoSettings, purpose: Purpose
) -> tuple[float, float]:
    """Return the cut-offs of wave functions and density in eV."""
    stated = [potential.cutoff_ev for potential in used.values()]
    wave = settings.cutoff_ev
    if wave is None:
        if None in stated:
            raise EngineError("a pseudopotential has no stated cut-off; set cutoff_ev")
        wave = max(value for value in stated if value is not None)
    ratio = settings.cutoff_ratio
    if ratio is None:
        ratio = 4.0 if all(potential.norm_conserving for potential in used.values()) else 8.0
        for potential in used.values():
            if potential.cutoff_ev and potential.density_cutoff_ev:
                ratio = max(ratio, potential.density_cutoff_ev / potential.cutoff_ev)
    if purpose == "relaxation":
        wave = settings.relaxation_cutoff_ev or RELAXATION_CUTOFF_FACTOR * wave
    return wave, ratio * wave


def _used(structure: Structure) -> dict[str, Pseudopotential]:
    """Return the pseudopotentials of a crystal's elements, sorted by symbol."""
    library = _library()
    symbols = sorted({element.symbol for element in structure.composition.elements})
    return {symbol: library[symbol] for symbol in symbols}


def _library() -> dict[str, Pseudopotential]:
    return read_library(_folder())


def _folder() -> Path:
    folder = os.environ.get(LIBRARY_VARIABLE)
    if folder is None:
        raise EngineError(f"set {LIBRARY_VARIABLE} to a folder of UPF files")
    return Path(folder).expanduser()
