"""Straight conformers at rest, of MMFF94 and of the engine, as documents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.chain_documents import ChainConformer, TorsionProfile
from workflows.chains.conformers import pulled
from workflows.chains.energy import ChainEnergy, units_of_shorter_oligomer
from workflows.chains.flexible_chain import flexibility_of
from workflows.chains.helix import Helix
from workflows.chains.minimum import minimum
from workflows.chains.oligomers import RepeatUnit
from workflows.chains.stiffness import (
    compliance_a2_per_ev,
    hessian,
    internal_modes,
    unit_volume_a3,
)
from workflows.constants import EV_IN_KJ_PER_MOL

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from workflows.recipes import ChainStiffnessRecipe

SAME_ENERGY_EV, SAME_RISE_A = 2e-3, 0.02
"""Minima that differ by less are one."""
FALLS = 3
"""Saddle points that are left downhill before a start is given up."""
SADDLE_STEP_A = 0.3


@dataclass
class Found:
    """Conformers, or why there are none.

    Attributes
    ----------
    conformers : list of ChainConformer
    lost : str
    force_calls : int
    """

    conformers: list[ChainConformer] = field(default_factory=list)
    lost: str = ""
    force_calls: int = 0


def straight_conformers(
    smiles: str, new_calculator: Callable[[], Calculator], recipe: ChainStiffnessRecipe
) -> Found:
    """Return the different minima that random starts lead to, the lowest energy first."""
    unit, energy = _chain(smiles, new_calculator)
    lost = "no random conformer of it can be built"
    conformers: list[ChainConformer] = []
    for start in range(recipe.starts):
        seed = 1000 * (recipe.seed + 1) + start
        for helix in pulled(unit, energy, seed, recipe.tension_ev_per_a):
            found = at_rest(unit, energy, helix, energy, recipe)
            if isinstance(found, str):
                lost = found
            else:
                add_conformer(conformers, found.model_copy(update={"seeds": [start]}))
    conformers.sort(key=lambda conformer: conformer.energy_ev)
    return Found(conformers, "" if conformers else lost, energy.calls)


def engine_conformer(
    smiles: str,
    preparing: Callable[[], Calculator],
    new_calculator: Callable[[], Calculator],
    conformer: ChainConformer,
    recipe: ChainStiffnessRecipe,
) -> Found:
    """Return an engine's minimum near a conformer, or why there is none.

    Parameters
    ----------
    preparing
        Makes the calculator whose Hessian the search begins with.
    """
    unit, cheap = _chain(smiles, preparing)
    _, energy = _chain(smiles, new_calculator)
    found = at_rest(unit, energy, helix_of(conformer), cheap, recipe)
    if isinstance(found, str):
        return Found([], found, energy.calls)
    return Found([found.model_copy(update={"seeds": conformer.seeds})], "", energy.calls)


def at_rest(
    unit: RepeatUnit,
    energy: ChainEnergy,
    start: Helix,
    cheap: ChainEnergy,
    recipe: ChainStiffnessRecipe,
) -> ChainConformer | str:
    """Return the minimum near a start, stretched; or why there is none, in half a sentence.

    Parameters
    ----------
    cheap
        Its Hessian at the start stands in for the engine's own.
    """
    second = hessian(cheap, start, recipe.displacement_a)
    helix: Helix | None = start
    for _ in range(FALLS):
        assert helix is not None
        helix = minimum(energy, helix, second, recipe.force_tolerance_ev_per_a, recipe.max_steps)
        if helix is None:
            return f"forces are not below tolerance after {recipe.max_steps} steps"
        second = hessian(energy, helix, recipe.displacement_a)
        curvatures, modes = internal_modes(helix, second)
        if curvatures[0] > 0:
            return _document(unit, energy, helix, second, recipe)
        lowest = float(curvatures[0])
        moved = helix.variables
        moved[:-1] += SADDLE_STEP_A * modes[:, 0]
        helix = Helix.of_variables(moved)
    return f"its straight chain has a mode of negative curvature, {lowest:.4f} eV/Å²"


def helix_of(conformer: ChainConformer) -> Helix:
    """Return a stored conformer as a helix."""
    return Helix(
        np.array(conformer.positions_a), conformer.rise_a, math.radians(conformer.twist_deg)
    )


def torsions_and_persistence(
    smiles: str, conformer: ChainConformer, recipe: ChainStiffnessRecipe
) -> dict[str, Any]:
    """Return the fields of a `workflows.chain_documents.ChainFlexibilityDocument`."""
    found = flexibility_of(
        RepeatUnit(smiles), helix_of(conformer), recipe.temperature_k, recipe.torsion_points
    )
    torsions = [
        TorsionProfile(
            bond=scan.bond,
            straight_angle_deg=scan.reference_deg,
            angles_deg=scan.profile.angles_deg.tolist(),
            energies_kj_per_mol=(scan.profile.energies_ev * EV_IN_KJ_PER_MOL).round(4).tolist(),
        )
        for scan in found.scans
    ]
    return {"persistence_length_nm": found.persistence_length_nm, "torsions": torsions}


def _chain(smiles: str, new_calculator: Callable[[], Calculator]) -> tuple[RepeatUnit, ChainEnergy]:
    unit = RepeatUnit(smiles)
    return unit, ChainEnergy(unit, units_of_shorter_oligomer(unit), new_calculator)


def _document(
    unit: RepeatUnit,
    energy: ChainEnergy,
    helix: Helix,
    second: Any,
    recipe: ChainStiffnessRecipe,
) -> ChainConformer | str:
    held = recipe.transverse_spring_kcal_per_mol_a2
    free = compliance_a2_per_ev(helix, second, unit.numbers)
    if free <= 0:
        return f"its straight chain gives way by {free:.3f} Å²/eV, which is not positive"
    return ChainConformer(
        positions_a=helix.unit.tolist(),
        rise_a=helix.rise_a,
        twist_deg=round(math.degrees(helix.twist), 6),
        energy_ev=energy(helix)[0],
        lowest_curvature_ev_per_a2=float(internal_modes(helix, second)[0][0]),
        free_compliance_a2_per_ev=free,
        held_compliance_a2_per_ev=compliance_a2_per_ev(helix, second, unit.numbers, held),
        volume_a3=unit_volume_a3(unit, helix, energy.n_units),
    )


def add_conformer(conformers: list[ChainConformer], found: ChainConformer) -> None:
    """Add a conformer, or its start to one that is the same."""
    for index, known in enumerate(conformers):
        if (
            abs(known.energy_ev - found.energy_ev) < SAME_ENERGY_EV
            and abs(known.rise_a - found.rise_a) < SAME_RISE_A
        ):
            seeds = sorted({*known.seeds, *found.seeds})
            conformers[index] = known.model_copy(update={"seeds": seeds})
            return
    conformers.append(found)
