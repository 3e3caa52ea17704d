"""Bonds of a molecule moved to other atoms, with all that is arranged in space kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from screening.molecules.polymer_smiles import pattern

if TYPE_CHECKING:
    from rdkit import Chem

Pair = tuple[int, int]
Replaced = Mapping[int, Mapping[int, int]]
"""For each atom that loses neighbours, by each of these the neighbour in its place."""


def rewired(
    molecule: Chem.Mol,
    old: Iterable[Pair],
    new: Iterable[Pair],
    replaced: Replaced,
    dropped: Collection[int] = (),
) -> Chem.Mol:
    """Return a molecule with some bonds removed and single bonds added.

    RDKit states handedness by the order of an atom's bonds, and the arrangement at a double bond by
    two of its neighbours.  Both refer to other bonds afterwards, and are stated anew.  Aromaticity
    stays as it was.

    Parameters
    ----------
    old, new : iterable of (int, int)
        Indices of the atoms that each bond joins.
    replaced : mapping
        Which new neighbour stands where an old one stood.
    dropped : collection of int
        Atoms without a bond by then, which are left out.
    """
    from rdkit import Chem

    result = Chem.RWMol(molecule)
    handed = {index: _neighbours(result.GetAtomWithIdx(index)) for index in handed_atoms(molecule)}
    arranged = _arrangements(molecule)
    for first, second in old:
        result.RemoveBond(first, second)
    for first, second in new:
        result.AddBond(first, second, Chem.BondType.SINGLE)
    for index in handed.keys() & replaced.keys():
        atom = result.GetAtomWithIdx(index)
        in_place = [replaced[index].get(neighbour, neighbour) for neighbour in handed[index]]
        if _is_odd([in_place.index(neighbour) for neighbour in _neighbours(atom)]):
            atom.InvertChirality()
    for index in sorted(dropped, reverse=True):
        result.RemoveAtom(index)
    result.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(result)
    # Removing bonds and atoms makes RDKit forget these.
    for atoms, (stereo, ends) in arranged.items():
        in_place = [replaced.get(a, {}).get(end, end) for a, end in zip(atoms, ends, strict=True)]
        first, second, one, other = (
            index - sum(each < index for each in dropped) for index in (*atoms, *in_place)
        )
        bond = result.GetBondBetweenAtoms(first, second)
        bond.SetStereoAtoms(one, other)
        bond.SetStereo(stereo)
    if arranged:
        # As a SMILES states them, from which RDKit finds them again.
        for bond in result.GetBonds():
            bond.SetBondDir(Chem.BondDir.NONE)
        Chem.SetDoubleBondNeighborDirections(result)
    if arranged or handed:
        Chem.AssignStereochemistry(result, cleanIt=True, force=True)
    return result.GetMol()


def is_arranged(molecule: Chem.Mol) -> bool:
    """Whether anything is stated of how a molecule is arranged in space."""
    return bool(handed_atoms(molecule) or _arrangements(molecule))


def handed_atoms(molecule: Chem.Mol) -> list[int]:
    """Return the atoms whose handedness is stated."""
    return [match[0] for match in molecule.GetSubstructMatches(_handed())]


@cache
def _handed() -> Chem.Mol:
    from rdkit import Chem
    from rdkit.Chem import rdqueries

    query = Chem.RWMol()
    query.AddAtom(rdqueries.HasChiralTagQueryAtom())
    return query.GetMol()


def _neighbours(atom: Any) -> list[int]:
    """Return the neighbours of an atom in the order of its bonds."""
    return [bond.GetOtherAtomIdx(atom.GetIdx()) for bond in atom.GetBonds()]


def _arrangements(molecule: Chem.Mol) -> dict[Pair, tuple[Any, Pair]]:
    """Return which double bonds are cis or trans, and in relation to which neighbours."""
    from rdkit import Chem

    same = {
        Chem.BondStereo.STEREOZ: Chem.BondStereo.STEREOCIS,
        Chem.BondStereo.STEREOCIS: Chem.BondStereo.STEREOCIS,
        Chem.BondStereo.STEREOE: Chem.BondStereo.STEREOTRANS,
        Chem.BondStereo.STEREOTRANS: Chem.BondStereo.STEREOTRANS,
    }
    found = {}
    for ends in molecule.GetSubstructMatches(pattern("[#6,#7]=[#6,#7]")):
        bond = molecule.GetBondBetweenAtoms(*ends)
        if (stereo := same.get(bond.GetStereo())) is not None:
            one, other = bond.GetStereoAtoms()
            found[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()] = (stereo, (one, other))
    return found


def _is_odd(order: list[int]) -> bool:
    """Whether it takes an odd number of exchanges to sort a permutation."""
    inversions = sum(
        first > second for place, first in enumerate(order) for second in order[place + 1 :]
    )
    return inversions % 2 == 1
