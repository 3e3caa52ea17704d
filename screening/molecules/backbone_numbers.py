"""Numbers of an endless chain along its backbone, the same wherever the chain is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from screening.molecules.molecular_shape import MolecularShape, Passage, longest_run_in_circle
from screening.molecules.polymer_smiles import matching
from screening.molecules.polymer_unit import Chain

if TYPE_CHECKING:
    from rdkit import Chem

ENDLESS = 60
"""Atoms that stand for a run which nothing in the chain breaks; longer runs count no more."""
ENDLESS_RINGS = 10
"""Ring systems that stand for such a run, as many as it may have."""
NAMES = (
    "backbone_atoms",  # on the shortest way through the unit
    "backbone_rod",  # longest run of atoms that neither turn nor bend the chain, across cuts
    "backbone_rod_rings",  # ring systems in that run
    "backbone_spacer",  # longest run of flexible atoms, across cuts
    "backbone_turnable",  # single bonds outside of rings, an atom of the backbone
    "backbone_straight",  # ring systems crossed para, or as far as can be, of all crossed
    "backbone_bends",  # ring systems crossed meta or ortho, an atom
    "backbone_hinges",  # single atoms between two rings, an atom
    "backbone_sharp_hinges",  # those at tetrahedral atoms, as CH₂, C(CF₃)₂ or SO₂, an atom
    "backbone_beside",  # atoms in side groups, of all atoms
)


def backbone_numbers(unit: Chem.Mol) -> list[float]:
    """Describe a chain by ``len(NAMES)`` finite numbers.

    Parameters
    ----------
    unit : Chem.Mol
        A repeat unit, cut outside of rings at a single bond, as canonical ones are.
    """
    chain = Chain(unit)
    shape = MolecularShape(unit)
    way = chain.backbone
    length = len(way)
    passages = list(shape.passages(way))
    straight = sum(passage.straight for passage in passages)
    around = [way[-1], *way, way[0]]
    joint = _planar_joint(unit, way[0], way[-1])
    rods = [rod or atom in joint for rod, atom in zip(shape.rods(around)[1:-1], way, strict=True)]
    flexible = [atom in shape.flexible and atom not in joint for atom in way]
    return [
        float(length),
        float(longest_run_in_circle(rods, ENDLESS)),
        float(_rings_of_longest_rod(rods, passages)),
        float(longest_run_in_circle(flexible, ENDLESS)),
        len(chain.cuts) / length,
        straight / len(passages) if passages else 0.0,
        (len(passages) - straight) / length,
        len(shape.hinges(around)) / length,
        len(shape.sharp_hinges(around)) / length,
        # The two attachment points are no atoms.
        (shape.beside(way) - 2) / len(matching(unit, "[!#0]")),
    ]


def _planar_joint(unit: Chem.Mol, first: int, last: int) -> frozenset[int]:
    """Return the O or N of an ester or amide that the cut goes through, as it stays planar too."""
    carbonyl = set(matching(unit, "[#6X3;!R]=[#8,#16]"))
    oxygen = set(matching(unit, "[#8X2,#7X3;!R]"))
    pairs = ((first, last), (last, first))
    return frozenset(one for one, other in pairs if one in oxygen and other in carbonyl)


def _rings_of_longest_rod(rods: Sequence[bool], passages: Sequence[Passage]) -> int:
    """Return how many ring systems the run of atoms crosses that has most of them."""
    if all(rods):
        return ENDLESS_RINGS if passages else 0
    # From a break on, so that no run goes on beyond the end.
    start, length = list(rods).index(False), len(rods)
    most = here = 0
    entered = {(passage.first - start) % length: passage for passage in passages}
    for place in range(length):
        if not rods[(start + place) % length]:
            # Where a bent ring is entered, a rod begins that has this ring in it.
            here = 0
        here += place in entered
        most = max(most, here)
    return min(most, ENDLESS_RINGS)
