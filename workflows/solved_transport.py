"""κ of a crystal from its force constants, and the fields of the result document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.document_parts import StepCost, total_cost
from workflows.documents import (
    MeshConductivity,
    PhononDocument,
    RelaxationDocument,
    ThermalConductivityDocument,
)
from workflows.lattice_dynamics import transport
from workflows.lattice_dynamics.anharmonicity import beyond_three_phonons, cubic_anharmonicity
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.lattice_dynamics.meshes import mesh_series

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.engines import Engine
    from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants, ThirdOrderPlan
    from workflows.lattice_dynamics.transport import Conductivity, MeshLimit
    from workflows.recipes import TransportRecipe


@dataclass(frozen=True)
class SolvedTransport:
    """κ on all meshes of a recipe.

    Parameters
    ----------
    model
        Phono3py object with the force constants.
    meshes
        κ at 300 K on each mesh, ascending.
    densest
        Solution on the last one.
    limit
        Extrapolation to an infinitely dense mesh.
    """

    structure: Structure
    recipe: TransportRecipe
    model: Phono3py
    meshes: list[MeshConductivity]
    densest: Conductivity
    limit: MeshLimit
    gruneisen_rms: float
    anharmonicity: float | None
    direct_w_per_m_k: float | None


def solve_transport(
    structure: Structure,
    phonon: Phonopy,
    plan: ThirdOrderPlan,
    force_constants: ThirdOrderForceConstants,
    recipe: TransportRecipe,
    *,
    stable: bool,
) -> SolvedTransport:
    """Solve the Boltzmann equation on all meshes of a recipe.

    Parameters
    ----------
    structure
        Relaxed crystal.
    phonon
        Its harmonic force constants and Born charges.
    plan, force_constants
        Supercell of the third-order force constants, and these.
    stable
        Whether the crystal has no imaginary modes.
    """
    cell, centring = conventional_cell(structure)
    model = transport.transport_model(cell, centring, phonon, plan, force_constants)
    series = [
        transport.conductivity(model, mesh, recipe.temperatures_k, isotopes=recipe.isotopes)
        for mesh in mesh_series(model, recipe)
    ]
    meshes = [
        MeshConductivity(
            mesh=solution.mesh,
            kappa_300k_w_per_m_k=solution.isotropic_w_per_m_k(ROOM_TEMPERATURE_K),
            wall_s=solution.wall_s,
        )
        for solution in series
    ]
    direct = (
        transport.direct_conductivity(
            model, series[-1].mesh, ROOM_TEMPERATURE_K, isotopes=recipe.isotopes
        )
        if recipe.direct_solution
        else None
    )
    return SolvedTransport(
        structure=structure,
        recipe=recipe,
        model=model,
        meshes=meshes,
        densest=series[-1],
        limit=transport.extrapolate(
            [mesh.mesh for mesh in meshes], [mesh.kappa_300k_w_per_m_k for mesh in meshes]
        ),
        gruneisen_rms=transport.rms_gruneisen(
            phonon, plan, force_constants, recipe.gruneisen_mesh_length_a, ROOM_TEMPERATURE_K
        ),
        anharmonicity=(
            cubic_anharmonicity(plan.model, force_constants, ROOM_TEMPERATURE_K) if stable else None
        ),
        direct_w_per_m_k=direct,
    )


def kappa_fields(
    phonons: PhononDocument, solved: SolvedTransport, *relative_errors: float | None
) -> dict[str, Any]:
    """Return the outcome and κ with its error bars.

    Parameters
    ----------
    relative_errors
        Of κ, from the fit of the force constants and whatever else is known; the first is the
        fit's.
    """
    kappa, mesh_error = solved.limit.kappa_w_per_m_k, solved.limit.error_w_per_m_k
    fit_error = relative_errors[0] if relative_errors else None
    known = [each for each in relative_errors if each is not None]
    error = float(np.sqrt(mesh_error**2 + sum((kappa * each) ** 2 for each in known)))
    errors = {
        "kappa_300k_mesh_error_w_per_m_k": mesh_error,
        "kappa_300k_fit_error_w_per_m_k": None if fit_error is None else fit_error * kappa,
    }
    if phonons.stable:
        return {
            "outcome": "computed",
            "kappa_300k_w_per_m_k": kappa,
            "kappa_300k_error_w_per_m_k": error,
            **errors,
        }
    return {
        "outcome": "unstable",
        "reason": imaginary_modes(phonons),
        "kappa_300k_real_modes_w_per_m_k": kappa,
        "kappa_300k_real_modes_error_w_per_m_k": error,
        **errors,
    }


def transport_fields(solved: SolvedTransport, phonons: PhononDocument) -> dict[str, Any]:
    """Return what a document says of the solution, beside κ itself."""
    densest = solved.densest
    return {
        "kappa_300k_direct_w_per_m_k": solved.direct_w_per_m_k,
        "kappa_300k_coherence_w_per_m_k": densest.isotropic_coherence_w_per_m_k(ROOM_TEMPERATURE_K),
        "temperatures_k": densest.temperatures_k.tolist(),
        "kappa_tensor_w_per_m_k": np.round(
            transport.in_frame_of(solved.structure, solved.model, densest.kappa_w_per_m_k), 6
        ).tolist(),
        "meshes": solved.meshes,
        "isotope_scattering": solved.recipe.isotopes,
        "nac": phonons.nac,
        "nac_source": phonons.nac_source,
        "nac_reason": phonons.nac_reason or None,
        "solver": "rta",
        "gruneisen_rms": solved.gruneisen_rms,
        "cubic_anharmonicity_300k": solved.anharmonicity,
        "beyond_three_phonons": beyond_three_phonons(solved.anharmonicity, ROOM_TEMPERATURE_K),
        "transport": densest.accumulation(ROOM_TEMPERATURE_K),
        "phono3py_params": transport.phono3py_params(solved.model),
    }


def common_fields(
    engine: Engine, relaxation: RelaxationDocument, phonons: PhononDocument, *costs: StepCost
) -> dict[str, Any]:
    """Return the fields of every document, with or without κ."""
    response = [phonons.dielectric_cost] if phonons.dielectric_cost else []
    steps = [relaxation.cost, *response, phonons.cost, *costs]
    return {
        "formula": relaxation.structure.reduced_formula,
        "structure": relaxation.structure,
        "min_frequency_thz": phonons.min_frequency_thz,
        "max_frequency_thz": phonons.max_frequency_thz,
        "volume_a3_per_atom": relaxation.volume_a3_per_atom,
        **total_cost(steps),
        "provenance": engine.provenance(),
        "spectrum": phonons.spectrum,
    }


def unstable_document(
    engine: Engine, relaxation: RelaxationDocument, phonons: PhononDocument
) -> ThermalConductivityDocument:
    """Return the document of a crystal that ends here: lost, or with imaginary modes."""
    return ThermalConductivityDocument(
        outcome="unstable",
        reason=phonons.lost or imaginary_modes(phonons),
        **common_fields(engine, relaxation, phonons),
    )


def imaginary_modes(phonons: PhononDocument) -> str:
    """Return the reason of a crystal that failed the stability gate."""
    return (
        f"imaginary modes: lowest frequency {phonons.min_frequency_thz:.2f} THz on a "
        f"{'×'.join(map(str, phonons.stability_mesh or ()))} q-mesh, threshold "
        f"{phonons.stability_threshold_thz:.2f} THz"
    )
