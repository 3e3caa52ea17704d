"""Quantum ESPRESSO: input, pseudopotential folders, output of pw.x and ph.x."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows.dft import espresso
from workflows.dft.espresso import EspressoSettings
from workflows.dft.execution import ProgramFailure
from workflows.dft.pseudopotentials import HARTREE_EV, RYDBERG_EV, read_library
from workflows.dft.settings import KMesh
from workflows.errors import EngineError

HEADER = """<UPF version="2.0.1">
<PP_INFO>made for a test</PP_INFO>
<PP_HEADER generated="nobody" element="{element} " pseudo_type="{kind}" z_valence=" 7.0"
  {cutoffs} />
</UPF>
"""

PH_OUTPUT = """
          Dielectric constant in cartesian axis

          (       2.502641278       0.000000000      -0.000000000 )
          (       0.000000000       2.502641278       0.000000000 )
          (      -0.000000000       0.000000000       2.502641278 )

          Effective charges (d Force / dE) in cartesian axis without acoustic sum rule applied (asr)

           atom      1   Na  Mean Z*:        1.08690
      Ex  (        1.08690        0.00000       -0.00000 )
      Ey  (        0.00000        1.08690        0.00000 )
      Ez  (       -0.00000        0.00000        1.08690 )
           atom      2   Cl  Mean Z*:       -1.08801
      Ex  (       -1.08801       -0.00000        0.00000 )
      Ey  (       -0.00000       -1.08801       -0.00000 )
      Ez  (        0.00000       -0.00000       -1.08801 )

     Effective charges Sum: Mean:        -0.00111
"""


def write_pseudo(
    folder, element, kind="NC", cutoffs='wfc_cutoff="40.0" rho_cutoff="160.0"', name=None
):
    path = folder / (name or f"{element}.upf")
    path.write_text(HEADER.format(element=element, kind=kind, cutoffs=cutoffs))
    return path


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "pseudo"
    folder.mkdir()
    monkeypatch.setenv(espresso.LIBRARY_VARIABLE, str(folder))
    return folder


def test_cutoffs_from_the_header(library):
    write_pseudo(library, "Na")
    pseudo = read_library(library)["Na"]
    assert pseudo.cutoff_ev == pytest.approx(40 * RYDBERG_EV)
    assert pseudo.density_cutoff_ev == pytest.approx(160 * RYDBERG_EV)
    assert pseudo.norm_conserving
    assert pseudo.z_valence == 7


def test_cutoffs_from_a_table_which_also_chooses_among_files(library):
    for name in ("na_a.upf", "na_b.upf"):
        write_pseudo(library, "Na", "USPP", cutoffs="", name=name)
    entry = {"Na": {"filename": "na_b.upf", "cutoff_wfc": 40.0, "cutoff_rho": 320.0}}
    (library / "SSSP.json").write_text(json.dumps(entry))
    pseudo = read_library(library)["Na"]
    assert pseudo.path.name == "na_b.upf"
    assert pseudo.density_cutoff_ev == pytest.approx(320 * RYDBERG_EV)
    assert not pseudo.norm_conserving


def test_cutoffs_from_pseudodojo(library):
    write_pseudo(library, "Na", cutoffs="")
    (library / "Na.djrepo").write_text(json.dumps({"hints": {"normal": {"ecut": 44.0}}}))
    assert read_library(library)["Na"].cutoff_ev == pytest.approx(44 * HARTREE_EV)


def test_two_files_for_one_element_without_a_table_are_refused(library):
    for name in ("na_a.upf", "na_b.upf"):
        write_pseudo(library, "Na", name=name)
    with pytest.raises(EngineError, match=r"both na_a.upf and na_b.upf for Na; leave one"):
        read_library(library)


def test_an_empty_folder_and_a_missing_one_are_refused(library, tmp_path):
    with pytest.raises(EngineError, match="has no UPF file"):
        read_library(library)
    with pytest.raises(EngineError, match="does not exist"):
        read_library(tmp_path / "nowhere")


def test_an_element_without_a_stated_cutoff_is_refused_unless_the_engine_states_one(library):
    write_pseudo(library, "Na")
    write_pseudo(library, "Cl", cutoffs='wfc_cutoff="0.0" rho_cutoff="6.0"')
    assert espresso.known_elements(EspressoSettings()) == {"Na"}
    assert espresso.known_elements(EspressoSettings(cutoff_ev=600)) == {"Na", "Cl"}


def test_input_of_pw(library, sodium_chloride):
    write_pseudo(library, "Na")
    write_pseudo(library, "Cl", cutoffs='wfc_cutoff="50.0" rho_cutoff="200.0"')
    settings = EspressoSettings(k_spacing_per_a=0.6)
    text = espresso.pw_input(sodium_chloride, settings, "forces")
    words = {
        line.split("=")[0].strip(): line.split("=")[1].strip(" ,\n'")
        for line in text.splitlines()
        if "=" in line
    }
    assert float(words["ecutwfc"]) == 50
    assert float(words["ecutrho"]) == 200
    assert words["tprnfor"] == ".true."
    assert words.get("tstress", ".false.") == ".false."
    assert words["input_dft"] == "PBE"
    assert "K_POINTS automatic\n2 2 2  1 1 1" in text
    assert "Na.upf" in text
    relaxation = espresso.pw_input(sodium_chloride, settings, "relaxation")
    assert "ecutwfc          = 65" in relaxation


def test_a_mesh_of_the_call_and_the_cutoff_in_use(library, sodium_chloride):
    write_pseudo(library, "Na")
    write_pseudo(library, "Cl", cutoffs='wfc_cutoff="50.0" rho_cutoff="200.0"')
    settings = EspressoSettings(k_spacing_per_a=0.6)
    mesh = KMesh((4, 4, 2), (1, 1, 0))
    text = espresso.pw_input(sodium_chloride, settings, "forces", mesh=mesh)
    assert "K_POINTS automatic\n4 4 2  1 1 0" in text
    gamma = espresso.pw_input(sodium_chloride, settings, "forces", mesh=KMesh((1, 1, 1)))
    assert "K_POINTS automatic\n1 1 1  0 0 0" in gamma
    cutoff = espresso.cutoff_ev(sodium_chloride, settings, "forces")
    assert cutoff == pytest.approx(50 * RYDBERG_EV)
    stated = EspressoSettings(cutoff_ev=700)
    assert espresso.cutoff_ev(sodium_chloride, stated, "forces") == 700


def test_ultrasoft_densities_get_more(library, sodium_chloride):
    for element in ("Na", "Cl"):
        write_pseudo(library, element, "PAW", cutoffs='wfc_cutoff="40.0"')
    assert "ecutrho          = 320" in espresso.pw_input(
        sodium_chloride, EspressoSettings(), "forces"
    )


def test_hubbard_u_is_on_the_species_that_pw_numbers_so(library):
    for element in ("Ti", "O"):
        write_pseudo(library, element)
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    settings = EspressoSettings(hubbard_u_ev={"Ti": 3.0})
    text = espresso.pw_input(rutile, settings, "forces")
    species = text.split("ATOMIC_SPECIES\n")[1].splitlines()
    place = next(n for n, line in enumerate(species, start=1) if line.startswith("Ti"))
    assert f"hubbard_u({place})" in text.lower()


def test_born_charges_from_ph():
    found = espresso.parse_dielectric(PH_OUTPUT, 2)
    assert np.allclose(found.dielectric_tensor, 2.502641278 * np.eye(3))
    assert np.allclose(found.born_charges[0], 1.0869 * np.eye(3))
    assert np.allclose(found.born_charges[1], -1.08801 * np.eye(3))


def test_an_output_of_ph_without_charges_is_a_failure():
    with pytest.raises(ProgramFailure, match="no effective charges"):
        espresso.parse_dielectric(PH_OUTPUT, 3)
    with pytest.raises(ProgramFailure, match="no dielectric tensor"):
        espresso.parse_dielectric("", 2)


def test_damaged_output_of_pw_is_a_failure_with_its_last_words(tmp_path):
    path = tmp_path / "pw.out"
    path.write_text("     Program PWSCF v.6.7MaX starts\n     Error in routine c_bands (1)\n")
    with pytest.raises(ProgramFailure, match="cannot be read") as error:
        espresso.read_single_point(path)
    assert "c_bands" in error.value.tail
    path.write_text("     convergence NOT achieved after 100 iterations: stopping\n")
    with pytest.raises(ProgramFailure, match="did not reach self-consistency"):
        espresso.read_single_point(path)
