"""The chemistry of polyimides: what reacts in a monomer, and what two monomers become.

A polyimide is a row of two pieces: the diimide of the dianhydride, cut at its nitrogens, and the
diamine without its own.  They are made once for each monomer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening.messages.refusal import RefusedError
from screening.messages.stderr import counted
from screening.molecules.chemical_groups import atoms_of_group, rings_by_themselves
from screening.molecules.polymer_smiles import attachment_points
from screening.sources.polyimide_config import REACTIVE, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdkit import Chem

HYDROXYLS = (91, 92)
"""Ring numbers of the oxygen atoms of a diol; RDKit uses none so high."""
GROUP_WORDS = {
    "cyclic_anhydride": ("cyclic anhydride", "cyclic anhydrides"),
    "primary_amine": ("primary amine", "primary amines"),
    "hydroxyl": ("hydroxyl", "hydroxyls"),
}


@dataclass(frozen=True)
class ReadyMonomer:
    """A monomer with its reacting atoms marked.

    Attributes
    ----------
    smiles : str
        Canonical, of the molecule.
    symmetric : bool
        Whether its two groups are alike.
    pieces : tuple of str
        What it is in the chain, a SMILES with two ``*``; one for each way round where it is not
        symmetric, which begins at the end that comes first.
    """

    smiles: str
    symmetric: bool
    pieces: tuple[str, ...]


def main_part(smiles: str) -> Chem.Mol:
    """Return the largest part of a molecule, uncharged: counter-ions and water are left out.

    Raises
    ------
    RefusedError
        When it is no SMILES of an uncharged molecule.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles.strip() else None
        if molecule is None:
            raise RefusedError("its SMILES '{smiles}' cannot be read", smiles=smiles)
        parts = Chem.GetMolFrags(molecule, asMols=True)
        largest = max(parts, key=lambda part: (part.GetNumHeavyAtoms(), Chem.MolToSmiles(part)))
        charged = any(atom.GetFormalCharge() for atom in largest.GetAtoms())
        plain = rdMolStandardize.Uncharger().uncharge(largest) if charged else largest
    if charge := Chem.GetFormalCharge(plain):
        raise RefusedError("it has the charge {charge:+d}", charge=charge)
    return plain


def role_of(molecule: Chem.Mol) -> Role | None:
    """Return what a molecule is, None where it is no monomer and no diol, or more than one."""
    plain = rings_by_themselves(molecule)
    counts = {role: len(atoms_of_group(plain, group)) for role, group in REACTIVE.items()}
    # Its other groups decide later: a diamine with hydroxyl is a diamine that is left out.
    return next((role for role, count in counts.items() if count == 2), None)


def check_role(molecule: Chem.Mol, role: Role, exclude: Sequence[str]) -> None:
    """Raise `RefusedError` where a molecule cannot be a monomer of a role.

    Parameters
    ----------
    exclude
        Groups that it must not have.
    """
    plain = rings_by_themselves(molecule)
    group = REACTIVE[role]
    count = len(atoms_of_group(plain, group))
    if count != 2:
        one, many = GROUP_WORDS[group]
        raise RefusedError(
            "it has {count}, and a {role} has two",
            count=counted(count, one, many) if count else f"no {one}",
            role=role,
        )
    if rivals := [name for name in exclude if atoms_of_group(plain, name)]:
        raise RefusedError("it has {groups}, which reacts too or hinders", groups=rivals)


def dianhydride(molecule: Chem.Mol) -> ReadyMonomer:
    """Return what a dianhydride is in the chain: the diimide, cut at both nitrogens."""
    from rdkit import Chem

    def open_at(opened: Chem.RWMol, oxygen: int) -> None:
        opened.GetAtomWithIdx(oxygen).SetAtomicNum(7)
        end = opened.AddAtom(Chem.Atom(0))
        opened.AddBond(oxygen, end, Chem.BondType.SINGLE)

    return _ready(molecule, "dianhydride", open_at)


def diamine(molecule: Chem.Mol) -> ReadyMonomer:
    """Return what a diamine is in the chain: all of it but its nitrogen."""

    def open_at(opened: Chem.RWMol, nitrogen: int) -> None:
        end = opened.GetAtomWithIdx(nitrogen)
        end.SetAtomicNum(0)
        end.SetNoImplicit(True)
        end.SetNumExplicitHs(0)

    return _ready(molecule, "diamine", open_at)


def imide_units(one: ReadyMonomer, other: ReadyMonomer) -> list[tuple[str, str]]:
    """Return all repeat units of a dianhydride and a diamine, head to tail, each as two pieces.

    There are two where both are unsymmetric, and else one: the other ways round are the same chain.
    """
    pieces = other.pieces if not one.symmetric else other.pieces[:1]
    return [(one.pieces[0], piece) for piece in pieces]


def _ready(
    molecule: Chem.Mol, role: Role, open_at: Callable[[Chem.RWMol, int], None]
) -> ReadyMonomer:
    """Return a monomer of which each reacting atom is opened to a dummy."""
    from rdkit import Chem

    plain, sites, symmetric = _sites(molecule, role)
    opened = Chem.RWMol(plain)
    for site in sites:
        open_at(opened, site)
    return ReadyMonomer(Chem.MolToSmiles(molecule), symmetric, _pieces(opened, symmetric))


def _pieces(opened: Chem.RWMol, symmetric: bool) -> tuple[str, ...]:
    """Return a piece with two dummies as texts that begin at one of them, or at either."""
    from rdkit import Chem

    Chem.SanitizeMol(opened)
    Chem.AssignStereochemistry(opened, cleanIt=True, force=True)
    ends = attachment_points(opened)
    texts = sorted(str(Chem.MolToSmiles(opened, rootedAtAtom=end)) for end in ends)
    return tuple(texts[:1] if symmetric else texts)


def attached(diol: Chem.Mol, attach: str) -> Chem.Mol:
    """Return a diol with a piece on each of its oxygen atoms.

    They are joined as texts: two atoms with the same ring number are bonded, ``O%91…`` and
    ``C%91…``, whether or not they stand in pieces with a dot between them.

    Parameters
    ----------
    attach : str
        SMILES of the piece, in which ``*`` stands for the oxygen.
    """
    from rdkit import Chem

    plain, sites, _ = _sites(diol, "diol")
    opened = Chem.RWMol(plain)
    for oxygen, number in zip(sites, HYDROXYLS, strict=True):
        _wait(opened, oxygen, number)
    piece = Chem.MolFromSmiles(attach)
    [dummy] = [atom.GetIdx() for atom in piece.GetAtoms() if atom.GetAtomicNum() == 0]
    [neighbour] = piece.GetAtomWithIdx(dummy).GetNeighbors()
    ends = []
    for number in HYDROXYLS:
        end = Chem.RWMol(piece)
        Chem.Kekulize(end, clearAromaticFlags=True)
        _wait(end, neighbour.GetIdx(), number)
        end.RemoveAtom(dummy)
        ends.append(_text(end))
    return Chem.MolFromSmiles(".".join([_text(opened), *ends]))


def _sites(molecule: Chem.Mol, role: Role) -> tuple[Chem.Mol, list[int], bool]:
    """Return a Kekulé form, the two reacting atoms, and whether they are alike."""
    from rdkit import Chem

    found = atoms_of_group(rings_by_themselves(molecule), REACTIVE[role])
    ranks = Chem.CanonicalRankAtoms(molecule, breakTies=False, includeChirality=True)
    order = Chem.CanonicalRankAtoms(molecule, breakTies=True, includeChirality=True)
    first, second = sorted(found, key=lambda atom: order[atom])
    plain = Chem.Mol(molecule)
    Chem.Kekulize(plain, clearAromaticFlags=True)
    return plain, [first, second], ranks[first] == ranks[second]


def _wait(molecule: Chem.RWMol, atom: int, number: int) -> None:
    """Mark an atom that is to be bonded to the one with the same number."""
    waiting = molecule.GetAtomWithIdx(atom)
    waiting.SetAtomMapNum(number)
    waiting.SetNoImplicit(True)
    waiting.SetNumExplicitHs(0)


def _text(molecule: Chem.RWMol) -> str:
    from rdkit import Chem

    molecule.UpdatePropertyCache(strict=False)
    text = Chem.MolToSmiles(molecule)
    return re.sub(r"\[([A-Z][a-z]?)H?\d?:(\d+)\]", r"\1%\2", text)
