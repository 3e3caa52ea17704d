"""A fitted potential as an ASE calculator that refuses cells outside its domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator, all_changes

from workflows.potentials.potential import Answer, OutsideDomain, Potential

if TYPE_CHECKING:
    from pymatgen.core import Structure


class FittedCalculator(Calculator):
    """Energy, forces and stress of a fitted potential.

    Parameters
    ----------
    potential
        What is asked.
    outside
        Called with a cell that is refused, and what the potential says of it, so that it can be
        kept for labelling.
    ask_every
        Ask whether the cell is known on every n-th call, beginning with the first.

    Attributes
    ----------
    largest_leverage, largest_force_error_ev_per_a : float
        Of all calls since `read_indicator` was asked.
    """

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - as ASE has it

    def __init__(
        self,
        potential: Potential,
        outside: Callable[[Structure, Answer], None] | None = None,
        ask_every: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential = potential
        self._ask_every, self._calls = ask_every, 0
        self._outside = outside
        self.largest_leverage = self.largest_force_error_ev_per_a = 0.0

    def read_indicator(self) -> dict[str, float]:
        """Return the largest leverage since this was last asked, and the error it stands for."""
        found = {
            "largest_leverage": self.largest_leverage,
            "expected_force_error_ev_per_a": self.largest_force_error_ev_per_a,
        }
        self.largest_leverage = self.largest_force_error_ev_per_a = 0.0
        return found

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        """Compute one cell.

        Raises
        ------
        OutsideDomain
            When it is too unlike the training cells.
        """
        from pymatgen.io.ase import AseAtomsAdaptor

        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        bare = atoms.copy()
        bare.set_constraint()
        structure = AseAtomsAdaptor.get_structure(bare)
        self._calls += 1
        asked = (self._calls - 1) % self._ask_every == 0
        value = self._known(structure) if asked else self.potential.unchecked(structure)
        self.results = {
            "energy": value.energy_ev,
            "free_energy": value.energy_ev,
            "forces": value.forces_ev_per_a,
            "stress": value.stress_ev_per_a3,
        }

    def _known(self, structure: Structure) -> Answer:
        answer = self.potential.ask(structure)
        self.largest_leverage = max(self.largest_leverage, answer.leverage.atom)
        self.largest_force_error_ev_per_a = max(
            self.largest_force_error_ev_per_a, answer.expected_force_error_ev_per_a
        )
        try:
            self.potential.check(structure, answer)
        except OutsideDomain:
            if self._outside is not None:
                self._outside(structure, answer)
            raise
        return answer
