"""Energy of a regular chain for each unit, from two oligomers.

The energy of an oligomer in the chain's own geometry is that of its units and of its ends.  Between
oligomers of N and N + 1 units the ends are the same, so that the difference is the energy of one
unit in the endless chain, but for what units more than N places apart do to each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import all_changes

from workflows.chains.helix import Helix
from workflows.chains.oligomers import RepeatUnit, as_atoms

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

REACH_A = 10.0
"""The shorter oligomer is at least so long: its two ends must not feel each other."""
A_PER_BOND = 1.25
"""About how much of an extended chain's length each bond of its backbone makes."""


@dataclass
class _Oligomer:
    """An oligomer that follows a helix, and its calculator."""

    unit: RepeatUnit
    n_units: int
    atoms: Atoms
    calculator: Calculator
    changes: tuple[str, ...] = tuple(all_changes)

    def energy(self, helix: Helix) -> tuple[float, NDArray[np.float64]]:
        """Return its energy in eV and the gradient with respect to the helix's variables."""
        places = np.arange(-1, self.n_units + 1)
        images = np.array([helix.image(int(place)) for place in places])
        head, tail = self.unit.ends
        at_head, at_tail = self.unit.cap_fractions
        caps = [
            (1 - at_head) * images[1, head] + at_head * images[0, tail],
            (1 - at_tail) * images[-2, tail] + at_tail * images[-1, head],
        ]
        self.atoms.positions = np.concatenate([images[1:-1].reshape(-1, 3), caps])
        # ASE's own way compares the atoms with those of the last call, which costs as much as MMFF.
        self.calculator.calculate(self.atoms, ["energy", "forces"], list(self.changes))
        self.changes = ("positions",)
        energy = float(self.calculator.results["energy"])
        on_atoms = -np.asarray(self.calculator.results["forces"])
        gradient = np.zeros_like(images)
        gradient[1:-1] = on_atoms[:-2].reshape(self.n_units, -1, 3)
        gradient[1, head] += (1 - at_head) * on_atoms[-2]
        gradient[0, tail] += at_head * on_atoms[-2]
        gradient[-2, tail] += (1 - at_tail) * on_atoms[-1]
        gradient[-1, head] += at_tail * on_atoms[-1]
        return energy, helix.pulled_back(gradient, places)


@dataclass
class ChainEnergy:
    """Energy of one unit in a regular chain, with its gradient.

    Parameters
    ----------
    unit
        Of the chain.
    n_units
        Of the shorter oligomer; see `units_of_shorter_oligomer`.
    new_calculator
        Makes an ASE calculator; each oligomer has one of its own, which remembers it.

    Attributes
    ----------
    calls : int
        How often an oligomer's forces were computed.
    """

    unit: RepeatUnit
    n_units: int
    new_calculator: Callable[[], Calculator]
    calls: int = 0
    _oligomers: list[_Oligomer] = field(init=False)

    def __post_init__(self) -> None:
        self._oligomers = []
        for n_units in (self.n_units, self.n_units + 1):
            atoms = as_atoms(self.unit.oligomer(n_units))
            self._oligomers.append(_Oligomer(self.unit, n_units, atoms, self.new_calculator()))

    def __call__(self, helix: Helix) -> tuple[float, NDArray[np.float64]]:
        """Return the energy in eV and the gradient, shape (variables,), in eV/Å."""
        shorter, longer = (oligomer.energy(helix) for oligomer in self._oligomers)
        self.calls += 2
        return longer[0] - shorter[0], longer[1] - shorter[1]


def units_of_shorter_oligomer(unit: RepeatUnit) -> int:
    """Return how many units the shorter oligomer needs, for its ends not to feel each other."""
    return max(1, math.ceil(REACH_A / (A_PER_BOND * unit.backbone_bonds)))
