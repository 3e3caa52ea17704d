"""Lists of known compositions: the shipped one, and the user's own."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.machine.shipped_configs import data_file
from screening.machine.text_files import NoTextError, lines_of, user_path
from screening.messages.errors import ScreenError
from screening.recommender.compositions import Compositions, atomic_numbers, of_formulas

SHIPPED = "known-compositions.csv.gz"
COMPUTED = "mp-compositions.csv.gz"
FIRST_YEAR, LAST_YEAR = 1750, 2100
SHOWN_ERRORS = 3
MAX_WRONG = 0.01
"""Part of the lines that may be wrong: they are left out, and told."""
_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")


@dataclass(frozen=True)
class KnownList:
    """Compositions that have been reported.

    Attributes
    ----------
    name : str
        What the list is called in messages.
    formulas : list of dict
        Whole coefficients by element, each composition once.
    years : ndarray of int, shape (n,)
        Of the first report; 0 where it is not known.
    remarks : list of str
        What was left out, and why.
    """

    name: str
    formulas: list[dict[str, int]]
    years: NDArray[np.int16]
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.formulas)

    @cached_property
    def _by_kind(self) -> dict[int, tuple[Compositions, NDArray[np.intp]]]:
        return {}

    def of_kind(self, kind: int) -> tuple[Compositions, NDArray[np.int16]]:
        """Return the compositions of a number of elements that have an anion, and their years."""
        if kind not in self._by_kind:
            self._by_kind[kind] = of_formulas(self.formulas, kind)
        compositions, rows = self._by_kind[kind]
        return compositions, self.years[rows]

    @property
    def last_year(self) -> int:
        """The year of the latest report; 0 where no year is known."""
        return int(self.years.max(initial=0))

    def until(self, year: int) -> KnownList:
        """Return what was known at the end of a year; what has no year counts as old."""
        rows = np.flatnonzero(self.years <= year)
        formulas = [self.formulas[row] for row in rows]
        return KnownList(f"{self.name} until {year}", formulas, self.years[rows])


def parsed_formula(text: str) -> dict[str, int] | None:
    """Return the reduced whole coefficients of a formula, None where one is not whole.

    Raises
    ------
    ValueError
        When it is no formula; the message says why, as half a sentence.
    """
    amounts: dict[str, float] = {}
    position = 0
    for match in _PART.finditer(text):
        if match.start() != position:
            break
        position = match.end()
        if match[1] not in atomic_numbers():
            raise ValueError(f"'{match[1]}' is no element")
        amounts[match[1]] = amounts.get(match[1], 0.0) + float(match[2] or 1)
    if not amounts or position != len(text):
        raise ValueError("write it as Li3PO4, without brackets")
    if not all(amount > 0 for amount in amounts.values()):
        raise ValueError("a coefficient is 0")
    if not all(amount.is_integer() for amount in amounts.values()):
        return None
    divisor = math.gcd(*(int(amount) for amount in amounts.values()))
    return {element: int(amount) // divisor for element, amount in sorted(amounts.items())}


def shipped_list() -> KnownList:
    """Return the compositions of crystals that are shipped; ``configs/data`` has sources."""
    with data_file("data").joinpath(SHIPPED).open("rb") as raw:
        return _read(lines_of(raw), "the shipped list")


def computed_by_mp() -> dict[str, float]:
    """Return the energies above the hull, in eV an atom, of compositions that MP has computed.

    NaN where the list has none.
    """
    with data_file("data").joinpath(COMPUTED).open("rb") as raw:
        rows = csv.reader(line for line in lines_of(raw) if isinstance(line, str))
        next(rows)
        return {formula: float(energy or "nan") for formula, energy in rows}


def read_known(path: str) -> KnownList:
    """Read a list of known compositions: a table with a column ``formula``, or one on each line.

    A column ``first_year`` has years of first reports. Where it is missing, or empty for all, the
    years are those of the shipped list.

    Raises
    ------
    ScreenError
        When the file cannot be read, holds no composition, or has lines that are wrong.
    """
    file = user_path(path, "--known")
    if not file.is_file():
        raise ScreenError(f"--known '{path}': no such file")
    try:
        with file.open("rb") as raw:
            known = _read(lines_of(raw), path)
    except OSError as error:
        raise ScreenError(f"--known '{path}': cannot be read ({error.strerror})") from None
    if not known.years.any():
        return with_years(known, shipped_list())
    return known


def with_years(known: KnownList, other: KnownList) -> KnownList:
    """Return a list without years with those of another one."""
    pairs = zip(other.formulas, other.years.tolist(), strict=True)
    years = {_frozen(formula): year for formula, year in pairs}
    found = [years.get(_frozen(formula), 0) for formula in known.formulas]
    remarks = known.remarks
    if any(found):
        remarks = [
            *remarks,
            f"it states no years: those of {sum(map(bool, found))} compositions are "
            f"taken from {other.name}",
        ]
    return KnownList(known.name, known.formulas, np.array(found, dtype=np.int16), remarks)


def _frozen(formula: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(formula.items())


def _read(lines: Iterable[str | NoTextError], name: str) -> KnownList:
    """Read the lines of a list; errors name the first lines that are wrong."""
    first_of: dict[tuple[tuple[str, int], ...], int] = {}
    wrong: list[str] = []
    remarks: list[str] = []
    fractional = 0
    columns: tuple[int, int | None] | None = None
    for number, line in enumerate(lines, start=1):
        if isinstance(line, NoTextError):
            raise ScreenError(f"--known '{Path(name).name}': {line}")
        if not line.strip() or line.startswith("#"):
            continue
        fields = [cell.strip() for cell in next(csv.reader([line]))]
        if columns is None:
            header = [cell.lower() for cell in fields]
            if "formula" in header:
                year = header.index("first_year") if "first_year" in header else None
                columns = header.index("formula"), year
                continue
            columns = 0, None
        try:
            formula, first = _row(fields, columns)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        if formula is None:
            fractional += 1
            continue
        key = _frozen(formula)
        earlier = first_of.get(key)
        # A report without a year is an old one.
        first_of[key] = first if earlier is None else min(first, earlier)
    n_read = len(first_of) + fractional
    if wrong:
        more = f", and {len(wrong) - SHOWN_ERRORS} more" if len(wrong) > SHOWN_ERRORS else ""
        which = f"{'; '.join(wrong[:SHOWN_ERRORS])}{more}"
        if len(wrong) > MAX_WRONG * (n_read + len(wrong)):
            raise ScreenError(
                f"--known '{Path(name).name}': {which}; mend these lines or take them out"
            )
        remarks.append(f"{len(wrong)} × left out: {which}")
    if not first_of:
        raise ScreenError(
            f"--known '{Path(name).name}': holds no composition; expected a column 'formula', or "
            "one formula on each line"
        )
    if fractional:
        remarks.append(f"{fractional} × left out: a coefficient is no whole number")
    formulas = [dict(key) for key in first_of]
    return KnownList(name, formulas, np.array(list(first_of.values()), dtype=np.int16), remarks)


def _row(fields: list[str], columns: tuple[int, int | None]) -> tuple[dict[str, int] | None, int]:
    """Return the composition and the year, 0 for none, of one line."""
    place, year_place = columns
    text = fields[place] if place < len(fields) else ""
    if not text:
        raise ValueError("the formula is missing")
    try:
        formula = parsed_formula(text.replace(" ", ""))
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from None
    written = fields[year_place] if year_place is not None and year_place < len(fields) else ""
    if not written:
        return formula, 0
    try:
        year = int(float(written))
    except ValueError:
        year = 0
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"'{written}' is no year")
    return formula, year
