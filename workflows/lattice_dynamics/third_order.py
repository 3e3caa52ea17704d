"""Third-order force constants, from finite displacements or from mirrored random ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.errors import CannotCompute
from workflows.lattice_dynamics.capability import (
    basis_sizes,
    fit_refusal,
    no_third_order,
    vanishes_by_symmetry,
)
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    Centring,
    has_free_positions,
    phonopy_cell,
    pymatgen_cell,
)
from workflows.lattice_dynamics.force_constant_basis import symfc_with_basis

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure
    from symfc import Symfc

    from workflows.recipes import ThirdOrderRecipe


EQUATIONS_OF_SECOND_ORDER = 3
"""That are asked for each of its unknowns.  As force constants are symmetric, what one displacement
says of another is said again by that one, so that half of the equations may be the others'; and the
unknowns, which are estimated, may be half as many again."""
MOST_LEFT = 0.5
"""Share of the forces that a fit may leave.  Higher orders and noise leave a few per cent."""


@dataclass(frozen=True)
class ThirdOrderPlan:
    """Displaced supercells for third-order force constants.

    Parameters
    ----------
    model
        Phono3py object that carries the displacements, no forces yet.
    recipe
        What was asked for.
    basis_size
        Unknowns of third order in the symfc fit; None for finite displacements.
    second_order_basis_size
        Unknowns of second order in it.
    pairs
        Number of random pairs; None for finite displacements.
    undisplaced
        Whether the perfect supercell is computed too, before all others: where symmetry lets
        atoms move, forces that relaxation has left are even in u, as what is fitted, and must be
        taken off.
    """

    model: Phono3py
    recipe: ThirdOrderRecipe
    basis_size: int | None = None
    second_order_basis_size: int = 0
    pairs: int | None = None
    undisplaced: bool = False

    @cached_property
    def symfc(self) -> Symfc:
        """symfc's solver; to find its bases takes several times as long as a fit."""
        return symfc_with_basis(self.model, self.recipe.cutoff_a)

    def forget_bases(self) -> None:
        """Free the memory of symfc's bases, gigabytes in crystals of low symmetry."""
        vars(self).pop("symfc", None)


def plan_third_order(
    structure: Structure,
    centring: Centring,
    supercell_matrix: NDArray[np.int64],
    recipe: ThirdOrderRecipe,
) -> ThirdOrderPlan:
    """Return the displacements that `recipe` asks for; the same input gives the same ones.

    Raises
    ------
    CannotCompute
        When symmetry leaves no third-order force constant in the supercell, or too many to fit.
    """
    from phono3py import Phono3py

    model = Phono3py(
        phonopy_cell(structure),
        supercell_matrix=supercell_matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    atoms = len(model.supercell)
    if vanishes_by_symmetry(model):
        raise CannotCompute(f"{structure.reduced_formula}: {no_third_order(atoms)}")
    if recipe.route == "finite-displacements":
        model.generate_displacements(
            distance=recipe.distance_a, cutoff_pair_distance=recipe.cutoff_a
        )
        return ThirdOrderPlan(model, recipe)
    sizes = basis_sizes(model, recipe.cutoff_a)
    basis_size = sizes[3]
    if reason := fit_refusal(basis_size, atoms):
        raise CannotCompute(f"{structure.reduced_formula}: {reason}")
    wanted = max(recipe.overdetermination * basis_size, EQUATIONS_OF_SECOND_ORDER * sizes[2])
    pairs = max(recipe.min_pairs, math.ceil(wanted / equations_of_pairs(model, 1)))
    model.generate_displacements(
        distance=recipe.distance_a,
        number_of_snapshots=pairs,
        is_plusminus=True,
        random_seed=recipe.seed,
    )
    free = has_free_positions(model.primitive)
    return ThirdOrderPlan(model, recipe, basis_size, sizes[2], pairs, free)


def third_order_supercells(plan: ThirdOrderPlan) -> list[Structure]:
    """Return the displaced supercells whose forces the plan wants, in order.

    Pairs beyond a finite-displacement cut-off are not computed and left out.
    """
    displaced = [
        supercell for supercell in plan.model.supercells_with_displacements if supercell is not None
    ]
    cells = [plan.model.supercell, *displaced] if plan.undisplaced else displaced
    return [pymatgen_cell(cell) for cell in cells]


@dataclass(frozen=True)
class ThirdOrderForceConstants:
    """Force constants of the third-order supercell, compact (first index in the primitive cell).

    Parameters
    ----------
    second_order
        Shape (primitive atoms, atoms, 3, 3), eV/Å²: by-product of the same forces.
    third_order
        Shape (primitive atoms, atoms, atoms, 3, 3, 3), eV/Å³.
    nonzero
        Triplets inside the cut-off, as phono3py uses to skip work; None without a cut-off.
    """

    second_order: NDArray[np.float64]
    third_order: NDArray[np.float64]
    nonzero: NDArray[np.byte] | None


def compact(model: Phono3py, force_constants: ThirdOrderForceConstants) -> ThirdOrderForceConstants:
    """Return force constants as compact ones; those of finite displacements are not."""
    second, third = force_constants.second_order, force_constants.third_order
    if len(second) != len(model.supercell) or len(second) == len(model.primitive):
        return force_constants
    first, nonzero = model.primitive.p2s_map, force_constants.nonzero
    return ThirdOrderForceConstants(
        second[first], third[first], None if nonzero is None else nonzero[first]
    )


def as_phonopy(model: Phono3py | Phonopy, *, symmetry: bool = True) -> Phonopy:
    """Return a Phonopy object of the same supercell, without forces.

    Parameters
    ----------
    symmetry
        Whether to look for it: that takes half a second, and not everything needs it.
    """
    from phonopy import Phonopy

    return Phonopy(
        model.unitcell,
        supercell_matrix=model.supercell_matrix,
        primitive_matrix=model.primitive_matrix,
        symprec=SYMPREC_A,
        is_symmetry=symmetry,
        log_level=0,
    )


def set_third_order_forces(plan: ThirdOrderPlan, forces: Sequence[NDArray[np.float64]]) -> None:
    """Attach `forces`, in the order of `third_order_supercells`, to the plan's model."""
    cells = plan.model.supercells_with_displacements
    if plan.undisplaced:
        residual, *displaced = forces
        forces = [force - residual for force in displaced]
    given = iter(forces)
    zeros = np.zeros((len(plan.model.supercell), 3))
    # phono3py wants a row for every pair; one left out by the cut-off does not enter the fit.
    plan.model.forces = np.array([zeros if cell is None else next(given) for cell in cells])


def fit_third_order(plan: ThirdOrderPlan, pairs: int | None = None) -> ThirdOrderForceConstants:
    """Return the force constants from the plan's forces.

    Parameters
    ----------
    pairs
        Random pairs: fit only the first so many, to see how much the answer still moves.

    Raises
    ------
    ValueError
        When the fit would have fewer equations than unknowns: symfc itself raises nothing and
        gives nonsense (κ of 10¹⁰ W/m/K was seen).
    """
    model = plan.model
    if plan.recipe.route == "finite-displacements":
        model.produce_fc3()
        model.symmetrize_fc3()
        model.symmetrize_fc2()
        return ThirdOrderForceConstants(
            np.array(model.fc2), np.array(model.fc3), model.fc3_nonzero_indices
        )
    used = plan.pairs if pairs is None else pairs
    if used is None or plan.basis_size is None:
        raise ValueError("random-pairs plan without pairs; make it with plan_third_order")
    if not is_determined(plan, used):
        raise ValueError(
            f"{used} pairs give {equations_of_pairs(model, used)} equations for "
            f"{plan.basis_size} unknowns of third and {plan.second_order_basis_size} of second "
            "order; compute more pairs or lower cutoff_a"
        )
    displacements, forces = _pairs(model.dataset, used, plan.pairs)
    try:
        solver = plan.symfc
        solver.displacements, solver.forces = displacements, forces
        # symfc may find a smaller primitive cell, whose compact force constants are others.
        alike = np.array_equal(solver.p2s_map, model.primitive.p2s_map)
        solver.solve(orders=[2, 3], is_compact_fc=alike)
    except AssertionError as error:
        # symfc's way to say that symmetry and sum rules leave nothing to fit.
        raise CannotCompute(no_third_order(len(model.supercell))) from error
    second, third = (np.array(solver.force_constants[order]) for order in (2, 3))
    nonzero = None
    if (cutoff := solver.basis_set[3].fc_cutoff) is not None:
        within = cutoff.nonzero_atomic_indices_fc3().reshape((len(model.supercell),) * 3)
        nonzero = np.array(within[model.primitive.p2s_map] if alike else within, dtype=np.byte)
    fitted = ThirdOrderForceConstants(second, third, nonzero)
    if (left := unexplained(model, fitted, displacements, forces)) > MOST_LEFT:
        # symfc's solver says nothing where its equations are singular.
        raise CannotCompute(
            f"the fit of force constants failed: it leaves {left:.0%} of the forces that it is "
            "fitted to; take more pairs (third_order.min_pairs), larger supercells, or another "
            "cutoff_a"
        )
    return fitted


def is_determined(plan: ThirdOrderPlan, pairs: int) -> bool:
    """Return whether so many random pairs give enough equations for the unknowns of both orders."""
    if plan.basis_size is None:
        return False
    needed = max(plan.basis_size, EQUATIONS_OF_SECOND_ORDER * plan.second_order_basis_size)
    return equations_of_pairs(plan.model, pairs) >= needed


def forces_by_order(
    model: Phono3py,
    force_constants: ThirdOrderForceConstants,
    displacements: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the forces of second and those of third order, on all atoms, in eV/Å.

    Parameters
    ----------
    displacements
        Shape (snapshots, atoms, 3), Å.

    Returns
    -------
    tuple of ndarray
        In the order of `by_primitive_atom`.
    """
    constants = compact(model, force_constants)
    shifts = model.primitive.atomic_permutations
    shifted = displacements[:, shifts].reshape(-1, len(model.supercell), 3)
    harmonic = -np.einsum("ijab,sjb->sia", constants.second_order, shifted)
    once = np.tensordot(constants.third_order, shifted, axes=((2, 5), (1, 2)))
    return harmonic, -0.5 * np.einsum("ijabs,sjb->sia", once, shifted)


def by_primitive_atom(model: Phono3py, forces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return forces of shape (snapshots, atoms, 3) as (shifted snapshots, primitive atoms, 3).

    Each primitive atom in each snapshot that a lattice translation has shifted is another atom.
    """
    first = model.primitive.atomic_permutations[:, model.primitive.p2s_map]
    return forces[:, first].reshape(-1, first.shape[1], 3)


def unexplained(
    model: Phono3py,
    force_constants: ThirdOrderForceConstants,
    displacements: NDArray[np.float64],
    forces: NDArray[np.float64],
) -> float:
    """Return the forces that force constants do not explain over the forces, r.m.s."""
    wanted = by_primitive_atom(model, forces)
    harmonic, cubic = forces_by_order(model, force_constants, displacements)
    size = float((wanted**2).mean())
    return float(np.sqrt(((wanted - harmonic - cubic) ** 2).mean() / size)) if size else 0.0


def equations_of_pairs(model: Phono3py, pairs: int) -> int:
    """Return the number of independent equations for third order that mirrored pairs give."""
    # One pair gives the even part of the force, which is where fc3 sits: 3N equations, of which
    # three say no more than that the forces sum to zero.
    return pairs * (3 * len(model.supercell) - 3)


def _pairs(
    dataset: Any, used: int, pairs: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return displacements and forces of the first `used` pairs.

    phono3py lists all u first and all −u after them.
    """
    displacements = np.asarray(dataset["displacements"])
    forces = np.asarray(dataset["forces"])
    half = len(displacements) // 2
    if pairs != half or not np.allclose(displacements[:half], -displacements[half:]):
        raise ValueError("displacements are not mirrored pairs in phono3py's order")
    rows = np.r_[0:used, half : half + used]
    return displacements[rows], forces[rows]
