"""Lattice thermal conductivity of a crystal: relaxation → phonons → stability gate → κ."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jobflow import Flow, Job, Maker, Response, job

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.dielectric import DielectricMaker
from workflows.document_parts import StepCost, total_cost
from workflows.documents import (
    DielectricDocument,
    MeshConductivity,
    PhononDocument,
    RelaxationDocument,
    ThermalConductivityDocument,
)
from workflows.effective_conductivity import EffectiveConductivity
from workflows.engines import supercells_are_dear
from workflows.errors import CannotCompute
from workflows.few_shot import FewShotMaker
from workflows.force_convergence import ForceConvergenceMaker
from workflows.forces import joined, queue_forces
from workflows.lattice_dynamics import (
    capability,
    dielectric_tensors,
    harmonic,
    third_order,
    transport,
)
from workflows.lattice_dynamics.cells import (
    conventional_cell,
    supercell_matrix,
)
from workflows.phonons import PhononMaker
from workflows.recipes import (
    EffectiveForceConstantsRecipe,
    PhononRecipe,
    ThermalConductivityRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
)
from workflows.relaxation import RelaxationMaker
from workflows.solved_transport import (
    common_fields,
    kappa_fields,
    solve_transport,
    transport_fields,
    unstable_document,
)
from workflows.target import TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from phono3py import Phono3py
    from pymatgen.core import Structure

    from workflows.engines import Engine
    from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants, ThirdOrderPlan


@dataclass
class ConductivityMaker(Maker):
    """Maker of the anharmonic step: third-order force constants and κ.

    Parameters
    ----------
    engine
        What computes forces.
    third_order
        How third-order force constants are sampled.
    transport
        Temperatures, q-meshes, scattering.
    unstable
        What is done with a crystal that has imaginary modes; see `ThermalConductivityRecipe`.
    effective_force_constants
        How self-consistent force constants at 300 K are looked for, of a crystal that has imaginary
        modes; None leaves it out.  Not with an engine whose supercells are dear.
    """

    engine: Engine
    name: str = "conductivity"
    third_order: ThirdOrderRecipe = field(default_factory=ThirdOrderRecipe)
    transport: TransportRecipe = field(default_factory=TransportRecipe)
    unstable: Literal["auto", "estimate", "stop"] = "auto"
    effective_force_constants: EffectiveForceConstantsRecipe | None = field(
        default_factory=EffectiveForceConstantsRecipe
    )

    @job(
        output_schema=ThermalConductivityDocument,
        data=["spectrum", "transport", "phono3py_params", "thermal_force_constants"],
    )
    def make(
        self,
        relaxation: RelaxationDocument,
        phonons: PhononDocument,
        chunks: list[dict[str, Any]] | None = None,
    ) -> ThermalConductivityDocument | Response[ThermalConductivityDocument]:
        """Compute κ, or of a crystal with imaginary modes what is left without them.

        Parameters
        ----------
        relaxation, phonons
            Documents of the two steps before.
        chunks
            Forces computed by other jobs; None computes them here, or queues those jobs.
        """
        if phonons.lost or not (phonons.stable or self._estimates_unstable()):
            return unstable_document(self.engine, relaxation, phonons)
        started = time.perf_counter()
        plan = self.plan(relaxation.structure)
        supercells = third_order.third_order_supercells(plan)
        if chunks is None and len(supercells) > self.engine.inline_supercells:
            return queue_forces(
                self,
                relaxation.structure,
                len(supercells),
                lambda chunks: self.make(relaxation, phonons, chunks),
            )
        forces, elsewhere_s = joined(chunks) if chunks else (self.engine.forces(supercells), 0.0)
        third_order.set_third_order_forces(plan, forces)
        forces_s = time.perf_counter() - started + elsewhere_s
        return self._measured(relaxation, phonons, plan, len(supercells), forces_s)

    def _estimates_unstable(self) -> bool:
        cheap = self.unstable == "auto" and not supercells_are_dear(self.engine)
        return self.unstable == "estimate" or cheap

    def _wanted_effective(self) -> EffectiveForceConstantsRecipe | None:
        return None if supercells_are_dear(self.engine) else self.effective_force_constants

    def plan(self, structure: Structure) -> ThirdOrderPlan:
        """Return the displacements for third-order force constants."""
        cell, centring = conventional_cell(structure)
        recipe = self.third_order
        matrix = supercell_matrix(cell, recipe.min_length_a, recipe.max_atoms)
        return third_order.plan_third_order(cell, centring, matrix, recipe)

    def supercells(self, structure: Structure) -> list[Structure]:
        """Return the displaced supercells, the same ones in the same order every time."""
        return third_order.third_order_supercells(self.plan(structure))

    def _measured(
        self,
        relaxation: RelaxationDocument,
        phonons: PhononDocument,
        plan: ThirdOrderPlan,
        force_calls: int,
        forces_s: float,
    ) -> ThermalConductivityDocument:
        started = time.perf_counter()
        phonon = harmonic.load_phonopy_params(str(phonons.phonopy_params))
        force_constants = third_order.fit_third_order(plan)
        fewer = self._fewer_pairs(plan)
        subset = None
        if fewer is not None:
            # Without them the fit may fail, and its error bar is not known then.
            with contextlib.suppress(CannotCompute):
                subset = third_order.fit_third_order(plan, fewer)
        plan.forget_bases()
        solved = solve_transport(
            relaxation.structure,
            phonon,
            plan,
            force_constants,
            self.transport,
            stable=phonons.stable,
        )
        relative_fit_error = None
        if plan.pairs is not None and fewer is not None and subset is not None:
            change = self._change(subset, solved.model, solved.meshes[0])
            if change is not None:
                relative_fit_error = change * math.sqrt(fewer / (plan.pairs - fewer))
        fields = transport_fields(solved, phonons)
        costs = [
            StepCost.of_force_calls("third-order forces", force_calls, forces_s),
            StepCost.of_force_calls("transport", 0, time.perf_counter() - started),
        ]
        if (wanted := self._wanted_effective()) is not None and not phonons.stable:
            found = EffectiveConductivity(
                relaxation.structure, phonons, phonon, plan, force_constants
            )
            effective, cost = found.fields(self.engine, wanted, self.transport)
            fields |= effective
            costs.append(cost)
        return ThermalConductivityDocument(
            **kappa_fields(phonons, solved, relative_fit_error),
            **common_fields(self.engine, relaxation, phonons, *costs),
            **fields,
            third_order_route=self.third_order.route,
            third_order_supercell_matrix=plan.model.supercell_matrix.tolist(),
            third_order_supercells=force_calls,
            third_order_basis_size=plan.basis_size,
            third_order_cutoff_a=self.third_order.cutoff_a,
            displacement_distance_a=self.third_order.distance_a,
        )

    def _fewer_pairs(self, plan: ThirdOrderPlan) -> int | None:
        """Return of how many random pairs κ is computed again, for the error bar of the fit.

        The relative standard error that the choice of pairs leaves is the change of κ on the
        coarsest mesh when d of the n pairs (about one in four) are left out, times √((n − d)/d): of
        two nested fits the smaller differs from the larger by less than either from the truth.
        None where it is not known: finite displacements are not fitted, and the last pairs may be
        needed to determine the fit.
        """
        if plan.pairs is None:
            return None
        fewer = plan.pairs - max(1, plan.pairs // 4)
        while fewer < plan.pairs and not third_order.is_determined(plan, fewer):
            fewer += 1
        return fewer if fewer < plan.pairs else None

    def _change(
        self, subset: ThirdOrderForceConstants, model: Phono3py, coarsest: MeshConductivity
    ) -> float | None:
        """Return by which share κ differs with the force constants of fewer pairs."""
        if coarsest.kappa_300k_w_per_m_k == 0:
            return None
        complete = model.fc3, model.fc3_nonzero_indices
        model.fc3, model.fc3_nonzero_indices = subset.third_order, subset.nonzero
        changed = transport.conductivity(
            model, coarsest.mesh, [ROOM_TEMPERATURE_K], isotopes=self.transport.isotopes
        ).isotropic_w_per_m_k(ROOM_TEMPERATURE_K)
        model.fc3, model.fc3_nonzero_indices = complete
        return abs(changed / coarsest.kappa_300k_w_per_m_k - 1)


@job(
    output_schema=ThermalConductivityDocument,
    data=["spectrum", "transport", "phono3py_params", "thermal_force_constants"],
)
def with_supercell_check(
    document: ThermalConductivityDocument, larger: ThermalConductivityDocument
) -> ThermalConductivityDocument:
    """Return the document with κ from larger supercells, and the cost of both, in it."""
    costs = [*document.costs]
    # Relaxation and Born charges are shared.
    costs += [
        cost.model_copy(update={"step": f"{cost.step.split(',')[0]}, larger supercell"})
        for cost in larger.costs
        if cost.step not in ("relaxation", "dielectric")
    ]
    return document.model_copy(
        update={
            "kappa_300k_larger_supercell_w_per_m_k": larger.kappa_300k_w_per_m_k,
            **total_cost(costs),
        }
    )


class ThermalConductivityInputs(TargetInputs):
    """What a source may state of a crystal."""

    dielectric: DielectricDocument | None = None
    """Born charges and ε∞ of any cell of it; None lets the engine compute them where it can."""


NO_INPUTS = ThermalConductivityInputs()

CONVERGENCE_CALLS = 3
"""Calculations on a small cell that tell whether forces are converged, where they are."""


@dataclass
class ThermalConductivityMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one crystal.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses in every step.
    recipe
        Settings of all steps.
    """

    engine: Engine
    name: str = "thermal conductivity"
    recipe: ThermalConductivityRecipe = field(default_factory=ThermalConductivityRecipe)
    inputs_model: ClassVar[type[TargetInputs]] = ThermalConductivityInputs

    def refusal(
        self, structure: Structure, inputs: ThermalConductivityInputs = NO_INPUTS
    ) -> str | None:
        """Return why `make` cannot take a crystal, or None."""
        dielectric = inputs.dielectric
        reason = capability.refusal(structure, self.recipe)
        if self.recipe.supercell_check and self.route == "few-shot":
            return "supercell_check is not there for the route few-shot; leave one of them out"
        if reason is None and dielectric is not None and self.recipe.nac != "off":
            reason = dielectric_tensors.implausible(dielectric)
            try:
                dielectric_tensors.in_cell(dielectric, structure)
            except CannotCompute as error:
                reason = reason or str(error).partition(": ")[2]
            if reason is not None:
                reason += "; correct them, or set nac: off"
        return reason

    def make(self, structure: Structure, inputs: ThermalConductivityInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is a `ThermalConductivityDocument`.

        Parameters
        ----------
        structure
            Primitive cell.
        inputs
            What is known of it.

        Raises
        ------
        CannotCompute
            When the crystal cannot be computed; see `refusal`.
        """
        self.check(structure, inputs)
        dielectric = inputs.dielectric
        relaxation_maker, phonon_maker, conductivity_maker = self._makers()
        jobs: list[Flow | Job] = []
        converged: Any = None
        raised: Any = None
        if check := self._convergence_check():
            first = check.make(structure)
            jobs.append(first)
            converged, raised = first.output, first.output.raised
        relaxation = relaxation_maker.make(structure, raised)
        lost = relaxation.output.lost
        jobs.append(relaxation)
        tensors: Any = None
        unrelaxed = None
        if reason := self._without_nac(structure, dielectric):
            tensors = DielectricDocument(
                structure=structure, source=self.engine.name, reason=reason
            )
        elif dielectric is not None:
            tensors = dielectric_tensors.in_cell(dielectric, structure)
            unrelaxed = structure
        else:
            response = DielectricMaker(self.engine).make(
                relaxation.output.structure, lost=lost, raised=raised
            )
            jobs.append(response)
            tensors = response.output
        crystal = relaxation.output.structure
        name = f"{self.name} {structure.reduced_formula}"
        if self.route == "few-shot":
            few_shot = self._few_shot()
            prior = few_shot.prior(crystal, lost=lost)
            prior.name = "prior"
            jobs.append(prior)
            found = few_shot.make(
                relaxation.output, prior.output, prior.uuid, tensors, unrelaxed, converged
            )
            return Flow([*jobs, found], output=found.output, name=name)
        phonons = phonon_maker.make(crystal, tensors, unrelaxed=unrelaxed, lost=lost)
        conductivity = conductivity_maker.make(relaxation.output, phonons.output)
        jobs += [phonons, conductivity]
        if self.recipe.supercell_check:
            larger = _with_larger_supercells(self.recipe, structure)
            _, phonon_maker, conductivity_maker = replace(self, recipe=larger)._makers()
            phonon_maker.name = "phonons, larger supercell"
            conductivity_maker.name = "conductivity, larger supercell"
            phonons = phonon_maker.make(crystal, tensors, unrelaxed=unrelaxed, lost=lost)
            other = conductivity_maker.make(relaxation.output, phonons.output)
            conductivity = with_supercell_check(conductivity.output, other.output)
            jobs += [phonons, other, conductivity]
        return Flow(
            jobs,
            output=conductivity.output,
            name=name,
        )

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need, relaxation taken as 20 steps."""
        if self.route == "few-shot":
            check = 0 if self._convergence_check() is None else CONVERGENCE_CALLS
            return 20 + check + self._few_shot().typical_supercells(structure)
        _, phonon_maker, conductivity_maker = self._makers()
        displaced = len(phonon_maker.supercells(structure))
        return 20 + displaced + len(conductivity_maker.supercells(structure))

    @property
    def route(self) -> str:
        """How third-order force constants are computed with this engine."""
        route = self.recipe.third_order.route
        if route != "auto":
            return route
        return "few-shot" if supercells_are_dear(self.engine) else "random-pairs"

    def _convergence_check(self) -> ForceConvergenceMaker | None:
        """Return the Maker that checks first-principles forces before few snapshots are trusted."""
        limits, cells = self.recipe.force_convergence, self.recipe.third_order
        if limits is None or self.route != "few-shot" or not self.engine.checks_convergence:
            return None
        return ForceConvergenceMaker(
            self.engine, recipe=limits, min_length_a=cells.min_length_a, max_atoms=cells.max_atoms
        )

    def _few_shot(self) -> FewShotMaker:
        recipe = self.recipe
        return FewShotMaker(
            self.engine,
            phonons=recipe.phonons,
            third_order=recipe.third_order,
            transport=recipe.transport,
            unstable=recipe.unstable,
        )

    def _without_nac(
        self, structure: Structure, dielectric: DielectricDocument | None
    ) -> str | None:
        """Return why the non-analytical term is left out; None where Born charges are to be had."""
        if self.recipe.nac == "off":
            return "the recipe says nac: off"
        if dielectric is not None:
            return None
        if len(structure.composition.elements) == 1:
            # With inversion symmetry between its atoms Born charges vanish; in the other crystals
            # of one element they are tiny.
            return "a crystal of one element"
        if not self.engine.gives_dielectric:
            return f"engine '{self.engine.name}' gives no Born charges, and the source states none"
        return None

    def _makers(self) -> tuple[RelaxationMaker, PhononMaker, ConductivityMaker]:
        recipe = self.recipe
        third_order = recipe.third_order.model_copy(update={"route": self.route})
        return (
            RelaxationMaker(self.engine, recipe=recipe.relaxation),
            PhononMaker(self.engine, recipe=recipe.phonons),
            ConductivityMaker(
                self.engine,
                third_order=third_order,
                transport=recipe.transport,
                unstable=recipe.unstable,
                effective_force_constants=recipe.effective_force_constants,
            ),
        )


def _with_larger_supercells(
    recipe: ThermalConductivityRecipe, structure: Structure
) -> ThermalConductivityRecipe:
    """Return the recipe with the next larger supercells of a crystal, however many atoms."""
    cell, _ = conventional_cell(structure)

    def larger(part: PhononRecipe | ThirdOrderRecipe) -> dict[str, Any]:
        matrix = supercell_matrix(cell, part.min_length_a, part.max_atoms)
        edges_a = np.diag(matrix) * cell.lattice.abc
        # A little beyond the shortest edge: at least that one gets a multiple more.
        return {"min_length_a": float(1.05 * edges_a.min()), "max_atoms": 10_000}

    return recipe.model_copy(
        update={
            "effective_force_constants": None,
            "phonons": recipe.phonons.model_copy(update=larger(recipe.phonons)),
            "third_order": recipe.third_order.model_copy(update=larger(recipe.third_order)),
        }
    )
