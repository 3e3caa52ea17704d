"""From the text of a repeat unit to a molecule with two attachment points, or a reason why not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from screening.messages.refusal import Refusal, RefusedError
from screening.messages.stderr import counted

if TYPE_CHECKING:
    from rdkit import Chem

MAX_HEAVY_ATOMS = 500
"""Atoms other than hydrogen of a repeat unit: of larger ones no chain can be computed."""
MAX_CHARACTERS = 40 * MAX_HEAVY_ATOMS
"""Of a SMILES, which is not parsed beyond that; an atom takes one to a dozen."""
SHOWN_CHARACTERS = 60
_ELEMENTS = [f"#{number}" for number in (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 52, 53)]
"""SMARTS of the elements that covalent chains are made of; others are metals or noble gases."""


def repeat_unit(text: str) -> Chem.Mol:
    """Return a repeat unit, given as a SMILES with two ``*``, as a sanitised molecule.

    Labels of attachment points, atom maps and isotopes are dropped, and hydrogen is implicit.

    Parameters
    ----------
    text : str
        As polymer scientists write it, ``*CC(*)c1ccccc1``; Kekulé or aromatic form.

    Returns
    -------
    Chem.Mol
        RDKit's molecule.  Two of its atoms are dummies with one bond each.

    Raises
    ------
    RefusedError
        When it is no SMILES, or no uncharged covalent chain with two ends.
    """
    molecule = _parsed(text.strip())
    _refuse_wrong_ends(molecule)
    _refuse_wrong_atoms(molecule)
    return _sanitised(molecule, text)


def covalent_molecule(text: str) -> Chem.Mol:
    """Return a molecule, given as a SMILES without ``*``, as a sanitised molecule.

    Raises
    ------
    RefusedError
        When it is no SMILES, or no uncharged molecule of nonmetals in one part.
    """
    from rdkit import Chem

    molecule = _parsed(text.strip(), "molecule")
    if not molecule.GetNumAtoms() or matching(molecule, "[#0]"):
        raise RefusedError("it has an attachment point or no atoms, and a molecule has none")
    parts = len(Chem.GetMolFrags(molecule))
    if parts > 1:
        raise RefusedError(
            "it consists of {n} parts that no bond joins; leave out counter-ions and solvents",
            n=parts,
        )
    _refuse_wrong_atoms(molecule, "molecule")
    return _sanitised(molecule, text)


def attachment_points(molecule: Chem.Mol) -> tuple[int, int]:
    """Return the indices of the two dummies of a repeat unit."""
    first, second = matching(molecule, "[#0]")
    return first, second


def matching(molecule: Chem.Mol, smarts: str) -> list[int]:
    """Return the atoms that a SMARTS of one atom matches.

    RDKit looks for them a hundred times as fast as a loop over atoms does.
    """
    found = molecule.GetSubstructMatches(pattern(smarts), maxMatches=molecule.GetNumAtoms())
    return [match[0] for match in found]


@cache
def pattern(smarts: str) -> Chem.Mol:
    """Return the query of a SMARTS."""
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)


def _parsed(text: str, what: str = "repeat unit") -> Chem.Mol:
    """Return the molecule of a SMILES as it is written, unsanitised."""
    from rdkit import Chem, rdBase

    if not text:
        raise RefusedError("its SMILES is empty")
    if len(text) > MAX_CHARACTERS:
        raise RefusedError(
            f"its SMILES has {{n}} characters, more than {{most}}; give one {what}",
            n=len(text),
            most=MAX_CHARACTERS,
        )
    if not text.isascii():
        strange = next(letter for letter in text if not letter.isascii())
        raise RefusedError("its SMILES has the character '{strange}'", strange=strange)
    parameters: Any = Chem.SmilesParserParams()
    parameters.sanitize = False
    parameters.removeHs = False
    parameters.parseName = False
    # RDKit's own messages would go to the terminal, several lines for each text.
    with rdBase.BlockLogs():
        molecule = None if len(text.split()) > 1 else Chem.MolFromSmiles(text, parameters)
    if molecule is None:
        raise RefusedError(_syntax(text))
    heavy = len(matching(molecule, "[!#0;!#1]"))
    if heavy > MAX_HEAVY_ATOMS:
        hint = "a chain of such units cannot be computed"
        raise RefusedError(
            f"its {what} has {{n}} atoms besides hydrogen, more than {{most}}; "
            + (hint if what == "repeat unit" else "give a smaller one"),
            n=heavy,
            most=MAX_HEAVY_ATOMS,
        )
    return molecule


def _syntax(text: str) -> Refusal:
    """Return what is wrong with a text that RDKit does not take for a SMILES."""
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    pairs = {"round": ("(", ")"), "square": ("[", "]")}
    for kind, (opening, closing) in pairs.items():
        opened, closed = text.count(opening), text.count(closing)
        if opened != closed:
            return Refusal.of(
                "its SMILES '{shown}' opens {opened} and closes {closed} {kind} brackets; is it "
                "cut off?",
                shown=shown,
                opened=opened,
                closed=closed,
                kind=kind,
            )
    if len(text.split()) > 1:
        return Refusal.of("its SMILES '{shown}' has a blank in it", shown=shown)
    return Refusal.of(
        "its text '{shown}' is no SMILES; look for rings left open and for symbols that are no "
        "elements",
        shown=shown,
    )


def _refuse_wrong_ends(molecule: Chem.Mol) -> None:
    from rdkit import Chem

    dummies = [molecule.GetAtomWithIdx(index) for index in matching(molecule, "[#0]")]
    if len(dummies) != 2:
        raise RefusedError(
            "it has {found}, and a repeat unit has two; mark each end of the unit by one *",
            found=counted(len(dummies), "attachment point"),
        )
    parts = len(Chem.GetMolFrags(molecule))
    if parts > 1:
        raise RefusedError(
            "it consists of {n} parts that no bond joins; leave out counter-ions and solvents, "
            "and give each chain an entry of its own",
            n=parts,
        )
    if any(atom.GetDegree() != 1 for atom in dummies):
        raise RefusedError(
            "an attachment point stands between two atoms; put each * at an end of the unit"
        )
    (first,), (second,) = (atom.GetBonds() for atom in dummies)
    if first.GetIdx() == second.GetIdx():
        raise RefusedError("there is no atom between its attachment points")
    if Chem.BondType.AROMATIC in (first.GetBondType(), second.GetBondType()):
        raise RefusedError(
            "an attachment point is part of an aromatic system; cut the chain at a single bond"
        )
    if first.GetBondType() != second.GetBondType():
        raise RefusedError(
            "its ends have bonds of different order, {one} and {other}, so that no unit can "
            "follow another one",
            one=first.GetBondType().name.lower(),
            other=second.GetBondType().name.lower(),
        )


def _refuse_wrong_atoms(molecule: Chem.Mol, what: str = "repeat unit") -> None:
    strange = matching(molecule, "".join(["[!#0", *(f";!{query}" for query in _ELEMENTS), "]"]))
    if strange:
        found = {molecule.GetAtomWithIdx(index).GetSymbol() for index in strange}
        raise RefusedError(
            "it contains {elements}, and "
            + ("chains are" if what == "repeat unit" else "molecules here are")
            + " made of nonmetals only",
            elements=sorted(found),
        )
    charged = [molecule.GetAtomWithIdx(index) for index in matching(molecule, "[!+0]")]
    charge = sum(atom.GetFormalCharge() for atom in charged)
    if charge:
        raise RefusedError(
            f"its {what} has the charge {{charge:+d}}; give the uncharged form", charge=charge
        )
    for atom in charged:
        # A nitro group is written with charges of two neighbours, which is no ion.
        if not any(
            neighbour.GetFormalCharge() * atom.GetFormalCharge() < 0
            for neighbour in atom.GetNeighbors()
        ):
            raise RefusedError(
                "its atom {symbol} is an ion of charge {charge:+d}; give the uncharged form",
                symbol=atom.GetSymbol(),
                charge=atom.GetFormalCharge(),
            )


def _sanitised(molecule: Chem.Mol, text: str) -> Chem.Mol:
    """Return the molecule of a text with its rings, aromaticity and hydrogen worked out."""
    from rdkit import Chem, rdBase

    # Isotopes, atom maps and radicals are stated in brackets only.
    labelled = "[" in text

    if labelled:
        for atom in molecule.GetAtoms():
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(molecule)
        except Chem.AtomValenceException as error:
            raise RefusedError(_too_many_bonds(molecule, error)) from None
        except Chem.MolSanitizeException:
            raise RefusedError(
                "its aromatic rings, in small letters, cannot be written with single and double "
                "bonds; is a hydrogen, as in [nH], or an atom missing?"
            ) from None
        if matching(molecule, "[#1]"):
            molecule = Chem.RemoveAllHs(molecule)
        if set(text) & set("@/\\"):
            Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    if labelled and any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise RefusedError("it has an unpaired electron; is a hydrogen missing in its brackets?")
    return molecule


def _too_many_bonds(molecule: Chem.Mol, error: Any) -> Refusal:
    atom = molecule.GetAtomWithIdx(error.cause.GetAtomIdx())
    return Refusal.of(
        "its atom {n}, {symbol}, has more bonds than this element can have",
        n=atom.GetIdx() + 1,
        symbol=atom.GetSymbol(),
    )
