"""Elements as a campaign's YAML names them: symbols, lists of them, how common they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator

from screening.machine.shipped_configs import data_file, parse_yaml
from screening.messages.refusal import Refusal

# Written out, because reading a campaign must not wait for pymatgen.
_SYMBOLS = (
    " H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf "
    "Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og "
)


def is_element(symbol: str) -> bool:
    """Return whether a text is the symbol of an element."""
    return symbol.isalpha() and f" {symbol} " in _SYMBOLS


def _known_symbol(symbol: str) -> str:
    if not is_element(symbol):
        raise ValueError(f"'{symbol}' is not the symbol of an element")
    return symbol


def _known_list(name: str) -> str:
    if name not in element_lists():
        known = ", ".join(sorted(element_lists()))
        raise ValueError(f"'{name}' is not a list of elements; known: {known}")
    return name


ElementSymbol = Annotated[str, AfterValidator(_known_symbol)]
ElementListName = Annotated[str, AfterValidator(_known_list)]


def elements_refusal(
    elements: Collection[str],
    include: Collection[str] | None,
    excluded: Mapping[str, Collection[str]],
) -> Refusal | None:
    """Return why a candidate with some elements is not allowed, None where it is.

    Parameters
    ----------
    include
        The only elements allowed; None allows all.
    excluded
        Elements that are not allowed, by what says so.
    """
    if include is not None and (other := set(elements) - set(include)):
        return Refusal.of(
            "it contains {elements}, not among include_elements", elements=sorted(other)
        )
    for place, symbols in excluded.items():
        if bad := set(elements) & set(symbols):
            return Refusal.of(f"it contains {{elements}}, among {place}", elements=sorted(bad))
    return None


@cache
def element_lists() -> dict[str, frozenset[str]]:
    """Return the shipped lists of symbols by name; ``configs/element_lists.yaml`` has sources."""
    return {name: frozenset(symbols) for name, symbols in _shipped("element_lists").items()}


@cache
def crustal_abundances_ppm() -> dict[str, float]:
    """Return mass fractions in the Earth's crust, in ppm, of the elements that have one."""
    return {symbol: float(number) for symbol, number in _shipped("crustal_abundance").items()}


def _shipped(name: str) -> dict[str, Any]:
    content: dict[str, Any] = parse_yaml(data_file(f"{name}.yaml").read_text("utf-8"))
    return content
