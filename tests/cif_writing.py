"""Crystals written as CIFs of many dialects, by spglib's tables and nothing of the reader's."""

from __future__ import annotations

import math
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import spglib
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import Element
from pymatgen.core.structure import Structure

warnings.filterwarnings("ignore", category=DeprecationWarning, module="spglib")


@dataclass(frozen=True)
class Crystal:
    """A crystal in one setting of its space group: all atoms, and one of each orbit."""

    lattice: Lattice
    elements: list[str]
    positions: np.ndarray
    independent: list[int]
    hall_number: int

    @property
    def kind(self):
        """Spglib's entry of its setting."""
        return setting(self.hall_number)

    @property
    def structure(self) -> Structure:
        """All atoms of the cell."""
        return Structure(self.lattice, self.elements, self.positions)


@lru_cache(maxsize=600)
def setting(hall_number: int):
    """Return spglib's entry of a setting, 1 to 530."""
    return spglib.get_spacegroup_type(hall_number)


@lru_cache(maxsize=64)
def settings(number: int) -> list[int]:
    """Return spglib's settings of a type of space group."""
    return [hall for hall in range(1, 531) if setting(hall).number == number]


def standard_setting(number: int) -> int:
    """Return the one that the International Tables put first: axis b, origin 2, hexagonal axes."""
    known = settings(number)
    for choice in ("2", "H", "b", "b1"):
        for hall in known:
            if setting(hall).choice == choice:
                return hall
    return known[0]


def in_setting(structure: Structure, hall_number: int | None = None) -> Crystal:
    """Return a crystal in a setting of the space group that spglib finds."""
    cell = (
        structure.lattice.matrix,
        structure.frac_coords,
        [site.specie.Z for site in structure],
    )
    found = spglib.get_symmetry_dataset(cell, symprec=0.01)
    exact = (found.std_lattice, found.std_positions, found.std_types)
    hall = hall_number or standard_setting(found.number)
    data = spglib.get_symmetry_dataset(exact, symprec=1e-3, hall_number=hall)
    change, shift = data.transformation_matrix, data.origin_shift
    # x' = P x + p; the new lattice vectors are the columns of inv(P) in the old ones.
    matrix = (exact[0].T @ np.linalg.inv(change)).T
    lattice = Lattice.from_parameters(*Lattice(matrix).parameters)
    steps = np.array([[i, j, k] for i in range(-1, 3) for j in range(-1, 3) for k in range(-1, 3)])
    numbers = np.repeat(exact[2], len(steps))
    images = ((exact[1][:, None] + steps[None]) @ change.T + shift).reshape(-1, 3) % 1.0
    kept = _distinct(images)
    elements = [str(Element.from_Z(int(numbers[k]))) for k in kept]
    positions = images[kept]
    order = sorted(range(len(elements)), key=lambda k: elements[k])
    elements = [elements[k] for k in order]
    positions = np.array([positions[k] for k in order])
    return Crystal(lattice, elements, positions, _independent(elements, positions, hall), hall)


def _distinct(images: np.ndarray) -> np.ndarray:
    """Return which of some positions are no other one once more."""
    rounded = np.rint(images * 1e4).astype(int) % 10_000
    _, first = np.unique(rounded, axis=0, return_index=True)
    first = np.sort(first)
    apart = np.abs((images[first][:, None] - images[first][None] + 0.5) % 1 - 0.5).max(axis=2)
    return first[~np.tril(apart < 3e-4, -1).any(axis=1)]


def _independent(elements: list[str], positions: np.ndarray, hall_number: int) -> list[int]:
    operations = spglib.get_symmetry_from_database(hall_number)
    if len(positions) != len(_distinct(positions)):
        raise ValueError("it has atoms twice")
    left = set(range(len(elements)))
    independent = []
    while left:
        first = min(left)
        independent.append(first)
        images = operations["rotations"] @ positions[first] + operations["translations"]
        for image in images:
            apart = np.abs((positions - image + 0.5) % 1 - 0.5).max(axis=1)
            nearest = int(np.argmin(apart))
            if apart[nearest] > 1e-3 or elements[nearest] != elements[first]:
                raise ValueError("its atoms have not the symmetry of this setting")
            left.discard(nearest)
    return independent


# ---------------------------------------------------------------------------------------- writing


@dataclass(frozen=True)
class Text:
    """The parts of a CIF; None leaves one out."""

    crystal: Crystal
    symbol: str | None = None
    hall: str | None = None
    number: int | None = None
    operations: str | None = "all"
    atoms: str = "independent"
    digits: int = 6
    units: float | None = None
    formula: bool = True
    density: bool = False
    multiplicities: bool = False
    types: bool = True
    quote: str = "'"
    blanks: str = ", "
    old_tags: bool = True
    before: str = ""

    def __str__(self) -> str:
        return "\n".join(self.lines()) + "\n"

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        crystal = self.crystal
        yield "data_crystal"
        if self.before:
            yield self.before
        amounts = crystal.structure.composition.get_el_amt_dict()
        units = math.gcd(*(round(n) for n in amounts.values()))
        if self.formula:
            said = " ".join(f"{el}{round(n) // units}" for el, n in sorted(amounts.items()))
            yield f"_chemical_formula_sum '{said}'"
        if self.units is not None:
            yield f"_cell_formula_units_Z {self.units * units:g}"
        if self.density:
            yield f"_exptl_crystal_density_diffrn {float(crystal.structure.density):.2f}"
        names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
        for name, value in zip(names, crystal.lattice.parameters, strict=True):
            yield f"_cell_{name} {value:.6f}"
        yield f"_cell_volume {crystal.lattice.volume:.4f}"
        tags = (
            ("_symmetry_space_group_name_H-M", "_symmetry_space_group_name_Hall",
             "_symmetry_Int_Tables_number", "_symmetry_equiv_pos_as_xyz")
            if self.old_tags
            else ("_space_group_name_H-M_alt", "_space_group_name_Hall",
                  "_space_group_IT_number", "_space_group_symop_operation_xyz")
        )  # fmt: skip
        if self.symbol is not None:
            yield f"{tags[0]} '{self.symbol}'"
        if self.hall is not None:
            # Hall symbols hold the quote of the other kind.
            quote = "'" if '"' in self.hall else '"'
            yield f"{tags[1]} {quote}{self.hall}{quote}"
        if self.number is not None:
            yield f"{tags[2]} {self.number}"
        if self.operations:
            yield "loop_"
            yield tags[3]
            listed = triplets(crystal.hall_number)
            for operation in listed if self.operations == "all" else ["x,y,z"]:
                yield f"{self.quote}{operation.replace(',', self.blanks)}{self.quote}"
        yield "loop_"
        yield "_atom_site_label"
        if self.types:
            yield "_atom_site_type_symbol"
        if self.multiplicities:
            yield "_atom_site_symmetry_multiplicity"
        yield from ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
        every = range(len(crystal.elements))
        for k in crystal.independent if self.atoms == "independent" else every:
            element = crystal.elements[k]
            yield " ".join(
                [
                    f"{element}{k + 1}",
                    *([element] if self.types else []),
                    *([str(multiplicity(crystal, k))] if self.multiplicities else []),
                    *(_coordinate(value, self.digits) for value in crystal.positions[k]),
                ]
            )


def _coordinate(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"


def multiplicity(crystal: Crystal, index: int) -> int:
    """Return how many atoms of the cell a site is."""
    operations = spglib.get_symmetry_from_database(crystal.hall_number)
    images = operations["rotations"] @ crystal.positions[index] + operations["translations"]
    return len(_distinct(images % 1.0))


@lru_cache(maxsize=600)
def triplets(hall_number: int) -> tuple[str, ...]:
    """Write the operations of a setting as x,y,z."""
    operations = spglib.get_symmetry_from_database(hall_number)
    return tuple(
        ",".join(_component(row, float(t)) for row, t in zip(rotation, translation, strict=True))
        for rotation, translation in zip(
            operations["rotations"], operations["translations"], strict=True
        )
    )


def _component(row: np.ndarray, translation: float) -> str:
    text = ""
    for factor, axis in zip(row, "xyz", strict=True):
        if factor:
            text += ("-" if factor < 0 else "+" if text else "") + axis
    part = Fraction(translation % 1.0).limit_denominator(24)
    return text if part == 0 else f"{text}+{part}"


def symbol(hall_number: int, qualified: bool = True) -> str:
    """Return the Hermann-Mauguin symbol, as ``F d -3 m:2`` or, not qualified, ``F d -3 m``."""
    kind = setting(hall_number)
    # 'P 2_1/c = P 1 2_1/c 1', of which the longer one names the axis.
    text = max(kind.international.split("="), key=lambda part: len(part.split()))
    text = " ".join(text.replace("_", "").split())
    if qualified and kind.choice[:1] in ("1", "2", "H", "R"):
        text += f":{kind.choice[:1]}"
    return text


def hall_symbol(hall_number: int) -> str:
    """Return the Hall symbol."""
    return str(setting(hall_number).hall_symbol).replace("=", '"')


def no_blanks(text: str) -> str:
    """Write a symbol as programs do that know no blanks."""
    return text.replace(" ", "")


def upper_case_tags(text: str) -> str:
    """Write tags and keywords in capitals."""
    return re.sub(r"^(_\S+|loop_|data_)", lambda m: m[0].upper(), text, flags=re.MULTILINE)


FIELD = "_publ_section_comment\n;\n As before,\ndata_ were collected\nloop_ of nothing\n;"


def _plain(crystal: Crystal) -> Text:
    kind = crystal.kind
    return Text(
        crystal, symbol(crystal.hall_number), hall_symbol(crystal.hall_number), kind.number,
        units=1,
    )  # fmt: skip


def _nothing_but(crystal: Crystal, **parts) -> Text:
    return replace(
        _plain(crystal), symbol=None, hall=None, number=None, operations=None, **parts
    ) if not parts.keys() & {"symbol", "hall", "number", "operations"} else replace(
        replace(_plain(crystal), symbol=None, hall=None, number=None, operations=None), **parts
    )  # fmt: skip


DIALECTS: dict[str, Callable[[Crystal], str]] = {
    "all that there is": lambda c: str(_plain(c)),
    "operations only": lambda c: str(_nothing_but(c, operations="all")),
    "symbol only": lambda c: str(_nothing_but(c, symbol=symbol(c.hall_number))),
    "symbol without its setting": lambda c: str(
        _nothing_but(c, symbol=symbol(c.hall_number, qualified=False))
    ),
    "symbol without blanks": lambda c: str(
        _nothing_but(c, symbol=no_blanks(symbol(c.hall_number)))
    ),
    "symbol in lower case": lambda c: str(
        _nothing_but(c, symbol=no_blanks(symbol(c.hall_number)).lower(), number=c.kind.number)
    ),
    "short symbol": lambda c: str(
        _nothing_but(c, symbol=c.kind.international_short.replace("_", ""), old_tags=False)
    ),
    "full symbol": lambda c: str(
        _nothing_but(c, symbol=c.kind.international_full.replace("_", ""), old_tags=False)
    ),
    "Hall symbol only": lambda c: str(_nothing_but(c, hall=hall_symbol(c.hall_number))),
    "number only": lambda c: str(_nothing_but(c, number=c.kind.number)),
    "number, with multiplicities and density": lambda c: str(
        _nothing_but(c, number=c.kind.number, multiplicities=True, density=True)
    ),
    "all atoms in P 1": lambda c: str(
        replace(_plain(c), symbol="P 1", hall=None, number=1, operations="identity", atoms="all")
    ),
    "all atoms, nothing of symmetry": lambda c: str(_nothing_but(c, atoms="all")),
    "all atoms and the operations": lambda c: str(replace(_plain(c), atoms="all")),
    "all atoms and the symbol": lambda c: str(
        _nothing_but(c, symbol=symbol(c.hall_number), atoms="all")
    ),
    "all atoms, identity and symbol": lambda c: str(
        replace(_plain(c), hall=None, operations="identity", atoms="all")
    ),
    "identity and symbol": lambda c: str(replace(_plain(c), hall=None, operations="identity")),
    "identity alone": lambda c: str(_nothing_but(c, operations="identity")),
    "nothing of symmetry": lambda c: str(_nothing_but(c)),
    "three digits": lambda c: str(replace(_plain(c), digits=3)),
    "three digits, symbol only": lambda c: str(
        _nothing_but(c, symbol=symbol(c.hall_number), digits=3)
    ),
    "three digits, all atoms and the operations": lambda c: str(
        replace(_plain(c), digits=3, atoms="all")
    ),
    "byte-order mark, CRLF": lambda c: "\ufeff" + str(_plain(c)).replace("\n", "\r\n"),
    "capitals": lambda c: upper_case_tags(str(_plain(c))),
    "operations without quotes": lambda c: str(replace(_plain(c), quote="")),
    "data_ in a text": lambda c: str(replace(_plain(c), before=FIELD)),
    "labels only": lambda c: str(replace(_plain(c), types=False)),
    "wrong Z": lambda c: str(replace(_plain(c), units=2)),
    "wrong Z, symbol only": lambda c: str(_nothing_but(c, symbol=symbol(c.hall_number), units=2)),
    "another number": lambda c: str(
        replace(_plain(c), number=c.kind.number + (1 if c.kind.number < 230 else -1))
    ),
}
"""What is done to a crystal, by its name."""


def other_setting(crystal: Crystal, chance: random.Random) -> Crystal | None:
    """Return the crystal in another setting of its group, None where there is none."""
    others = [hall for hall in settings(crystal.kind.number) if hall != crystal.hall_number]
    return in_setting(crystal.structure, chance.choice(others)) if others else None
