"""Crystals at rest under a potential that is still being fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflows.ase_relaxation import relax_with
from workflows.document_parts import Provenance
from workflows.errors import EngineError
from workflows.potentials.calculator import FittedCalculator
from workflows.potentials.potential import OutsideDomain, Potential
from workflows.recipes import RelaxationRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

RECIPE = RelaxationRecipe(
    force_tolerance_ev_per_a=1e-3,
    stress_tolerance_gpa=1e-2,
    volume_tolerance_fraction=1e-3,
    max_steps=100,
)


def at_rest(crystals: Sequence[Structure], potential: Potential) -> list[Structure]:
    """Return crystals relaxed by a potential.

    Where it does not know the way yet, a crystal stays as it is: the cells around it are what the
    potential has to learn next.
    """
    relaxed = []
    for crystal in crystals:
        calculator = FittedCalculator(potential)
        engine = Provenance(engine="the fitted potential", calculator="FittedCalculator")
        try:
            document = relax_with(calculator, crystal, RECIPE, engine)
        except (OutsideDomain, EngineError):
            relaxed.append(crystal)
            continue
        relaxed.append(crystal if document.lost else document.structure)
    return relaxed
