"""What a source states about a crystal, against the crystal that was read.

One check for every structure from anywhere.  A formula, a number of atoms, a volume, a density and
a space group are stated beside most crystals, and each of them is wrong where the crystal is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from screening.candidates.symmetry_search import found_number
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from pymatgen.core.composition import Composition
    from pymatgen.core.structure import Structure

HYDROGENS = {"H", "D", "T"}
VOLUME_TOLERANCE = 0.01
"""Relative; a volume is the six numbers of the cell once more, and differs by their rounding."""
DENSITY_TOLERANCE = 0.03
"""Relative; other atomic masses and rounded cells make 1 %, the lightest missing atom more."""
OCCUPANCY_TOLERANCE = 0.02
"""Relative, of the amounts of elements in a disordered crystal: occupancies are given in few
digits."""
_CENTRINGS = (2, 3, 4)
_KG_PER_M3 = 1000
_GRAMS_PER_DALTON_A3 = 1.66053907
_TOKEN = re.compile(r"([A-Z][a-z]?)(\d+(?:\.(\d*))?|\.(\d+))?")


@dataclass(frozen=True)
class Stated:
    """What a source states beside a crystal; None, or empty, is not stated.

    Attributes
    ----------
    formula : str
        With as many atoms as it likes.
    formula_units : float or None
        How many of that formula are in the cell.
    n_sites : int or None
        Atoms in the cell.
    formula_weight : float or None
        Mass of a formula unit in daltons.
    volume_a3 : float or None
        Of the cell.
    density_g_per_cm3 : float or None
        From atoms and cell, not a measured one.
    density_unit_in_last_place : float
        By how much the density may be rounded.
    space_group_number : int or None
        1 to 230; the crystal has at least its symmetry.
    formula_key : str
        What the source calls the formula, for messages.
    """

    formula: str = ""
    formula_units: float | None = None
    formula_weight: float | None = None
    n_sites: int | None = None
    volume_a3: float | None = None
    density_g_per_cm3: float | None = None
    density_unit_in_last_place: float = 0.0
    space_group_number: int | None = None
    formula_key: str = "its formula"


@dataclass
class Verdict:
    """What a comparison found.

    Attributes
    ----------
    refusals : list of Refusal
        Why the crystal that was read cannot be the one that is stated.
    notes : list of str
        What is stated and does not fit, where other statements confirm the crystal.
    confirmed : list of Refusal
        Statements about the number of atoms in the cell that fit.
    """

    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    confirmed: list[Refusal] = field(default_factory=list)


def compared(structure: Structure, stated: Stated, doubts: tuple[Refusal, ...] = ()) -> Verdict:
    """Compare a crystal with what is stated about it.

    The number of atoms in the cell is stated by the formula units, the density and, in CIFs, the
    multiplicities of sites.  One that does not fit is a slip of the pen where another one does,
    and else the crystal is wrong.

    Parameters
    ----------
    structure : Structure
        In the cell that the statements are about.
    stated : Stated
    doubts : tuple of Refusal
        Further statements about the number of atoms that do not fit.
    """
    verdict = Verdict()
    found = _counted(structure)
    formula = parsed_formula(stated.formula)
    tolerance = 1e-6 if structure.is_ordered else OCCUPANCY_TOLERANCE
    if formula and (reason := _other_formula(found, formula, stated, tolerance)):
        verdict.refusals.append(reason)
        return verdict
    n_atoms = len(structure) if structure.is_ordered else round(sum(found.values()), 3)
    wrong = list(doubts)
    if stated.n_sites is not None:
        (wrong if stated.n_sites != n_atoms else verdict.confirmed).append(
            Refusal.of(
                "it states {stated} atoms in the cell, and has {found}",
                stated=stated.n_sites,
                found=n_atoms,
            )
        )
    if stated.formula_units and (counts := _atoms_of_units(stated)):
        said = Refusal.of(
            "it states {units:g} formula units of {formula} in the cell, and {n_atoms} atoms were "
            "found",
            units=stated.formula_units,
            formula=stated.formula,
            n_atoms=n_atoms,
        )
        digits = 6 if structure.is_ordered else 1
        ratios = {round(n_atoms / count, digits) for count in counts}
        if 1.0 in ratios:
            verdict.confirmed.append(said)
        elif ratios & set(_CENTRINGS) and not wrong:
            # Those of the primitive cell of a centred one.
            verdict.notes.append(str(said))
        else:
            wrong.append(said)
    if stated.formula_weight and stated.formula_units and not formula:
        mass = float(structure.composition.weight)
        weight = mass / stated.formula_units
        said = Refusal.of(
            "a formula unit of its atoms weighs {found_da:.5g} Da, and {stated_da:g} is stated",
            found_da=weight,
            stated_da=stated.formula_weight,
        )
        fits = abs(weight / stated.formula_weight - 1) < DENSITY_TOLERANCE
        (verdict.confirmed if fits else wrong).append(said)
    density = _density(structure)
    if stated.density_g_per_cm3:
        said = Refusal.of(
            "its density is {found:.3g} g/cm³, and {stated:g} is stated",
            found=density,
            stated=stated.density_g_per_cm3,
        )
        slack = DENSITY_TOLERANCE * density + stated.density_unit_in_last_place
        fits = any(
            abs(stated.density_g_per_cm3 / unit - density) <= slack for unit in (1, _KG_PER_M3)
        )
        (verdict.confirmed if fits else wrong).append(said)
    if wrong and not verdict.confirmed:
        verdict.refusals.append(wrong[0])
    else:
        verdict.notes += map(str, wrong)
    if stated.volume_a3:
        ratio = structure.volume / stated.volume_a3
        said = Refusal.of(
            "its cell has {found:.5g} Å³, and {stated:g} is stated",
            found=structure.volume,
            stated=stated.volume_a3,
        )
        if abs(ratio - 1) > VOLUME_TOLERANCE:
            # Of the primitive cell, or of a formula unit: known by the count of atoms.
            whole = abs(ratio - round(ratio)) < VOLUME_TOLERANCE and verdict.confirmed
            if whole:
                verdict.notes.append(str(said))
            else:
                verdict.refusals.append(said)
    return verdict


FACTS = {
    "formula": ("chemical_formula_reduced", "formula_pretty", "reduced_formula", "formula"),
    "n_sites": ("nsites", "n_sites"),
    "volume_a3": ("volume_a3", "volume"),
    "space_group_number": ("space_group_number", "spacegroup_number", "space_group_it_number"),
}
"""Names under which entries of databases state what `Stated` holds."""
LOOSE_SYMPREC_A = 0.1
"""Ångström within which databases look for the symmetry that they state."""


def contradiction(
    structure: Structure, facts: Mapping[str, object], space_group_number: int
) -> Refusal | None:
    """Return why an entry's crystal cannot be the one that its facts are about, or None.

    Numbers of atoms and volumes may be those of another cell of the crystal.

    Parameters
    ----------
    structure : Structure
        Ordered.
    facts : mapping
        What the entry states, by the names of `FACTS`.
    space_group_number : int
        That was found.
    """
    stated = {
        name: next((facts[key] for key in keys if facts.get(key) is not None), None)
        for name, keys in FACTS.items()
    }
    formula, number = stated["formula"], stated["space_group_number"]
    if isinstance(formula, str):
        verdict = compared(structure, Stated(formula=formula, formula_key="its formula"))
        if verdict.refusals:
            return verdict.refusals[0]
    ratios = {}
    for name, found in (("n_sites", len(structure)), ("volume_a3", structure.volume)):
        value = stated[name]
        if isinstance(value, int | float) and value > 0:
            ratios[name] = found / value
            cells = max(ratios[name], 1 / ratios[name])
            if abs(cells / round(cells) - 1) > VOLUME_TOLERANCE:
                return Refusal.of(
                    f"it states {name} {{stated:g}}, and {{found:.5g}} is found in its cell",
                    stated=value,
                    found=found,
                )
    if len(ratios) == 2 and abs(ratios["n_sites"] / ratios["volume_a3"] - 1) > VOLUME_TOLERANCE:
        return Refusal.of(
            "it states {stated_a3:g} Å³ for {stated_atoms:g} atoms, and {found_a3:.5g} Å³ for "
            "{found_atoms} atoms are found",
            stated_a3=stated["volume_a3"],
            stated_atoms=stated["n_sites"],
            found_a3=structure.volume,
            found_atoms=len(structure),
        )
    if isinstance(number, int) and 1 <= number <= 230:
        reason = lost_symmetry(number, space_group_number)
        if reason and lost_symmetry(number, found_number(structure, LOOSE_SYMPREC_A) or 1):
            return reason
    return None


def lost_symmetry(stated: int | None, found: int) -> Refusal | None:
    """Return why a crystal of one space group cannot be that of the stated one, or None.

    A crystal may have more symmetry than is stated, as pseudo-symmetric ones within a tolerance.
    It has all that is stated: at least as many rotations of each kind.

    Parameters
    ----------
    stated, found : int
        Numbers of space groups, 1 to 230.
    """
    if stated is None or not rotation_kinds(stated) - rotation_kinds(found):
        return None
    return Refusal.of(
        "it states space group {stated}, and its atoms have not its symmetry but that of {found}",
        stated=stated,
        found=found,
    )


@lru_cache(maxsize=230)
def rotation_kinds(number: int) -> Counter[tuple[int, int]]:
    """Return how many rotations of each determinant and trace a space group has."""
    import gemmi
    import numpy as np

    group = gemmi.find_spacegroup_by_number(number)
    rotations = [np.array(op.rot) // gemmi.Op.DEN for op in group.operations().sym_ops]
    return Counter((round(np.linalg.det(r)), int(np.trace(r))) for r in rotations)


def parsed_formula(text: str) -> Composition | None:
    """Return a formula as written, or None where it cannot be understood or states nothing."""
    from pymatgen.core.composition import Composition

    # Charges, as in 'K+ Cl-' and 'Cu1 (2+)', and the dots of hydrates.
    plain = re.sub(r"\(?\b\d*[+-]\d*\)?|(?<=[A-Za-z])[+-]\d*", "", text.strip(" ?.'\""))
    if not plain or re.search(r"[·*,:xn]\b|\.\s|\s\.", plain):
        return None
    try:
        return Composition(plain).remove_charges()
    except Exception:  # pymatgen raises anything
        return None


def _counted(structure: Structure) -> Counter[str]:
    """Return the atoms of each element in the cell; fractions of them in a disordered one."""
    if structure.is_ordered:
        return Counter(_plain(site.specie.symbol) for site in structure)
    found: Counter[str] = Counter()
    for element, amount in structure.composition.element_composition.items():
        # Occupancies and formulas have few digits.
        found[_plain(element.symbol)] += amount  # type: ignore[assignment]
    return found


def _plain(symbol: str) -> str:
    return "H" if symbol in HYDROGENS else symbol


def _amounts(formula: Composition) -> dict[str, float]:
    amounts: defaultdict[str, float] = defaultdict(float)
    for element, amount in formula.items():
        amounts[_plain(element.symbol)] += float(amount)
    return dict(amounts)


def _other_formula(
    found: Counter[str], formula: Composition, stated: Stated, tolerance: float
) -> Refusal | None:
    """Return why atoms do not make a formula, or None where they do."""
    wanted = _amounts(formula)
    slack = {_plain(m[1]): _rounding(m[3] or m[4]) for m in _TOKEN.finditer(stated.formula)}
    scale = sum(found.values()) / (sum(wanted.values()) or 1.0)
    if found.keys() == wanted.keys() and all(
        abs(found[symbol] / scale - wanted[symbol]) <= slack.get(symbol, 0.0) + tolerance * amount
        for symbol, amount in wanted.items()
    ):
        return None
    from pymatgen.core.composition import Composition

    atoms = Composition(found).reduced_formula
    said = Refusal.of(
        "its atoms make {atoms} where {formula_key} says {formula}",
        atoms=atoms,
        formula_key=stated.formula_key,
        formula=_reduced(wanted),
    )
    n_found, n_wanted = found["H"], wanted.get("H", 0.0)
    heavy_found = Counter({key: n for key, n in found.items() if key != "H"})
    heavy_wanted = {key: n for key, n in wanted.items() if key != "H"}
    if (
        heavy_found
        and heavy_wanted
        and n_found / sum(heavy_found.values()) < n_wanted / sum(heavy_wanted.values())
        and Composition(heavy_found).reduced_formula == _reduced(heavy_wanted)
    ):
        return said.preceded("hydrogen positions are missing: ")
    return said.followed("; are atoms missing, or is it truncated?")


def _reduced(amounts: dict[str, float]) -> str:
    from pymatgen.core.composition import Composition

    formula: str = Composition(amounts).reduced_formula
    return formula


def _rounding(decimals: str | None) -> float:
    """Return by how much an amount of so many decimals may be rounded, 0 for a whole one."""
    return 0.6 * 10.0 ** -len(decimals) if decimals else 0.0


def _atoms_of_units(stated: Stated) -> set[float]:
    """Return how many atoms the formula units may mean.

    Some programs write the content of the cell as the formula, beside its number of reduced units.
    """
    formula = parsed_formula(stated.formula)
    if not formula or not stated.formula_units or stated.formula_units <= 0:
        return set()
    whole = sum(_amounts(formula).values())
    reduced = whole / formula.get_reduced_composition_and_factor()[1]
    counts = {stated.formula_units * whole}
    if abs(stated.formula_units * reduced - whole) < 1e-6:
        counts.add(whole)
    return counts


def _density(structure: Structure) -> float:
    """Return g/cm³."""
    mass = float(structure.composition.weight)
    return mass * _GRAMS_PER_DALTON_A3 / float(structure.volume)
