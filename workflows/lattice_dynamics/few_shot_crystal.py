"""A crystal on the route few-shot: its snapshots, and the fit of its force constants."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.errors import CannotCompute
from workflows.few_shot_documents import (
    FewShotDocument,
    FewShotStep,
    PotentialPriorDocument,
)
from workflows.lattice_dynamics import few_shot, harmonic, transport
from workflows.lattice_dynamics.bayesian_fit import LEAST_NOISE_EV_PER_A
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    Centring,
    conventional_cell,
    displaced,
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
from workflows.lattice_dynamics.larger_supercell import CarryOver, repeats_more
from workflows.lattice_dynamics.meshes import mesh_series
from workflows.lattice_dynamics.third_order import (
    ThirdOrderForceConstants,
    ThirdOrderPlan,
    as_phonopy,
    plan_third_order,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.recipes import PhononRecipe, ThirdOrderRecipe, TransportRecipe

SIGNAL_TO_NOISE = 20.0
"""Third-order part of the forces on snapshots over the noise that is taken for the least."""
MOST_AMPLITUDE = 2.0
"""Displacements over those of the recipe at most, where third-order forces are small."""


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
        self.phonons, self.recipe = phonons, third_order
        cell, centring = conventional_cell(structure)
        self.cell: Structure = cell
        self.centring: Centring = centring
        self._matrix = supercell_matrix(cell, third_order.min_length_a, third_order.max_atoms)
        self._larger_matrix = supercell_matrix(cell, phonons.min_length_a, phonons.max_atoms)

    @cached_property
    def pairs(self) -> ThirdOrderPlan:
        """Mirrored pairs that determine a potential's own force constants."""
        recipe = self.recipe.model_copy(update={"route": "random-pairs"})
        return plan_third_order(self.cell, self.centring, self._matrix, recipe)

    @cached_property
    def model(self) -> Phono3py:
        """Phono3py object of the supercell, without displacements."""
        from phono3py import Phono3py

        return Phono3py(
            phonopy_cell(self.cell),
            supercell_matrix=self._matrix,
            primitive_matrix=self.centring,
            symprec=SYMPREC_A,
            log_level=0,
        )

    @cached_property
    def basis(self) -> ForceConstantBasis:
        """Symmetry-adapted basis of the force constants."""
        return force_constant_basis(self.model, self.recipe.cutoff_a)

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
        """Return how many snapshots there are after one more step; no more where it is the last."""
        wanted = snapshots + (1 if snapshots == 1 else 2)
        return min(wanted, self.recipe.max_snapshots, self.determining_snapshots)

    @cached_property
    def determining_snapshots(self) -> int:
        """As many as would fit all force constants without a prior, and an even number."""
        unknowns = self.basis.second.unknowns + self.basis.third.unknowns
        equations = 3 * len(self.model.supercell) - 3
        needed = math.ceil(self.recipe.overdetermination * unknowns / equations)
        return 2 * math.ceil(max(needed, 2 * self.recipe.min_pairs) / 2)

    @cached_property
    def displacements(self) -> NDArray[np.float64]:
        """Displacements of all snapshots that may be computed, shape (snapshots, atoms, 3), Å.

        Every atom moves by the same distance in a random direction.
        """
        return random_displacements(
            len(self.model.supercell),
            self.recipe.max_snapshots,
            self.recipe.distance_a,
            self.recipe.seed,
            mirrored=self.mirrored,
        )

    def supercells(self) -> list[Structure]:
        """Return the undisplaced supercell, where it is computed, and all snapshots."""
        perfect = np.zeros((self.undisplaced, *self.displacements.shape[1:]))
        return displaced(self.model.supercell, np.concatenate([perfect, self.displacements]))

    @property
    def has_larger_supercell(self) -> bool:
        """Whether harmonic phonons have a larger supercell than the snapshots."""
        return repeats_more(self._larger_matrix, self._matrix)

    def larger_phonon(self) -> Phonopy:
        """Return phonopy's object of the supercell of harmonic phonons."""
        from phonopy import Phonopy

        return Phonopy(
            phonopy_cell(self.cell),
            supercell_matrix=self._larger_matrix,
            primitive_matrix=self.centring,
            symprec=SYMPREC_A,
            log_level=0,
        )

    def with_undisplaced(self, supercells: int) -> list[Structure]:
        """Return the undisplaced supercell and the snapshots among the first of `supercells`."""
        snapshots = self.supercells()[self.undisplaced : supercells]
        return [pymatgen_cell(self.model.supercell), *snapshots]

    def amplitude(self, third_order: NDArray[np.float64]) -> float:
        """Return by what factor displacements should be larger than those of the recipe.

        Parameters
        ----------
        third_order
            A potential's, compact, eV/Å³.
        """
        forces = self.basis.third.forces(self.displacements[:1]) @ self.basis.third.coordinates(
            third_order
        )
        signal = float(np.sqrt((forces**2).mean())) / LEAST_NOISE_EV_PER_A
        # The third-order force goes with the square of the displacement.
        return min(MOST_AMPLITUDE, math.sqrt(max(1.0, SIGNAL_TO_NOISE / signal)))

    def fit(
        self,
        forces: NDArray[np.float64],
        potential: few_shot.PotentialForces | None,
        *,
        polar: bool = False,
    ) -> CrystalFit:
        """Fit force constants to the forces of the first supercells.

        Parameters
        ----------
        forces
            Shape (supercells, atoms, 3), eV/Å, in the order of `supercells`.
        potential
            With its forces on the snapshots among these supercells.
        polar
            Whether the crystal has Born charges.
        """
        of_snapshots = forces[self.undisplaced :] - (forces[0] if self.undisplaced else 0.0)
        displacements = self.displacements[: len(of_snapshots)]
        model = few_shot.FewShotModel(self.basis, displacements, potential, self.model.supercell)
        return CrystalFit(self, model, of_snapshots, potential, polar=polar)


class CrystalFit:
    """The force constants of a crystal, as far as its snapshots tell."""

    def __init__(
        self,
        crystal: FewShotCrystal,
        model: few_shot.FewShotModel,
        forces: NDArray[np.float64],
        potential: few_shot.PotentialForces | None,
        *,
        polar: bool,
    ) -> None:
        self._crystal, self._model, self._forces = crystal, model, forces
        self._larger = None if polar or potential is None else potential.larger_second_order
        self._potential = potential
        self.fitted = model.fit(forces)

    @cached_property
    def plan(self) -> ThirdOrderPlan:
        """The supercell with displacements and forces, as phono3py stores them."""
        model = self._crystal.model
        displacements = self._crystal.displacements[: len(self._forces)]
        model.dataset = {"displacements": displacements, "forces": self._forces}
        return ThirdOrderPlan(model, self._crystal.recipe)

    def phonon(self, second: NDArray[np.float64]) -> Phonopy:
        """Return harmonic phonons of compact force constants of the snapshots' supercell.

        They are in the larger supercell where a potential knows it: the potential's there, with
        the difference between `second` and the potential's in the smaller one added.  Not of
        crystals with Born charges: the interaction of dipoles is folded into each supercell, and
        that of one is not that of another.
        """
        crystal = self._crystal
        phonon = as_phonopy(crystal.model) if self._larger is None else crystal.larger_phonon()
        phonon.force_constants = self._harmonic(second)
        return phonon

    def _harmonic(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the compact force constants of harmonic phonons, as `phonon` takes them."""
        if self._larger is None or self._potential is None:
            return second
        correction = self._carry_over(second - self._potential.second_order)
        return np.asarray(self._larger + correction)

    @cached_property
    def _carry_over(self) -> CarryOver:
        return CarryOver(as_phonopy(self._crystal.model), self._crystal.larger_phonon())

    def judged(self, phonon: Phonopy, recipe: TransportRecipe) -> FewShotStep:
        """Return how sure κ and stability are, from draws of the posterior.

        Parameters
        ----------
        phonon
            Of the mean, with Born charges.
        recipe
            κ is compared on the coarsest of its meshes.
        """
        constants = ThirdOrderForceConstants(*self.fitted.posterior.mean(), None)
        model = transport.transport_model(
            self._crystal.cell, self._crystal.centring, phonon, self.plan, constants
        )
        mesh = mesh_series(model, recipe)[0]
        unstable = []
        # One object for all draws: its symmetry takes seconds in large cells.
        drawn = self.phonon(constants.second_order)
        drawn.nac_params = phonon.nac_params

        def kappa(second: NDArray[np.float64], third: NDArray[np.float64]) -> float:
            drawn.force_constants = self._harmonic(second)
            gate = harmonic.stability(drawn, self._crystal.phonons.stability_mesh_length_a)
            threshold = self._crystal.phonons.stability_threshold_thz
            unstable.append(gate.min_frequency_thz < threshold)
            model.fc2, model.fc3 = drawn.force_constants, third
            solution = transport.conductivity(
                model, mesh, [ROOM_TEMPERATURE_K], isotopes=recipe.isotopes
            )
            return solution.isotropic_w_per_m_k(ROOM_TEMPERATURE_K)

        found = few_shot.kappa_posterior(self.fitted.posterior, kappa)
        value = found.kappa_w_per_m_k
        if not (np.isfinite(found.error_bar_w_per_m_k) and value > 0):
            raise CannotCompute(
                f"{self._crystal.cell.reduced_formula}: κ of the fit to {len(self._forces)} "
                f"snapshots is {value} W/m/K"
            )
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
            prior_reason=prior.reason,
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
