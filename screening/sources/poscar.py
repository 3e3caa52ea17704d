"""VASP's POSCAR, read as VASP reads it.

pymatgen's reader knows one scale factor only, and takes what follows the numbers of a line for
names.  The format: https://www.vasp.at/wiki/index.php/POSCAR
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from screening.sources.record import EntryError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_NAME = re.compile(r"([A-Z][a-z]?)(?:[_/.].*)?")
"""An element as POTCARs are named: ``Fe_pv``, ``Fe/6a3f``."""
_FLAGS = re.compile(r"\.?(?:[TF]|TRUE|FALSE)\.?", re.IGNORECASE)
MODES = {"d": False, "f": False, "c": True, "k": True}
"""First letters of Direct, Fractional, Cartesian, and whether they mean Cartesian."""


def poscar_structure(text: str) -> Structure:
    """Return the crystal of a POSCAR or CONTCAR; velocities are left out.

    Raises
    ------
    EntryError
        When a line is not what it should be, elements are not named, or a second crystal follows.
    """
    from pymatgen.core.structure import Structure

    lines = _Lines(text)
    factors = _scale_factors(lines)
    lattice = np.array([lines.numbers("a lattice vector") for _ in range(3)])
    volume = abs(float(np.linalg.det(lattice)))
    if not volume > 0:
        raise EntryError("its three lattice vectors span no volume")
    if factors[0] < 0:
        factors = np.full(3, (-factors[0] / volume) ** (1 / 3))
    names, counts = _species(lines)
    selective, cartesian = _mode(lines)
    species: list[str] = []
    positions = []
    labels: list[str | None] = []
    for name, count in itertools.zip_longest(names, counts):
        for _ in range(count):
            positions.append(lines.numbers("a position"))
            labels.append(_label(lines.rest, selective=selective))
            species.append(name or "")
            if name and labels[-1] not in (name, None):
                raise EntryError(
                    "line {number} says {label}, but by the numbers of atoms above it is {name}",
                    number=lines.number,
                    label=labels[-1],
                    name=name,
                )
    if not names:
        if None in labels or not labels:
            raise EntryError(
                "it names no elements (VASP 4 format); add the line of element symbols"
            )
        species = [str(label) for label in labels]
    if not species:
        raise EntryError("it has no atoms")
    _refuse_more(lines, len(species))
    # Each factor scales one of the Cartesian axes, of the vectors and of Cartesian positions.
    sites = np.array(positions) * (factors if cartesian else 1.0)
    return Structure(lattice * factors, species, sites, coords_are_cartesian=cartesian)


class _Lines:
    """Lines in turn, with their number for messages."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.number = 1
        """Of the line read last; the first is a comment."""
        self.rest: list[str] = []
        """What followed the numbers in it."""

    def next(self, what: str) -> str:
        if self.number >= len(self.lines):
            raise EntryError(
                f"it ends at line {{number}}, before {what}; is it truncated?", number=self.number
            )
        self.number += 1
        return self.lines[self.number - 1]

    def numbers(self, what: str) -> list[float]:
        """Return three numbers; more than three are not asked for."""
        line = self.next(what)
        words = line.split()
        if len(words) < 3 or not all(map(_NUMBER.fullmatch, words[:3])):
            blank = self.number == len(self.lines) or not any(self.lines[self.number - 1 :])
            remedy = "is it truncated?" if blank else "it is '{found}'"
            raise EntryError(
                f"line {{number}} should be {what}, three numbers; {remedy}",
                number=self.number,
                found=shown(line),
            )
        self.rest = words[3:]
        return [_float(word) for word in words[:3]]


def _scale_factors(lines: _Lines) -> NDArray[np.float64]:
    line = lines.next("the scale factor")
    words = list(itertools.takewhile(_NUMBER.fullmatch, line.split()))
    factors = [_float(word) for word in words]
    if len(factors) == 1 and factors[0] != 0:
        return np.full(3, factors[0])
    if len(factors) == 3 and min(factors) > 0:
        return np.array(factors)
    raise EntryError(
        "line 2 should hold one scale factor, or three above 0; it is '{found}'", found=shown(line)
    )


def _species(lines: _Lines) -> tuple[list[str], list[int]]:
    """Return the elements, none in the format of VASP 4, and the number of atoms of each."""
    line = lines.next("the element symbols")
    names: list[str] = []
    counts = _counts(line)
    if not counts:
        from pymatgen.core.periodic_table import Element

        for word in line.split():
            if word[0] in "!#":
                break
            match = _NAME.fullmatch(word)
            if match is None or not Element.is_valid_symbol(match[1]):
                meant = word.capitalize()
                hint = f"; write '{meant}'" if Element.is_valid_symbol(meant) else ""
                raise EntryError(
                    "line {number} should name elements, and '{found}' is none{hint}",
                    number=lines.number,
                    found=shown(word),
                    hint=hint,
                )
            names.append(match[1])
        line = lines.next("the numbers of atoms")
        counts = _counts(line)
        if len(names) != len(counts):
            raise EntryError(
                "line {number} should hold a number of atoms for each element of the line "
                "above, which names {n_names}; it is '{found}'",
                number=lines.number,
                n_names=len(names),
                found=shown(line),
            )
    return names, counts


def _counts(line: str) -> list[int]:
    return [int(word) for word in itertools.takewhile(str.isdecimal, line.split())]


def _mode(lines: _Lines) -> tuple[bool, bool]:
    """Return whether there are flags of selective dynamics, and whether positions are Cartesian."""
    line = lines.next("'Direct' or 'Cartesian'")
    selective = line.strip()[:1].lower() == "s"
    if selective:
        line = lines.next("'Direct' or 'Cartesian'")
    mode = line.strip()[:1].lower()
    if mode not in MODES:
        raise EntryError(
            "line {number} should say Direct or Cartesian; it is '{found}'",
            number=lines.number,
            found=shown(line),
        )
    return selective, MODES[mode]


def _label(words: list[str], *, selective: bool) -> str | None:
    """Return the element that is written behind a position, if any."""
    from pymatgen.core.periodic_table import Element

    if len(words) >= 3 and all(map(_FLAGS.fullmatch, words[:3])):
        words = words[3:]
    elif selective:
        raise EntryError("a position lacks its three flags T or F of selective dynamics")
    if not words or (match := _NAME.fullmatch(words[0])) is None:
        return None
    return match[1] if Element.is_valid_symbol(match[1]) else None


def _refuse_more(lines: _Lines, count: int) -> None:
    """Raise `EntryError` where what follows the positions are more positions, or a crystal."""
    rest = lines.lines[lines.number :]
    words = rest[0].split() if rest else []
    if len(words) >= 3 and all(map(_NUMBER.fullmatch, words[:3])):
        raise EntryError(
            "line {number} is one more position, but the numbers of atoms make {count}",
            number=lines.number + 1,
            count=count,
        )
    following = next((line for line in rest if line.strip()), "")
    if re.match(r"\s*direct configuration", following, re.IGNORECASE):
        raise EntryError("it holds several configurations, as XDATCAR; give each a file of its own")
    try:
        poscar_structure("\n".join(itertools.dropwhile(lambda line: not line.strip(), rest)))
    except EntryError:
        return  # velocities, or nothing
    raise EntryError("it holds several crystals; give each a file of its own")


def _float(word: str) -> float:
    return float(word.lower().replace("d", "e"))


def shown(text: str) -> str:
    """Return a foreign text for a message: printable, and not long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= 60 else f"{line[:60]}…"
