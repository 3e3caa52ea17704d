"""A random alloy of two crystals at one composition: what its Maker takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class AlloyComposition:
    """Two isostructural crystals and the fraction of the second in their alloy.

    Attributes
    ----------
    first, second : Structure
        Primitive cells with their sites in one order; one element of the first is another one in
        the second.
    fraction : float
        Of the second, between 0 and 1.
    """

    first: Structure
    second: Structure
    fraction: float

    @property
    def exchanged(self) -> tuple[str, str]:
        """The element of the first that the second has another one for, and that other one.

        Raises
        ------
        ValueError
            When not exactly one element is exchanged for one other, site by site.
        """
        names = [[site.specie.symbol for site in each] for each in (self.first, self.second)]
        pairs = {pair for pair in zip(*names, strict=True) if pair[0] != pair[1]}
        if len(pairs) != 1:
            raise ValueError("the two do not differ in one element, site by site")
        pair: tuple[str, str] = pairs.pop()
        if pair[1] in names[0] or pair[0] in names[1]:
            raise ValueError(f"{pair[0]} and {pair[1]} are not exchanged on all sites")
        return pair

    @property
    def system(self) -> str:
        """Formulas of the two, as ``Si-Ge``."""
        return f"{_plain(self.first)}-{_plain(self.second)}"

    @property
    def formula(self) -> str:
        """Reduced formula with the fractions of both elements, as ``KCl0.7Br0.3``."""
        before, after = self.exchanged
        amounts = self.first.composition.reduced_composition.items()
        text = ""
        for element, amount in sorted(amounts, key=lambda pair: (pair[0].X, pair[0].symbol)):
            if element.symbol == before:
                text += _with_amount(before, amount * (1 - self.fraction))
                text += _with_amount(after, amount * self.fraction)
            else:
                text += _with_amount(element.symbol, amount)
        return text


def _plain(structure: Structure) -> str:
    amounts = structure.composition.as_reduced_dict().items()
    return "".join(_with_amount(symbol, amount) for symbol, amount in amounts)


def _with_amount(symbol: str, amount: float) -> str:
    rounded = round(amount, 4)
    if rounded == 0:
        return ""
    return symbol if rounded == 1 else f"{symbol}{rounded:g}"
