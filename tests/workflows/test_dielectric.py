"""Born charges: carried over to phonopy's cell from any primitive cell of the crystal."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows.documents import DielectricDocument
from workflows.lattice_dynamics import harmonic
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.lattice_dynamics.parameter_files import phono3py_record


@pytest.fixture
def wurtzite():
    return Structure.from_spacegroup(
        "P6_3mc",
        Lattice.hexagonal(3.2, 5.2),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0.0], [1 / 3, 2 / 3, 0.38]],
    )


def model(structure):
    cell, centring = conventional_cell(structure)
    return harmonic.harmonic_model(cell, centring, np.eye(3, dtype=int), 0.01)


def tensors(structure, along_c=2.3, across=2.1):
    charge = np.diag([across, across, along_c])
    signs = [1 if site.specie.symbol == "Zn" else -1 for site in structure]
    return DielectricDocument(
        structure=structure,
        born_charges_e=[(sign * charge).tolist() for sign in signs],
        dielectric_tensor=np.diag([5.1, 5.1, 5.4]).tolist(),
        source="test",
    )


def turned(document, rotation, order):
    """Return the same tensors for a rotated cell with its sites in another order."""
    cell = document.structure
    structure = Structure(
        Lattice(cell.lattice.matrix @ rotation.T),
        [cell[i].specie for i in order],
        [cell[i].frac_coords for i in order],
    )
    return DielectricDocument(
        structure=structure,
        born_charges_e=[
            (rotation @ np.array(document.born_charges_e[i]) @ rotation.T).tolist() for i in order
        ],
        dielectric_tensor=(rotation @ np.array(document.dielectric_tensor) @ rotation.T).tolist(),
        source="test",
    )


def test_charges_of_the_same_cell_arrive_as_they_are(wurtzite):
    phonon = model(wurtzite)
    harmonic.add_dielectric(phonon, tensors(wurtzite))
    by_symbol = dict(zip(phonon.primitive.symbols, phonon.nac_params["born"], strict=True))
    assert np.allclose(by_symbol["Zn"], np.diag([2.1, 2.1, 2.3]), atol=1e-6)
    assert np.allclose(by_symbol["O"], -np.diag([2.1, 2.1, 2.3]), atol=1e-6)
    assert np.allclose(phonon.nac_params["dielectric"], np.diag([5.1, 5.1, 5.4]), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_charges_follow_the_rotation_and_the_order_of_sites(wurtzite, seed):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    plain, moved = model(wurtzite), model(wurtzite)
    harmonic.add_dielectric(plain, tensors(wurtzite))
    order = rng.permutation(len(wurtzite))
    harmonic.add_dielectric(moved, turned(tensors(wurtzite), rotation, order))
    assert np.allclose(moved.nac_params["born"], plain.nac_params["born"], atol=1e-5)
    assert np.allclose(moved.nac_params["dielectric"], plain.nac_params["dielectric"], atol=1e-5)


def test_charges_become_neutral(wurtzite):
    phonon = model(wurtzite)
    document = tensors(wurtzite)
    document.born_charges_e[0][0][0] += 0.1
    harmonic.add_dielectric(phonon, document)
    assert np.allclose(np.sum(phonon.nac_params["born"], axis=0), 0, atol=1e-8)


def test_a_metal_gets_no_correction(wurtzite):
    phonon = model(wurtzite)
    harmonic.add_dielectric(
        phonon, DielectricDocument(structure=wurtzite, source="test", reason="no gap")
    )
    assert phonon.nac_params is None


def test_charges_of_another_crystal_are_refused(wurtzite):
    other = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg"], [[0, 0, 0]])
    document = DielectricDocument(
        structure=other,
        born_charges_e=np.zeros((4, 3, 3)).tolist(),
        dielectric_tensor=np.eye(3).tolist(),
        source="test",
    )
    with pytest.raises(ValueError, match="another cell or crystal"):
        harmonic.add_dielectric(model(wurtzite), document)


def test_longitudinal_modes_are_split_off(dft_forces):
    """NaCl near Γ: with Born charges one optical mode lies well above the two others."""
    # As `recorded_model`, without the third-order force constants.
    recorded = phono3py_record(dft_forces / "phono3py_params_NaCl222.yaml.xz")
    given = recorded.nac_params
    cell, centring = conventional_cell(harmonic.pymatgen_cell(recorded.unitcell))
    phonon = harmonic.harmonic_model(cell, centring, 2 * np.eye(3, dtype=int), 0.03)
    phonon.dataset = recorded.phonon_dataset or phonon.dataset
    document = DielectricDocument(
        structure=harmonic.pymatgen_cell(recorded.primitive),
        born_charges_e=np.asarray(given["born"]).tolist(),
        dielectric_tensor=np.asarray(given["dielectric"]).tolist(),
        source="test",
    )
    harmonic.add_dielectric(phonon, document)
    assert np.allclose(phonon.nac_params["born"], given["born"], atol=1e-4)
    assert phonon.nac_params["factor"] == pytest.approx(given["factor"], rel=1e-6)
