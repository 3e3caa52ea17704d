"""κ from few first-principles snapshots, with a potential as prior: the jobs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import Maker, Response, job

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.documents import (
    DielectricDocument,
    FewShotDocument,
    FewShotStep,
    PhononDocument,
    PotentialPriorDocument,
    RelaxationDocument,
    StepCost,
    ThermalConductivityDocument,
)
from workflows.forces import joined, queue_forces
from workflows.lattice_dynamics import bayesian_fit, few_shot, harmonic, transport
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    Centring,
    conventional_cell,
    has_free_positions,
    has_inversion_at_all_sites,
    phonopy_cell,
    pymatgen_cell,
    supercell_matrix,
)
from workflows.lattice_dynamics.force_constant_basis import (
    ForceConstantBasis,
    force_constant_basis,
)
from workflows.lattice_dynamics.larger_supercell import carried_over
from workflows.lattice_dynamics.third_order import (
    ThirdOrderForceConstants,
    ThirdOrderPlan,
    fit_third_order,
    plan_third_order,
    set_third_order_forces,
    third_order_supercells,
)
from workflows.phonons import harmonic_document, with_dielectric
from workflows.recipes import PhononRecipe, ThirdOrderRecipe, TransportRecipe
from workflows.solved_transport import (
    common_fields,
    kappa_fields,
    mesh_series,
    solve_transport,
    transport_fields,
    unstable_document,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.engines import Engine

SIGNAL_TO_NOISE = 20.0
"""Third-order part of the forces on snapshots over the noise that is taken for the least."""
MOST_AMPLITUDE = 2.0
"""Displacements over those of the recipe at most, where third-order forces are small."""


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
    """

    engine: Engine
    name: str = "few-shot conductivity"
    phonons: PhononRecipe = field(default_factory=PhononRecipe)
    third_order: ThirdOrderRecipe = field(default_factory=ThirdOrderRecipe)
    transport: TransportRecipe = field(default_factory=TransportRecipe)

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
        crystal = FewShotCrystal(structure, self.phonons, self.third_order)
        potential = self.engine.prior
        reason = lost or _without_potential(potential, structure)
        if reason or potential is None:
            return PotentialPriorDocument(
                reason=reason,
                displacement_distance_a=self.third_order.distance_a,
                cost=StepCost.of_force_calls("prior", 0, 0.0),
            )
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
        distance_a = self.third_order.distance_a * _amplitude(crystal, found.third_order)
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
    )
    def make(
        self,
        relaxation: RelaxationDocument,
        prior: PotentialPriorDocument,
        dielectric: DielectricDocument | None = None,
        unrelaxed: Structure | None = None,
        chunks: list[dict[str, Any]] | None = None,
        steps: list[FewShotStep] | None = None,
    ) -> ThermalConductivityDocument | Response[ThermalConductivityDocument]:
        """Compute κ, or queue the snapshots that it still takes.

        Parameters
        ----------
        relaxation, prior
            Documents of the steps before.
        dielectric
            Born charges and ε∞, for the non-analytical term correction.
        unrelaxed
            The crystal before its relaxation, where `dielectric` is of that cell.
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
        maker = self._with_distance(prior.displacement_distance_a)
        crystal = FewShotCrystal(relaxation.structure, maker.phonons, maker.third_order)

        def go_on(snapshots: int, steps: list[FewShotStep]) -> Response[Any]:
            known = list(chunks or [])
            return queue_forces(
                maker,
                relaxation.structure,
                crystal.undisplaced + snapshots,
                lambda more: self.make(
                    relaxation, prior, dielectric, unrelaxed, [*known, *more], steps
                ),
                first=sum(len(chunk["forces"]) for chunk in known),
            )

        if chunks is None:
            return go_on(crystal.first_snapshots, [])
        forces, forces_s = joined(chunks)
        fit = crystal.fit(np.asarray(forces), prior, self.engine.prior)
        phonon = fit.phonon(*fit.fitted.posterior.mean())
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
            provenance=self.engine.provenance(),
        )
        second, third = fit.fitted.posterior.mean()
        constants = ThirdOrderForceConstants(second, third, None)
        solved = solve_transport(relaxation.structure, phonon, fit.plan, constants, self.transport)
        return ThermalConductivityDocument(
            **kappa_fields(
                phonons,
                solved,
                float(np.hypot(few_shot.BAR_OF_STD * judged.relative_std, judged.relative_shift)),
                _lattice_error(relaxation, solved.gruneisen_rms),
            ),
            **common_fields(
                self.engine,
                relaxation,
                phonons,
                StepCost.of_force_calls("transport", 0, time.perf_counter() - started),
            ),
            **transport_fields(solved, phonons),
            third_order_route="few-shot",
            third_order_supercell_matrix=fit.plan.model.supercell_matrix.tolist(),
            third_order_supercells=len(forces),
            third_order_basis_size=crystal.basis.third.unknowns,
            third_order_cutoff_a=self.third_order.cutoff_a,
            displacement_distance_a=maker.third_order.distance_a,
            few_shot=fit.document(prior, steps),
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

    def first_supercells(self, structure: Structure) -> int:
        """Return how many supercells are computed at least."""
        crystal = FewShotCrystal(structure, self.phonons, self.third_order)
        return crystal.undisplaced + crystal.first_snapshots

    def _with_distance(self, distance_a: float) -> FewShotMaker:
        recipe = self.third_order.model_copy(update={"distance_a": distance_a})
        return replace(self, third_order=recipe)

    def _is_enough(self, judged: FewShotStep) -> bool:
        bar = math.hypot(few_shot.BAR_OF_STD * judged.relative_std, judged.relative_shift)
        undecided = 0 < judged.unstable_draws < few_shot.POSTERIOR_DRAWS
        return bar <= self.third_order.max_relative_error and not undecided


class FewShotCrystal:
    """Cells, snapshots and symmetry of a crystal.

    Parameters
    ----------
    structure
        Relaxed crystal.
    """

    def __init__(
        self, structure: Structure, phonons: PhononRecipe, third_order: ThirdOrderRecipe
    ) -> None:
        self._phonons, self._recipe = phonons, third_order
        cell, centring = conventional_cell(structure)
        self._cell: Structure = cell
        self._centring: Centring = centring
        self._matrix = supercell_matrix(cell, third_order.min_length_a, third_order.max_atoms)
        self._larger_matrix = supercell_matrix(cell, phonons.min_length_a, phonons.max_atoms)

    @cached_property
    def pairs(self) -> ThirdOrderPlan:
        """Mirrored pairs that determine a potential's own force constants."""
        recipe = self._recipe.model_copy(update={"route": "random-pairs"})
        return plan_third_order(self._cell, self._centring, self._matrix, recipe)

    @cached_property
    def model(self) -> Phono3py:
        """Phono3py object of the supercell, without displacements."""
        from phono3py import Phono3py

        return Phono3py(
            phonopy_cell(self._cell),
            supercell_matrix=self._matrix,
            primitive_matrix=self._centring,
            symprec=SYMPREC_A,
            log_level=0,
        )

    @cached_property
    def basis(self) -> ForceConstantBasis:
        """Symmetry-adapted basis of the force constants."""
        return force_constant_basis(self.model, self._recipe.cutoff_a)

    @cached_property
    def undisplaced(self) -> int:
        """1 where the undisplaced supercell is computed too: forces may be left on it; else 0."""
        return int(has_free_positions(self.model.primitive))

    @cached_property
    def mirrored(self) -> bool:
        """Whether snapshots come in mirrored pairs.

        Without inversion at the sites fourth-order forces look like harmonic ones.
        """
        return not has_inversion_at_all_sites(self.model.primitive)

    @property
    def first_snapshots(self) -> int:
        """Snapshots of the first fit."""
        return 2 if self.mirrored else 1

    def next_snapshots(self, snapshots: int) -> int:
        """Return how many snapshots there are after one more step."""
        return min(snapshots + (1 if snapshots == 1 else 2), self.most_snapshots)

    @cached_property
    def most_snapshots(self) -> int:
        """As many as would fit all force constants without a prior, and an even number."""
        unknowns = self.basis.second.unknowns + self.basis.third.unknowns
        equations = 3 * len(self.model.supercell) - 3
        needed = math.ceil(self._recipe.overdetermination * unknowns / equations)
        return 2 * math.ceil(max(needed, 2 * self._recipe.min_pairs) / 2)

    @cached_property
    def displacements(self) -> NDArray[np.float64]:
        """Displacements of all snapshots, shape (snapshots, atoms, 3), Å.

        Every atom moves by the same distance in a random direction.
        """
        return random_displacements(
            len(self.model.supercell),
            self.most_snapshots,
            self._recipe.distance_a,
            self._recipe.seed,
            mirrored=self.mirrored,
        )

    def supercells(self) -> list[Structure]:
        """Return the undisplaced supercell, where it is computed, and all snapshots."""
        supercell = self.model.supercell
        cells = [supercell] if self.undisplaced else []
        for displacement in self.displacements:
            cell = supercell.copy()
            cell.positions = cell.positions + displacement
            cells.append(cell)
        return [pymatgen_cell(cell) for cell in cells]

    @property
    def has_larger_supercell(self) -> bool:
        """Whether harmonic phonons have a larger supercell than the snapshots."""
        return bool((self._larger_matrix != self._matrix).any())

    def larger_phonon(self) -> Phonopy:
        """Return phonopy's object of the supercell of harmonic phonons."""
        return self._phonopy(self._larger_matrix)

    def smaller_phonon(self) -> Phonopy:
        """Return phonopy's object of the supercell of the snapshots."""
        return self._phonopy(self._matrix)

    def _phonopy(self, matrix: NDArray[np.int64]) -> Phonopy:
        from phonopy import Phonopy

        return Phonopy(
            phonopy_cell(self._cell),
            supercell_matrix=matrix,
            primitive_matrix=self._centring,
            symprec=SYMPREC_A,
            log_level=0,
        )

    def fit(
        self,
        forces: NDArray[np.float64],
        prior: PotentialPriorDocument,
        potential: Engine | None,
    ) -> CrystalFit:
        """Fit force constants to the forces of the first supercells.

        Parameters
        ----------
        forces
            Shape (supercells, atoms, 3), eV/Å, in the order of `supercells`.
        """
        of_snapshots = forces[self.undisplaced :] - (forces[0] if self.undisplaced else 0.0)
        displacements = self.displacements[: len(of_snapshots)]
        known = None
        if prior.engine is not None and potential is not None:
            cells = [pymatgen_cell(self.model.supercell)]
            cells += self.supercells()[self.undisplaced :][: len(of_snapshots)]
            own = np.asarray(potential.forces(cells))
            known = few_shot.PotentialForces(
                np.asarray(prior.second_order), np.asarray(prior.third_order), own[1:] - own[0]
            )
        model = few_shot.FewShotModel(self.basis, displacements, known, self.model.supercell)
        larger = prior.larger_second_order
        return CrystalFit(
            self, model, of_snapshots, None if larger is None else np.asarray(larger), known
        )


class CrystalFit:
    """The force constants of a crystal, as far as its snapshots tell."""

    def __init__(
        self,
        crystal: FewShotCrystal,
        model: few_shot.FewShotModel,
        forces: NDArray[np.float64],
        larger_second_order: NDArray[np.float64] | None,
        potential: few_shot.PotentialForces | None,
    ) -> None:
        self._crystal, self._model, self._forces = crystal, model, forces
        self._larger, self._potential = larger_second_order, potential
        self.fitted = model.fit(forces)

    @cached_property
    def plan(self) -> ThirdOrderPlan:
        """The supercell with displacements and forces, as phono3py stores them."""
        model = self._crystal.model
        displacements = self._crystal.displacements[: len(self._forces)]
        model.dataset = {"displacements": displacements, "forces": self._forces}
        return ThirdOrderPlan(model, self._crystal._recipe)

    def phonon(self, second: NDArray[np.float64], third: NDArray[np.float64]) -> Phonopy:
        """Return harmonic phonons, in the larger supercell where there is one."""
        del third
        smaller = self._crystal.smaller_phonon()
        if not self._crystal.has_larger_supercell:
            smaller.force_constants = second
            return smaller
        larger = self._crystal.larger_phonon()
        if self._larger is None or self._potential is None:
            larger.force_constants = carried_over(second, smaller, larger)
        else:
            correction = second - self._potential.second_order
            larger.force_constants = self._larger + carried_over(correction, smaller, larger)
        return larger

    def judged(self, phonon: Phonopy, recipe: TransportRecipe) -> FewShotStep:
        """Return how sure κ and stability are, from draws of the posterior.

        Parameters
        ----------
        phonon
            Of the mean, with Born charges.
        """
        constants = ThirdOrderForceConstants(*self.fitted.posterior.mean(), None)
        model = transport.transport_model(
            self._crystal._cell, self._crystal._centring, phonon, self.plan, constants
        )
        mesh = mesh_series(model, recipe)[0]
        unstable = []

        def kappa(second: NDArray[np.float64], third: NDArray[np.float64]) -> float:
            drawn = self.phonon(second, third)
            drawn.nac_params = phonon.nac_params
            gate = harmonic.stability(drawn, self._crystal._phonons.stability_mesh_length_a)
            threshold = self._crystal._phonons.stability_threshold_thz
            unstable.append(gate.min_frequency_thz < threshold)
            model.fc2, model.fc3 = drawn.force_constants, third
            solution = transport.conductivity(
                model, mesh, [ROOM_TEMPERATURE_K], isotopes=recipe.isotopes
            )
            return solution.isotropic_w_per_m_k(ROOM_TEMPERATURE_K)

        found = few_shot.kappa_posterior(self.fitted.posterior, kappa)
        value = found.kappa_w_per_m_k
        return FewShotStep(
            snapshots=len(self._forces),
            kappa_300k_w_per_m_k=value,
            relative_std=found.std_w_per_m_k / value,
            relative_shift=found.shift_w_per_m_k / value,
            prior_kind=self.fitted.posterior.prior.kind,
            # The first one was the mean.
            unstable_draws=sum(unstable[1:]),
        )

    def document(
        self, prior: PotentialPriorDocument, steps: Sequence[FewShotStep]
    ) -> FewShotDocument:
        """Return the record of the fit."""
        posterior, basis = self.fitted.posterior, self._crystal.basis
        last = steps[-1]
        return FewShotDocument(
            snapshots=last.snapshots,
            mirrored=self._crystal.mirrored,
            unknowns=basis.second.unknowns + basis.third.unknowns,
            prior_engine=prior.engine,
            prior_kind=posterior.prior.kind,
            higher_orders_of_potential=self.fitted.higher_orders,
            log_evidences=self.fitted.log_evidences,
            second_order_scale=posterior.scales[0],
            third_order_scale=posterior.scales[1],
            noise_ev_per_a=posterior.noise_ev_per_a,
            kappa_posterior_relative_std=last.relative_std,
            kappa_posterior_relative_shift=last.relative_shift,
            unstable_draws=last.unstable_draws,
            draws=few_shot.POSTERIOR_DRAWS,
            unused_snapshot_relative_residual=self._unused_residual(),
            steps=list(steps),
        )

    def _unused_residual(self) -> float:
        """Return the error of the force on snapshots that the fit does not know, over the force."""
        kept = len(self._forces) - self._crystal.first_snapshots
        unused = self._forces[kept:]
        expected = self._model.expected(self._forces[:kept], range(kept, len(self._forces)))
        return float(np.sqrt(((unused - expected) ** 2).mean() / (unused**2).mean()))


def random_displacements(
    atoms: int, snapshots: int, distance_a: float, seed: int, *, mirrored: bool
) -> NDArray[np.float64]:
    """Return displacements of equal length in random directions, shape (snapshots, atoms, 3), Å.

    The first ones are the same however many there are.

    Parameters
    ----------
    mirrored
        Each snapshot is followed by its mirror image.
    """
    generator = np.random.default_rng(seed)
    count = math.ceil(snapshots / 2) if mirrored else snapshots
    directions = generator.normal(size=(count, atoms, 3))
    found = distance_a * directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    if mirrored:
        found = np.stack([found, -found], axis=1).reshape(-1, atoms, 3)[:snapshots]
    return np.asarray(found)


def _without_potential(potential: Engine | None, structure: Structure) -> str:
    """Return why a crystal has no potential as prior; empty where it has one."""
    if potential is None:
        return "the engine names no potential as prior"
    if missing := potential.missing():
        return missing
    known = potential.supported_elements()
    symbols = {element.symbol for element in structure.composition.elements}
    unknown = sorted(symbols - known) if known is not None else []
    return f"'{potential.name}' does not know {', '.join(unknown)}" if unknown else ""


def _amplitude(crystal: FewShotCrystal, third_order: NDArray[np.float64]) -> float:
    """Return by what factor displacements should be larger than those of the recipe."""
    basis = crystal.basis.third
    displacements = crystal.displacements[:1]
    forces = basis.forces(displacements) @ basis.coordinates(third_order)
    signal = float(np.sqrt((forces**2).mean())) / bayesian_fit.LEAST_NOISE_EV_PER_A
    # The third-order force goes with the square of the displacement.
    return min(MOST_AMPLITUDE, math.sqrt(max(1.0, SIGNAL_TO_NOISE / signal)))


def _lattice_error(relaxation: RelaxationDocument, gruneisen_rms: float) -> float | None:
    """Return the relative error of κ from that of the volume.

    ∂ln κ/∂ln V = −(3γ + 2q − 1/3) with q = 1, from Slack's formula (G. A. Slack, Solid State
    Physics 34, 1 (1979)).
    """
    error = relaxation.volume_error_fraction
    return None if error is None else error * (3 * gruneisen_rms + 2 - 1 / 3)
