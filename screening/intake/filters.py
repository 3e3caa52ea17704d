"""Which candidates are worth computing at all."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from screening.candidates.candidate import Candidate
from screening.candidates.crystal_standard import handless
from screening.candidates.elements import (
    ElementListName,
    ElementSymbol,
    crustal_abundances_ppm,
    element_lists,
)
from screening.targets.constraints import Bound, is_known

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

#: Fields that bound a property of the same name, as the entry's source states it.
FACTS = ("band_gap_ev", "energy_above_hull_ev_per_atom", "temperature_k", "pressure_kpa")


class FilterConfig(BaseModel, extra="forbid"):
    """What the campaign looks at.

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
    prototypes : list of str, optional
        The only labels of formula and space group allowed, as ``AB-225``: letters instead of
        elements, the least abundant first.
    experimental : True, optional
        Only entries of which the source says that they were made and measured.
    band_gap_ev, energy_above_hull_ev_per_atom, temperature_k, pressure_kpa : Bound, optional
        Limits of what the source states: the band gap, the energy above the convex hull, the
        temperature and the pressure that the crystal was measured at.
    where_unknown : {'refuse', 'keep'}
        What happens to an entry that does not state a fact asked for by one of the last five.
    """

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
    prototypes: list[Prototype] | None = None
    experimental: Literal[True] | None = None
    band_gap_ev: Bound | None = None
    energy_above_hull_ev_per_atom: Bound | None = None
    temperature_k: Bound | None = None
    pressure_kpa: Bound | None = None
    where_unknown: Literal["refuse", "keep"] = "refuse"

    @field_validator(*FACTS)
    @classmethod
    def _bounds_a_number(cls, bound: Bound | None) -> Bound | None:
        if bound is not None and bound.equals is not None:
            raise ValueError("takes min, max or both, not equals")
        return bound

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


def refusal(candidate: Candidate, config: FilterConfig) -> str | None:
    """Say why a candidate stays out of the campaign.

    Returns
    -------
    str or None
        The first reason found, as half a sentence about the candidate; None lets it in.
    """
    checks = (_of_size, _of_elements, _of_abundance, _of_symmetry, _of_facts)
    return next((said for check in checks if (said := check(candidate, config)) is not None), None)


def _of_size(candidate: Candidate, config: FilterConfig) -> str | None:
    sites, elements = candidate.n_sites, len(candidate.elements)
    found = f"{sites} {'atom' if sites == 1 else 'atoms'} in the primitive cell"
    if sites > config.max_sites:
        return f"it has {found}, more than max_sites = {config.max_sites}"
    if sites < config.min_sites:
        return f"it has {found}, fewer than min_sites = {config.min_sites}"
    if config.max_elements is not None and elements > config.max_elements:
        return f"it has {elements} elements, more than max_elements = {config.max_elements}"
    if config.min_elements is not None and elements < config.min_elements:
        kinds = "element" if elements == 1 else "elements"
        return f"it has {elements} {kinds}, fewer than min_elements = {config.min_elements}"
    return None


def _of_elements(candidate: Candidate, config: FilterConfig) -> str | None:
    elements = set(candidate.elements)
    if config.include_elements is not None and (other := elements - set(config.include_elements)):
        return f"it contains {_listed(other)}, not among include_elements"
    for place, symbols in config.excluded().items():
        if bad := elements & symbols:
            return f"it contains {_listed(bad)}, among {place}"
    if lacking := set(config.require_elements or []) - elements:
        return f"it lacks {_listed(lacking)} of require_elements"
    if config.any_elements is not None and not elements & set(config.any_elements):
        return "it contains none of any_elements"
    return None


def _of_abundance(candidate: Candidate, config: FilterConfig) -> str | None:
    least = config.min_crustal_abundance_ppm
    if least is None:
        return None
    abundances = {symbol: crustal_abundances_ppm().get(symbol, 0) for symbol in candidate.elements}
    rarest = min(abundances, key=abundances.__getitem__)
    if abundances[rarest] >= least:
        return None
    amount = f"at {abundances[rarest]:g} ppm" if abundances[rarest] else "in traces at most"
    return (
        f"it contains {rarest}, which the Earth's crust holds {amount}, "
        f"below min_crustal_abundance_ppm = {least:g}"
    )


def _of_symmetry(candidate: Candidate, config: FilterConfig) -> str | None:
    number = candidate.space_group_number
    if config.space_groups is not None and number not in map(handless, config.space_groups):
        return f"its space group {number} is not among space_groups"
    if config.crystal_systems is not None:
        system = next(name for name, last in _LAST_OF_SYSTEM.items() if number <= last)
        if system not in config.crystal_systems:
            return f"it is {system}, not among crystal_systems"
    if config.prototypes is not None:
        prototype = prototype_of(candidate)
        if prototype not in config.prototypes:
            return f"its prototype {prototype} is not among prototypes"
    return None


def prototype_of(candidate: Candidate) -> str:
    """Return formula and space group with letters for elements, as ``AB-225`` of rock salt.

    Structures of one label may still differ in their Wyckoff positions.
    """
    # Where there is a candidate, pymatgen is loaded already.
    from pymatgen.core.composition import Composition

    formula = Composition(candidate.formula).anonymized_formula
    return f"{formula}-{candidate.space_group_number}"


def _of_facts(candidate: Candidate, config: FilterConfig) -> str | None:
    stated = candidate.origins[0].properties
    refuses_unknown = config.where_unknown == "refuse"
    if config.experimental:
        known = _known_experimentally(stated)
        if known is False:
            return "it is stated to be theoretical, not experimental"
        if known is None and refuses_unknown:
            return "whether it is experimental is not stated"
    for field in FACTS:
        bound: Bound | None = getattr(config, field)
        if bound is None:
            continue
        value = stated.get(field)
        if isinstance(value, bool | str) or not is_known(value):
            if refuses_unknown:
                return f"its {field} is not stated"
        elif (violation := bound.violation(field, value)) is not None:
            return f"its {violation}"
    return None


def _known_experimentally(stated: dict[str, str | int | float | bool | None]) -> bool | None:
    """Return what a source says of an entry by ``experimental`` or ``theoretical``, else None."""
    experimental, theoretical = stated.get("experimental"), stated.get("theoretical")
    if isinstance(experimental, bool):
        return experimental
    return not theoretical if isinstance(theoretical, bool) else None


def _listed(symbols: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(symbols))
