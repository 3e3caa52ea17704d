"""What is stiff, straight, bent or flexible along a way through a molecule, from its bonds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from screening.molecules.polymer_smiles import matching

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit import Chem

STIFF_OUTSIDE_RINGS = (
    "[$([#6X3,#6X2,#7X2;!R]),$([#7X3+;!R]=[#6,#7]),$([#8X2,#7X3;!R][#6X3]=[#8,#16])]"
)
"""Atoms of double and triple bonds, azoxy and nitrone included, and the O and N of esters and
amides, which stay planar."""
ALKYL = "[#6X4;!R]"
FLEXIBLE = "[#6X4,#8X2,#16,#14;!R]"
"""Atoms outside of rings that a chain turns freely at."""
SHARP = "[#6X4,#14X4,#16X4,#15]"
"""Tetrahedral atoms, at which bonds meet at about 110° or less; at ethers and ketones it is 120°,
and a chain of para rings can still be drawn out along them."""


@dataclass(frozen=True)
class Passage:
    """A ring system that a way leads through.

    Attributes
    ----------
    first, last : int
        Places, on the way, of the atoms where it enters and leaves.
    straight : bool
        Whether it leaves as far from where it entered as it can: para, not meta or ortho.
    """

    first: int
    last: int
    straight: bool


class MolecularShape:
    """Rings, stiff and flexible atoms of one molecule.

    Parameters
    ----------
    molecule : Chem.Mol
        With implicit hydrogen. Dummies are atoms as others.
    """

    def __init__(self, molecule: Chem.Mol) -> None:
        self.molecule = molecule
        self.rings = [frozenset(ring) for ring in molecule.GetRingInfo().AtomRings()]
        self._system = {
            atom: number for number, system in enumerate(self.systems) for atom in system
        }

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Number of bonds between any two atoms, shape (n_atoms, n_atoms)."""
        from rdkit import Chem

        return np.asarray(Chem.GetDistanceMatrix(self.molecule))

    @cached_property
    def systems(self) -> list[frozenset[int]]:
        """Rings joined where they share a bond."""
        systems: list[frozenset[int]] = []
        for ring in self.rings:
            fused = [system for system in systems if len(system & ring) > 1]
            systems = [system for system in systems if system not in fused]
            systems.append(ring.union(*fused))
        return systems

    @cached_property
    def stiff(self) -> frozenset[int]:
        """Atoms that do not let the chain turn out of its direction."""
        outside = matching(self.molecule, STIFF_OUTSIDE_RINGS)
        return frozenset(outside).union(*self.rings)

    @cached_property
    def alkyl(self) -> frozenset[int]:
        """Saturated carbon outside of rings."""
        return frozenset(matching(self.molecule, ALKYL))

    @cached_property
    def flexible(self) -> frozenset[int]:
        """Atoms that a chain turns freely at."""
        return frozenset(matching(self.molecule, FLEXIBLE)) - self.stiff

    @cached_property
    def corners(self) -> frozenset[int]:
        """Tetrahedral atoms of five-membered rings: no two bonds that leave these are in line."""
        return frozenset(matching(self.molecule, "[X4;r5]"))

    @cached_property
    def sharp(self) -> frozenset[int]:
        """Atoms at which a way turns by 70° or more."""
        return frozenset(matching(self.molecule, SHARP))

    def passages(self, way: Sequence[int]) -> Iterator[Passage]:
        """Yield the ring systems that a way leads through by more than one atom."""
        start = 0
        while start < len(way):
            number = self._system.get(way[start])
            system = frozenset[int]() if number is None else self.systems[number]
            end = start
            while end + 1 < len(way) and way[end + 1] in system:
                end += 1
            if end > start:
                farthest = max(self.distances[way[start], atom] for atom in system)
                straight = bool(self.distances[way[start], way[end]] >= farthest)
                straight &= not {way[start], way[end]} <= self.corners
                yield Passage(start, end, straight)
            start = end + 1

    def hinges(self, way: Sequence[int]) -> list[int]:
        """Return the places of single atoms that join two rings, as O, CH₂, CO or SO₂.

        Among them is the atom that a ring beside the way has on it, as C9 of a fluorene.
        """
        system = [self._system.get(atom) for atom in way]
        return [
            place
            for place in range(1, len(way) - 1)
            if system[place - 1] is not None
            and system[place + 1] is not None
            and (
                system[place] is None or system[place] not in (system[place - 1], system[place + 1])
            )
        ]

    def sharp_hinges(self, way: Sequence[int]) -> list[int]:
        """Return the hinges at which a way cannot go on in nearly the same direction."""
        return [place for place in self.hinges(way) if way[place] in self.sharp]

    def rods(self, way: Sequence[int]) -> list[bool]:
        """Return which atoms of a way neither turn nor bend it.

        Stiff ones do not, but for single atoms between rings and those where a way enters a ring
        that it leaves meta or ortho.
        """
        rods = [atom in self.stiff for atom in way]
        for place in self.hinges(way):
            rods[place] = False
        for passage in self.passages(way):
            rods[passage.first] &= passage.straight
        return rods

    def beside(self, way: Sequence[int]) -> int:
        """Return how many atoms are neither on a way nor in a ring system that it leads through."""
        on_it = set(way)
        for passage in self.passages(way):
            on_it |= self.systems[self._system[way[passage.first]]]
        return int(self.molecule.GetNumAtoms() - len(on_it))


def longest_run(members: Sequence[bool]) -> int:
    """Return the length of the longest unbroken run of members."""
    longest = run = 0
    for member in members:
        run = run + 1 if member else 0
        longest = max(longest, run)
    return longest


def longest_run_in_circle(members: Sequence[bool], endless: int) -> int:
    """Return the longest run in a sequence without an end, `endless` where nothing breaks it."""
    if all(members):
        return endless
    return min(longest_run([*members, *members]), endless)
