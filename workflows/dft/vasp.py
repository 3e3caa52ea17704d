"""VASP, through atomate2's input sets and custodian.

Inputs come from atomate2's input-set generators, with settings fit for third-order forces on top;
custodian runs VASP and mends what it knows how to mend.  Commands are atomate2's own settings
(``ATOMATE2_VASP_CMD``, ``~/.atomate2.yaml``), potentials are pymatgen's
(``PMG_VASP_PSP_DIR``).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, model_validator

from workflows.constants import EV_PER_A3_IN_GPA
from workflows.dft.execution import ProgramFailure, run_program, tail
from workflows.dft.programs import Dielectric, Metal
from workflows.dft.settings import (
    F_SHELL,
    LEAST_GAP_EV,
    MAGNETIC_MOMENT_MU_B,
    RELAXATION_CUTOFF_FACTOR,
    DftSettings,
    KMesh,
    Purpose,
    k_mesh,
)
from workflows.errors import EngineError
from workflows.single_point import SinglePoint
from workflows.versions import package_versions

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymatgen.core import Structure
    from pymatgen.io.vasp.sets import VaspInputSet

OWN_SETTINGS = {
    "ENCUT": "cutoff_ev and relaxation_cutoff_ev",
    "ISPIN": "spin",
    "LDAU": "hubbard_u_ev",
    "LDAUU": "hubbard_u_ev",
}
"""Tags that would win over a setting which others rely on: convergence, and comparable energies."""

FUNCTIONAL_TAGS = {"PBE": "PE", "PBEsol": "PS", "LDA": "CA"}


class VaspSettings(DftSettings):
    """Settings of VASP, on top of atomate2's input sets.

    Parameters
    ----------
    incar
        Further INCAR tags; they win, and are refused where `OWN_SETTINGS` has a setting for them.
    potcar
        POTCAR symbol by element, where it is not the input set's own.
    potcar_functional
        pymatgen's name of the potential library.
    """

    incar: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    potcar: dict[str, str] = Field(default_factory=dict)
    potcar_functional: str = "PBE_54"

    @model_validator(mode="after")
    def _check_precision(self) -> Self:
        if self.incar.get("ADDGRID") or str(self.incar.get("LREAL", "F"))[:1].upper() not in "F.":
            raise ValueError(
                "incar: ADDGRID and real-space projectors (LREAL) blur third-order forces"
            )
        for tag in self.incar:
            if (setting := OWN_SETTINGS.get(tag.upper())) is not None:
                raise ValueError(
                    f"incar: {tag} would win over what is checked; state {setting} instead"
                )
        return self


Settings = VaspSettings


def missing() -> str | None:
    """Return what must be installed or set before VASP can run, or None."""
    from atomate2 import SETTINGS as ATOMATE2
    from pymatgen.core import SETTINGS as PYMATGEN

    program = shlex.split(os.path.expandvars(ATOMATE2.VASP_CMD))
    if not program or shutil.which(program[0]) is None:
        name = program[0] if program else ""
        return f"'{name}' is not on PATH; set ATOMATE2_VASP_CMD to the command that runs VASP"
    if not PYMATGEN.get("PMG_VASP_PSP_DIR"):
        return "set PMG_VASP_PSP_DIR to the folder of POTCAR files, as pymatgen's docs describe"
    return None


def known_elements(settings: VaspSettings) -> set[str]:
    """Return the elements that atomate2's input set, or the user, has a POTCAR symbol for."""
    from atomate2.vasp.sets.base import VaspInputGenerator

    return {*VaspInputGenerator().config_dict["POTCAR"], *settings.potcar}


def fingerprint(settings: VaspSettings) -> str:
    """Return nothing: the settings name the POTCAR library, and its files are licensed."""
    return ""


def cutoff_ev(structure: Structure, settings: VaspSettings, purpose: Purpose) -> float:
    """Return ENCUT of a crystal, which atomate2's input set decides where no setting does.

    Raises
    ------
    EngineError
        When nothing states it: VASP would take it from the POTCAR.
    """
    generator = static_generator(structure, settings, purpose)
    cutoff = input_set(generator, structure, potcar_spec=True).incar.get("ENCUT")
    if cutoff is None:
        raise EngineError("no plane-wave cut-off is stated for VASP; set cutoff_ev")
    return float(cutoff)


def relaxation_basis(symbols: Collection[str], settings: VaspSettings) -> dict[str, float]:
    """Return the cut-off of relaxations, which does not depend on the elements.

    Where none is stated, it is that of atomate2's input set for all of them.
    """
    cutoff = _relaxation_cutoff_ev(settings)
    return {} if cutoff is None else {"relaxation_cutoff_ev": cutoff}


def _relaxation_cutoff_ev(settings: VaspSettings) -> float | None:
    if settings.relaxation_cutoff_ev is not None:
        return settings.relaxation_cutoff_ev
    return None if settings.cutoff_ev is None else RELAXATION_CUTOFF_FACTOR * settings.cutoff_ev


def versions() -> dict[str, str]:
    """Return the versions of the packages that write VASP's input."""
    return package_versions(("atomate2", "custodian", "pymatgen"))


def single_point(
    structure: Structure,
    settings: VaspSettings,
    purpose: Purpose,
    folder: Path,
    timeout_s: float,
    mesh: KMesh | None = None,
) -> SinglePoint:
    """Return energy, forces and stress.

    Raises
    ------
    ProgramFailure
        When custodian gave up, VASP did not converge or was not done in time.
    """
    _run(static_generator(structure, settings, purpose, mesh), structure, folder, timeout_s)
    return read_single_point(structure, folder)


def relax(
    structure: Structure,
    settings: VaspSettings,
    folder: Path,
    timeout_s: float,
    *,
    force_tolerance_ev_per_a: float,
) -> tuple[Structure, int]:
    """Return the cell that VASP itself has relaxed, and how many ionic steps it took.

    Twice: the plane waves of the first run are those of the cell that it started from.

    Raises
    ------
    ProgramFailure
        When custodian gave up, or VASP did not reach the tolerance or was not done in time.
    """
    steps = 0
    for number in (1, 2):
        inner = folder / f"relaxation-{number}"
        inner.mkdir()
        generator = relaxation_generator(structure, settings, force_tolerance_ev_per_a)
        _run(generator, structure, inner, timeout_s)
        run = _read(inner)
        if not run.converged_ionic:
            raise ProgramFailure("VASP's relaxation did not converge", _last_words(inner))
        written = run.final_structure
        order = _order(structure, run)
        structure = written.from_sites([written[index] for index in order])
        steps += len(run.ionic_steps)
    return structure, steps


def relaxation_generator(
    structure: Structure, settings: VaspSettings, force_tolerance_ev_per_a: float
) -> Any:
    """Return the input-set generator of a relaxation of cell and positions."""
    from atomate2.vasp.sets.core import TightRelaxSetGenerator

    changes = _changes(structure, settings, "relaxation")
    changes["user_incar_settings"] |= {
        "ISIF": 3,
        "IBRION": 2,
        "NSW": 99,
        "EDIFFG": -force_tolerance_ev_per_a,
    } | settings.incar
    return TightRelaxSetGenerator(**changes)


def read_single_point(structure: Structure, folder: Path) -> SinglePoint:
    """Return energy, forces and stress of the vasprun.xml in a folder.

    Parameters
    ----------
    structure
        The crystal as it was given; forces come in its order of sites.

    Raises
    ------
    ProgramFailure
        When the file is damaged or self-consistency was not reached.
    """
    run = _read(folder)
    step = run.ionic_steps[-1]
    # VASP's sign is the opposite of ASE's, and its unit the kbar.
    stress = -np.array(step["stress"], dtype=float) / 10 / EV_PER_A3_IN_GPA
    return SinglePoint(
        energy_ev=float(run.final_energy),
        forces_ev_per_a=_in_order(np.array(step["forces"], dtype=float), structure, run),
        stress_ev_per_a3=np.array(
            [stress[0, 0], stress[1, 1], stress[2, 2], stress[1, 2], stress[0, 2], stress[0, 1]]
        ),
    )


def dielectric(
    structure: Structure, settings: VaspSettings, folder: Path, timeout_s: float
) -> Dielectric:
    """Return Born charges and ε∞ by density-functional perturbation theory (LEPSILON).

    Raises
    ------
    Metal
        Where there is no gap.
    """
    from pymatgen.io.vasp import Outcar

    _run(dielectric_generator(structure, settings), structure, folder, timeout_s)
    run = _read(folder)
    gap_ev = float(run.eigenvalue_band_properties[0])
    if gap_ev < LEAST_GAP_EV:
        raise Metal(f"band gap {gap_ev:.2f} eV")
    outcar = Outcar(folder / "OUTCAR")
    outcar.read_lepsilon()
    born = np.array(outcar.born, dtype=float)
    # VASP's rows are the direction of the field; a row of ours is the polarisation: the same.
    return Dielectric(_in_order(born, structure, run), np.array(run.epsilon_static, dtype=float))


def static_generator(
    structure: Structure, settings: VaspSettings, purpose: Purpose, mesh: KMesh | None = None
) -> Any:
    """Return the input-set generator of one single point; `mesh` replaces the settings'."""
    from atomate2.vasp.sets.core import StaticSetGenerator

    return StaticSetGenerator(**_changes(structure, settings, purpose, mesh))


def dielectric_generator(structure: Structure, settings: VaspSettings) -> Any:
    """Return the input-set generator of the linear-response calculation."""
    from atomate2.vasp.sets.core import StaticSetGenerator

    changes = _changes(structure, settings, "dielectric")
    # Linear response cannot be split over bands.
    changes["user_incar_settings"] |= {"NCORE": None, "NPAR": None}
    return StaticSetGenerator(lepsilon=True, auto_ispin=False, **changes)


def input_set(generator: Any, structure: Structure, *, potcar_spec: bool = False) -> VaspInputSet:
    """Return INCAR, KPOINTS, POSCAR and POTCAR (or its symbols only) of a calculation."""
    return generator.get_input_set(structure, potcar_spec=potcar_spec)  # type: ignore[no-any-return]


def _changes(
    structure: Structure, settings: VaspSettings, purpose: Purpose, mesh: KMesh | None = None
) -> dict[str, Any]:
    """Return our settings in the terms of atomate2's input-set generators."""
    from pymatgen.io.vasp import Kpoints

    cutoff = settings.cutoff_ev
    if purpose == "relaxation":
        cutoff = _relaxation_cutoff_ev(settings)
    mesh = mesh or k_mesh(structure, settings.k_spacing(purpose))
    # Of a Γ-centred mesh VASP's shift is in divisions.
    x, y, z = (shift / 2 for shift in mesh.shift)
    polarised = settings.is_spin_polarised(structure)
    corrected = settings.hubbard_u(structure)
    incar: dict[str, Any] = {
        # PREC=Accurate and one cut-off give all supercells of a crystal one FFT grid.
        "PREC": "Accurate",
        "ADDGRID": False,
        "LREAL": False,
        "LASPH": True,
        "ALGO": "Normal",
        "EDIFF": settings.energy_tolerance_ev,
        "NELM": settings.max_scf_steps,
        "ISMEAR": -1,
        "SIGMA": settings.smearing_ev,
        "GGA": FUNCTIONAL_TAGS[settings.functional],
        "ISPIN": 2 if polarised else 1,
        "KSPACING": None,
        "LWAVE": False,
        "LCHARG": False,
        "LAECHG": False,
        "LELF": False,
        "LVTOT": False,
        "LORBIT": None,
        "LMIXTAU": None,
        "ENAUG": None,
        "NPAR": None,
        "LDAU": bool(corrected),
    }
    if cutoff is not None:
        incar["ENCUT"] = cutoff
    if corrected:
        incar |= {
            "LDAUTYPE": 2,
            "LDAUU": corrected,
            "LDAUJ": dict.fromkeys(corrected, 0),
            "LDAUL": {symbol: 3 if symbol in F_SHELL else 2 for symbol in corrected},
        }
    if polarised:
        incar["MAGMOM"] = {
            element.symbol: MAGNETIC_MOMENT_MU_B.get(element.symbol, 0.6)
            for element in structure.composition.elements
        }
    else:
        incar["MAGMOM"] = None
    return {
        "user_incar_settings": {**incar, **settings.incar},
        "user_kpoints_settings": Kpoints.gamma_automatic(mesh.divisions, (x, y, z)),
        "user_potcar_settings": settings.potcar,
        "user_potcar_functional": settings.potcar_functional,
        "auto_ismear": False,
        "auto_lreal": False,
    }


def _run(generator: Any, structure: Structure, folder: Path, timeout_s: float) -> None:
    """Write the input of one of atomate2's generators and run it under custodian.

    Without atomate2's Makers, which take three seconds to import and add nothing to the input.
    """
    input_set(generator, structure).write_input(str(folder))
    # In a process of its own: custodian keeps what it learned between runs, and VASP must end
    # with its worker or at the time limit.
    command = [sys.executable, "-m", "workflows.dft.vasp_task"]
    try:
        run_program(command, folder, timeout_s=timeout_s, log="custodian.txt")
    except ProgramFailure as failure:
        words = f"{_last_words(folder)}\n{failure.tail}"
        raise ProgramFailure(f"custodian gave VASP up: {failure.reason}", words) from None


def _read(folder: Path) -> Any:
    from pymatgen.io.vasp import Vasprun

    try:
        run = Vasprun(folder / "vasprun.xml", parse_dos=False, parse_potcar_file=False)
    except Exception as error:  # a truncated file raises whatever the XML parser likes
        raise ProgramFailure(
            f"vasprun.xml cannot be read ({type(error).__name__})", _last_words(folder)
        ) from error
    if not run.converged_electronic:
        raise ProgramFailure("VASP's self-consistency did not converge", _last_words(folder))
    return run


def _last_words(folder: Path) -> str:
    return "\n".join(filter(None, (tail(folder / name) for name in ("OSZICAR", "vasp.out"))))


def _in_order(values: np.ndarray, structure: Structure, run: Any) -> np.ndarray:
    """Return per-atom values in the structure's order: POSCAR groups atoms by element."""
    return np.asarray(values[_order(structure, run)])


def _order(structure: Structure, run: Any) -> list[int]:
    """Return for each site of `structure` its number in what VASP was given."""
    # As pymatgen sorts when it writes a POSCAR: by electronegativity, then by symbol.
    written = sorted(range(len(structure)), key=lambda index: structure[index])
    found = [site.specie.symbol for site in run.final_structure]
    if found == [site.specie.symbol for site in structure]:
        return list(range(len(structure)))
    if found != [structure[index].specie.symbol for index in written]:
        raise ProgramFailure("VASP's atoms are not in the order of the POSCAR that was written")
    places = {index: place for place, index in enumerate(written)}
    return [places[index] for index in range(len(structure))]
