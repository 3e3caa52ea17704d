"""Relaxation of cell and positions with ASE, for whatever engine gives forces and stress."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.constants import EV_PER_A3_IN_GPA
from workflows.crystal_optimizer import CrystalOptimizer
from workflows.document_parts import Provenance, StepCost
from workflows.documents import RelaxationDocument
from workflows.errors import EngineError
from workflows.kept_symmetry import keep_symmetry, space_group_number
from workflows.primitive_cells import reduction_of
from workflows.relaxation_failures import why_lost, why_out_of_domain

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.recipes import RelaxationRecipe


PATIENCE_STEPS = 60
"""Steps that a crystal with forces and stress below tolerance may still take for its volume."""


@dataclass(frozen=True)
class _Answer:
    """What the engine says of one step; lengths of vectors, so that no frame is preferred.

    Attributes
    ----------
    stress_gpa : ndarray
        xx, yy, zz, yz, xz, xy; positive: the cell is stretched.
    """

    energy_ev: float
    max_force_ev_per_a: float
    max_stress_gpa: float
    stress_gpa: NDArray[np.float64]
    trouble: str


def relax_with(
    calculator: Calculator,
    structure: Structure,
    recipe: RelaxationRecipe,
    provenance: Provenance,
    *,
    fixed_cell: bool = False,
    force_floor_ev_per_a: float = 0.0,
    stress_floor_gpa: float = 0.0,
    initial: Structure | None = None,
) -> RelaxationDocument:
    """Relax cell and positions, under the crystal's own symmetry unless the recipe frees it.

    A crystal that flies apart or collapses is stopped at once; `RelaxationDocument.lost` says how.

    Parameters
    ----------
    fixed_cell
        Whether only the positions are relaxed; the stress that is left is then no failure.
    force_floor_ev_per_a, stress_floor_gpa
        Noise of the calculator: forces and stress below it count as relaxed, however tight the
        recipe.
    initial
        Crystal that volumes are compared with, where others have relaxed it before; None takes
        `structure`.

    Raises
    ------
    EngineError
        When forces, and stress unless the cell is fixed, are not below tolerance within
        `recipe.max_steps`.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    started = time.perf_counter()
    initial = structure if initial is None else initial
    # With its symmetry free, a crystal may need the larger cell to distort.
    reduction = reduction_of(structure) if recipe.keep_symmetry and not fixed_cell else None
    atoms = AseAtomsAdaptor.get_atoms(structure if reduction is None else reduction.primitive)
    atoms.calc = calculator
    if recipe.keep_symmetry:
        # A cell that is given is not moved, not even onto its symmetry.
        keep_symmetry(atoms, refine=not fixed_cell)
    optimizer = CrystalOptimizer(atoms, fixed_cell=fixed_cell)
    start_volume_a3 = initial.volume / len(initial) * len(atoms)
    force_tolerance = max(recipe.force_tolerance_ev_per_a, force_floor_ev_per_a)
    stress_tolerance_gpa = max(recipe.stress_tolerance_gpa, stress_floor_gpa)
    steps = 0
    patience = PATIENCE_STEPS
    error: float | None = None
    while True:
        lost = why_lost(atoms, start_volume_a3)
        answer = None if lost else _ask(atoms)
        if answer is not None and not (lost := answer.trouble):
            optimizer.remember()
            calm = answer.max_force_ev_per_a <= force_tolerance and (
                fixed_cell or answer.max_stress_gpa <= stress_tolerance_gpa
            )
            if calm and not fixed_cell:
                error = optimizer.volume_error_fraction(stress_floor_gpa / EV_PER_A3_IN_GPA)
            # A crystal too soft for its volume to settle keeps the error bar it has in the end.
            patience -= calm
            if calm and (
                error is None
                or error <= recipe.volume_tolerance_fraction
                or answer.max_stress_gpa <= stress_floor_gpa
                or steps == recipe.max_steps
                or not patience
            ):
                break
        if lost:
            lost = f"lost in relaxation, step {steps}: {lost}"
            break
        assert answer is not None
        if steps == recipe.max_steps:
            raise EngineError(
                f"{structure.reduced_formula}: not relaxed by '{provenance.engine}' after "
                f"{recipe.max_steps} steps (largest force {answer.max_force_ev_per_a:.2g} eV/Å, "
                f"stress {answer.max_stress_gpa:.2g} GPa); raise max_steps or check the structure"
            )
        optimizer.descend()
        steps += 1
    bare = atoms.copy()
    bare.set_constraint()
    # Without its calculator, whose last answer may be about another crystal.
    relaxed = AseAtomsAdaptor.get_structure(bare)
    if reduction is not None:
        relaxed = reduction.expanded(relaxed)
    return RelaxationDocument(
        structure=relaxed,
        lost=lost,
        **_numbers(answer, len(atoms)),
        volume_a3_per_atom=relaxed.volume / len(relaxed),
        volume_error_fraction=None if lost or fixed_cell else error,
        initial_volume_a3_per_atom=initial.volume / len(initial),
        steps=steps,
        space_group_number=None if lost else space_group_number(relaxed),
        cost=StepCost.of_force_calls(
            "relaxation", steps + (answer is not None), time.perf_counter() - started
        ),
        provenance=provenance,
    )


def _ask(atoms: Atoms) -> _Answer:
    """Let the engine compute the present cell."""
    energy_ev = float(atoms.get_potential_energy())
    forces = np.asarray(atoms.get_forces(), dtype=float)
    stress_gpa = np.asarray(atoms.get_stress(), dtype=float) * EV_PER_A3_IN_GPA
    trouble = why_out_of_domain(energy_ev, forces, stress_gpa)
    xx, yy, zz, yz, xz, xy = stress_gpa
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return _Answer(
        energy_ev=energy_ev,
        max_force_ev_per_a=float(np.linalg.norm(forces, axis=1).max()),
        max_stress_gpa=np.nan if trouble else float(np.abs(np.linalg.eigvalsh(tensor)).max()),
        stress_gpa=stress_gpa,
        trouble=trouble,
    )


def _numbers(answer: _Answer | None, atoms: int) -> dict[str, Any]:
    """Return the engine's numbers as the document has them, null where they are none."""
    if answer is None:
        nothing = ("energy_ev_per_atom", "max_force_ev_per_a", "max_stress_gpa", "stress_gpa")
        return dict.fromkeys(nothing)

    def finite(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        "energy_ev_per_atom": finite(answer.energy_ev / atoms),
        "max_force_ev_per_a": finite(answer.max_force_ev_per_a),
        "max_stress_gpa": finite(answer.max_stress_gpa),
        "stress_gpa": None if answer.trouble else answer.stress_gpa.tolist(),
    }
