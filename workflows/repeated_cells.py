"""GFN-FF for crystals of any cell: small cells are repeated before they are computed.

GFN-FF (S. Spicher and S. Grimme, Angew. Chem. Int. Ed. 59, 15665 (2020)) lists bonds, angles and
torsions once, between atoms.  In a cell that is shorter than a few bonds an atom is bonded to its
own image, and the list is wrong without a word: in the cell of polyethylene, 2.5 Å along the
chain, the chain comes out 3 % too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

LEAST_HEIGHT_A = 7.5
"""Between opposite faces of the cell that is computed: more than a torsion spans."""
ALLOWED_CHANGE = 0.2
"""Of heights, before the multiples are chosen anew: cells that differ by a strain share them."""


class RepeatedGFNFF(Calculator):
    """GFN-FF of molecules and of crystals.

    Parameters
    ----------
    least_height_a
        The cell is repeated along each of its periodic axes until it is so high.
    **arguments
        Of gfnff's own calculator.
    """

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - as ASE has it

    def __init__(self, least_height_a: float = LEAST_HEIGHT_A, **arguments: Any) -> None:
        from gfnff import GFNFF

        super().__init__()  # type: ignore[no-untyped-call]
        self._least_height_a = least_height_a
        self._inner = GFNFF(**arguments)
        self._multiples = np.ones(3, dtype=int)
        self._chosen_for: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: tuple[str, ...] = ("energy",),
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy, forces and stress of the atoms as they are given."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        present: Any = self.atoms
        multiples = self._multiples_of(present)
        copies = int(multiples.prod())
        repeated = present.copy()
        # Constraints, as of symmetry, are those of the one cell, and for whoever moves its atoms.
        repeated.set_constraint()
        repeated = repeated.repeat(multiples)
        repeated.calc = self._inner
        forces = repeated.get_forces()
        # ASE repeats whole cells, one behind the other: copies of an atom feel the same.
        self.results = {
            "energy": repeated.get_potential_energy() / copies,
            "forces": forces.reshape(copies, len(present), 3).mean(axis=0),
        }
        if present.pbc.all():
            self.results["stress"] = repeated.get_stress()

    def _multiples_of(self, atoms: Atoms) -> NDArray[np.int64]:
        """Return how often the cell is repeated along each axis, as before for a similar cell."""
        if not atoms.pbc.any():
            return np.ones(3, dtype=int)
        inverse = np.linalg.inv(atoms.cell.array)
        heights = 1 / np.linalg.norm(inverse, axis=0)
        if self._chosen_for is not None:
            numbers, before = self._chosen_for
            if np.array_equal(numbers, atoms.numbers) and np.allclose(
                heights, before, rtol=ALLOWED_CHANGE
            ):
                return self._multiples
        needed = np.ceil(self._least_height_a / heights).astype(int)
        self._multiples = np.where(atoms.pbc, needed, 1)
        self._chosen_for = (atoms.numbers.copy(), heights)
        return self._multiples
