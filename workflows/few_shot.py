"""κ from few first-principles snapshots, with a potential as prior: the jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jobflow import CURRENT_JOB, JobConfig, Maker, Response, job

from workflows.document_parts import StepCost
from workflows.documents import (
    DielectricDocument,
    PhononDocument,
    RelaxationDocument,
    ThermalConductivityDocument,
)
from workflows.errors import EngineError
from workflows.few_shot_documents import (
    FewShotStep,
    ForceConvergenceDocument,
    PotentialPriorDocument,
)
from workflows.forces import joined, queue_forces
from workflows.lattice_dynamics import few_shot, harmonic
from workflows.lattice_dynamics.few_shot_crystal import FewShotCrystal
from workflows.lattice_dynamics.third_order import (
    ThirdOrderForceConstants,
    fit_third_order,
    set_third_order_forces,
    third_order_supercells,
)
from workflows.phonons import harmonic_document, with_dielectric
from workflows.recipes import PhononRecipe, ThirdOrderRecipe, TransportRecipe
from workflows.solved_transport import (
    common_fields,
    kappa_fields,
    solve_transport,
    transport_fields,
    unstable_document,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


TYPICAL_SNAPSHOTS = 4
"""Snapshots that a crystal takes, for an estimate of the cost: rock salts one to four, zincblende
four to eight."""
KAPPA_OF_FORCES = 3.5
"""Relative change of κ for that of forces, at most: κ goes about with Φ₂^3.5/Φ₃², so that it is 1.5
where all orders change alike, 2 where the third and 3.5 where the second changes alone."""


@dataclass
class FewShotMaker(Maker):
    """Maker of κ from second- and third-order force constants fitted to few snapshots.

    Parameters
    ----------
    engine
        What computes the forces of the snapshots; its `prior` is the potential.
    phonons
        Supercell of harmonic phonons, stability gate.
    third_order
        Supercell and displacements of the snapshots, and how sure κ must be.
    transport
        Temperatures, q-meshes, scattering.
    unstable
        What is done with a crystal that has imaginary modes; see `ThermalConductivityRecipe`.
    """

    engine: Engine
    name: str = "few-shot conductivity"
    phonons: PhononRecipe = field(default_factory=PhononRecipe)
    third_order: ThirdOrderRecipe = field(default_factory=ThirdOrderRecipe)
    transport: TransportRecipe = field(default_factory=TransportRecipe)
    unstable: Literal["auto", "estimate", "stop"] = "auto"

    @job(
        output_schema=PotentialPriorDocument,
        data=["second_order", "third_order", "larger_second_order"],
    )
    def prior(self, structure: Structure, lost: str = "") -> PotentialPriorDocument:
        """Compute the potential's force constants, at the lattice of the other engine.

        Parameters
        ----------
        structure
            Relaxed crystal.
        lost
            How its relaxation lost it: nothing is computed then.
        """
        started = time.perf_counter()
        potential = self.engine.prior
        reason = lost or _without_potential(potential, structure)
        if reason or potential is None:
            return PotentialPriorDocument(
                reason=reason,
                displacement_distance_a=self.third_order.distance_a,
                cost=StepCost.of_force_calls("prior", 0, 0.0),
            )
        crystal = FewShotCrystal(structure, self.phonons, self.third_order)
        plan = crystal.pairs
        supercells = third_order_supercells(plan)
        set_third_order_forces(plan, potential.forces(supercells))
        found = fit_third_order(plan)
        calls = len(supercells)
        larger = None
        if crystal.has_larger_supercell:
            phonon = crystal.larger_phonon()
            phonon.generate_displacements(distance=self.phonons.distance_a)
            cells = harmonic.harmonic_supercells(phonon)
            harmonic.set_harmonic_forces(phonon, potential.forces(cells))
            calls += len(cells)
            larger = np.asarray(phonon.force_constants)[phonon.primitive.p2s_map].tolist()
        distance_a = self.third_order.distance_a * crystal.amplitude(found.third_order)
        return PotentialPriorDocument(
            engine=potential.name,
            second_order=found.second_order.tolist(),
            third_order=found.third_order.tolist(),
            larger_second_order=larger,
            displacement_distance_a=distance_a,
            cost=StepCost.of_force_calls("prior", calls, time.perf_counter() - started),
            provenance=potential.provenance(),
        )

    @job(
        output_schema=ThermalConductivityDocument,
        data=["spectrum", "transport", "phono3py_params", "force_constants"],
        config=JobConfig(expose_store=True),
    )
    def make(
        self,
        relaxation: RelaxationDocument,
        prior: PotentialPriorDocument | None,
        prior_uuid: str,
        dielectric: DielectricDocument | None = None,
        unrelaxed: Structure | None = None,
        convergence: ForceConvergenceDocument | None = None,
        chunks: list[dict[str, Any]] | None = None,
        steps: list[FewShotStep] | None = None,
    ) -> ThermalConductivityDocument | Response[ThermalConductivityDocument]:
        """Compute κ, or queue the snapshots that it still takes.

        Parameters
        ----------
        relaxation, prior
            Documents of the steps before; without `prior` it is read from the store.
        prior_uuid
            Of the job that made `prior`.
        dielectric
            Born charges and ε∞, for the non-analytical term correction.
        unrelaxed
            The crystal before its relaxation, where `dielectric` is of that cell.
        convergence
            Of the engine's forces, whose settings are raised as it says.
        chunks
            Forces computed by other jobs, in the order of `supercells`; None at first.
        steps
            What was known after earlier snapshots.
        """
        if relaxation.lost:
            phonons = PhononDocument.of_lost_crystal(
                relaxation.lost, self.name, self.engine.provenance()
            )
            return unstable_document(self.engine, relaxation, phonons)
        started = time.perf_counter()
        if prior is None:
            prior = _stored_prior(prior_uuid)
        maker = self._for_snapshots(prior, convergence)
        crystal = FewShotCrystal(relaxation.structure, maker.phonons, maker.third_order)

        def go_on(snapshots: int, steps: list[FewShotStep]) -> Response[Any]:
            known = list(chunks or [])
            return queue_forces(
                maker,
                relaxation.structure,
                crystal.undisplaced + snapshots,
                lambda more: self.make(
                    relaxation,
                    # Its third-order force constants may be too large for the document of a job.
                    None,
                    prior_uuid,
                    dielectric,
                    unrelaxed,
                    convergence,
                    [*known, *more],
                    steps,
                ),
                first=sum(len(chunk["forces"]) for chunk in known),
            )

        if chunks is None:
            return go_on(crystal.first_snapshots, [])
        forces, forces_s = joined(chunks)
        fit = crystal.fit(
            np.asarray(forces),
            _potential(crystal, prior, self.engine, len(forces)),
            polar=dielectric is not None and dielectric.born_charges_e is not None,
        )
        second, third = fit.fitted.posterior.mean()
        phonon = fit.phonon(second)
        found = with_dielectric(phonon, relaxation.structure, dielectric, unrelaxed)
        judged = fit.judged(phonon, self.transport)
        steps = [*(steps or []), judged]
        more = crystal.next_snapshots(judged.snapshots)
        if more > judged.snapshots and not self._is_enough(judged):
            return go_on(more, steps)
        phonons = harmonic_document(
            phonon,
            self.phonons,
            found,
            displacement_distance_a=maker.third_order.distance_a,
            cost=StepCost.of_force_calls("first-principles forces", len(forces), forces_s),
            provenance=maker.engine.provenance(),
        )
        record = fit.document(prior, steps)
        if self._ends_unstable(judged) and not phonons.stable:
            document = unstable_document(maker.engine, relaxation, phonons)
            return document.model_copy(
                update={"few_shot": record, "force_convergence": convergence}
            )
        constants = ThirdOrderForceConstants(second, third, None)
        solved = solve_transport(
            relaxation.structure,
            phonon,
            fit.plan,
            constants,
            self.transport,
            stable=phonons.stable,
        )
        return ThermalConductivityDocument(
            **kappa_fields(
                phonons,
                solved,
                few_shot.relative_bar(judged.relative_std, judged.relative_shift),
                _lattice_error(relaxation, solved.gruneisen_rms),
                _force_error(convergence),
            ),
            **common_fields(
                maker.engine,
                relaxation,
                phonons,
                *([convergence.cost] if convergence is not None else []),
                StepCost.of_force_calls("transport", 0, time.perf_counter() - started),
            ),
            **transport_fields(solved, phonons),
            third_order_route="few-shot",
            third_order_supercell_matrix=fit.plan.model.supercell_matrix.tolist(),
            third_order_supercells=len(forces),
            third_order_basis_size=crystal.basis.third.unknowns,
            third_order_cutoff_a=self.third_order.cutoff_a,
            displacement_distance_a=maker.third_order.distance_a,
            force_convergence=convergence,
            few_shot=record,
            force_constants={
                "second_order": np.asarray(phonon.force_constants).tolist(),
                "third_order": third.tolist(),
            },
        )

    def supercells(self, structure: Structure) -> list[Structure]:
        """Return the supercells that may be computed, the same ones in the same order always.

        The undisplaced one comes first where symmetry lets forces be left on it.
        """
        return FewShotCrystal(structure, self.phonons, self.third_order).supercells()

    def typical_supercells(self, structure: Structure) -> int:
        """Return about how many supercells are computed; nobody knows beforehand."""
        crystal = FewShotCrystal(structure, self.phonons, self.third_order)
        return crystal.undisplaced + min(TYPICAL_SNAPSHOTS, self.third_order.max_snapshots)

    def _for_snapshots(
        self, prior: PotentialPriorDocument, convergence: ForceConvergenceDocument | None
    ) -> FewShotMaker:
        """Return the maker with the displacements and the settings that the snapshots take."""
        recipe = self.third_order.model_copy(update={"distance_a": prior.displacement_distance_a})
        engine = self.engine
        if convergence is not None:
            engine = engine.with_settings(convergence.raised)
        return replace(self, engine=engine, third_order=recipe)

    def _ends_unstable(self, judged: FewShotStep) -> bool:
        return judged.unstable_draws == few_shot.POSTERIOR_DRAWS and self.unstable != "estimate"

    def _is_enough(self, judged: FewShotStep) -> bool:
        if self._ends_unstable(judged):
            return True
        bar = few_shot.relative_bar(judged.relative_std, judged.relative_shift)
        undecided = 0 < judged.unstable_draws < few_shot.POSTERIOR_DRAWS
        return bar <= self.third_order.max_relative_error and not undecided


def _stored_prior(uuid: str) -> PotentialPriorDocument:
    stored = CURRENT_JOB.store.get_output(uuid, load=True)
    return PotentialPriorDocument.model_validate(
        {field: stored[field] for field in PotentialPriorDocument.model_fields}
    )


def _potential(
    crystal: FewShotCrystal, prior: PotentialPriorDocument, engine: Engine, supercells: int
) -> few_shot.PotentialForces | None:
    """Return what the potential says of the first supercells, or None without one."""
    if prior.engine is None or engine.prior is None:
        return None
    cells = crystal.with_undisplaced(supercells)
    forces = np.asarray(engine.prior.forces(cells))
    return few_shot.PotentialForces(
        np.asarray(prior.second_order),
        np.asarray(prior.third_order),
        forces[1:] - forces[0],
        None if prior.larger_second_order is None else np.asarray(prior.larger_second_order),
    )


def _without_potential(potential: Engine | None, structure: Structure) -> str:
    """Return why a crystal has no potential as prior; empty where it has one."""
    if potential is None:
        return "the engine names no potential as prior"
    if missing := potential.missing():
        # Not a reason to go on without: the number would depend on the machine.
        raise EngineError(f"prior '{potential.name}': {missing}")
    known = potential.supported_elements()
    symbols = {element.symbol for element in structure.composition.elements}
    unknown = sorted(symbols - known) if known is not None else []
    return f"'{potential.name}' does not know {', '.join(unknown)}" if unknown else ""


def _force_error(convergence: ForceConvergenceDocument | None) -> float | None:
    """Return the relative error of κ from that of first-principles forces."""
    residual = None if convergence is None else convergence.relative_residual
    return None if residual is None else KAPPA_OF_FORCES * residual


def _lattice_error(relaxation: RelaxationDocument, gruneisen_rms: float) -> float | None:
    """Return the relative error of κ from that of the volume.

    ∂ln κ/∂ln V = −(3γ + 2q − 1/3) with q = 1, from Slack's formula (G. A. Slack, Solid State
    Physics 34, 1 (1979)).
    """
    error = relaxation.volume_error_fraction
    return None if error is None else error * (3 * gruneisen_rms + 2 - 1 / 3)
