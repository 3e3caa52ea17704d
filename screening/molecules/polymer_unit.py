"""The canonical repeat unit of a chain: one text for every way of cutting or writing it.

A chain is the same wherever it is cut, in whichever direction it is read and however many of its
smallest units are written as one.  So the smallest unit is looked for, all places where it may be
cut are compared, and of the units that result the one with the first canonical SMILES is taken.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from screening.messages.refusal import RefusedError
from screening.molecules.polymer_smiles import (
    attachment_points,
    matching,
    pattern,
    repeat_unit,
)
from screening.molecules.rewiring import handed_atoms, is_arranged, rewired

if TYPE_CHECKING:
    from rdkit import Chem

FINGERPRINT_DIGITS = 10
"""Hexadecimal; among 100,000 polymers of one formula two share one with a chance of 1 in 200."""


@dataclass(frozen=True)
class Cut:
    """A single bond of the backbone, outside of rings, where a chain can be cut.

    Attributes
    ----------
    left, right : int
        Indices of its atoms in the direction from head to tail; where the unit is cut already, the
        last and the first atom of the backbone.
    """

    left: int
    right: int


@dataclass(frozen=True)
class Chain:
    """A repeat unit and the way through it.

    Attributes
    ----------
    molecule : Chem.Mol
        As `screening.molecules.polymer_smiles.repeat_unit` returns it.
    """

    molecule: Chem.Mol

    @cached_property
    def ends(self) -> tuple[int, int]:
        """Indices of the attachment points, head and tail."""
        return attachment_points(self.molecule)

    @cached_property
    def backbone(self) -> list[int]:
        """Atoms of the shortest way between the attachment points, which are left out."""
        from rdkit import Chem

        return list(Chem.GetShortestPath(self.molecule, *self.ends))[1:-1]

    @cached_property
    def cuts(self) -> list[Cut]:
        """All cuts in the order of the backbone, the present one first."""
        atoms = self.backbone
        single = set(self.molecule.GetSubstructMatches(pattern("*-;!@*")))
        within = [
            Cut(left, right)
            for left, right in itertools.pairwise(atoms)
            if (left, right) in single or (right, left) in single
        ]
        return [Cut(atoms[-1], atoms[0]), *within]

    def cut_at(self, cut: Cut) -> Chem.Mol:
        """Return the unit that the chain has when it is cut elsewhere."""
        present = self.cuts[0]
        if cut == present:
            return self.molecule
        head, tail = self.ends
        first, last = present.right, present.left
        replaced: dict[int, dict[int, int]] = {}
        for atom, old, new in (
            (cut.left, cut.right, tail),
            (cut.right, cut.left, head),
            (first, head, last),
            (last, tail, first),
        ):
            replaced.setdefault(atom, {})[old] = new
        return rewired(
            self.molecule,
            old=[(cut.left, cut.right), (head, first), (tail, last)],
            new=[(last, first), (cut.right, head), (cut.left, tail)],
            replaced=replaced,
        )

    def followed_by(self, other: Chain) -> Chain:
        """Return the unit that begins as this one and goes on as another one, each cut singly."""
        from rdkit import Chem

        size = self.molecule.GetNumAtoms()
        end, last = self.ends[1], self.backbone[-1]
        head, first = size + other.ends[0], size + other.backbone[0]
        joined = rewired(
            Chem.CombineMols(self.molecule, other.molecule),
            old=[(end, last), (head, first)],
            new=[(last, first)],
            replaced={last: {end: first}, first: {head: last}},
            dropped=(end, head),
        )
        return Chain(joined)

    def row(self, n_units: int) -> Chain:
        """Return several of these units in a row as one."""
        return functools.reduce(Chain.followed_by, [self] * n_units)


@dataclass(frozen=True)
class CanonicalUnit:
    """The repeat unit that stands for a chain.

    Attributes
    ----------
    smiles : str
        With two ``*``.
    molecule : Chem.Mol
        The same atoms, perhaps cut elsewhere.
    """

    smiles: str
    molecule: Chem.Mol


def canonical_smiles(smiles: str) -> str:
    """Return the canonical repeat unit of a chain that is given by any of its repeat units."""
    return canonical_unit(repeat_unit(smiles)).smiles


def canonical_unit(molecule: Chem.Mol) -> CanonicalUnit:
    """Return the canonical repeat unit of a chain.

    The handedness of chain atoms outside of rings (tacticity) is no part of it: a repeat unit with
    one such atom says nothing of the next one.

    Parameters
    ----------
    molecule : Chem.Mol
        As `screening.molecules.polymer_smiles.repeat_unit` returns it.

    Raises
    ------
    RefusedError
        When its chain has no single bond outside of rings.
    """
    from rdkit import Chem

    chain = _without_tacticity(_with_single_ends(Chain(molecule)))
    while True:
        ranks = _chain_ranks(chain)
        smaller = _smaller_unit(chain, ranks)
        if smaller is None:
            break
        chain = smaller
    smiles = min(str(Chem.MolToSmiles(chain.cut_at(cut))) for cut in _first_cuts(chain, ranks))
    return CanonicalUnit(smiles, chain.molecule)


def fingerprint(smiles: str) -> str:
    """Return hexadecimal digits made from a canonical SMILES."""
    return hashlib.sha256(smiles.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def oligomer(smiles: str, n_units: int) -> str:
    """Return the SMILES of several repeat units in a row, with two ``*`` as the unit itself.

    Parameters
    ----------
    smiles : str
        Of the repeat unit.
    n_units : int
        At least 1.
    """
    from rdkit import Chem

    chain = _with_single_ends(Chain(repeat_unit(smiles)))
    return str(Chem.MolToSmiles(chain.row(n_units).molecule))


def unit_of_pieces(pieces: Sequence[str]) -> Chem.Mol:
    """Return the repeat unit that consists of pieces, one after the other.

    Pieces are kept: a library joins few of them in many ways.

    Parameters
    ----------
    pieces : sequence of str
        SMILES with two ``*`` each, of which the first one in the text is where it begins.

    Raises
    ------
    RefusedError
        When one of them is no repeat unit by itself.
    """
    if len(pieces) == 1:
        return repeat_unit(pieces[0])
    return functools.reduce(Chain.followed_by, map(_piece, pieces)).molecule


@functools.lru_cache(maxsize=4096)
def _piece(smiles: str) -> Chain:
    return _with_single_ends(Chain(repeat_unit(smiles)))


def _first_cuts(chain: Chain, ranks: Sequence[int]) -> list[Cut]:
    """Return the cuts that may give the canonical unit, of equal ones a single one.

    Heteroatoms of rings come first, as the nitrogen of imides, then others, then low ranks.
    """
    in_rings = set(matching(chain.molecule, "[!#6;R]"))
    hetero = set(matching(chain.molecule, "[!#6]"))

    def key(cut: Cut) -> tuple[int, int, int, int]:
        ends = {cut.left, cut.right}
        low, high = sorted((ranks[cut.left], ranks[cut.right]))
        return -len(ends & in_rings), -len(ends & hetero), low, high

    keys = [key(cut) for cut in chain.cuts]
    first = min(keys)
    tied = [cut for cut, each in zip(chain.cuts, keys, strict=True) if each == first]
    # The unit is the smallest one: two equal cuts are mirror images, and there are no more.
    if len(tied) == 2 and _is_mirrored(chain, tied, ranks) and not is_arranged(chain.molecule):
        return tied[:1]
    return tied


def _is_mirrored(chain: Chain, tied: list[Cut], ranks: Sequence[int]) -> bool:
    """Whether a chain reads forwards from one cut as it reads backwards from the other."""
    ends = [(ranks[cut.left], ranks[cut.right]) for cut in chain.cuts]
    one, other = (chain.cuts.index(cut) for cut in tied)
    backwards = [(right, left) for left, right in reversed(ends)]
    start = len(ends) - 1 - other
    return ends[one:] + ends[:one] == backwards[start:] + backwards[:start]


def _chain_ranks(chain: Chain) -> Sequence[int]:
    """Return a number for each atom, the same for atoms that the endless chain cannot tell apart.

    They are found in a ring of the units.  They depend on the chain alone, and neither on the cut
    nor on the order in which the atoms are written.
    """
    from rdkit import Chem

    # Fewer than three atoms of a backbone make no ring.
    row = chain if len(chain.backbone) > 2 else chain.row(3)
    ring = Chem.RWMol(row.molecule)
    head, tail = row.ends
    first, last = row.backbone[0], row.backbone[-1]
    ring.RemoveBond(head, first)
    ring.RemoveBond(tail, last)
    ring.AddBond(first, last, Chem.BondType.SINGLE)
    ring.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(ring)
    ranks: Sequence[int]
    ranks = Chem.CanonicalRankAtoms(ring, breakTies=False, includeChirality=False)
    return ranks


def _smaller_unit(chain: Chain, ranks: Sequence[int]) -> Chain | None:
    """Return the unit that this one repeats several times, None where it repeats none."""
    cuts = chain.cuts
    ends = [(ranks[cut.left], ranks[cut.right]) for cut in cuts]
    for n_units in range(len(cuts), 1, -1):
        step, rest = divmod(len(cuts), n_units)
        # What cannot be told apart need not be the same: the parts themselves are compared.
        if not rest and ends == ends[step:] + ends[:step]:
            parts = _parts(chain, cuts[step::step])
            if len({smiles for smiles, _ in parts}) == 1:
                return parts[0][1]
    return None


def _parts(chain: Chain, cuts: list[Cut]) -> list[tuple[str, Chain]]:
    """Return the pieces between cuts, each with a SMILES that says which end is which."""
    from rdkit import Chem

    head, tail = chain.ends
    labelled = Chem.RWMol(chain.molecule)
    labelled.GetAtomWithIdx(head).SetIsotope(1)
    labelled.GetAtomWithIdx(tail).SetIsotope(2)
    new = []
    replaced: dict[int, dict[int, int]] = {}
    for cut in cuts:
        for atom, neighbour, label in ((cut.left, cut.right, 2), (cut.right, cut.left, 1)):
            dummy = Chem.Atom(0)
            dummy.SetIsotope(label)
            end = labelled.AddAtom(dummy)
            new.append((atom, end))
            replaced.setdefault(atom, {})[neighbour] = end
    pieces = rewired(labelled, [(cut.left, cut.right) for cut in cuts], new, replaced)
    parts = []
    for piece in Chem.GetMolFrags(pieces, asMols=True, sanitizeFrags=False):
        smiles = Chem.MolToSmiles(piece)
        part = Chain(piece)
        for index in part.ends:
            piece.GetAtomWithIdx(index).SetIsotope(0)
        Chem.FastFindRings(piece)
        parts.append((str(smiles), part))
    return parts


def _with_single_ends(chain: Chain) -> Chain:
    """Return the unit cut at a single bond, where it was given cut at a double or triple one."""
    from rdkit import Chem

    head, tail = chain.ends
    first, last = chain.backbone[0], chain.backbone[-1]
    order = chain.molecule.GetBondBetweenAtoms(head, first).GetBondType()
    if order == Chem.BondType.SINGLE:
        return chain
    if len(chain.cuts) == 1:
        raise RefusedError(
            "its backbone has no single bond outside of rings, where one unit could end and the "
            "next one begin"
        )
    cut = chain.cuts[1]
    moved = Chem.RWMol(chain.molecule)
    # The double bond changes which rings are aromatic: that is found anew.
    Chem.Kekulize(moved, clearAromaticFlags=True)
    for one, other in ((head, first), (tail, last), (cut.left, cut.right)):
        moved.RemoveBond(one, other)
    moved.AddBond(last, first, order)
    moved.AddBond(cut.right, head, Chem.BondType.SINGLE)
    moved.AddBond(cut.left, tail, Chem.BondType.SINGLE)
    Chem.SanitizeMol(moved)
    return Chain(moved.GetMol())


def _without_tacticity(chain: Chain) -> Chain:
    from rdkit import Chem

    handed = set(handed_atoms(chain.molecule)) & set(chain.backbone)
    outside = [i for i in handed if not chain.molecule.GetAtomWithIdx(i).IsInRing()]
    if not outside:
        return chain
    result = Chem.RWMol(chain.molecule)
    for index in outside:
        result.GetAtomWithIdx(index).SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    # Others may have been centres only beside these.
    Chem.AssignStereochemistry(result, cleanIt=True, force=True)
    return Chain(result.GetMol())
