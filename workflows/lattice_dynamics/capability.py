"""What κ of a crystal cannot be computed, known from the crystal and the recipe alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workflows.kept_symmetry import symmetry_dataset
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    conventional_cell,
    phonopy_cell,
    supercell_matrix,
    unknown_to_phonopy,
    without_isotope_data,
)

if TYPE_CHECKING:
    from phono3py import Phono3py
    from pymatgen.core import Structure

    from workflows.recipes import ThermalConductivityRecipe, ThirdOrderRecipe, TransportRecipe

MAX_MEMORY_GB = 100.0
"""More than this is not asked of a machine: no worker that is made for it is common."""
FEW_ATOMS = 8
"""Third-order force constants can vanish by symmetry only in supercells with no more atoms: where
inversion at every atom maps all others on their own periodic images, half a lattice vector away."""
LEFT_BY_SUM_RULES = 0.9
"""At least this fraction of the force constants that symmetry leaves is independent: sum rules take
about one in as many as there are atoms, and a few atoms fit into any memory."""


def refusal(structure: Structure, recipe: ThermalConductivityRecipe) -> str | None:
    """Return why κ of a crystal cannot be computed with a recipe, or None."""
    if unnamed := unknown_to_phonopy(structure):
        return f"phonopy has no element {', '.join(unnamed)}"
    if recipe.transport.isotopes and (unknown := without_isotope_data(structure)):
        return (
            f"{', '.join(unknown)} {'has' if len(unknown) == 1 else 'have'} no natural mixture of "
            "isotopes that could scatter; set transport: {isotopes: false}"
        )
    return _third_order_refusal(structure, recipe.third_order) or _mesh_refusal(
        structure, recipe.transport
    )


def vanishes_by_symmetry(model: Phono3py) -> bool:
    """Return whether symmetry and sum rules leave no third-order force constant in a supercell."""
    from phonopy.interface.symfc import SymfcFCSolver

    if len(model.supercell) > FEW_ATOMS:
        return False
    solver = SymfcFCSolver(model.supercell, symmetry=model.symmetry)
    try:
        basis = solver.compute_basis_set(orders=[3])[3]
    except AssertionError:
        # symfc's way to say that nothing is left.
        return True
    return basis is None or basis.basis_set.shape[1] == 0


def third_order_basis_size(model: Phono3py, cutoff_a: float | None) -> int:
    """Return the number of independent third-order parameters that symmetry leaves."""
    return basis_sizes(model, cutoff_a)[3]


def basis_sizes(model: Phono3py, cutoff_a: float | None) -> dict[int, int]:
    """Return the number of independent parameters of second and third order, by order."""
    from phonopy.interface.symfc import SymfcFCSolver

    options = None if cutoff_a is None else {"cutoff": {3: cutoff_a}}
    solver = SymfcFCSolver(model.supercell, symmetry=model.symmetry, options=options)
    found = solver.estimate_basis_size(orders=[2, 3])
    return {order: int(size) for order, size in found.items()}


def fit_memory_gb(basis_size: float, supercell_atoms: int) -> float:
    """Return the memory of symfc's dense fit, as phonopy estimates it."""
    return (24 * basis_size**2 + 2400 * supercell_atoms * basis_size) / 1e9


def fit_refusal(basis_size: float, supercell_atoms: int) -> str | None:
    """Return why so many unknowns cannot be fitted, or None."""
    needed_gb = fit_memory_gb(basis_size, supercell_atoms)
    if needed_gb <= MAX_MEMORY_GB:
        return None
    return (
        f"the fit of about {basis_size:.0f} third-order force constants would take "
        f"{needed_gb:.0f} GB of memory, more than {MAX_MEMORY_GB:.0f}; lower third_order.cutoff_a "
        "or third_order.max_atoms"
    )


def no_third_order(supercell_atoms: int) -> str:
    """Return what is said of a supercell in which all third-order force constants vanish."""
    return (
        f"no third-order force constant is left by symmetry in a supercell of {supercell_atoms} "
        "atoms; raise third_order.min_length_a or third_order.max_atoms"
    )


def _third_order_refusal(structure: Structure, recipe: ThirdOrderRecipe) -> str | None:
    cell, centring = conventional_cell(structure)
    matrix = supercell_matrix(cell, recipe.min_length_a, recipe.max_atoms)
    atoms = len(cell) * round(np.linalg.det(matrix))
    suspicious = False
    if recipe.route != "finite-displacements":
        # An exact count takes up to a second for each crystal of a library: only where a cutoff, or
        # the sum rules, could still decide.
        about = (3 * atoms) * (3 * atoms + 1) * (3 * atoms + 2) / 6 / _operations(cell, matrix)
        reason = fit_refusal(LEFT_BY_SUM_RULES * about, atoms)
        if reason is not None and recipe.cutoff_a is None:
            return reason
        suspicious = fit_refusal(about, atoms) is not None
    if atoms > FEW_ATOMS and not suspicious:
        return None

    from phono3py import Phono3py

    model = Phono3py(
        phonopy_cell(cell),
        supercell_matrix=matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    if suspicious:
        return fit_refusal(third_order_basis_size(model, recipe.cutoff_a), atoms)
    return no_third_order(atoms) if vanishes_by_symmetry(model) else None


def _operations(cell: Structure, matrix: np.ndarray) -> int:
    """Return how many space group operations a supercell has, at least."""
    dataset = symmetry_dataset(cell, SYMPREC_A)
    operations = 1 if dataset is None else len(dataset.rotations)
    return int(operations * np.linalg.det(matrix).round())


def _mesh_refusal(structure: Structure, recipe: TransportRecipe) -> str | None:
    """Return why the densest mesh needs too much memory, or None.

    phono3py keeps, for one q-point, the strengths of all triplets at once: 8 bytes for each mesh
    point and three branches.
    """
    length_a = recipe.mesh_lengths_a[-1]
    reciprocal = structure.lattice.reciprocal_lattice_crystallographic.abc
    asked = math.prod(max(3, round(length_a * edge)) for edge in reciprocal)
    points = min(asked, recipe.max_mesh_points * max(1.0, (2 / len(structure)) ** 1.5))
    needed_gb = points * (3 * len(structure)) ** 3 * 8 / 1e9
    if needed_gb <= MAX_MEMORY_GB:
        return None
    return (
        f"a q-mesh of {points:.0f} points would take {needed_gb:.0f} GB of memory, more than "
        f"{MAX_MEMORY_GB:.0f}; lower transport.mesh_lengths_a or transport.max_mesh_points"
    )
