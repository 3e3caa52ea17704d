"""Relaxation of cell and positions with ASE, for whatever engine gives forces and stress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from workflows.documents import Provenance, RelaxationDocument, StepCost
from workflows.engines import EV_PER_A3_IN_GPA, EngineError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from workflows.recipes import RelaxationRecipe


def relax_with(
    calculator: Calculator,
    structure: Structure,
    recipe: RelaxationRecipe,
    provenance: Provenance,
    *,
    fixed_cell: bool = False,
    force_floor_ev_per_a: float = 0.0,
    stress_floor_gpa: float = 0.0,
) -> RelaxationDocument:
    """Relax cell and positions, under the crystal's own symmetry unless the recipe frees it.

    Parameters
    ----------
    fixed_cell
        Whether only the positions are relaxed; the stress that is left is then no failure.
    force_floor_ev_per_a, stress_floor_gpa
        Noise of the calculator: forces and stress both below it count as relaxed, however tight
        the recipe.

    Raises
    ------
    EngineError
        When forces, and stress unless the cell is fixed, are not below tolerance within
        `recipe.max_steps`.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    started = time.perf_counter()
    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.calc = calculator
    if recipe.keep_symmetry:
        atoms.set_constraint(FixSymmetry(atoms, symprec=1e-3))
    movable = atoms if fixed_cell else FrechetCellFilter(atoms)
    optimizer = BFGS(movable, logfile=None)  # type: ignore[arg-type]  # ASE takes filters

    def largest() -> tuple[float, float]:
        return (
            float(np.abs(atoms.get_forces()).max()),
            float(np.abs(atoms.get_stress()).max() * EV_PER_A3_IN_GPA),
        )

    converged = False
    for converged in optimizer.irun(fmax=recipe.force_tolerance_ev_per_a, steps=recipe.max_steps):
        max_force, max_stress_gpa = largest()
        calm = fixed_cell or max_stress_gpa <= stress_floor_gpa
        if max_force <= force_floor_ev_per_a and calm:
            converged = True
            break
    max_force, max_stress_gpa = largest()
    if not converged:
        raise EngineError(
            f"{structure.reduced_formula}: not relaxed by '{provenance.engine}' after "
            f"{recipe.max_steps} steps "
            f"(largest force {max_force:.2g} eV/Å, stress {max_stress_gpa:.2g} GPa); "
            "raise max_steps or check the structure"
        )
    atoms.set_constraint()
    relaxed = AseAtomsAdaptor.get_structure(atoms)
    return RelaxationDocument(
        structure=relaxed,
        energy_ev_per_atom=float(atoms.get_potential_energy()) / len(atoms),
        volume_a3_per_atom=relaxed.volume / len(relaxed),
        initial_volume_a3_per_atom=structure.volume / len(structure),
        max_force_ev_per_a=max_force,
        max_stress_gpa=max_stress_gpa,
        stress_gpa=[float(each) * EV_PER_A3_IN_GPA for each in atoms.get_stress()],
        steps=int(optimizer.nsteps),
        space_group_number=SpacegroupAnalyzer(relaxed, 1e-3).get_space_group_number(),
        cost=StepCost(
            step="relaxation",
            force_calls=int(optimizer.nsteps) + 1,
            wall_s=time.perf_counter() - started,
        ),
        provenance=provenance,
    )
