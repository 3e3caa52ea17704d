"""Polymers: chains of one repeat unit, with the monomers that they are made of where known."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, Field

from screening.candidates.candidate import Candidate, Origin
from screening.molecules.polymer_unit import canonical_unit, fingerprint, unit_of_pieces

if TYPE_CHECKING:
    from rdkit import Chem


class Monomer(BaseModel, frozen=True):
    """One of the molecules that a polymer is made of, and how it is had.

    Attributes
    ----------
    role : str
        What it is in the reaction, as "dianhydride".
    name : str
        Short, as in names of polymers: ``PMDA``.
    smiles : str
        Of the molecule itself.
    precursor_cid : str
        Number, in PubChem, of the molecule that is bought: the monomer itself, or what it is made
        of; empty where not known.
    precursor_name : str
        Name of that molecule.
    route : str
        Name of the reaction sequence from that molecule to the monomer, empty for a bought one.
    n_steps : int
        Reactions in it: 0 for a bought monomer.
    sa_score : float, optional
        Synthetic accessibility, 1 (easy) to 10, of P. Ertl and A. Schuffenhauer, J. Cheminform. 1,
        8 (2009).
    buyable : bool, optional
        Whether the list of monomers states that the precursor can be bought.
    symmetric : bool, optional
        Whether its two ends are alike: those that are not enter the chain either way round.
    """

    role: str
    name: str
    smiles: str
    precursor_cid: str = ""
    precursor_name: str = ""
    route: str = ""
    n_steps: int = 0
    sa_score: float | None = None
    buyable: bool | None = None
    symmetric: bool | None = None

    @property
    def summary(self) -> str:
        """What is bought, and what is made of it."""
        number = f"PubChem CID {self.precursor_cid}" if self.precursor_cid else ""
        what = ", ".join(filter(None, [self.precursor_name, number]))
        if not self.route:
            return f"{self.name}, bought" + (f": {what}" if what else "")
        steps = "1 step" if self.n_steps == 1 else f"{self.n_steps} steps"
        return f"{self.name}, {self.route} in {steps}" + (f" from {what}" if what else "")


@dataclass(frozen=True)
class StatedPolymer:
    """What a source gives of a polymer.

    Attributes
    ----------
    smiles : str
        Of a repeat unit, cut and written in any way, with two ``*``.
    more : tuple of str
        Pieces that follow in the unit, each with two ``*``, where `smiles` is its first piece only.
    name : str
        That people know it by, empty for none.
    monomers : tuple of Monomer
        Empty where they are not known.
    """

    smiles: str
    name: str = ""
    monomers: tuple[Monomer, ...] = ()
    more: tuple[str, ...] = ()


class Polymer(Candidate):
    """One polymer of the pool.

    Attributes
    ----------
    candidate_id : str
        ``formula-fingerprint``; the same for every cut and every way of writing the chain.
    name : str
        That people know it by; its formula where the source states none.
    smiles : str
        Canonical repeat unit, with two ``*``; see `screening.molecules.polymer_unit`.
    fingerprint : str
        Hexadecimal digits made from it.
    formula : str
        Of the repeat unit, in Hill's order.
    molar_mass_g_per_mol : float
        Of the repeat unit.
    n_heavy_atoms : int
        Atoms of the repeat unit that are no hydrogen.
    monomers : list of Monomer
        Empty where they are not known.
    synthesis_steps : int, optional
        Reactions that lead to all monomers, the polymerisation left out.
    monomer_sa_score : float, optional
        The highest of its monomers.
    buyable : bool, optional
        Whether all precursors can be bought.
    regular : bool, optional
        Whether all units of the chain are the same: not where a monomer with unlike ends enters it
        either way round. The repeat unit is then one of several.
    probability_liquid_crystalline : float, optional
        As learned from labelled polymers; see `screening.learned.polymer_classifier`.
    liquid_crystal_set : {'lc', 'not-lc', 'either', 'neither'}, optional
        What is possible at an error of 10 % in each class.
    inside_domain : bool, optional
        Whether labelled polymers are near.
    nearest_known : str, optional
        Name of the nearest of them.
    glass_kappa_300k_w_per_m_k, glass_kappa_300k_log10_std : float, optional
        κ of the amorphous polymer as learned from molecular dynamics, and the standard error of
        its logarithm; see `screening.learned.glass_conductivity`.
    """

    GROUPED_BY = ("formula", "fingerprint")

    kind: Literal["polymer"] = "polymer"
    elements: list[str]
    name: str
    smiles: str
    fingerprint: str
    formula: str
    molar_mass_g_per_mol: float
    n_heavy_atoms: int
    monomers: list[Monomer] = Field(default_factory=list)
    synthesis_steps: int | None = None
    monomer_sa_score: float | None = None
    buyable: bool | None = None
    regular: bool | None = None
    probability_liquid_crystalline: float | None = None
    liquid_crystal_set: Literal["lc", "not-lc", "either", "neither"] | None = None
    inside_domain: bool | None = None
    nearest_known: str | None = None
    glass_kappa_300k_w_per_m_k: float | None = None
    glass_kappa_300k_log10_std: float | None = None

    @property
    def label(self) -> str:
        """Name."""
        return self.name

    @property
    def summary(self) -> str:
        """Name, formula and mass of the repeat unit."""
        known = self.name if self.name == self.formula else f"{self.name}, {self.formula}"
        return f"{known}, {self.molar_mass_g_per_mol:.1f} g/mol in a repeat unit"

    def details(self) -> list[tuple[str, str]]:
        """Return the repeat unit and how each monomer is had."""
        made_of = [(monomer.role or "monomer", monomer.summary) for monomer in self.monomers]
        return [("repeat unit", self.smiles), *made_of]

    def content(self) -> str:
        """Return the canonical repeat unit as a SMILES, which is what Makers take."""
        return self.smiles

    def is_same(self, other: Self) -> bool:
        """Whether two candidates are one chain: equal fingerprints are no proof."""
        return self.smiles == other.smiles

    def finer_digits(self) -> str:
        """Return digits made from the repeat unit, whatever a source says of it."""
        return hashlib.sha256(self.smiles.encode()).hexdigest()


def read_polymer(content: StatedPolymer | str, origin: Origin) -> Polymer:
    """Return the polymer of a repeat unit, cut and written in any way.

    Raises
    ------
    screening.messages.refusal.RefusedError
        When it is no uncharged covalent chain with two ends.
    """
    stated = StatedPolymer(content) if isinstance(content, str) else content
    pieces = (stated.smiles, *stated.more)
    unit = canonical_unit(unit_of_pieces(pieces))
    counts = _element_counts(unit.molecule)
    formula = "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in counts.items())
    digits = fingerprint(unit.smiles)
    handed = any("@" in piece for piece in pieces)
    note = "its tacticity is left out" if handed and "@" not in unit.smiles else ""
    return Polymer(
        candidate_id=f"{formula}-{digits}",
        name=stated.name or formula,
        smiles=unit.smiles,
        fingerprint=digits,
        formula=formula,
        molar_mass_g_per_mol=_molar_mass_g_per_mol(counts),
        n_heavy_atoms=unit.molecule.GetNumAtoms() - 2,
        elements=sorted(counts),
        origins=[origin.model_copy(update={"note": "; ".join(filter(None, [origin.note, note]))})],
        monomers=list(stated.monomers),
        **_synthesis(stated.monomers),
    )


def _element_counts(molecule: Chem.Mol) -> dict[str, int]:
    """Return the atoms of each element, hydrogen included, in the order of Hill's formula."""
    from rdkit.Chem import rdMolDescriptors

    parts = re.findall(r"([A-Z][a-z]?)(\d*)", rdMolDescriptors.CalcMolFormula(molecule))
    return {symbol: int(number or 1) for symbol, number in parts}


def _molar_mass_g_per_mol(counts: dict[str, int]) -> float:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return round(sum(n * table.GetAtomicWeight(symbol) for symbol, n in counts.items()), 3)


def _synthesis(monomers: Sequence[Monomer]) -> dict[str, Any]:
    """Return what monomers together say of a polymer; nothing where one does not say it."""

    def together(of_all: Callable[[Any], Any], field: str) -> Any:
        values = [getattr(monomer, field) for monomer in monomers]
        return of_all(values) if values and None not in values else None

    return {
        "synthesis_steps": together(sum, "n_steps"),
        "monomer_sa_score": together(max, "sa_score"),
        "buyable": together(all, "buyable"),
        "regular": together(all, "symmetric"),
    }
