"""Which candidates are worth computing at all."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from screening.candidate import Candidate

# Written out, because reading a campaign must not wait for pymatgen.
_SYMBOLS = (
    " H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf "
    "Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og "
)


def _known_symbol(symbol: str) -> str:
    if not symbol.isalpha() or f" {symbol} " not in _SYMBOLS:
        raise ValueError(f"'{symbol}' is not the symbol of an element")
    return symbol


ElementSymbol = Annotated[str, AfterValidator(_known_symbol)]
SpaceGroupNumber = Annotated[int, Field(ge=1, le=230)]


class FilterConfig(BaseModel, extra="forbid"):
    """What the campaign looks at.

    Attributes
    ----------
    max_sites : int
        Most atoms in the primitive cell.
    include_elements : list of str, optional
        The only elements allowed.
    exclude_elements : list of str, optional
        Elements that are not allowed.
    space_groups : list of int, optional
        The only space group numbers allowed.
    """

    max_sites: int = Field(default=40, ge=1)
    include_elements: list[ElementSymbol] | None = None
    exclude_elements: list[ElementSymbol] | None = None
    space_groups: list[SpaceGroupNumber] | None = None


def refusal(candidate: Candidate, config: FilterConfig) -> str | None:
    """Say why a candidate stays out of the campaign.

    Returns
    -------
    str or None
        The first reason found, as half a sentence about the candidate; None lets it in.
    """
    elements = set(candidate.elements)
    if candidate.n_sites > config.max_sites:
        return (
            f"it has {candidate.n_sites} atoms in the primitive cell, "
            f"more than max_sites = {config.max_sites}"
        )
    if config.include_elements is not None and (other := elements - set(config.include_elements)):
        return f"it contains {_listed(other)}, not among include_elements"
    if config.exclude_elements is not None and (bad := elements & set(config.exclude_elements)):
        return f"it contains {_listed(bad)}, among exclude_elements"
    if config.space_groups is not None and candidate.space_group_number not in config.space_groups:
        return f"its space group {candidate.space_group_number} is not among space_groups"
    return None


def _listed(symbols: set[str]) -> str:
    return ", ".join(sorted(symbols))
