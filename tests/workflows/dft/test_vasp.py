"""VASP's input through atomate2's input sets.  VASP itself was not run."""

from __future__ import annotations

import numpy as np
import pytest

from workflows.dft import vasp
from workflows.dft.settings import VaspSettings

SETTINGS = VaspSettings(cutoff_ev=450, k_spacing_per_a=0.6, relaxation_k_spacing_per_a=0.3)


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
