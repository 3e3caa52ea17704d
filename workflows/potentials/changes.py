"""What a new version of a potential changes for a crystal, beyond the error that the old one named.

Forces and virials of both are compared on one displaced supercell: that takes milliseconds, where
the property that was computed from such forces takes minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.errors import CannotCompute
from workflows.potentials.exploration import disturbed_cells
from workflows.potentials.recipe import ExplorationRecipe
from workflows.potentials.regression import VIRIAL_LENGTH_A

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.potentials.potential import Potential

EXPLORATION = ExplorationRecipe(
    min_length_a=8.0, max_atoms=64, max_displacement_a=0.05, max_strain_fraction=0.0
)
CELLS = 2


def changes(old: Potential, new: Potential, crystal: Structure) -> bool:
    """Return whether two potentials differ by more than the error that the old one expects.

    Parameters
    ----------
    crystal
        At rest with the old potential.
    """
    for frame in disturbed_cells([crystal], EXPLORATION, CELLS, seed=0):
        try:
            before, after = old.ask(frame.structure), new.ask(frame.structure)
        except CannotCompute:
            # Neither says anything of it: what there is stays.
            return False
        forces = after.forces_ev_per_a - before.forces_ev_per_a
        virials = (after.stress_ev_per_a3 - before.stress_ev_per_a3) * frame.structure.volume
        per_atom = virials / (len(frame.structure) * VIRIAL_LENGTH_A)
        difference = max(np.sqrt((forces**2).mean()), np.sqrt((per_atom**2).mean()))
        if difference > before.worst_error_ev_per_a:
            return True
    return False
