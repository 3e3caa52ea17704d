"""Recorded outputs of VASP and Quantum ESPRESSO through our parsing, fit and solver.

phono3py's Si examples: 111 finite displacements in 2×2×2 conventional cells; its documentation
states 119.5 W/m/K at 300 K on an 11×11×11 mesh for the VASP set.
"""

from __future__ import annotations

import lzma
import tarfile

import numpy as np
import pytest
from phono3py.interface.phono3py_yaml import Phono3pyYaml
from pymatgen.core import Lattice, Structure

from workflows.dft import espresso, vasp
from workflows.dft.execution import ProgramFailure
from workflows.dft.pseudopotentials import RYDBERG_EV
from workflows.lattice_dynamics import harmonic, third_order, transport
from workflows.lattice_dynamics.cells import conventional_cell, pymatgen_cell
from workflows.recipes import ThirdOrderRecipe

BOHR_A = 0.529177210903
TWICE = 2 * np.eye(3, dtype=int)


def unpack(archive, folder):
    with lzma.open(archive) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extractall(folder, filter="data")
    return folder


def unit_cell(folder, length_a=1.0):
    cell = pymatgen_cell(Phono3pyYaml().read(folder / "phono3py_disp.yaml").unitcell)
    return Structure(Lattice(cell.lattice.matrix * length_a), cell.species, cell.frac_coords)


def kappa(cell, distance_a, read):
    """Return κ(300 K) without isotopes on 11×11×11, every force through `read`."""
    centring = conventional_cell(cell)[1]
    recipe = ThirdOrderRecipe(route="finite-displacements", distance_a=distance_a)
    plan = third_order.plan_third_order(cell, centring, TWICE, recipe)
    supercells = third_order.third_order_supercells(plan)
    forces = [read(number, each) for number, each in enumerate(supercells, start=1)]
    third_order.set_third_order_forces(plan, forces)
    phonon = harmonic.harmonic_model(cell, centring, TWICE, distance_a)
    [displaced] = harmonic.harmonic_supercells(phonon)
    # The one displacement of second order is the first of third order.
    assert np.allclose(displaced.cart_coords, supercells[0].cart_coords)
    harmonic.set_harmonic_forces(phonon, forces[:1])
    model = transport.transport_model(
        cell, centring, phonon, plan, third_order.fit_third_order(plan)
    )
    result = transport.conductivity(model, (11, 11, 11), [300.0], isotopes=False)
    return result.isotropic_w_per_m_k(300.0)


def test_vasp_forces_are_those_of_the_record(dft_forces, tmp_path):
    """phono3py made the file `FORCES_FC3` of these outputs; its κ is known."""
    silicon = dft_forces / "Si-PBE"
    folder = unpack(silicon / "vasprun_xmls.tar.lzma", tmp_path) / "vasprun_xmls"
    cell = unit_cell(silicon)
    recipe = ThirdOrderRecipe(route="finite-displacements", distance_a=0.03)
    plan = third_order.plan_third_order(cell, conventional_cell(cell)[1], TWICE, recipe)
    supercells = third_order.third_order_supercells(plan)
    assert len(supercells) == 111
    recorded = np.loadtxt(silicon / "FORCES_FC3").reshape(111, 64, 3)
    for number in (1, 2, 111):
        point = vasp.read_single_point(supercells[number - 1], folder / f"disp-{number:05d}")
        np.testing.assert_allclose(point.forces_ev_per_a, recorded[number - 1], atol=1e-4)


@pytest.mark.slow
def test_vasp_outputs_give_phono3pys_value(dft_forces, tmp_path):
    folder = unpack(dft_forces / "Si-PBE" / "vasprun_xmls.tar.lzma", tmp_path) / "vasprun_xmls"

    def read(number, supercell):
        return vasp.read_single_point(supercell, folder / f"disp-{number:05d}").forces_ev_per_a

    assert kappa(unit_cell(dft_forces / "Si-PBE"), 0.03, read) == pytest.approx(119.5, rel=0.01)


@pytest.mark.slow
def test_espresso_outputs_agree(dft_forces, tmp_path):
    folder = unpack(dft_forces / "Si-QE" / "supercell_out.tar.lzma", tmp_path) / "supercell_out"

    def read(number, supercell):
        return espresso.read_single_point(folder / f"disp-{number:05d}" / "Si.out").forces_ev_per_a

    value = kappa(unit_cell(dft_forces / "Si-QE", BOHR_A), 0.06 * BOHR_A, read)
    # Another code and another potential on nearly the same cell.
    assert value == pytest.approx(119.5, rel=0.03)


def test_energy_of_a_recorded_output(dft_forces, tmp_path):
    folder = unpack(dft_forces / "Si-QE" / "supercell_out.tar.lzma", tmp_path) / "supercell_out"
    output = folder / "disp-00001" / "Si.out"
    point = espresso.read_single_point(output)
    [line] = [line for line in output.read_text().splitlines() if line.startswith("!")]
    assert point.energy_ev == pytest.approx(float(line.split()[-2]) * RYDBERG_EV, rel=1e-6)
    assert point.forces_ev_per_a.shape == (64, 3)
    assert np.abs(point.forces_ev_per_a.sum(axis=0)).max() < 0.01


def test_a_truncated_vasprun_is_a_failure(dft_forces, tmp_path):
    folder = unpack(dft_forces / "Si-PBE" / "vasprun_xmls.tar.lzma", tmp_path) / "vasprun_xmls"
    file = folder / "disp-00001" / "vasprun.xml"
    file.write_text(file.read_text()[:20_000])
    with pytest.raises(ProgramFailure, match="cannot be read"):
        vasp.read_single_point(unit_cell(dft_forces / "Si-PBE"), file.parent)
