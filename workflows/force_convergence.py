"""Convergence of an engine's forces for a crystal, checked before its supercells are computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jobflow import Maker, job

from workflows.errors import CannotCompute
from workflows.few_shot_documents import ForceConvergenceDocument
from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
from workflows.recipes import ForceConvergenceRecipe

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class ForceConvergenceMaker(Maker):
    """Maker of one job: are forces on supercells converged in k-points and cut-off?

    What follows is computed with ``engine.with_settings(document.raised)``.

    Parameters
    ----------
    engine
        What will compute the supercells; its `checks_convergence` must be true.
    recipe
        Limits.
    min_length_a, max_atoms
        Of the supercells to come, as in `workflows.recipes.ThirdOrderRecipe`.
    """

    engine: Engine
    name: str = "force convergence"
    recipe: ForceConvergenceRecipe = field(default_factory=ForceConvergenceRecipe)
    min_length_a: float = 9.5
    max_atoms: int = 64

    @job(output_schema=ForceConvergenceDocument)
    def make(self, structure: Structure) -> ForceConvergenceDocument:
        """Check the forces on displaced atoms of a crystal, before anything else is computed.

        Raises
        ------
        CannotCompute
            When they do not converge within the limits of the recipe.
        """
        cell, _ = conventional_cell(structure)
        a, b, c = np.diag(supercell_matrix(cell, self.min_length_a, self.max_atoms)).tolist()
        document = self.engine.force_convergence(cell, (a, b, c), self.recipe)
        if not document.converged:
            raise CannotCompute(f"{structure.reduced_formula}: {document.reason}")
        return document
