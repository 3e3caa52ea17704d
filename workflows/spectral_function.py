"""Spectral functions: decorated supercells → relaxation → force constants → unfolding."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jobflow import Flow, Maker, Response, job
from pymatgen.core import Structure

from workflows.document_parts import StepCost, total_cost
from workflows.documents import RelaxationDocument
from workflows.errors import CannotCompute
from workflows.forces import joined, queue_forces
from workflows.kept_symmetry import space_group_number
from workflows.lattice_dynamics import harmonic, unfolding
from workflows.lattice_dynamics.cells import supercell_multiples
from workflows.recipes import SpectralFunctionRecipe
from workflows.relaxation import RelaxationMaker
from workflows.spectral_documents import (
    SpectralCurves,
    SpectralFunctionDocument,
    SupercellForcesDocument,
)
from workflows.target import TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy import Phonopy

    from workflows.engines import Engine
    from workflows.primitive_cells import Reduction

WEIGHTS_MUST_FIT = 1e-6
"""Weights at a wave vector that miss their sum by more are none."""
FREQUENCIES = 240
"""On the axis of A(q, ω)."""
ROOM = 4
"""Broadenings below the lowest mode and above the highest."""


class SpectralInputs(TargetInputs):
    """What a source may state of an alloy."""

    approximants: tuple[Structure, ...] = ()
    """Further decorated supercells of the same alloy; the spectral function is the mean."""


NO_INPUTS = SpectralInputs()


@dataclass
class SupercellForcesMaker(Maker):
    """Maker of one job: forces on a decorated supercell, each atom displaced in turn.

    Finite displacements, not random ones: of a cell without symmetry those leave force constants
    underdetermined, and nothing says so.

    Parameters
    ----------
    engine
        What computes forces.
    recipe
        Displacement, and the size up to which the supercell is repeated.
    """

    engine: Engine
    name: str = "forces of a supercell"
    recipe: SpectralFunctionRecipe = field(default_factory=SpectralFunctionRecipe)

    @job(output_schema=SupercellForcesDocument, data=["phonopy_params"])
    def make(
        self,
        relaxation: RelaxationDocument,
        chunks: list[dict[str, Any]] | None = None,
    ) -> SupercellForcesDocument | Response[SupercellForcesDocument]:
        """Compute the forces, here or in other jobs.

        Parameters
        ----------
        chunks
            Forces computed by other jobs; None computes them here, or queues those jobs.
        """
        structure = relaxation.structure
        common: dict[str, Any] = {
            "structure": structure,
            "volume_a3_per_atom": relaxation.volume_a3_per_atom,
            "provenance": self.engine.provenance(),
        }
        if relaxation.lost:
            return SupercellForcesDocument(lost=relaxation.lost, costs=[relaxation.cost], **common)
        started = time.perf_counter()
        model = self.model(structure)
        supercells = harmonic.harmonic_supercells(model)
        if chunks is None and len(supercells) > self.engine.inline_supercells:
            return queue_forces(
                self, structure, len(supercells), lambda chunks: self.make(relaxation, chunks)
            )
        forces, elsewhere_s = joined(chunks) if chunks else (self.engine.forces(supercells), 0.0)
        drift = harmonic.set_harmonic_forces(model, forces)
        seconds = time.perf_counter() - started + elsewhere_s
        return SupercellForcesDocument(
            acoustic_sum_rule_violation_ev_per_a2=drift,
            supercell_matrix=model.supercell_matrix.tolist(),
            phonopy_params=harmonic.phonopy_params(model),
            costs=[
                relaxation.cost,
                StepCost.of_force_calls("displacements", len(supercells), seconds),
            ],
            **common,
        )

    def model(self, structure: Structure) -> Phonopy:
        """Return the phonopy object with displacements and no forces."""
        a, b, c = structure.lattice.abc
        multiples = supercell_multiples(
            (a, b, c), len(structure), self.recipe.min_length_a, self.recipe.max_atoms
        )
        return harmonic.harmonic_model(structure, "P", np.diag(multiples), self.recipe.distance_a)

    def supercells(self, structure: Structure) -> list[Structure]:
        """Return the displaced supercells, the same ones in the same order every time."""
        return harmonic.harmonic_supercells(self.model(structure))


@dataclass
class SpectralFunctionMaker(TargetDefaults, Maker):
    """Maker of the whole flow for the decorated supercells of one alloy.

    Parameters
    ----------
    engine
        What computes forces and stresses in every step.
    recipe
        Which elements share a sublattice, displacement, path, broadening.
    """

    engine: Engine
    name: str = "spectral function"
    recipe: SpectralFunctionRecipe = field(default_factory=SpectralFunctionRecipe)
    inputs_model: ClassVar[type[TargetInputs]] = SpectralInputs

    def refusal(self, structure: Structure, inputs: SpectralInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a supercell, or None."""
        first = self._parent(structure)
        groups = " and ".join(
            "/".join(group) for group in unfolding.sharing(structure, self.recipe.mixed_elements)
        )
        if first is None:
            return (
                f"no smaller lattice is behind it when {groups} share a sublattice; give a "
                "supercell with the sites of the lattice, not relaxed ones, and see "
                "recipe.mixed_elements"
            )
        for number, other in enumerate(inputs.approximants, start=2):
            if other.composition.reduced_formula != structure.composition.reduced_formula:
                return (
                    f"its approximant {number} is {other.reduced_formula}: the mean of two "
                    "compositions is the spectral function of none"
                )
            parent = self._parent(other)
            if parent is None or not _same_lattice(first, parent):
                return f"its approximant {number} has not the same lattice behind it"
        return None

    def make(self, structure: Structure, inputs: SpectralInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is a `SpectralFunctionDocument`.

        Parameters
        ----------
        structure
            Decorated supercell, its sites those of the ideal lattice.

        Raises
        ------
        CannotCompute
            When it is none; see `refusal`.
        """
        self.check(structure, inputs)
        supercells = [structure, *inputs.approximants]
        relaxations = [
            RelaxationMaker(self.engine, f"relax {number}", self.recipe.relaxation).make(supercell)
            for number, supercell in enumerate(supercells, start=1)
        ]
        forces = [
            SupercellForcesMaker(self.engine, f"forces {number}", self.recipe).make(each.output)
            for number, each in enumerate(relaxations, start=1)
        ]
        document = spectral_document(self.recipe, supercells, [each.output for each in forces])
        return Flow(
            [*relaxations, *forces, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need for one supercell."""
        maker = SupercellForcesMaker(self.engine, recipe=self.recipe)
        return 40 + len(maker.supercells(structure))

    def _parent(self, structure: Structure) -> Reduction | None:
        return unfolding.parent_of(structure, self.recipe.mixed_elements)


@job(output_schema=SpectralFunctionDocument, data=["spectral_function"])
def spectral_document(
    recipe: SpectralFunctionRecipe,
    ideal: list[Structure],
    forces: list[SupercellForcesDocument],
) -> SpectralFunctionDocument:
    """Unfold the modes of all supercells and average.

    Parameters
    ----------
    ideal
        Decorated supercells with the sites of the lattice.
    forces
        On each of them, relaxed.

    Raises
    ------
    CannotCompute
        When the weights do not add up.
    """
    started = time.perf_counter()
    parents = [_parent_of(structure, recipe) for structure in ideal]
    parent = parents[0]
    costs = [cost for each in forces for cost in each.costs]
    common: dict[str, Any] = {
        "formula": ideal[0].reduced_formula,
        "structure": forces[0].structure,
        "supercells": len(ideal),
        "supercell_atoms": [len(structure) for structure in ideal],
        "parent_atoms": len(parent.primitive),
        "parent_space_group_number": space_group_number(parent.primitive),
        "broadening_thz": recipe.broadening_thz,
        "displacement_distance_a": recipe.distance_a,
        "volume_a3_per_atom": float(np.mean([each.volume_a3_per_atom for each in forces])),
        "provenance": forces[0].provenance,
        "no_error_reason": "" if len(ideal) > 1 else "one supercell alone has no spread",
    }
    lost = "; ".join(each.lost for each in forces if each.lost)
    if lost:
        return SpectralFunctionDocument(
            outcome="unstable", reason=lost, **total_cost(costs), **common
        )
    paths = [unfolding.path_of(each, recipe.path_points) for each in parents]
    modes = [
        unfolding.unfold(
            harmonic.load_phonopy_params(str(each.phonopy_params)),
            of_parent,
            np.concatenate(path.qpoints),
        )
        for each, of_parent, path in zip(forces, parents, paths, strict=True)
    ]
    error = max(
        unfolding.weight_error(each, of_parent)
        for each, of_parent in zip(modes, parents, strict=True)
    )
    if error > WEIGHTS_MUST_FIT:
        raise CannotCompute(
            f"{ideal[0].reduced_formula}: weights of unfolded modes add up to "
            f"3 × {len(parent.primitive)} only within {error:.1g}"
        )
    found = [
        unfolding.branches(each, of_parent) for each, of_parent in zip(modes, parents, strict=True)
    ]
    widths = [float(width.mean()) for _, width in found]
    low = min(float(each.frequency_thz.min()) for each in modes)
    high = max(float(each.frequency_thz.max()) for each in modes)
    costs.append(StepCost.of_force_calls("unfolding", 0, time.perf_counter() - started))
    stable = low >= recipe.stability_threshold_thz
    return SpectralFunctionDocument(
        outcome="computed" if stable else "unstable",
        reason=""
        if stable
        else f"imaginary modes: {low:.2f} THz, threshold {recipe.stability_threshold_thz:.2f} THz",
        spectral_width_thz=float(np.mean(widths)) if stable else None,
        spectral_width_error_thz=float(np.std(widths, ddof=1) / np.sqrt(len(widths)))
        if stable and len(widths) > 1
        else None,
        min_frequency_thz=low,
        max_frequency_thz=high,
        weight_error=error,
        acoustic_sum_rule_violation_ev_per_a2=max(
            each.acoustic_sum_rule_violation_ev_per_a2 or 0.0 for each in forces
        ),
        spectral_function=_curves(paths[0], modes, found, recipe.broadening_thz, (low, high)),
        **total_cost(costs),
        **common,
    )


def _parent_of(structure: Structure, recipe: SpectralFunctionRecipe) -> Reduction:
    parent = unfolding.parent_of(structure, recipe.mixed_elements)
    if parent is None:
        raise CannotCompute(f"{structure.reduced_formula}: no smaller lattice is behind it")
    return parent


def _same_lattice(first: Reduction, second: Reduction) -> bool:
    """Return whether two lattices are one, in any cell and frame, but for their scale."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    same: bool = StructureMatcher(primitive_cell=False).fit(first.primitive, second.primitive)
    return same


def _curves(
    path: unfolding.Path,
    modes: list[unfolding.UnfoldedModes],
    branches: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    broadening_thz: float,
    ends_thz: tuple[float, float],
) -> SpectralCurves:
    low = min(0.0, ends_thz[0] - ROOM * broadening_thz)
    grid = np.linspace(low, ends_thz[1] + ROOM * broadening_thz, FREQUENCIES)
    intensity = unfolding.spectral_function(modes, grid, broadening_thz)
    mean = np.mean([frequency for frequency, _ in branches], axis=0)
    width = np.mean([of_branch for _, of_branch in branches], axis=0)
    cuts = np.cumsum([len(segment) for segment in path.qpoints])[:-1]

    def segments(values: NDArray[np.float64]) -> list[list[list[float]]]:
        return [part.round(4).tolist() for part in np.split(values, cuts)]

    return SpectralCurves(
        distance_per_a=[segment.round(5).tolist() for segment in path.distance_per_a],
        labels=path.labels,
        frequency_thz=grid.round(5).tolist(),
        intensity_per_thz=segments(intensity),
        branch_frequency_thz=segments(mean),
        branch_width_thz=segments(width),
    )
