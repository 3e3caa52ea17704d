"""κ at 300 K of a crystal with imaginary modes, from its effective force constants there."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.document_parts import StepCost
from workflows.effective_documents import EffectiveForceConstantsDocument
from workflows.lattice_dynamics import effective, harmonic, transport
from workflows.lattice_dynamics.larger_supercell import ChangedAlike
from workflows.lattice_dynamics.third_order import as_phonopy, compact
from workflows.solved_transport import solve_transport

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.documents import PhononDocument
    from workflows.engines import Engine
    from workflows.lattice_dynamics.effective import EffectiveForceConstants
    from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants, ThirdOrderPlan
    from workflows.recipes import EffectiveForceConstantsRecipe, TransportRecipe
    from workflows.solved_transport import SolvedTransport

STEP = "effective force constants"


class EffectiveConductivity:
    """Effective force constants of one crystal, and κ with them.

    Its cycles follow from one another, so that all forces are computed inside the job.

    Parameters
    ----------
    structure, phonons, phonon
        Relaxed crystal, the document of its harmonic phonons, and these.
    plan, constants
        Supercell and fit of the third-order force constants of zero temperature.
    """

    def __init__(
        self,
        structure: Structure,
        phonons: PhononDocument,
        phonon: Phonopy,
        plan: ThirdOrderPlan,
        constants: ThirdOrderForceConstants,
    ) -> None:
        self._structure, self._phonons, self._plan = structure, phonons, plan
        self._harmonic = compact(plan.model, constants).second_order
        self._changed = ChangedAlike(phonon, as_phonopy(plan.model), self._harmonic)

    def fields(
        self,
        engine: Engine,
        recipe: EffectiveForceConstantsRecipe,
        transport_recipe: TransportRecipe,
    ) -> tuple[dict[str, Any], StepCost]:
        """Return fields of a `ThermalConductivityDocument`, and what they cost.

        What fails leaves its reason in the record: the rest of the result does not depend on it.
        """
        started = time.perf_counter()
        found = effective.find_effective(
            self._plan,
            self._harmonic,
            ROOM_TEMPERATURE_K,
            recipe,
            engine.forces,
            lambda second: self._lowest_thz(second) >= self._threshold_thz,
        )
        fields = self._found_fields(found, transport_recipe)
        wall_s = time.perf_counter() - started
        return fields, StepCost.of_force_calls(STEP, found.force_calls, wall_s)

    @property
    def _threshold_thz(self) -> float:
        # A crystal that has phonons has both.
        return float(self._phonons.stability_threshold_thz or 0.0)

    def _lowest_thz(self, second: NDArray[np.float64]) -> float:
        mesh = self._phonons.stability_mesh
        assert mesh is not None
        return harmonic.stability_on(self._changed.phonon(second), mesh).min_frequency_thz

    def _found_fields(
        self, found: EffectiveForceConstants, transport_recipe: TransportRecipe
    ) -> dict[str, Any]:
        """Return the fields for what the loop found, and κ where it is stable."""
        second = found.drawn_with if found.found is None else found.found.second_order
        lowest_thz = self._lowest_thz(second) if found.cycles else None
        stable = None if lowest_thz is None else lowest_thz >= self._threshold_thz
        reason = found.reason
        if stable is False and found.converged:
            reason = f"imaginary modes at {ROOM_TEMPERATURE_K:.0f} K too"
        fields: dict[str, Any] = {
            "stabilised_at_300k": stable,
            "min_effective_frequency_300k_thz": lowest_thz,
        }
        model = self._plan.model
        record = EffectiveForceConstantsDocument(
            temperature_k=ROOM_TEMPERATURE_K,
            supercell_matrix=model.supercell_matrix.tolist(),
            supercell_atoms=len(model.supercell),
            cycles=found.cycles,
            snapshots=found.cycles[-1].snapshots if found.cycles else 0,
            force_calls=found.force_calls,
            converged=found.converged,
            reason=reason,
            unexplained_fraction=found.unexplained_fraction,
        )
        if stable and found.found is not None:
            fields |= self._kappa(found, found.found, transport_recipe, record)
        return fields | {"effective_force_constants": record}

    def _kappa(
        self,
        found: EffectiveForceConstants,
        constants: ThirdOrderForceConstants,
        recipe: TransportRecipe,
        record: EffectiveForceConstantsDocument,
    ) -> dict[str, Any]:
        """Return κ and its error bar; write the parts of that into the record."""
        only = {"temperatures_k": (ROOM_TEMPERATURE_K,), "direct_solution": False}
        phonon = self._changed.phonon(constants.second_order)
        solved = solve_transport(
            self._structure,
            phonon,
            self._plan,
            constants,
            recipe.model_copy(update=only),
            stable=False,
        )
        kappa = solved.limit.kappa_w_per_m_k
        errors = [solved.limit.error_w_per_m_k]
        record.kappa_300k_mesh_error_w_per_m_k = errors[0]
        coarsest = solved.meshes[0].kappa_300k_w_per_m_k
        if not coarsest > 0:
            record.reason = f"κ on the coarsest q-mesh is {coarsest} W/m/K"
            return {}
        scale = kappa / coarsest
        kappas = np.array([self._coarse_kappa(solved, each) for each in found.without])
        groups = len(kappas)
        variance = (groups - 1) / groups * ((kappas - kappas.mean()) ** 2).sum()
        errors.append(scale * math.sqrt(variance))
        record.kappa_300k_statistical_error_w_per_m_k = errors[-1]
        # The whole step: between its ends, where κ is, nothing says how far the end of the loop is.
        before = self._coarse_kappa(solved, replace(constants, second_order=found.drawn_with))
        after = self._coarse_kappa(solved, found.fitted or constants)
        errors.append(scale * abs(after - before))
        record.kappa_300k_consistency_error_w_per_m_k = errors[-1]
        record.kappa_300k_coherence_w_per_m_k = solved.densest.isotropic_coherence_w_per_m_k(
            ROOM_TEMPERATURE_K
        )
        record.thermal_force_constants = {
            "second_order": np.asarray(phonon.force_constants).tolist(),
            "third_order": constants.third_order.tolist(),
        }
        return {
            "kappa_300k_effective_w_per_m_k": kappa,
            "kappa_300k_effective_error_w_per_m_k": float(np.linalg.norm(errors)),
        }

    def _coarse_kappa(self, solved: SolvedTransport, constants: ThirdOrderForceConstants) -> float:
        """Return κ on the coarsest mesh with other force constants, in W/m/K."""
        model = solved.model
        model.fc2 = self._changed.force_constants(constants.second_order)
        model.fc3, model.fc3_nonzero_indices = constants.third_order, constants.nonzero
        mesh = solved.meshes[0].mesh
        solution = transport.conductivity(
            model, mesh, [ROOM_TEMPERATURE_K], isotopes=solved.recipe.isotopes
        )
        return solution.isotropic_w_per_m_k(ROOM_TEMPERATURE_K)
