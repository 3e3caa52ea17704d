"""Energy of a crystal: relaxation, and nothing else; what hulls are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Maker, job

from workflows.document_parts import total_cost
from workflows.documents import EnergyDocument, RelaxationDocument
from workflows.energy_basis import basis_of
from workflows.recipes import EnergyRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


@job(output_schema=EnergyDocument)
def energy_document(relaxation: RelaxationDocument) -> EnergyDocument:
    """Put a relaxation into the campaign's words."""
    return EnergyDocument(
        outcome="unstable" if relaxation.lost else "computed",
        reason=relaxation.lost,
        formula=relaxation.structure.reduced_formula,
        structure=relaxation.structure,
        # Of the last step of a crystal that was lost: no energy of anything.
        energy_ev_per_atom=None if relaxation.lost else relaxation.energy_ev_per_atom,
        volume_a3_per_atom=relaxation.volume_a3_per_atom,
        **basis_of(relaxation),
        **total_cost([relaxation.cost]),
        provenance=relaxation.provenance,
    )


@dataclass
class EnergyMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one crystal.

    Parameters
    ----------
    engine
        What computes energies.
    recipe
        How well the crystal is relaxed.
    """

    engine: Engine
    name: str = "energy"
    recipe: EnergyRecipe = field(default_factory=EnergyRecipe)

    def refusal(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why the energy of a crystal could not stand on a hull, or None."""
        return self.engine.why_incomparable(structure)

    def make(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is an `EnergyDocument`.

        Raises
        ------
        CannotCompute
            When the energy could not be compared; see `refusal`.
        """
        self.check(structure, inputs)
        relaxation = RelaxationMaker(
            self.engine, recipe=self.recipe.relaxation, comparable_energy=True
        ).make(structure)
        document = energy_document(relaxation.output)
        return Flow(
            [relaxation, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need."""
        return 20
