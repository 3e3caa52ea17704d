"""Cells and meshes: which supercell, which q-mesh, and pymatgen's cells as phonopy's."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy.structure.atoms import PhonopyAtoms
    from pymatgen.core import Structure

Centring = Literal["P", "F", "I", "A", "C", "R"]

SYMPREC_A = 1e-4
"""Tolerance for symmetry after relaxation, in Å."""


def conventional_cell(structure: Structure) -> tuple[Structure, Centring]:
    """Return the conventional cell in spglib's standard setting and its centring letter.

    spglib's setting, not pymatgen's own: phonopy's centring matrices are defined on it.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    # Without an angle tolerance of its own: pymatgen's, 5°, makes a cubic cell of one of 90.5°.
    analyzer = SpacegroupAnalyzer(structure, SYMPREC_A, angle_tolerance=-1)
    centring = cast("Centring", analyzer.get_space_group_symbol()[0])
    return analyzer.get_refined_structure(), centring


def supercell_multiples(
    lengths_a: tuple[float, float, float],
    cell_atoms: int,
    min_length_a: float,
    max_atoms: int,
) -> tuple[int, int, int]:
    """Return how often to repeat a conventional cell along its three axes.

    The supercell is the smallest whose three edges reach `min_length_a`; where that has more
    than `max_atoms` atoms, the required length is lowered until it fits.  Axes of equal length
    always get equal multiples, so that the supercell keeps the crystal's point group.

    Parameters
    ----------
    lengths_a
        Edges of the conventional cell in Å.
    cell_atoms
        Atoms in the conventional cell.
    min_length_a
        Wanted edge of the supercell in Å.
    max_atoms
        Most atoms in the supercell; a single conventional cell is always allowed.

    Returns
    -------
    tuple of int
        Multiples along a, b and c.
    """
    # The required lengths at which a multiple changes are k × edge; 1e-3 absorbs round-off.
    steps = sorted(
        {k * edge for edge in lengths_a for k in range(1, math.ceil(min_length_a / edge) + 1)}
        | {min_length_a},
        reverse=True,
    )
    for required in steps:
        if required > min_length_a:
            continue
        a, b, c = (max(1, math.ceil(required / edge - 1e-3)) for edge in lengths_a)
        if a * b * c * cell_atoms <= max_atoms:
            return a, b, c
    return 1, 1, 1


def supercell_matrix(
    conventional: Structure, min_length_a: float, max_atoms: int
) -> NDArray[np.int64]:
    """Return `supercell_multiples` of a conventional cell as a (3, 3) matrix."""
    a, b, c = conventional.lattice.abc
    return np.diag(supercell_multiples((a, b, c), len(conventional), min_length_a, max_atoms))


def length_of_multiples(
    lengths_a: tuple[float, float, float], multiples: tuple[int, int, int]
) -> float:
    """Return a wanted edge in Å from which `supercell_multiples` makes given multiples.

    In the middle of what is possible, so that the cell may change a little.

    Raises
    ------
    ValueError
        When no length makes them.
    """
    pairs = list(zip(lengths_a, multiples, strict=True))
    low = max((multiple - 1) * edge for edge, multiple in pairs)
    high = min(multiple * edge for edge, multiple in pairs)
    if low >= high:
        raise ValueError(f"no length makes {multiples} cells with edges of {lengths_a} Å")
    return (low + high) / 2


def q_mesh(
    primitive_lattice_a: NDArray[np.float64],
    length_a: float,
    *,
    rotations: NDArray[np.int64] | None = None,
    parity: Literal["odd", "even"] | None = None,
) -> tuple[int, int, int]:
    """Return the q-mesh whose divisions are about length × |reciprocal vector|.

    The reciprocal vectors carry no 2π, so that an orthogonal axis of length a gets length/a
    divisions.

    Parameters
    ----------
    primitive_lattice_a
        Shape (3, 3), rows are the primitive lattice vectors in Å.
    length_a
        Wanted real-space length of the mesh in Å.
    rotations
        Point group of the primitive cell, shape (operations, 3, 3).  phono3py refuses a mesh that
        breaks it; where unequal divisions would, as in body-centred cells, all become the largest.
    parity
        Lower to odd or raise to even divisions.
    """
    from phonopy.phonon.grid import length2mesh

    divisions = length2mesh(length_a, primitive_lattice_a, rotations=rotations)
    if parity == "odd":
        divisions = divisions - (divisions % 2 == 0)
    elif parity == "even":
        divisions = divisions + divisions % 2
    if rotations is not None and not _keeps_point_group(divisions, rotations):
        divisions = np.full(3, divisions.max())
    a, b, c = (int(n) for n in divisions)
    return a, b, c


def _keeps_point_group(divisions: NDArray[np.int64], rotations: NDArray[np.int64]) -> bool:
    """Return whether every operation maps the points n_i/N_i of the mesh onto one another."""
    for rotation in rotations:
        reciprocal = np.linalg.inv(rotation).T
        mapped = divisions[:, np.newaxis] * reciprocal / divisions
        if not np.allclose(mapped, np.rint(mapped)):
            return False
    return True


def has_free_positions(cell: PhonopyAtoms) -> bool:
    """Return whether atoms can move, or forces act on them, without breaking the symmetry."""
    from phonopy.structure.symmetry import Symmetry

    operations = Symmetry(cell, symprec=SYMPREC_A).symmetry_operations
    rotations, translations = operations["rotations"], operations["translations"]
    positions = cell.scaled_positions
    # A field of arbitrary vectors keeps only its invariant part when averaged over the group.
    field = np.random.default_rng(0).normal(size=positions.shape)
    average = np.zeros_like(field)
    for rotation, translation in zip(rotations, translations, strict=True):
        moved = positions @ rotation.T + translation
        apart = moved[:, np.newaxis] - positions
        image = np.argmin(np.abs(apart - np.rint(apart)).sum(axis=-1), axis=1)
        average[image] += field @ rotation.T
    average /= len(rotations)
    # The rigid shift of a polar crystal is no relaxation.
    return bool(np.abs(average - average.mean(axis=0)).max() > 1e-6)


def has_inversion_at_all_sites(cell: PhonopyAtoms) -> bool:
    """Return whether each atom is a centre of inversion of the crystal, as in rock salt."""
    from phonopy.structure.symmetry import Symmetry

    operations = Symmetry(cell, symprec=SYMPREC_A).symmetry_operations
    positions = cell.scaled_positions
    stays = np.zeros(len(positions), dtype=bool)
    for rotation, translation in zip(
        operations["rotations"], operations["translations"], strict=True
    ):
        if (rotation == -np.eye(3)).all():
            apart = translation - 2 * positions
            stays |= np.abs((apart - np.rint(apart)) @ cell.cell).max(axis=1) < 10 * SYMPREC_A
    return bool(stays.all())


def phonopy_cell(structure: Structure) -> PhonopyAtoms:
    """Return a pymatgen structure as phonopy's cell."""
    from phonopy.structure.atoms import PhonopyAtoms

    symbols = [site.specie.symbol for site in structure]
    return PhonopyAtoms(
        symbols=symbols,
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        masses=[atomic_mass_u(symbol) for symbol in symbols],
    )


@functools.cache
def atomic_mass_u(symbol: str) -> float:
    """Return the mass of an element's atoms in u.

    phonopy's, the mean over the natural isotopes.  Where it has none, as of polonium and plutonium,
    the mass number of the isotope that lives longest, which pymatgen states.
    """
    from phonopy.structure.atomic_data import get_atomic_data
    from pymatgen.core.periodic_table import Element

    known = get_atomic_data()
    number = known.symbol_map.get(symbol)
    mass_u = None if number is None else known.atom_data[number][3]
    return float(Element(symbol).atomic_mass if mass_u is None else mass_u)


def without_isotope_data(structure: Structure) -> list[str]:
    """Return the elements of a crystal that have no natural mixture of isotopes, sorted."""
    from phonopy.structure.atomic_data import get_atomic_data

    known = get_atomic_data().isotope_data
    return sorted({site.specie.symbol for site in structure if not known.get(site.specie.symbol)})


def unknown_to_phonopy(structure: Structure) -> list[str]:
    """Return the symbols that phonopy cannot name, as D and the elements beyond Cn, sorted."""
    from phonopy.structure.atomic_data import get_atomic_data

    known = get_atomic_data().symbol_map
    return sorted({site.specie.symbol for site in structure} - known.keys())


def displaced(cell: PhonopyAtoms, displacements: NDArray[np.float64]) -> list[Structure]:
    """Return copies of a cell with displaced atoms.

    Parameters
    ----------
    displacements
        Shape (copies, atoms, 3), Cartesian, Å.
    """
    copies = []
    for displacement in displacements:
        copy = cell.copy()
        copy.positions = copy.positions + displacement
        copies.append(pymatgen_cell(copy))
    return copies


def pymatgen_cell(cell: PhonopyAtoms) -> Structure:
    """Return phonopy's cell as a pymatgen structure."""
    from pymatgen.core import Structure

    return Structure(cell.cell, cell.symbols, cell.scaled_positions)
