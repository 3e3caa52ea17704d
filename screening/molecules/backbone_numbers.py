"""Numbers of an endless chain along its backbone, the same wherever the chain is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.molecules.molecular_shape import MolecularShape, longest_run_in_circle
from screening.molecules.polymer_smiles import matching
from screening.molecules.polymer_unit import Chain

if TYPE_CHECKING:
    from rdkit import Chem

ENDLESS = 60
"""Atoms that stand for a run which nothing in the chain breaks; longer runs count no more."""
NAMES = (
    "backbone_atoms",  # on the shortest way through the unit
    "backbone_rod",  # longest run of atoms that neither turn nor bend the chain, across cuts
    "backbone_spacer",  # longest run of flexible atoms, across cuts
    "backbone_turnable",  # single bonds outside of rings, an atom of the backbone
    "backbone_straight",  # ring systems crossed para, or as far as can be, of all crossed
    "backbone_bends",  # ring systems crossed meta or ortho, an atom
    "backbone_hinges",  # single atoms between two rings, an atom
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
    return [
        float(length),
        float(longest_run_in_circle(shape.rods(around)[1:-1], ENDLESS)),
        float(longest_run_in_circle([atom in shape.flexible for atom in way], ENDLESS)),
        len(chain.cuts) / length,
        straight / len(passages) if passages else 0.0,
        (len(passages) - straight) / length,
        len(shape.hinges(around)) / length,
        # The two attachment points are no atoms.
        (shape.beside(way) - 2) / len(matching(unit, "[!#0]")),
    ]
