"""Elasticity of a crystal: relaxation → strained cells → elastic tensor → sound, Slack's κ."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker, job

from workflows import elasticity_analysis
from workflows.constants import ROOM_TEMPERATURE_K
from workflows.document_parts import StepCost, total_cost
from workflows.documents import ElasticityDocument, RelaxationDocument
from workflows.recipes import ElasticityRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from pymatgen.analysis.elasticity import ElasticTensor
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class ElasticTensorMaker(Maker):
    """Maker of one job: all strained cells of a relaxed crystal, and what their stresses say.

    Parameters
    ----------
    engine
        What computes forces and stresses; its `compares_cells` must be true.
    recipe
        Strain and tolerances.
    """

    engine: Engine
    name: str = "elastic tensor"
    recipe: ElasticityRecipe = field(default_factory=ElasticityRecipe)

    @job(output_schema=ElasticityDocument)
    def make(self, relaxation: RelaxationDocument) -> ElasticityDocument:
        """Relax the positions in each strained cell; fit the tensor to the stresses."""
        started = time.perf_counter()
        structure = relaxation.structure
        cells, strained = [], []
        if not relaxation.lost:
            cells = elasticity_analysis.strained_cells(structure, self.recipe.strain_fraction)
        for cell in cells:
            strained.append(
                self.engine.relax(cell.structure, self.recipe.relaxation, fixed_cell=True)
            )
            if strained[-1].lost:
                break
        costs = [
            relaxation.cost,
            StepCost.of_force_calls(
                "strained cells",
                sum(cell.cost.cost for cell in strained),
                time.perf_counter() - started,
            ),
        ]
        lost = next((cell.lost for cell in (relaxation, *strained) if cell.lost), "")
        found = (
            {"outcome": "unstable", "reason": lost}
            if lost
            else self._tensor_fields(structure, cells, [cell.stress_gpa or [] for cell in strained])
        )
        return ElasticityDocument(
            **found,
            formula=structure.reduced_formula,
            structure=structure,
            strain_fraction=self.recipe.strain_fraction,
            strained_cells=len(strained),
            strained=strained,
            volume_a3_per_atom=relaxation.volume_a3_per_atom,
            **total_cost(costs),
            provenance=self.engine.provenance(),
        )

    def _tensor_fields(
        self,
        structure: Structure,
        cells: list[elasticity_analysis.StrainedCell],
        stresses_gpa: list[list[float]],
    ) -> dict[str, Any]:
        """Return what the stresses of all strained cells say."""
        tensor, asymmetry_gpa = elasticity_analysis.elastic_tensor(structure, cells, stresses_gpa)
        lowest_gpa = elasticity_analysis.lowest_eigenvalue_gpa(tensor)
        threshold_gpa = self.recipe.stability_threshold_gpa
        atoms = elasticity_analysis.primitive_atoms(structure)
        found = {
            "elastic_tensor_gpa": tensor.voigt.round(4).tolist(),
            "min_eigenvalue_gpa": lowest_gpa,
            "asymmetry_gpa": asymmetry_gpa,
            "primitive_atoms": atoms,
        }
        if lowest_gpa > threshold_gpa:
            return {**found, "outcome": "computed", **derived_fields(tensor, structure, atoms)}
        return {
            **found,
            "outcome": "unstable",
            "reason": (
                f"mechanically unstable: lowest eigenvalue of the elastic tensor "
                f"{lowest_gpa:.2f} GPa, threshold {threshold_gpa:.2f} GPa"
            ),
        }


@dataclass
class ElasticityMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one crystal.

    Parameters
    ----------
    engine
        What computes forces and stresses in every step.
    recipe
        Strain and tolerances.
    """

    engine: Engine
    name: str = "elasticity"
    recipe: ElasticityRecipe = field(default_factory=ElasticityRecipe)

    def refusal(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a crystal, or None."""
        if self.engine.compares_cells:
            return None
        return (
            f"engine '{self.engine.name}' chooses its k-points by the cell: stresses of strained "
            "cells cannot be compared"
        )

    def make(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is an `ElasticityDocument`.

        Raises
        ------
        CannotCompute
            When the engine cannot do it; see `refusal`.
        """
        self.check(structure)
        relaxation = RelaxationMaker(self.engine, recipe=self.recipe.relaxation).make(structure)
        document = ElasticTensorMaker(self.engine, recipe=self.recipe).make(relaxation.output)
        return Flow(
            [relaxation, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need: 20 to relax, 6 a strained cell."""
        cells = elasticity_analysis.strained_cells(structure, self.recipe.strain_fraction)
        return 20 + 6 * len(cells)


def derived_fields(
    tensor: ElasticTensor, structure: Structure, primitive_atoms: int
) -> dict[str, float]:
    """Return the fields of the document that follow from a positive definite tensor."""
    bulk_gpa, shear_gpa = float(tensor.k_vrh), float(tensor.g_vrh)
    longitudinal, transverse = tensor.long_v(structure), tensor.trans_v(structure)
    poisson = float(tensor.homogeneous_poisson)
    gruneisen = elasticity_analysis.gruneisen_parameter(poisson)
    debye_k = float(tensor.debye_temperature(structure))
    acoustic_k = elasticity_analysis.acoustic_debye_temperature_k(debye_k, primitive_atoms)
    return {
        "bulk_modulus_gpa": bulk_gpa,
        "shear_modulus_gpa": shear_gpa,
        "poisson_ratio": poisson,
        "pugh_ratio": bulk_gpa / shear_gpa,
        "universal_anisotropy": float(tensor.universal_anisotropy),
        "longitudinal_velocity_m_per_s": float(longitudinal),
        "transverse_velocity_m_per_s": float(transverse),
        "mean_velocity_m_per_s": float((3 / (longitudinal**-3 + 2 * transverse**-3)) ** (1 / 3)),
        "debye_temperature_k": debye_k,
        "acoustic_debye_temperature_k": acoustic_k,
        "gruneisen_parameter": gruneisen,
        "slack_kappa_300k_w_per_m_k": elasticity_analysis.slack_kappa_w_per_m_k(
            float(structure.composition.weight) / len(structure),
            structure.volume / len(structure),
            primitive_atoms,
            acoustic_k,
            gruneisen,
            ROOM_TEMPERATURE_K,
        ),
    }
