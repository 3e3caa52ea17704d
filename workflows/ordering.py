"""Energy of an ordered structure of a lattice: relaxed, and asked whether it is still one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jobflow import Flow, Maker, job

from workflows.document_parts import total_cost
from workflows.documents import OrderingDocument, RelaxationDocument
from workflows.energy_basis import basis_of
from workflows.recipes import OrderingRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


def departure(ideal: Structure, relaxed: Structure) -> tuple[float, float]:
    """Return how far a relaxed structure is from the lattice that it was made on.

    Parameters
    ----------
    ideal, relaxed
        With the same sites in the same order; vectors of the cells correspond.

    Returns
    -------
    strain, displacement : float
        Norm of the deviatoric part of the Hencky strain, free of rotation and volume, and the
        displacement of the atoms, their mean taken out, root mean square over the cube root of the
        volume of an atom.

    Raises
    ------
    ValueError
        When the two have other sites.
    """
    if [site.specie.symbol for site in ideal] != [site.specie.symbol for site in relaxed]:
        raise ValueError(f"{ideal.reduced_formula}: relaxation has changed the order of the sites")
    deformation = np.linalg.solve(ideal.lattice.matrix, relaxed.lattice.matrix)
    stretches = np.log(np.linalg.svd(deformation, compute_uv=False))
    steps = relaxed.frac_coords - ideal.frac_coords
    steps -= np.round(steps)
    steps -= steps.mean(axis=0)
    length_a = (relaxed.volume / len(relaxed)) ** (1 / 3)
    squares = ((steps @ relaxed.lattice.matrix) ** 2).sum(axis=1)
    return float(np.linalg.norm(stretches - stretches.mean())), float(
        np.sqrt(squares.mean()) / length_a
    )


@job(output_schema=OrderingDocument)
def ordering_document(
    ideal: Structure, relaxation: RelaxationDocument, recipe: OrderingRecipe
) -> OrderingDocument:
    """Say what the relaxed structure is: of the lattice, with its energy, or another crystal."""
    strain, displacement, reason = None, None, relaxation.lost
    if not reason:
        strain, displacement = departure(ideal, relaxation.structure)
        if strain > recipe.most_strain or displacement > recipe.most_displacement:
            reason = (
                f"it left its lattice in relaxation: strain {strain:.2f} (at most "
                f"{recipe.most_strain:g}), displacement {displacement:.2f} (at most "
                f"{recipe.most_displacement:g})"
            )
    return OrderingDocument(
        outcome="unstable" if reason else "computed",
        reason=reason,
        formula=ideal.reduced_formula,
        structure=relaxation.structure,
        energy_ev_per_atom=relaxation.energy_ev_per_atom,
        volume_a3_per_atom=relaxation.volume_a3_per_atom,
        **basis_of(relaxation),
        lattice_strain=strain,
        lattice_displacement=displacement,
        max_force_ev_per_a=relaxation.max_force_ev_per_a,
        max_stress_gpa=relaxation.max_stress_gpa,
        space_group_number=relaxation.space_group_number,
        **total_cost([relaxation.cost]),
        provenance=relaxation.provenance,
    )


@dataclass
class OrderingMaker(TargetDefaults, Maker):
    """Maker of the flow for one ordered structure.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses.
    recipe
        Tolerances, and how far the structure may go from its lattice.
    """

    engine: Engine
    name: str = "ordering"
    recipe: OrderingRecipe = field(default_factory=OrderingRecipe)

    def refusal(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why the energy could not be compared with those of other structures, or None."""
        return self.engine.why_incomparable(structure)

    def make(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is an `OrderingDocument`.

        Raises
        ------
        CannotCompute
            When the energy could not be compared; see `refusal`.
        """
        self.check(structure, inputs)
        # Without the lattice that the candidate states, which no engine takes.
        ideal = structure.copy()
        ideal.properties = {}
        relaxation = RelaxationMaker(
            self.engine, recipe=self.recipe.relaxation, comparable_energy=True
        ).make(ideal)
        document = ordering_document(ideal, relaxation.output, self.recipe)
        return Flow(
            [relaxation, document],
            output=document.output,
            name=f"{self.name} {ideal.reduced_formula}",
        )

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls the relaxation takes."""
        return 20
