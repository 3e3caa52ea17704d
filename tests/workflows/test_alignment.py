"""Tensors carried from any cell of a crystal to its standard primitive cell.

The reference is a sum over neighbours of tensors made from bond vectors in the standard cell: it
turns with the crystal and has its symmetry, whatever the crystal is.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from workflows.documents import DielectricDocument
from workflows.errors import CannotCompute
from workflows.lattice_dynamics import dielectric_tensors
from workflows.lattice_dynamics.alignment import alignments
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.lattice_dynamics.harmonic import harmonic_model, pymatgen_cell
from workflows.lattice_dynamics.transport import in_frame_of

ROCK_SALT = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def rock_salt(lattice: Lattice) -> Structure:
    """Sodium chloride's eight atoms in a cell that is cubic, or nearly so."""
    chlorine = [[x + 0.5, y, z] for x, y, z in ROCK_SALT]
    return Structure(lattice, ["Na"] * 4 + ["Cl"] * 4, [*ROCK_SALT, *chlorine])


def of_group(group: str, lattice: Lattice, **sites: list[float]) -> Structure:
    return Structure.from_spacegroup(group, lattice, list(sites), list(sites.values()))


def in_cell_of(lattice: Lattice, **sites: list[float]) -> Structure:
    return Structure(lattice, list(sites), list(sites.values()))


CRYSTALS = {
    "triclinic": of_group(
        "P1", Lattice.from_parameters(4, 5, 6, 80, 95, 103), Ga=[0, 0, 0], N=[0.4, 0.5, 0.55]
    ),
    "triclinic centred": of_group(
        "P-1", Lattice.from_parameters(4, 5, 6, 80, 95, 103), Ga=[0.2, 0.1, 0.3], N=[0.4, 0.6, 0.9]
    ),
    "monoclinic P": of_group(
        "P2_1/c",
        Lattice.monoclinic(5.1, 5.2, 5.3, 99),
        Zr=[0.28, 0.04, 0.21],
        O=[0.07, 0.33, 0.34],
        S=[0.45, 0.76, 0.48],
    ),
    "monoclinic C": of_group(
        "C2/m", Lattice.monoclinic(9.0, 3.8, 5.8, 104), Ga=[0.09, 0, 0.79], O=[0.17, 0, 0.11]
    ),
    "monoclinic polar": of_group(
        "Cc", Lattice.monoclinic(9.0, 3.8, 5.8, 104), Ga=[0.1, 0.1, 0.8], N=[0.2, 0.3, 0.1]
    ),
    "orthorhombic P": of_group(
        "Pnma", Lattice.orthorhombic(8.6, 3.4, 5.1), Sn=[0.12, 0.25, 0.1], S=[0.85, 0.25, 0.48]
    ),
    "orthorhombic C": of_group(
        "Cmcm", Lattice.orthorhombic(3.8, 10.7, 4.3), Tl=[0, 0.1, 0.25], I=[0, 0.39, 0.25]
    ),
    "orthorhombic I": of_group(
        "Imma", Lattice.orthorhombic(5.2, 7.1, 5.0), Mg=[0, 0.25, 0.55], O=[0, 0.1, 0.2]
    ),
    "orthorhombic F": of_group(
        "Fdd2", Lattice.orthorhombic(8.0, 9.0, 5.0), Ge=[0, 0, 0], S=[0.12, 0.08, 0.19]
    ),
    "orthorhombic polar": of_group(
        "Pna2_1", Lattice.orthorhombic(5.0, 6.0, 5.1), Ga=[0.1, 0.12, 0], N=[0.35, 0.15, 0.4]
    ),
    "tetragonal P": of_group(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), Ti=[0, 0, 0], O=[0.305, 0.305, 0]
    ),
    "tetragonal I": of_group(
        "I4_1/amd", Lattice.tetragonal(3.8, 9.5), Ti=[0, 0.75, 0.125], O=[0, 0.75, 0.333]
    ),
    "tetragonal polar": of_group(
        "P4mm",
        Lattice.tetragonal(3.9, 4.15),
        Pb=[0, 0, 0],
        Ti=[0.5, 0.5, 0.54],
        O=[0.5, 0.5, 0.11],
        S=[0.5, 0, 0.62],
    ),
    "rhombohedral": of_group(
        "R-3c", Lattice.hexagonal(4.76, 13.0), Al=[0, 0, 0.352], O=[0.306, 0, 0.25]
    ),
    "rhombohedral polar": in_cell_of(
        Lattice.rhombohedral(4.3, 58.0), Ge=[0, 0, 0], Te=[0.52, 0.52, 0.52],
    ),
    "hexagonal": of_group(
        "P6_3mc", Lattice.hexagonal(3.25, 5.2), Zn=[1 / 3, 2 / 3, 0], O=[1 / 3, 2 / 3, 0.38]
    ),
    "chiral": of_group(
        "P3_121", Lattice.hexagonal(4.91, 5.4), Si=[0.47, 0, 1 / 3], O=[0.41, 0.27, 0.45]
    ),
    "chiral cubic": of_group(
        "P2_13", Lattice.cubic(4.5), Fe=[0.137, 0.137, 0.137], Si=[0.842, 0.842, 0.842]
    ),
    "cubic P": of_group("Pm-3m", Lattice.cubic(4.1), Cs=[0, 0, 0], Cl=[0.5, 0.5, 0.5]),
    "cubic I": of_group("Ia-3", Lattice.cubic(9.4), Mn=[0.25, 0.25, 0.25], O=[0.39, 0.15, 0.38]),
    "cubic F": of_group("F-43m", Lattice.cubic(5.4), Zn=[0, 0, 0], S=[0.25, 0.25, 0.25]),
    "pseudo-cubic, long c": rock_salt(Lattice.tetragonal(5.6, 5.6 * 1.01)),
    "pseudo-cubic, short c": rock_salt(Lattice.tetragonal(5.6, 5.6 * 0.99)),
    "pseudo-cubic, 60.5 degrees": in_cell_of(
        Lattice.rhombohedral(4.0, 60.5), Na=[0, 0, 0], Cl=[0.5, 0.5, 0.5],
    ),
    "pseudo-cubic, 59.5 degrees": in_cell_of(
        Lattice.rhombohedral(4.0, 59.5), Na=[0, 0, 0], Cl=[0.5, 0.5, 0.5],
    ),
    "pseudo-cubic, 90.5 degrees": in_cell_of(
        Lattice.rhombohedral(4.0, 90.5), Cs=[0, 0, 0], Cl=[0.5, 0.5, 0.5],
    ),
    "pseudo-cubic, three edges": rock_salt(Lattice.orthorhombic(5.6, 5.6 * 1.01, 5.6 * 1.02)),
    "pseudo-cubic, sheared": rock_salt(Lattice.from_parameters(5.6, 5.6, 5.6, 90.6, 90, 90)),
    "pseudo-tetragonal": of_group(
        "Pmmm", Lattice.orthorhombic(4.0, 4.04, 5.0), Pb=[0, 0, 0], O=[0.5, 0.5, 0.5]
    ),
    "pseudo-hexagonal": of_group(
        "Cmcm", Lattice.orthorhombic(4.0, 4.0 * 3**0.5 * 1.01, 6.0), Zn=[0, 1 / 3, 0.25],
        S=[0, 0.66, 0.25],
    ),
    "pseudo-orthorhombic": of_group(
        "P2/m", Lattice.monoclinic(4.0, 5.0, 4.4, 90.6), Ga=[0, 0, 0], As=[0.5, 0.5, 0.5]
    ),
}  # fmt: skip


def reference(structure: Structure) -> DielectricDocument:
    """Return tensors with the symmetry of a crystal, and as anisotropic as it lets them be."""
    first, second, images, distances = structure.get_neighbor_list(6.0)
    fractional = structure.frac_coords[second] + images - structure.frac_coords[first]
    vectors = fractional @ structure.lattice.matrix
    numbers = np.array([site.specie.Z for site in structure])
    products = np.einsum("ni,nj->nij", vectors, vectors)
    weights = np.exp(-distances) * (1 + numbers[second] / 10)
    borns = np.zeros((len(structure), 3, 3))
    np.add.at(borns, first, weights[:, np.newaxis, np.newaxis] * products)
    # Two sums of vectors times one another: Born charges need not be symmetric tensors.
    near, far = np.zeros((2, len(structure), 3))
    np.add.at(near, first, np.exp(-distances)[:, np.newaxis] * vectors)
    np.add.at(far, first, (np.exp(-distances / 3) * numbers[second])[:, np.newaxis] * vectors)
    borns += 0.1 * np.einsum("ni,nj->nij", near, far)
    epsilon = borns.mean(axis=0) + borns.mean(axis=0).T
    borns -= borns.mean(axis=0)
    isotropic = np.trace(epsilon) / 3 * np.eye(3)
    anisotropic = epsilon - isotropic
    size = np.linalg.norm(anisotropic)
    epsilon = 4 * np.eye(3) + (1.4 * anisotropic / size if size > 1e-6 else 0)
    signs = np.where(numbers == numbers.min(), -1.0, 1.0)
    signs = signs / np.where(signs > 0, (signs > 0).sum(), (signs < 0).sum())
    signs = signs[:, np.newaxis, np.newaxis]
    borns = borns / max(np.linalg.norm(borns), 1e-9) + 2 * signs * np.eye(3)
    # The same anisotropy on top, scaled by the charge: also where neighbours hardly show it.
    borns += 2 * signs * (epsilon - 4 * np.eye(3))
    return DielectricDocument(
        structure=structure,
        born_charges_e=borns.tolist(),
        dielectric_tensor=epsilon.tolist(),
        source="reference",
    )


def transformed(document: DielectricDocument, seed: int, noise: float = 0.0) -> DielectricDocument:
    """Return the tensors in another cell: supercell, turned or mirrored, shifted, permuted."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))  # half of them mirror the crystal
    while True:
        basis = rng.integers(-1, 3, size=(3, 3))
        if 1 <= abs(round(np.linalg.det(basis))) <= 3:
            break
    carrier = document.structure.copy(
        site_properties={"born": [np.array(each) for each in document.born_charges_e]}
    )
    cell = carrier.make_supercell(basis, to_unit_cell=False)
    cell.translate_sites(range(len(cell)), rng.uniform(size=3), to_unit_cell=bool(seed % 2))
    order = rng.permutation(len(cell))
    strain = np.eye(3) + noise * rng.uniform(-0.5, 0.5, size=(3, 3))
    lattice = cell.lattice.matrix @ (strain + strain.T) / 2 @ turn.T
    moves = noise * rng.normal(size=(len(cell), 3))
    moved = Structure(
        lattice,
        [cell[i].specie for i in order],
        [cell[i].frac_coords for i in order],
    )
    moved = Structure(lattice, moved.species, moved.cart_coords + moves, coords_are_cartesian=True)
    borns = [turn @ cell[i].properties["born"] @ turn.T for i in order]
    return DielectricDocument(
        structure=moved,
        born_charges_e=[born.tolist() for born in borns],
        dielectric_tensor=(turn @ np.array(document.dielectric_tensor) @ turn.T).tolist(),
        source="transformed",
    )


def standard_cell(structure: Structure) -> Structure:
    """Return phonopy's primitive cell, as the phonon step makes it."""
    cell, centring = conventional_cell(structure)
    return pymatgen_cell(harmonic_model(cell, centring, np.eye(3, dtype=int), 0.01).primitive)


def assert_same(found: DielectricDocument, wanted: DielectricDocument, tolerance: float) -> None:
    np.testing.assert_allclose(found.born_charges_e, wanted.born_charges_e, atol=tolerance)
    np.testing.assert_allclose(found.dielectric_tensor, wanted.dielectric_tensor, atol=tolerance)


@pytest.mark.parametrize("name", CRYSTALS)
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_tensors_do_not_depend_on_the_cell_that_they_are_given_in(name, seed):
    cell = standard_cell(CRYSTALS[name])
    wanted = reference(cell)
    for noise, tolerance in ((0.0, 1e-6), (1e-3, 2e-2)):
        found = dielectric_tensors.in_cell(transformed(wanted, seed, noise), cell)
        assert_same(found, wanted, tolerance)


@pytest.mark.parametrize("name", ["pseudo-cubic, long c", "pseudo-cubic, 60.5 degrees"])
def test_axes_of_a_pseudo_cubic_crystal_are_not_exchanged(name):
    """The identical cell is given; ε of 4, 4, 6 became 4, 5, 5."""
    cell = standard_cell(CRYSTALS[name])
    wanted = reference(cell)
    assert_same(dielectric_tensors.in_cell(wanted, cell), wanted, 1e-8)
    assert len({round(each, 3) for each in np.linalg.eigvalsh(wanted.dielectric_tensor)}) == 2


def test_tensors_of_another_frame_are_refused():
    cell = standard_cell(CRYSTALS["pseudo-cubic, long c"])
    wrong = reference(cell)
    wrong.dielectric_tensor = np.roll(wrong.dielectric_tensor, 1, axis=(0, 1)).tolist()
    with pytest.raises(CannotCompute, match="differs between equivalent directions"):
        dielectric_tensors.in_cell(wrong, cell)


def test_axes_that_only_noise_tells_apart_are_refused():
    cell = standard_cell(rock_salt(Lattice.orthorhombic(5.6, 5.6 * 1.0004, 5.6 * 1.0008)))
    wanted = reference(cell)
    assert_same(dielectric_tensors.in_cell(wanted, cell), wanted, 1e-8)
    # Noise of the size of what tells the axes apart.
    noisy = wanted.model_copy(update={"structure": cell.copy()})
    noisy.structure.lattice = Lattice(cell.lattice.matrix * [1.0004, 1.0, 0.9994])
    with pytest.raises(CannotCompute, match="axes can be exchanged"):
        dielectric_tensors.in_cell(noisy, cell)


def test_relaxed_cells_are_followed_however_their_axes_compare():
    """A relaxation may turn the longest axis into the shortest one."""
    before = rock_salt(Lattice.tetragonal(5.6, 5.65)).get_primitive_structure()
    wanted = reference(before)
    stretch = np.diag([1.02, 1.02, 0.97])
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    after = Structure(before.lattice.matrix @ stretch @ turn.T, before.species, before.frac_coords)
    found = dielectric_tensors.relaxed(wanted, before, after)
    expected = turn @ np.array(wanted.dielectric_tensor) @ turn.T
    np.testing.assert_allclose(found.dielectric_tensor, expected, atol=1e-10)
    # And from there to phonopy's cell, where the special axis is the one along c.
    standard = dielectric_tensors.in_cell(found, standard_cell(after))
    assert np.allclose(
        np.linalg.eigvalsh(standard.dielectric_tensor), np.linalg.eigvalsh(expected), atol=1e-8
    )


@pytest.mark.parametrize("name", ["P3_121", "P3_221"])
def test_mirror_images_are_one_crystal_to_tensors(name):
    """Left and right quartz: an improper rotation carries one to the other."""
    right = standard_cell(CRYSTALS["chiral"])
    wanted = reference(right)
    mirror = np.diag([1.0, 1.0, -1.0])
    left = Structure(right.lattice.matrix @ mirror, right.species, right.frac_coords)
    given_one = reference(left) if name == "P3_221" else wanted
    found = dielectric_tensors.in_cell(given_one, right)
    assert_same(found, wanted, 1e-6)
    [best, *_] = alignments(right, given_one.structure)
    assert np.linalg.det(best.rotation) == pytest.approx(-1 if name == "P3_221" else 1)


def test_a_rhombohedron_of_nearly_right_angles_keeps_them():
    """pymatgen's own tolerance for angles, five degrees, would make it cubic."""
    crystal = CRYSTALS["pseudo-cubic, 90.5 degrees"]
    assert conventional_cell(crystal)[1] == "R"
    distances = np.sort(standard_cell(crystal).get_neighbor_list(5.0)[3])
    np.testing.assert_allclose(distances, np.sort(crystal.get_neighbor_list(5.0)[3]), atol=1e-6)


@pytest.mark.parametrize("name", ["orthorhombic P", "monoclinic C", "tetragonal polar"])
def test_kappa_is_in_the_frame_of_the_crystal(name):
    """Whatever axes spglib takes for the standard cell."""
    crystal = CRYSTALS[name].get_primitive_structure()
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turned = Structure(crystal.lattice.matrix @ turn.T, crystal.species, crystal.frac_coords)
    cell, centring = conventional_cell(turned)
    model = harmonic_model(cell, centring, np.eye(3, dtype=int), 0.01)
    wanted, standard = reference(turned), reference(pymatgen_cell(model.primitive))
    rows, columns = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
    found = in_frame_of(turned, model, np.array(standard.dielectric_tensor)[rows, columns])
    np.testing.assert_allclose(found, np.array(wanted.dielectric_tensor)[rows, columns], atol=1e-6)
