"""Compositions as arrays: atomic numbers and whole coefficients, the anion last.

A composition of ``k`` elements has ``k - 1`` cations, ordered by coefficient and then by atomic
number, and one anion. Elements and coefficients of one composition fit into one integer of 64
bits, its key; leaving one element out gives the key of a context, "what stands there beside".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

ANIONS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "Te", "P", "As")
"""Elements that are the anion, the first of those that are there: P in Li3P, a cation in Li3PO4."""
KINDS = (2, 3, 4, 5)
"""Numbers of elements that compositions may have; keys of more do not fit into 64 bits."""
MAX_COUNT = 31
"""Largest coefficient: five bits of a key."""
_Z_BITS, _COUNT_BITS = 7, 5
_SLOT_BITS = _Z_BITS + _COUNT_BITS
N_NUMBERS = 1 << _Z_BITS

Numbers = NDArray[np.uint8]
Keys = NDArray[np.int64]
Rows = NDArray[np.bool_] | NDArray[np.intp] | slice


@cache
def atomic_numbers() -> dict[str, int]:
    """Return the atomic numbers of all elements by symbol."""
    from pymatgen.core.periodic_table import Element

    return {str(element.symbol): int(element.Z) for element in Element}


@cache
def symbols() -> list[str]:
    """Return the symbols by atomic number; index 0 is empty."""
    by_number = {number: symbol for symbol, number in atomic_numbers().items()}
    return [by_number.get(number, "") for number in range(N_NUMBERS)]


def anion_of(elements: Iterable[str]) -> str | None:
    """Return which of some elements is the anion, None where none can be."""
    present = set(elements)
    return next((anion for anion in ANIONS if anion in present), None)


@dataclass(frozen=True)
class Compositions:
    """Compositions of one number of elements.

    Attributes
    ----------
    numbers : ndarray of uint8, shape (n, k)
        Atomic numbers; the cations by coefficient and then atomic number, the anion last.
    counts : ndarray of uint8, shape (n, k)
        Coefficients, of greatest common divisor 1.
    """

    numbers: Numbers
    counts: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def kind(self) -> int:
        """How many elements each has."""
        return int(self.numbers.shape[1])

    @property
    def keys(self) -> Keys:
        """One integer for each, equal only for equal compositions."""
        return _packed(self.numbers, self.counts, range(self.kind))

    @property
    def shapes(self) -> Keys:
        """One integer for each, of the coefficients alone."""
        return packed_columns(self.counts, _COUNT_BITS)

    def __getitem__(self, rows: Rows) -> Compositions:
        return Compositions(self.numbers[rows], self.counts[rows])

    def contexts(self, *positions: int) -> Keys:
        """Return what is left without the elements at some positions, whose coefficients stay.

        Parameters
        ----------
        positions
            Of the elements taken out, ascending.
        """
        rest = [column for column in range(self.kind) if column not in positions]
        key = _packed(self.numbers, self.counts, rest)
        for position in positions:
            key = (key << _COUNT_BITS) | self.counts[:, position].astype(np.int64)
        # Whether the anion is among those taken out.
        return (key << 1) | int(self.kind - 1 in positions)

    def formulas(self) -> list[str]:
        """Return reduced formulas with the elements in alphabetical order."""
        names = symbols()
        written = []
        for numbers, counts in zip(self.numbers.tolist(), self.counts.tolist(), strict=True):
            parts = sorted(zip((names[number] for number in numbers), counts, strict=True))
            written.append("".join(f"{el}{count if count > 1 else ''}" for el, count in parts))
        return written


def packed_columns(columns: NDArray[np.uint8], bits: int) -> Keys:
    """Return the numbers of each row in one integer, the first column highest."""
    key = np.zeros(len(columns), dtype=np.int64)
    for column in range(columns.shape[1]):
        key = (key << bits) | columns[:, column].astype(np.int64)
    return key


def _packed(numbers: Numbers, counts: Numbers, columns: Iterable[int]) -> Keys:
    key = np.zeros(len(numbers), dtype=np.int64)
    for column in columns:
        slot = (counts[:, column].astype(np.int64) << _Z_BITS) | numbers[:, column]
        key = (key << _SLOT_BITS) | slot
    return key


def unpacked(keys: Keys, kind: int) -> Compositions:
    """Return the compositions of some keys."""
    numbers = np.empty((len(keys), kind), dtype=np.uint8)
    counts = np.empty_like(numbers)
    rest = keys.copy()
    for column in reversed(range(kind)):
        numbers[:, column] = rest & (N_NUMBERS - 1)
        counts[:, column] = (rest >> _Z_BITS) & MAX_COUNT
        rest >>= _SLOT_BITS
    return Compositions(numbers, counts)


def ordered(numbers: Numbers, counts: Numbers) -> Compositions:
    """Return compositions whose cations may stand in any order before the anion."""
    n_cations = numbers.shape[1] - 1
    if n_cations > 1:
        slots = (counts[:, :-1].astype(np.int16) << _Z_BITS) | numbers[:, :-1]
        slots.sort(axis=1)
        numbers, counts = numbers.copy(), counts.copy()
        numbers[:, :-1] = slots & (N_NUMBERS - 1)
        counts[:, :-1] = slots >> _Z_BITS
    return Compositions(numbers, counts)


def of_formulas(
    formulas: Sequence[Mapping[str, int]], kind: int
) -> tuple[Compositions, NDArray[np.intp]]:
    """Return those of some formulas that have an anion and `kind` elements, and which they are.

    Parameters
    ----------
    formulas
        Whole coefficients by element, of greatest common divisor 1.
    """
    by_symbol = atomic_numbers()
    rows, numbers, counts = [], [], []
    for row, formula in enumerate(formulas):
        if len(formula) != kind or max(formula.values()) > MAX_COUNT:
            continue
        anion = anion_of(formula)
        if anion is None:
            continue
        cations = [element for element in formula if element != anion]
        rows.append(row)
        numbers.append([by_symbol[element] for element in (*cations, anion)])
        counts.append([formula[element] for element in (*cations, anion)])
    shape = (len(rows), kind)
    found = ordered(
        np.array(numbers, dtype=np.uint8).reshape(shape),
        np.array(counts, dtype=np.uint8).reshape(shape),
    )
    return found, np.array(rows, dtype=np.intp)
