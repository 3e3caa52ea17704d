"""Insertion electrodes: the discharged crystal and the charged one → volume change and voltage."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from jobflow import Flow, Job, Maker, job
from pymatgen.core import Structure

from workflows import insertion_analysis
from workflows.document_parts import StepCost, total_cost
from workflows.documents import ElectrodeState, InsertionDocument, RelaxationDocument, VoltageStep
from workflows.energy_basis import basis_of, check_one_cutoff
from workflows.errors import CannotCompute
from workflows.recipes import InsertionRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from workflows.engines import Engine


class InsertionInputs(TargetInputs):
    """What a source may state of an electrode."""

    charged: Structure | None = None
    """Charged crystal, in any cell; None takes the working ions out of the discharged one."""
    working_ion: str | None = None
    """Symbol, where the recipe names none."""
    remaining_fraction: float | None = None
    """Of the working ions, left in the charged crystal; None takes the recipe's."""
    oxidation_states: dict[str, float] | None = None
    """By element, for the electrostatic energy of partly emptied crystals; None guesses them."""
    energy_above_hull_ev_per_atom: float | None = None
    """Of the discharged crystal, where the source knows it; only passed on."""


NO_INPUTS = InsertionInputs()


@dataclass
class InsertionMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one electrode.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses in every step.
    recipe
        Working ion, compositions, tolerances.
    """

    engine: Engine
    name: str = "insertion"
    recipe: InsertionRecipe = field(default_factory=InsertionRecipe)
    inputs_model: ClassVar[type[TargetInputs]] = InsertionInputs

    def refusal(self, structure: Structure, inputs: InsertionInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a crystal, or None."""
        ion, charged = self._ion(structure, inputs), inputs.charged
        if ion is None:
            known = self._wanted(inputs) or f"working ion ({', '.join(insertion_analysis.SOUGHT)})"
            return f"it holds no {known} that could leave"
        if ion not in insertion_analysis.ION_CHARGES:
            return (
                f"{ion} is not among the working ions: {', '.join(insertion_analysis.ION_CHARGES)}"
            )
        taken = self.engine.supported_elements()
        if taken is not None and ion not in taken:
            return f"engine '{self.engine.name}' does not know {ion}"
        if reason := self.engine.why_incomparable(insertion_analysis.metal_of(ion)):
            return f"its voltage is against {ion} metal: {reason}"
        host = insertion_analysis.host_composition(structure, ion)
        if not host:
            return f"nothing is left of it when the {ion} leaves"
        if (
            charged is None
            and {element.symbol for element in host.elements} <= insertion_analysis.ANIONS
        ):
            left = host.reduced_formula
            return f"only {left} is left of it when the {ion} leaves: no host to insert into"
        if charged is None:
            try:
                self._counts(structure, ion, self._left(inputs))
            except ValueError as error:
                return str(error).partition(": ")[2]
            return None
        if {element.symbol for element in host.elements} <= insertion_analysis.ANIONS and (
            reason := self.engine.why_incomparable(structure)
            or self.engine.why_incomparable(charged)
        ):
            return reason
        if self.recipe.intermediate_steps:
            return "its charged crystal is given, and intermediate_steps needs one made from it"
        other = insertion_analysis.host_composition(charged, ion)
        if other.reduced_formula != host.reduced_formula:
            return (
                f"its charged crystal has the host {other.reduced_formula}, not "
                f"{host.reduced_formula}"
            )
        ions = [
            insertion_analysis.state_of(crystal, ion, 0.0).ions for crystal in (charged, structure)
        ]
        if ions[0] >= ions[1]:
            return f"its charged crystal holds no less {ion} than the discharged one"
        return None

    def known_beforehand(
        self, structure: Structure, inputs: InsertionInputs = NO_INPUTS
    ) -> dict[str, float | None]:
        """Return fields of the document that are known before anything is computed."""
        ion = self._ion(structure, inputs)
        if ion is None:
            return {}
        discharged = insertion_analysis.state_of(structure, ion, 0.0)
        leaving = (
            discharged.ions * (1 - self._left(inputs))
            if inputs.charged is None
            else discharged.ions - insertion_analysis.state_of(inputs.charged, ion, 0.0).ions
        )
        capacity = insertion_analysis.gravimetric_capacity_mah_per_g(
            discharged, leaving, insertion_analysis.ION_CHARGES[ion]
        )
        return {
            "gravimetric_capacity_mah_per_g": capacity,
            "energy_above_hull_ev_per_atom": inputs.energy_above_hull_ev_per_atom,
        }

    def make(self, structure: Structure, inputs: InsertionInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is an `InsertionDocument`.

        Parameters
        ----------
        structure
            Discharged crystal.
        inputs
            What is known of the electrode.

        Raises
        ------
        CannotCompute
            When the crystal is no discharged electrode; see `refusal`.
        """
        self.check(structure, inputs)
        ion, charged = self._ion(structure, inputs), inputs.charged
        assert ion is not None
        crystals = {"discharged": structure}
        if charged is not None:
            crystals["charged"] = charged
        else:
            cell, counts = self._counts(structure, ion, self._left(inputs))
            crystals["discharged"] = cell
            for stay, name in counts.items():
                if stay == 0:
                    crystals[name] = insertion_analysis.host_of(cell, ion)
                    continue
                most = 1 if name == "charged" else self.recipe.max_orderings
                found = insertion_analysis.orderings(cell, ion, stay, most, inputs.oxidation_states)
                for number, crystal in enumerate(found, start=1):
                    crystals[name if most == 1 else f"{name}, ordering {number}"] = crystal
        crystals[f"{ion} metal"] = insertion_analysis.metal_of(ion)
        jobs: list[Job] = []
        for name, crystal in crystals.items():
            maker = RelaxationMaker(
                self.engine, f"relax {name}", self.recipe.relaxation, comparable_energy=True
            )
            jobs.append(maker.make(crystal))
        document = insertion_document(
            [job.output for job in jobs[:-1]],
            jobs[-1].output,
            ion,
            same_cell=charged is None,
            energy_above_hull_ev_per_atom=inputs.energy_above_hull_ev_per_atom,
        )
        return Flow(
            [*jobs, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    def _wanted(self, inputs: InsertionInputs) -> str | None:
        """Return the working ion asked for: the recipe's before the source's."""
        return self.recipe.working_ion or inputs.working_ion

    def _ion(self, structure: Structure, inputs: InsertionInputs) -> str | None:
        return insertion_analysis.working_ion_of(structure, self._wanted(inputs))

    def _left(self, inputs: InsertionInputs) -> float:
        left = inputs.remaining_fraction
        return self.recipe.remaining_fraction if left is None else left

    def _counts(
        self, structure: Structure, ion: str, left: float
    ) -> tuple[Structure, dict[int, str]]:
        """Return a cell that is large enough, and how many ions stay in each composition.

        Raises
        ------
        ValueError
            When no cell of bearable size is large enough.
        """
        steps = self.recipe.intermediate_steps

        def wanted(ions: int) -> bool:
            stay = round(left * ions)
            whole = abs(left * ions - stay) < 1e-3 and stay < ions and (stay > 0) == (left > 0)
            return whole and ions - stay > steps

        cell = insertion_analysis.large_enough(structure, ion, wanted)
        ions = insertion_analysis.count_of(cell, ion)
        least = round(left * ions)
        counts = {least: "charged"}
        for step in range(1, steps + 1):
            stay = round(least + (ions - least) * step / (steps + 1))
            counts.setdefault(stay, f"step {step}")
        return cell, counts

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need: 60 a relaxation."""
        compositions = 2 + self.recipe.intermediate_steps * self.recipe.max_orderings
        return 60 * compositions + 15


@job(output_schema=InsertionDocument)
def insertion_document(
    relaxations: list[RelaxationDocument],
    metal: RelaxationDocument,
    working_ion: str,
    same_cell: bool,
    energy_above_hull_ev_per_atom: float | None = None,
) -> InsertionDocument:
    """Put relaxed crystals together: volumes, strains, voltages, capacities.

    An electrode of which a composition was lost in relaxation is unstable.

    Parameters
    ----------
    relaxations
        Discharged, charged, then intermediate compositions; of several of one composition that
        of lowest energy is on the path.
    same_cell
        Whether the charged crystal was made from the discharged one.
    energy_above_hull_ev_per_atom
        As the source states it.
    """
    check_one_cutoff([*relaxations, metal])
    common: dict[str, Any] = {
        "formula": relaxations[0].structure.reduced_formula,
        "charged_formula": relaxations[1].structure.reduced_formula,
        "host_formula": insertion_analysis.host_composition(
            relaxations[0].structure, working_ion
        ).reduced_formula,
        "working_ion": working_ion,
        "structure": relaxations[0].structure,
        "charged_structure": relaxations[1].structure,
        "energy_above_hull_ev_per_atom": energy_above_hull_ev_per_atom,
        "volume_a3_per_atom": relaxations[0].volume_a3_per_atom,
        **basis_of(relaxations[0]),
        **total_cost(_costs(relaxations, metal, working_ion)),
        "provenance": relaxations[0].provenance,
    }
    states = [_state(relaxation, working_ion) for relaxation in relaxations]
    charge = insertion_analysis.ION_CHARGES[working_ion]
    ions = states[0].ions - states[1].ions
    capacity = insertion_analysis.gravimetric_capacity_mah_per_g(states[0], ions, charge)
    survivors: dict[float, list[tuple[insertion_analysis.State, RelaxationDocument]]] = {}
    for state, relaxation in zip(states, relaxations, strict=True):
        of_composition = survivors.setdefault(round(state.ions, 6), [])
        if not relaxation.lost:
            of_composition.append((state, relaxation))
    lost = "; ".join(
        f"{relaxation.structure.reduced_formula}: {relaxation.lost}"
        for relaxation in relaxations
        if relaxation.lost
    )
    if not all(survivors.values()):
        return InsertionDocument(
            outcome="unstable",
            reason=lost,
            gravimetric_capacity_mah_per_g=capacity,
            **common,
        )
    energy = metal.energy_ev_per_atom
    if metal.lost or energy is None:
        raise CannotCompute(f"{working_ion} metal: {metal.lost}; no voltage can be had without it")
    path = [min(survivors[x], key=lambda pair: pair[0].energy_ev) for x in sorted(survivors)]
    discharged, charged = states[0], states[1]
    framework = insertion_analysis.compare_hosts(
        discharged.structure, charged.structure, working_ion, same_cell=same_cell
    )
    dimensionality = insertion_analysis.dimensionality(charged.structure)
    found: dict[str, Any] = {
        "gravimetric_capacity_mah_per_g": capacity,
        "topotactic": framework.survived,
        "topotactic_reason": framework.reason,
        "host_dimensionality": dimensionality,
        "weakly_bonded_host": None if dimensionality is None else dimensionality < 3,
        "metal_energy_ev_per_atom": energy,
        "lost_orderings": lost,
        **common,
    }
    if not framework.survived and dimensionality == 0:
        # Molecules that may float anywhere have no volume of their own.
        reason = f"the charged crystal fell apart into molecules: {framework.reason}"
        return InsertionDocument(outcome="unstable", reason=reason, **found)
    mean_v = insertion_analysis.voltage_v(charged, discharged, energy, charge)
    change, error = insertion_analysis.volume_change([state for state, _ in path])
    strain = framework.strain_fraction or (None, None, None)
    principal = framework.principal_strains_fraction
    return InsertionDocument(
        outcome="computed",
        **found,
        delta_volume_fraction=change,
        delta_volume_error_fraction=error,
        signed_delta_volume_fraction=charged.volume_a3 / discharged.volume_a3 - 1,
        strain_a_fraction=strain[0],
        strain_b_fraction=strain[1],
        strain_c_fraction=strain[2],
        max_principal_strain_fraction=max(principal, key=abs) if principal else None,
        average_voltage_v=mean_v,
        voltages=[
            VoltageStep(
                working_ions_charged=low.ions,
                working_ions_discharged=high.ions,
                voltage_v=insertion_analysis.voltage_v(low, high, energy, charge),
            )
            for (low, _), (high, _) in itertools.pairwise(path)
        ],
        volumetric_capacity_mah_per_cm3=insertion_analysis.volumetric_capacity_mah_per_cm3(
            discharged, ions, charge
        ),
        specific_energy_wh_per_kg=capacity * mean_v,
        host_rms_displacement_fraction=framework.rms_displacement_fraction,
        path=[
            ElectrodeState(
                formula=state.structure.reduced_formula,
                working_ions=state.ions,
                energy_ev=state.energy_ev,
                volume_a3=state.volume_a3,
                volume_error_fraction=state.volume_error_fraction,
                structure=state.structure,
                relaxation_steps=relaxation.steps,
            )
            for state, relaxation in path
        ],
    )


def _state(relaxation: RelaxationDocument, working_ion: str) -> insertion_analysis.State:
    energy = relaxation.energy_ev_per_atom
    return insertion_analysis.state_of(
        relaxation.structure,
        working_ion,
        # A lost crystal's energy is not used.
        math.nan if energy is None else energy,
        relaxation.volume_error_fraction,
    )


def _costs(
    relaxations: list[RelaxationDocument], metal: RelaxationDocument, working_ion: str
) -> list[StepCost]:
    names = ["discharged", "charged"]
    names += [f"intermediate {number}" for number in range(1, len(relaxations) - 1)]
    names.append(f"{working_ion} metal")
    return [
        relaxation.cost.model_copy(update={"step": name})
        for relaxation, name in zip([*relaxations, metal], names, strict=True)
    ]
