"""Harmonic phonons of a relaxed crystal and the verdict of the stability gate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Maker, Response, job

from workflows.document_parts import StepCost
from workflows.documents import DielectricDocument, PhononDocument
from workflows.errors import CannotCompute
from workflows.forces import joined, queue_forces
from workflows.lattice_dynamics import dielectric_tensors, harmonic
from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
from workflows.recipes import PhononRecipe

if TYPE_CHECKING:
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class PhononMaker(Maker):
    """Maker of the harmonic step.

    Parameters
    ----------
    engine
        What computes forces.
    recipe
        Supercell, displacement, stability threshold.
    """

    engine: Engine
    name: str = "phonons"
    recipe: PhononRecipe = field(default_factory=PhononRecipe)

    @job(output_schema=PhononDocument, data=["spectrum", "phonopy_params"])
    def make(
        self,
        structure: Structure,
        dielectric: DielectricDocument | None = None,
        chunks: list[dict[str, Any]] | None = None,
        unrelaxed: Structure | None = None,
        lost: str = "",
    ) -> PhononDocument | Response[PhononDocument]:
        """Compute forces, force constants, stability, density of states and bands.

        Parameters
        ----------
        structure
            Relaxed crystal.
        dielectric
            Born charges and ε∞, for the non-analytical term correction.
        chunks
            Forces computed by other jobs; None computes them here, or queues those jobs.
        unrelaxed
            The crystal before its relaxation, where `dielectric` is of that cell.
        lost
            How its relaxation lost the crystal: nothing is computed then.
        """
        if lost:
            return PhononDocument.of_lost_crystal(lost, self.name, self.engine.provenance())
        started = time.perf_counter()
        model = self.model(structure)
        supercells = harmonic.harmonic_supercells(model)
        if chunks is None and len(supercells) > self.engine.inline_supercells:
            return queue_forces(
                self,
                structure,
                len(supercells),
                lambda chunks: self.make(structure, dielectric, chunks, unrelaxed),
            )
        forces, elsewhere_s = joined(chunks) if chunks else (self.engine.forces(supercells), 0.0)
        drift = harmonic.set_harmonic_forces(model, forces)
        seconds = time.perf_counter() - started + elsewhere_s
        return harmonic_document(
            model,
            self.recipe,
            with_dielectric(model, structure, dielectric, unrelaxed),
            acoustic_sum_rule_violation_ev_per_a2=drift,
            displacement_distance_a=self.recipe.distance_a,
            cost=StepCost.of_force_calls(self.name, len(supercells), seconds),
            provenance=self.engine.provenance(),
            phonopy_params=harmonic.phonopy_params(model),
        )

    def model(self, structure: Structure) -> Phonopy:
        """Return the phonopy object with displacements and no forces."""
        cell, centring = conventional_cell(structure)
        matrix = supercell_matrix(cell, self.recipe.min_length_a, self.recipe.max_atoms)
        return harmonic.harmonic_model(cell, centring, matrix, self.recipe.distance_a)

    def supercells(self, structure: Structure) -> list[Structure]:
        """Return the displaced supercells, the same ones in the same order every time."""
        return harmonic.harmonic_supercells(self.model(structure))


def harmonic_document(
    model: Phonopy, recipe: PhononRecipe, dielectric: DielectricDocument | None, **more: Any
) -> PhononDocument:
    """Return the document of a model with force constants: stability, spectrum, Born charges.

    Parameters
    ----------
    dielectric
        What `with_dielectric` returned for the model.
    more
        Fields of the document that depend on where the force constants are from.
    """
    gate = harmonic.stability(model, recipe.stability_mesh_length_a)
    return PhononDocument(
        stable=gate.min_frequency_thz >= recipe.stability_threshold_thz,
        min_frequency_thz=gate.min_frequency_thz,
        max_frequency_thz=gate.max_frequency_thz,
        stability_threshold_thz=recipe.stability_threshold_thz,
        stability_mesh=gate.mesh,
        supercell_matrix=model.supercell_matrix.tolist(),
        supercell_atoms=len(model.supercell),
        **_nac(dielectric),
        spectrum=harmonic.spectrum(model, recipe.spectrum_mesh_length_a),
        **more,
    )


def with_dielectric(
    model: Phonopy,
    structure: Structure,
    dielectric: DielectricDocument | None,
    unrelaxed: Structure | None,
) -> DielectricDocument | None:
    """Give a model its Born charges; return the document, or one that says why it has none.

    A correction that cannot be had must not cost the number it would correct.
    """
    if dielectric is None or dielectric.born_charges_e is None:
        return dielectric
    if unrelaxed is not None:
        dielectric = dielectric_tensors.relaxed(dielectric, unrelaxed, structure)
    try:
        harmonic.add_dielectric(model, dielectric)
    except CannotCompute as error:
        without = {"born_charges_e": None, "dielectric_tensor": None, "reason": str(error)}
        return dielectric.model_copy(update=without)
    return dielectric


def _nac(dielectric: DielectricDocument | None) -> dict[str, Any]:
    """Return what a document says of the non-analytical term correction."""
    if dielectric is None:
        return {"nac": False, "nac_reason": "no Born charges were given"}
    found: dict[str, Any] = {"nac": dielectric.born_charges_e is not None}
    found["nac_source"] = dielectric.source if found["nac"] else None
    found["nac_reason"] = dielectric.reason
    if dielectric.wall_s:
        found["dielectric_cost"] = StepCost.of_force_calls("dielectric", 0, dielectric.wall_s)
    return found
