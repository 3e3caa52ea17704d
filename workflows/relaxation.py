"""Relax a crystal under its own symmetry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Maker, job

from workflows.documents import RelaxationDocument
from workflows.recipes import RelaxationRecipe

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class RelaxationMaker(Maker):
    """Maker of one relaxation job.

    Parameters
    ----------
    engine
        What computes forces and stresses.
    recipe
        Tolerances.
    fixed_cell
        Whether only positions are relaxed.
    comparable_energy
        Whether the energy is subtracted from those of other crystals; it may cost a calculation.
    """

    engine: Engine
    name: str = "relaxation"
    recipe: RelaxationRecipe = field(default_factory=RelaxationRecipe)
    fixed_cell: bool = False
    comparable_energy: bool = False

    @job(output_schema=RelaxationDocument)
    def make(
        self, structure: Structure, raised: dict[str, float] | None = None
    ) -> RelaxationDocument:
        """Relax cell and positions, under the crystal's own symmetry unless the recipe frees it.

        Parameters
        ----------
        raised
            Settings of the engine that this crystal needs; see `ForceConvergenceMaker`.
        """
        engine = self.engine.with_settings(raised) if raised else self.engine
        return engine.relax(
            structure,
            self.recipe,
            fixed_cell=self.fixed_cell,
            comparable_energy=self.comparable_energy,
        )
