"""Cells that a potential's own molecular dynamics leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.potentials.calculator import FittedCalculator
from workflows.potentials.exploration import supercell_of
from workflows.potentials.frames import Frame
from workflows.potentials.potential import OutsideDomain, Potential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from workflows.potentials.recipe import ExplorationRecipe

TIME_STEP_FS = 2.0
FRICTION_PER_FS = 0.02
CELLS_OF_A_RUN = 2
ASK_EVERY = 10
"""Steps of which one asks whether the cell is known, which takes twice as long as the forces."""
CRYSTALS_A_ROUND = 6
"""Of a family that are followed: a run costs hundreds of force calls with the indicator."""


def cells_from_dynamics(
    potential: Potential,
    crystals: Sequence[Structure],
    recipe: ExplorationRecipe,
    seed: int,
) -> list[Frame]:
    """Return cells of Langevin dynamics of crystals at each temperature.

    Of a large family `CRYSTALS_A_ROUND` are drawn at random.  A run ends where the potential is
    found not to know a cell any more, and that cell is the last.
    """
    if not recipe.dynamics_steps:
        return []
    frames = []
    drawn = np.random.default_rng(seed).permutation(len(crystals))[:CRYSTALS_A_ROUND]
    for number in sorted(drawn.tolist()):
        crystal = crystals[number]
        for temperature_k in recipe.temperatures_k:
            cells = _one_run(potential, crystal, temperature_k, recipe, seed + number)
            origin = f"{crystal.reduced_formula}: molecular dynamics at {temperature_k:g} K"
            frames += [Frame(structure=cell, origin=origin) for cell in cells]
    return frames


def _one_run(
    potential: Potential,
    crystal: Structure,
    temperature_k: float,
    recipe: ExplorationRecipe,
    seed: int,
) -> list[Structure]:
    from ase.md.langevin import Langevin
    from ase.units import fs, kB
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(supercell_of(crystal, recipe))
    atoms.calc = FittedCalculator(potential, ask_every=ASK_EVERY)
    random = np.random.RandomState(seed)
    widths = np.sqrt(atoms.get_masses() * kB * temperature_k)
    atoms.set_momenta(widths[:, None] * random.standard_normal((len(atoms), 3)))
    dynamics = Langevin(
        atoms,
        TIME_STEP_FS * fs,
        temperature_K=temperature_k,
        friction=FRICTION_PER_FS / fs,
        # A drift of the whole cell changes no distance.
        fixcm=False,
        rng=random,
    )
    cells: list[Structure] = []
    try:
        for _ in range(CELLS_OF_A_RUN):
            dynamics.run(recipe.dynamics_steps // CELLS_OF_A_RUN)
            cell = AseAtomsAdaptor.get_structure(atoms)
            potential.check(cell, potential.ask(cell))
            cells.append(cell)
    except OutsideDomain as refused:
        if refused.structure is not None:
            cells.append(refused.structure)
    return cells
