"""Insertion electrodes: the discharged crystal and the charged one → volume change and voltage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Job, Maker, job

from workflows import electrode
from workflows.documents import (
    ElectrodeState,
    InsertionDocument,
    RelaxationDocument,
    VoltageStep,
)
from workflows.recipes import InsertionRecipe
from workflows.relaxation import RelaxationMaker

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class InsertionMaker(Maker):
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

    def refusal(
        self,
        structure: Structure,
        charged: Structure | None = None,
        working_ion: str | None = None,
        remaining_fraction: float | None = None,
    ) -> str | None:
        """Return why a crystal is no discharged electrode, or None."""
        wanted = working_ion or self.recipe.working_ion
        ion = electrode.working_ion_of(structure, wanted)
        if ion is None:
            known = wanted or f"working ion ({', '.join(electrode.WORKING_IONS)})"
            return f"it holds no {known} that could leave"
        unknown = self.engine.refusal([ion])
        if unknown is not None:
            return unknown
        host = electrode.host_composition(structure, ion)
        if not host:
            return f"nothing is left of it when the {ion} leaves"
        if charged is None:
            return None
        other = electrode.host_composition(charged, ion)
        if other.reduced_formula != host.reduced_formula:
            return (
                f"its charged crystal has the host {other.reduced_formula}, not "
                f"{host.reduced_formula}"
            )
        share, full = (
            each.composition[ion] / part.get_reduced_composition_and_factor()[1]
            for each, part in ((charged, other), (structure, host))
        )
        if share >= full:
            return f"its charged crystal holds no less {ion} than the discharged one"
        return None

    def foreknown(
        self,
        structure: Structure,
        charged: Structure | None = None,
        working_ion: str | None = None,
        remaining_fraction: float | None = None,
    ) -> dict[str, float]:
        """Return fields of the document that are known before anything is computed."""
        ion = electrode.working_ion_of(structure, working_ion or self.recipe.working_ion)
        if ion is None:
            return {}
        left = self.recipe.remaining_fraction if remaining_fraction is None else remaining_fraction
        discharged = electrode.state_of(structure, ion, 0.0)
        leaving = (
            discharged.ions * (1 - left)
            if charged is None
            else discharged.ions - electrode.state_of(charged, ion, 0.0).ions
        )
        capacity = electrode.gravimetric_capacity_mah_per_g(
            discharged, leaving, electrode.ion_charge(ion)
        )
        return {"gravimetric_capacity_mah_per_g": capacity}

    def make(
        self,
        structure: Structure,
        charged: Structure | None = None,
        working_ion: str | None = None,
        remaining_fraction: float | None = None,
    ) -> Flow:
        """Return the flow; its output is an `InsertionDocument`.

        Parameters
        ----------
        structure
            Discharged crystal.
        charged
            Charged crystal, in any cell; None takes the working ions out of the discharged one.
        working_ion
            Symbol; None takes the recipe's.
        remaining_fraction
            Of the working ions, left in the charged crystal; None takes the recipe's.

        Raises
        ------
        ValueError
            When the crystal is no discharged electrode; see `refusal`.
        """
        reason = self.refusal(structure, charged, working_ion)
        if reason is not None:
            raise ValueError(f"{structure.reduced_formula}: {reason}")
        ion = electrode.working_ion_of(structure, working_ion or self.recipe.working_ion)
        assert ion is not None
        left = self.recipe.remaining_fraction if remaining_fraction is None else remaining_fraction
        ends = {
            "discharged": structure,
            "charged": charged or electrode.delithiated(structure, ion, left),
        }
        if charged is None and left == 0:
            steps = self.recipe.intermediate_steps
            for step in range(1, steps + 1):
                orderings = electrode.electrostatic_orderings(
                    structure, ion, step / (steps + 1), self.recipe.max_orderings
                )
                for number, each in enumerate(orderings, start=1):
                    ends[f"step {step}, ordering {number}"] = each
        ends[f"{ion} metal"] = electrode.metal_of(ion)
        jobs: list[Job] = []
        for name, each in ends.items():
            maker = RelaxationMaker(self.engine, f"relax {name}", self.recipe.relaxation)
            jobs.append(maker.make(each))
        document = insertion_document([job.output for job in jobs[:-1]], jobs[-1].output, ion)
        return Flow(
            [*jobs, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    def estimate_force_calls(self, structure: Structure) -> int:
        """Return about how many force calls `make` will need: 60 a relaxation."""
        compositions = 2 + self.recipe.intermediate_steps * self.recipe.max_orderings
        return 60 * compositions + 15


@job(output_schema=InsertionDocument)
def insertion_document(
    relaxations: list[RelaxationDocument],
    metal: RelaxationDocument,
    working_ion: str,
) -> InsertionDocument:
    """Put relaxed crystals together: volumes, strains, voltages, capacities.

    Parameters
    ----------
    relaxations
        Discharged, charged, then intermediate compositions; of several of one composition that
        of lowest energy is on the path.
    """
    states = [
        electrode.state_of(each.structure, working_ion, each.energy_ev_per_atom)
        for each in relaxations
    ]
    discharged, charged = states[0], states[1]
    lowest: dict[float, tuple[electrode.State, RelaxationDocument]] = {}
    for state, relaxation in zip(states, relaxations, strict=True):
        ions = round(state.ions, 6)
        if ions not in lowest or state.energy_ev < lowest[ions][0].energy_ev:
            lowest[ions] = state, relaxation
    path = [lowest[ions] for ions in sorted(lowest)]
    charge = electrode.ion_charge(working_ion)
    energy = metal.energy_ev_per_atom
    ions = discharged.ions - charged.ions
    capacity = electrode.gravimetric_capacity_mah_per_g(discharged, ions, charge)
    mean_v = electrode.voltage_v(charged, discharged, energy, charge)
    volumes = [state.volume_a3 for state, _ in path]
    framework = electrode.compare_hosts(discharged.structure, charged.structure, working_ion)
    strain = framework.strain_fraction or (None, None, None)
    principal = framework.principal_strains_fraction
    dimensionality = electrode.host_dimensionality(charged.structure, working_ion)
    costs = [
        each.cost.model_copy(update={"step": name})
        for each, name in zip(
            [*relaxations, metal],
            [
                "discharged",
                "charged",
                *(f"intermediate {i + 1}" for i in range(len(relaxations) - 2)),
                f"{working_ion} metal",
            ],
            strict=True,
        )
    ]
    return InsertionDocument(
        outcome="measured",
        formula=discharged.structure.reduced_formula,
        charged_formula=charged.structure.reduced_formula,
        host_formula=electrode.host_composition(discharged.structure, working_ion).reduced_formula,
        working_ion=working_ion,
        structure=discharged.structure,
        charged_structure=charged.structure,
        delta_volume_fraction=max(volumes) / min(volumes) - 1,
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
                voltage_v=electrode.voltage_v(low, high, energy, charge),
            )
            for (low, _), (high, _) in itertools.pairwise(path)
        ],
        gravimetric_capacity_mah_per_g=capacity,
        volumetric_capacity_mah_per_cm3=electrode.volumetric_capacity_mah_per_cm3(
            discharged, ions, charge
        ),
        specific_energy_wh_per_kg=capacity * mean_v,
        topotactic=framework.survived,
        topotactic_reason=framework.reason,
        host_rms_displacement_fraction=framework.rms_displacement_fraction,
        host_dimensionality=dimensionality,
        weakly_bonded_host=dimensionality < 3,
        path=[
            ElectrodeState(
                formula=state.structure.reduced_formula,
                working_ions=state.ions,
                energy_ev=state.energy_ev,
                volume_a3=state.volume_a3,
                structure=state.structure,
                relaxation_steps=relaxation.steps,
            )
            for state, relaxation in path
        ],
        metal_energy_ev_per_atom=energy,
        volume_a3_per_atom=discharged.structure.volume / len(discharged.structure),
        force_calls=sum(cost.force_calls for cost in costs),
        wall_s=sum(cost.wall_s for cost in costs),
        costs=costs,
        provenance=relaxations[0].provenance,
    )
