"""VASP's input through atomate2's input sets, and custodian with a stand-in for VASP.

VASP itself was not run.
"""

from __future__ import annotations

import lzma
import os
import tarfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from phono3py.interface.phono3py_yaml import Phono3pyYaml

from workflows.dft import vasp
from workflows.dft.engine import DftEngine
from workflows.dft.vasp import VaspSettings
from workflows.errors import EngineError
from workflows.lattice_dynamics.cells import pymatgen_cell

DATA = Path(__file__).parents[3] / "configs" / "data"
SETTINGS = VaspSettings(cutoff_ev=450, k_spacing_per_a=0.6, relaxation_k_spacing_per_a=0.3)


# Enough for pymatgen to take it for a POTCAR; no potential of VASP's.
POTCAR = """  PAW_PBE Si 05Jan2001
   4.00000000000000
 parameters from PSCTR are:
   VRHFIN =Si: s2p2
   LEXCH  = PE
   TITEL  = PAW_PBE Si 05Jan2001
   POMASS =   28.085; ZVAL   =    4.000    mass and valenz
   ENMAX  =  245.345; ENMIN  =  184.009 eV
 END of PSCTR-controll parameters
 local part
  0.10000000E+01  0.20000000E+01  0.30000000E+01
 End of Dataset
"""


def written(structure, settings, purpose="forces"):
    generator = vasp.static_generator(structure, settings, purpose)
    return vasp.input_set(generator, structure, potcar_spec=True)


def test_tags_for_third_order_forces(sodium_chloride):
    incar = written(sodium_chloride, SETTINGS).incar
    expected = {
        "PREC": "Accurate",
        "ADDGRID": False,
        "LREAL": False,
        "ENCUT": 450.0,
        "EDIFF": 1e-7,
        "ISMEAR": -1,
        "SIGMA": 0.02,
        "ISPIN": 1,
        "NSW": 0,
        "IBRION": -1,
        "LWAVE": False,
        "LCHARG": False,
    }
    for tag, value in expected.items():
        found = incar.get(tag, -1 if tag == "IBRION" else None)
        assert str(found).upper() == str(value).upper(), tag
    assert str(incar["GGA"]).upper() == "PE"
    # A k-mesh of its own file, not from a spacing that displaced cells could round differently.
    assert "KSPACING" not in incar


def test_k_points(sodium_chloride):
    forces = written(sodium_chloride, SETTINGS).kpoints
    assert forces.kpts == [(2, 2, 2)]
    assert np.allclose(forces.kpts_shift, 0.5)
    relaxation = written(sodium_chloride, SETTINGS, "relaxation")
    assert relaxation.kpoints.kpts == [(4, 4, 4)]
    assert relaxation.incar["ENCUT"] == pytest.approx(1.3 * 450)


def test_displaced_supercells_share_their_input(sodium_chloride):
    supercell = sodium_chloride * (2, 2, 2)
    moved = supercell.copy()
    moved.perturb(0.03)
    one, other = written(supercell, SETTINGS), written(moved, SETTINGS)
    assert one.incar == other.incar
    assert str(one.kpoints) == str(other.kpoints)
    assert str(one.potcar) == str(other.potcar)


def test_spin_and_hubbard_u(iron_oxide):
    settings = SETTINGS.model_copy(update={"hubbard_u_ev": {"Fe": 5.3}})
    incar = written(iron_oxide, settings).incar
    assert incar["ISPIN"] == 2
    assert max(incar["MAGMOM"]) == 5
    assert incar["LDAU"] is True
    assert 5.3 in incar["LDAUU"]
    assert 2 in incar["LDAUL"]


def test_relaxation_of_cell_and_positions(sodium_chloride):
    generator = vasp.relaxation_generator(sodium_chloride, SETTINGS, 1e-3)
    incar = vasp.input_set(generator, sodium_chloride, potcar_spec=True).incar
    assert (incar["ISIF"], incar["IBRION"], incar["EDIFFG"]) == (3, 2, -1e-3)
    assert incar["NSW"] > 0
    assert incar["ENCUT"] == pytest.approx(1.3 * 450)
    assert (incar["PREC"], incar["ADDGRID"]) == ("Accurate", False)


def test_users_tags_win(sodium_chloride):
    settings = SETTINGS.model_copy(update={"incar": {"NCORE": 4, "ALGO": "All"}})
    incar = written(sodium_chloride, settings).incar
    assert (incar["NCORE"], incar["ALGO"]) == (4, "All")


def test_linear_response(sodium_chloride):
    generator = vasp.dielectric_generator(sodium_chloride, SETTINGS)
    incar = vasp.input_set(generator, sodium_chloride, potcar_spec=True).incar
    assert incar["LEPSILON"] is True
    assert "NCORE" not in incar
    assert "NPAR" not in incar


def test_forces_come_back_in_the_order_that_was_given(sodium_chloride):
    """POSCAR groups atoms by electronegativity; phonopy's supercells need not."""

    class Run:
        final_structure = None

    mixed = sodium_chloride.from_sites([sodium_chloride[i] for i in (4, 0, 5, 1, 2, 6, 3, 7)])
    # Equal electronegativities: pymatgen then goes by the symbol.
    twins = mixed.copy()
    twins.replace_species({"Na": "Si", "Cl": "Cu"})
    for structure in (mixed, twins):
        Run.final_structure = structure.get_sorted_structure()
        values = Run.final_structure.frac_coords
        assert np.allclose(vasp._in_order(values, structure, Run), structure.frac_coords)


def test_what_is_missing_comes_with_its_remedy():
    assert "ATOMATE2_VASP_CMD" in vasp.missing()


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a script in VASP's place; return a function that writes it."""
    potentials = tmp_path / "potentials" / "POT_GGA_PAW_PBE_54" / "Si"
    potentials.mkdir(parents=True)
    (potentials / "POTCAR").write_text(POTCAR)
    program = tmp_path / "vasp_std"
    monkeypatch.setenv("ATOMATE2_VASP_CMD", str(program))
    monkeypatch.setenv("ATOMATE2_VASP_GAMMA_CMD", str(program))
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path / "potentials"))
    # pymatgen has read its settings by now, for this process.
    monkeypatch.setitem(vasp_settings(), "PMG_VASP_PSP_DIR", str(tmp_path / "potentials"))

    def write(script: str) -> None:
        program.write_text(f"#!/bin/sh\necho $$ >> {tmp_path / 'pids'}\n{script}\n")
        program.chmod(0o755)

    return write


def vasp_settings():
    from pymatgen.core import SETTINGS as PYMATGEN

    return PYMATGEN


@pytest.fixture
def silicon(dft_forces, tmp_path):
    """The supercell of phono3py's example, and the recorded output of a displaced one."""
    archive = dft_forces / "Si-PBE" / "vasprun_xmls.tar.lzma"
    with lzma.open(archive) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extract("vasprun_xmls/disp-00001/vasprun.xml", tmp_path, filter="data")
    record = Phono3pyYaml().read(dft_forces / "Si-PBE" / "phono3py_disp.yaml")
    cell = pymatgen_cell(record.unitcell) * (2, 2, 2)
    return cell, tmp_path / "vasprun_xmls" / "disp-00001" / "vasprun.xml"


def test_a_run_under_custodian(stand_in, silicon):
    cell, recorded = silicon
    stand_in(
        "test -s INCAR -a -s KPOINTS -a -s POTCAR || exit 1\n"
        f"cp {recorded} vasprun.xml; cp POSCAR CONTCAR; touch OUTCAR OSZICAR"
    )
    [forces] = DftEngine("vasp", "vasp", {"cutoff_ev": 300.0}, timeout_h=1).forces([cell])
    assert forces.shape == (64, 3)
    assert np.abs(forces).max() == pytest.approx(0.387, abs=0.001)


def test_a_vasp_that_leaves_nothing_is_a_failure_with_its_last_words(stand_in, silicon):
    stand_in("echo 'VERY BAD NEWS! internal error'; exit 1")
    engine = DftEngine("vasp", "vasp", {"cutoff_ev": 300.0}, timeout_h=1)
    with pytest.raises(EngineError, match="custodian gave VASP up") as error:
        engine.forces([silicon[0]])
    assert "VERY BAD NEWS" in str(error.value.__cause__)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_at_the_time_limit_vasp_ends_too(stand_in, silicon, tmp_path):
    stand_in("sleep 300")
    engine = DftEngine("vasp", "vasp", {"cutoff_ev": 300.0}, timeout_h=5 / 3600)
    # Long enough to import atomate2 and start VASP, on this machine as it is now.
    while not (tmp_path / "pids").exists():
        engine.timeout_h *= 2
        with pytest.raises(EngineError, match="was not done after"):
            engine.forces([silicon[0]])
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    assert not any(is_running(pid) for pid in pids)
    assert os.getpid() not in pids


def test_cathodes_get_the_materials_projects_u_and_moments():
    from pymatgen.core import Structure
    from pymatgen.io.vasp.sets import MPRelaxSet

    from screening.targets.engines import engine_config
    from workflows.insertion import InsertionMaker

    settings = VaspSettings.model_validate(engine_config("vasp-cathode").settings)
    reference = MPRelaxSet.CONFIG["INCAR"]
    assert settings.hubbard_u_ev == reference["LDAUU"]["O"]
    olivine = Structure.from_file(DATA / "LiFePO4.cif")
    flow = InsertionMaker(DftEngine("vasp", "vasp", settings.model_dump())).make(olivine)
    discharged, charged = (job.function_args[0] for job in flow.jobs[:2])
    for structure in (discharged, charged):
        incar = written(structure, settings, "relaxation").incar
        assert incar["LDAU"] is True
        assert 5.3 in incar["LDAUU"]
        assert incar["ISPIN"] == 2
        assert sorted(set(incar["MAGMOM"])) == sorted({0.6, reference["MAGMOM"]["Fe"]})
    # The metal of the working ion has neither.
    metal = written(flow.jobs[2].function_args[0], settings, "relaxation").incar
    assert not metal.get("LDAU")
    assert metal["ISPIN"] == 1
