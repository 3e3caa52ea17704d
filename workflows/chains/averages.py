"""From the conformers of a chain to its values and their error bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import kB
from scipy.stats import norm, t

from workflows.chain_documents import ChainConformer, ConformerSummary
from workflows.chains.oligomers import RepeatUnit
from workflows.chains.stiffness import modulus_gpa, speed_of_sound_m_per_s
from workflows.constants import EV_IN_KJ_PER_MOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflows.recipes import ChainStiffnessRecipe

OLIGOMER_ERROR_FRACTION = 0.01
"""Of the speed of sound: what longer oligomers, or the chain cut elsewhere, change it by at most;
see ``benchmarks/chain_stiffness.py``."""


ONE_STD = float(norm.cdf(1.0))


def molar_mass_g_per_mol(smiles: str) -> float:
    """Return the molar mass of a repeat unit."""
    return RepeatUnit(smiles).molar_mass_g_per_mol


def weights_of(
    conformers: Sequence[ChainConformer], recipe: ChainStiffnessRecipe
) -> NDArray[np.float64]:
    """Return Boltzmann's weights of conformers of a chain under tension, shape (conformers,)."""
    energies = np.array([energy_under_tension_ev(each, recipe) for each in conformers])
    raw = np.exp(-(energies - energies.min()) / (kB * recipe.temperature_k))
    return np.asarray(raw / raw.sum())


def energy_under_tension_ev(conformer: ChainConformer, recipe: ChainStiffnessRecipe) -> float:
    """Return the energy of a unit in a chain that the recipe's tension aligns."""
    return conformer.energy_ev - recipe.aligning_tension_ev_per_a * conformer.rise_a


def stiffness_fields(
    smiles: str,
    found: Sequence[ChainConformer],
    stretched: Sequence[ChainConformer],
    recipe: ChainStiffnessRecipe,
) -> dict[str, Any]:
    """Return the fields of a `workflows.chain_documents.ChainStiffnessDocument` of stiffness.

    Units of one chain are springs in a row, whatever conformers they have: rises and compliances
    add up, so that their means count.

    Parameters
    ----------
    found
        Conformers of MMFF94, whose scatter between starts is that of the engine's too.
    stretched
        Those of the engine.
    """
    mass = molar_mass_g_per_mol(smiles)
    weights = weights_of(stretched, recipe)
    rise_a = float(weights @ [each.rise_a for each in stretched])
    volume_a3 = float(weights @ [each.volume_a3 for each in stretched])
    held = float(weights @ [each.held_compliance_a2_per_ev for each in stretched])
    free = float(weights @ [each.free_compliance_a2_per_ev for each in stretched])
    speed = speed_of_sound_m_per_s(rise_a, held, mass)
    scatter = scatter_between_starts(found, mass, recipe)
    lowest = min(each.energy_ev for each in stretched)
    return {
        "speed_of_sound_m_per_s": speed,
        "speed_of_sound_error_m_per_s": (
            None if scatter is None else speed * float(np.hypot(scatter, OLIGOMER_ERROR_FRACTION))
        ),
        "longitudinal_modulus_gpa": modulus_gpa(rise_a, held, volume_a3 / rise_a),
        "free_speed_of_sound_m_per_s": speed_of_sound_m_per_s(rise_a, free, mass),
        "free_longitudinal_modulus_gpa": modulus_gpa(rise_a, free, volume_a3 / rise_a),
        "rise_a": rise_a,
        "area_a2": volume_a3 / rise_a,
        "conformers": [
            ConformerSummary(
                weight=float(weight),
                energy_kj_per_mol=(each.energy_ev - lowest) * EV_IN_KJ_PER_MOL,
                rise_a=each.rise_a,
                twist_deg=each.twist_deg,
                speed_of_sound_m_per_s=speed_of_sound_m_per_s(
                    each.rise_a, each.held_compliance_a2_per_ev, mass
                ),
                free_speed_of_sound_m_per_s=speed_of_sound_m_per_s(
                    each.rise_a, each.free_compliance_a2_per_ev, mass
                ),
                lowest_curvature_ev_per_a2=each.lowest_curvature_ev_per_a2,
            )
            for weight, each in zip(weights, stretched, strict=True)
        ],
    }


def scatter_between_starts(
    found: Sequence[ChainConformer], mass: float, recipe: ChainStiffnessRecipe
) -> float | None:
    """Return the relative scatter of the speed of sound between random starts.

    The standard deviation of its logarithm over what each start alone would give, wider by
    Student's factor as there are few of them; None of a single start.
    """
    logarithms = []
    for start in sorted({seed for conformer in found for seed in conformer.seeds}):
        own = [conformer for conformer in found if start in conformer.seeds]
        weights = weights_of(own, recipe)
        rise_a = float(weights @ [each.rise_a for each in own])
        compliance = float(weights @ [each.held_compliance_a2_per_ev for each in own])
        logarithms.append(np.log(speed_of_sound_m_per_s(rise_a, compliance, mass)))
    if len(logarithms) < 2:
        return None
    student = float(t.ppf(ONE_STD, len(logarithms) - 1))
    return student * float(np.std(logarithms, ddof=1))
