"""Which crystals are worth computing at all."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from screening.alloys.approximants import COUNT
from screening.candidates.candidate import Candidate
from screening.candidates.crystal import Crystal
from screening.candidates.crystal_standard import handless
from screening.candidates.elements import (
    ElementListName,
    ElementSymbol,
    crustal_abundances_ppm,
    element_lists,
    elements_refusal,
)
from screening.candidates.filters import CandidateFilters
from screening.messages.refusal import Refusal
from screening.targets.constraints import Bound

SpaceGroupNumber = Annotated[int, Field(ge=1, le=230)]
CrystalSystem = Literal[
    "triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"
]
#: Largest space group number of each.
_LAST_OF_SYSTEM: dict[CrystalSystem, int] = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}


def _canonical_prototype(label: str) -> str:
    """Return a label with its letters in the order of the amounts: ``A3BC-221`` as ``ABC3-221``."""
    match = re.fullmatch(r"((?:[A-Z]\d{0,4})+)-(\d{1,3})", label)
    parts = re.findall(r"([A-Z])(\d*)", match[1]) if match else []
    letters = [letter for letter, _ in parts]
    amounts = sorted(int(amount or 1) for _, amount in parts)
    if not match or letters != list(_LETTERS[: len(letters)]) or 0 in amounts:
        raise ValueError(f"'{label}' is not a formula in A, B, C, … and a space group, as AB-225")
    if not 1 <= int(match[2]) <= 230:
        raise ValueError(f"'{label}': space groups have the numbers 1 to 230")
    common = math.gcd(*amounts)
    formula = "".join(
        letter + (f"{amount // common}" if amount > common else "")
        for letter, amount in zip(letters, amounts, strict=True)
    )
    return f"{formula}-{handless(int(match[2]))}"


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Prototype = Annotated[str, AfterValidator(_canonical_prototype)]


class CrystalFilters(CandidateFilters):
    """Which crystals a campaign looks at.

    Attributes
    ----------
    min_sites, max_sites : int
        Fewest and most atoms in the primitive cell.
    min_elements, max_elements : int, optional
        Fewest and most different elements.
    include_elements : list of str, optional
        The only elements allowed.
    exclude_elements : list of str, optional
        Elements that are not allowed.
    exclude_lists : list of str, optional
        Names of lists of elements that are not allowed, see
        `screening.candidates.elements.element_lists`.
    require_elements : list of str, optional
        Elements that must all be there.
    any_elements : list of str, optional
        Elements of which at least one must be there.
    min_crustal_abundance_ppm : float, optional
        Least mass fraction in the Earth's crust, in ppm, that each element must have.
    space_groups : list of int, optional
        The only space group numbers allowed; one of two mirror images stands for both.
    crystal_systems : list of str, optional
        The only crystal systems allowed.
    max_approximants : int
        Most ordered approximants of each disordered crystal, the best first; 0 keeps disordered
        crystals out.
    prototypes : list of str, optional
        The only labels of formula and space group allowed, as ``AB-225``: letters instead of
        elements, the least abundant first.
    band_gap_ev, energy_above_hull_ev_per_atom, temperature_k, pressure_kpa : Bound, optional
        Limits of what the source states: the band gap, the energy above the convex hull, the
        temperature and the pressure that the crystal was measured at.
    where_unknown : {'refuse', 'keep'}
        What happens to an entry that does not state a fact asked for by one of the last five.
    """

    STATED = ("band_gap_ev", "energy_above_hull_ev_per_atom", "temperature_k", "pressure_kpa")

    min_sites: int = Field(default=1, ge=1)
    max_sites: int = Field(default=40, ge=1)
    min_elements: int | None = Field(default=None, ge=1)
    max_elements: int | None = Field(default=None, ge=1)
    include_elements: list[ElementSymbol] | None = None
    exclude_elements: list[ElementSymbol] | None = None
    exclude_lists: list[ElementListName] | None = None
    require_elements: list[ElementSymbol] | None = None
    any_elements: list[ElementSymbol] | None = Field(default=None, min_length=1)
    min_crustal_abundance_ppm: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    space_groups: list[SpaceGroupNumber] | None = None
    crystal_systems: list[CrystalSystem] | None = None
    max_approximants: int = Field(default=COUNT, ge=0, le=COUNT)
    prototypes: list[Prototype] | None = None
    band_gap_ev: Bound | None = None
    energy_above_hull_ev_per_atom: Bound | None = None
    temperature_k: Bound | None = None
    pressure_kpa: Bound | None = None

    @model_validator(mode="after")
    def _can_be_fulfilled(self) -> Self:
        """Raise `ValueError` where two fields leave no crystal in the world."""
        if self.min_sites > self.max_sites:
            raise ValueError(f"min_sites {self.min_sites} is above max_sites {self.max_sites}")
        if self.max_elements is not None:
            if (self.min_elements or 1) > self.max_elements:
                raise ValueError(
                    f"min_elements {self.min_elements} is above max_elements {self.max_elements}"
                )
            if len(set(self.require_elements or [])) > self.max_elements:
                raise ValueError(
                    f"require_elements has more elements than max_elements {self.max_elements}"
                )
        barred = {symbol for symbol in self.require_elements or [] if self._bars(symbol)}
        if barred:
            raise ValueError(f"require_elements asks for {_listed(barred)}, {self._said_barred()}")
        if self.any_elements and all(map(self._bars, self.any_elements)):
            raise ValueError(
                f"any_elements asks for {_listed(set(self.any_elements))}, {self._said_barred()}"
            )
        return self

    def excluded(self) -> dict[str, frozenset[str]]:
        """Return the elements that are not allowed, by what says so."""
        found = {"exclude_elements": frozenset(self.exclude_elements or [])}
        for name in self.exclude_lists or []:
            found[f"the {name} elements of exclude_lists"] = element_lists()[name]
        return found

    def _bars(self, symbol: str) -> bool:
        left_out = self.include_elements is not None and symbol not in self.include_elements
        return left_out or any(symbol in symbols for symbols in self.excluded().values())

    def _said_barred(self) -> str:
        return "which include_elements, exclude_elements or exclude_lists leave out"

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why a crystal stays out of the campaign; None lets it in."""
        assert isinstance(candidate, Crystal)
        return (
            self._of_disorder(candidate)
            or self._of_size(candidate)
            or self.of_elements(frozenset(candidate.elements))
            or self._of_symmetry(candidate)
            or super().refusal(candidate)
        )

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return why whatever consists of these elements stays out; None lets it in so far."""
        return (
            self._of_number(len(elements))
            or self._of_elements(elements)
            or self._of_abundance(elements)
        )

    def _of_disorder(self, crystal: Crystal) -> Refusal | None:
        if crystal.approximant is None or crystal.approximant <= self.max_approximants:
            return None
        if self.max_approximants == 0:
            return Refusal.of("it is disordered, and max_approximants = 0 keeps such crystals out")
        return Refusal.of(
            "it is a further ordered approximant of a disordered crystal, of which "
            f"max_approximants = {self.max_approximants} are taken"
        )

    def _of_size(self, crystal: Crystal) -> Refusal | None:
        sites = crystal.n_sites
        atoms = f"it has {{sites}} {'atom' if sites == 1 else 'atoms'} in the primitive cell"
        if sites > self.max_sites:
            text = f"{atoms}, more than max_sites = {self.max_sites}"
            return Refusal.of(text, sites=sites)
        if sites < self.min_sites:
            text = f"{atoms}, fewer than min_sites = {self.min_sites}"
            return Refusal.of(text, sites=sites)
        return None

    def _of_number(self, elements: int) -> Refusal | None:
        if self.max_elements is not None and elements > self.max_elements:
            text = f"it has {{n}} elements, more than max_elements = {self.max_elements}"
            return Refusal.of(text, n=elements)
        if self.min_elements is not None and elements < self.min_elements:
            kinds = "element" if elements == 1 else "elements"
            text = f"it has {{n}} {kinds}, fewer than min_elements = {self.min_elements}"
            return Refusal.of(text, n=elements)
        return None

    def _of_elements(self, elements: frozenset[str]) -> Refusal | None:
        if refusal := elements_refusal(elements, self.include_elements, self.excluded()):
            return refusal
        if lacking := set(self.require_elements or []) - elements:
            return Refusal.of("it lacks {elements} of require_elements", elements=sorted(lacking))
        if self.any_elements is not None and not elements & set(self.any_elements):
            return Refusal.of("it contains none of any_elements")
        return None

    def _of_abundance(self, elements: frozenset[str]) -> Refusal | None:
        least = self.min_crustal_abundance_ppm
        if least is None:
            return None
        known = crustal_abundances_ppm()
        abundances = {symbol: known.get(symbol, 0) for symbol in sorted(elements)}
        rarest = min(abundances, key=abundances.__getitem__)
        if abundances[rarest] >= least:
            return None
        amount = "at {amount_ppm:g} ppm" if abundances[rarest] else "in traces at most"
        return Refusal.of(
            f"it contains {{element}}, which the Earth's crust holds {amount}, "
            f"below min_crustal_abundance_ppm = {least:g}",
            element=rarest,
            amount_ppm=abundances[rarest],
        )

    def _of_symmetry(self, crystal: Crystal) -> Refusal | None:
        number = crystal.space_group_number
        if self.space_groups is not None and number not in map(handless, self.space_groups):
            return Refusal.of("its space group {number} is not among space_groups", number=number)
        if self.crystal_systems is not None:
            system = next(name for name, last in _LAST_OF_SYSTEM.items() if number <= last)
            if system not in self.crystal_systems:
                return Refusal.of(f"it is {system}, not among crystal_systems")
        if self.prototypes is not None:
            prototype = prototype_of(crystal)
            if prototype not in self.prototypes:
                return Refusal.of(
                    "its prototype {prototype} is not among prototypes", prototype=prototype
                )
        return None


def prototype_of(crystal: Crystal) -> str:
    """Return formula and space group with letters for elements, as ``AB-225`` of rock salt.

    Structures of one label may still differ in their Wyckoff positions.
    """
    # Where there is a crystal, pymatgen is loaded already.
    from pymatgen.core.composition import Composition

    formula = Composition(crystal.formula).anonymized_formula
    return f"{formula}-{crystal.space_group_number}"


def _listed(symbols: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(symbols))
