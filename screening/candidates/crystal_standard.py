"""The standard cell of a crystal, and its symmetry where rounding and noise have blurred it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.candidates.symmetry_search import asked, symmetry_dataset
from screening.messages.refusal import RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

SYMPREC_A = 0.01
"""Atoms that an operation brings within this distance (Å) of each other are symmetric."""
EXACT_A = 0.001
"""Symmetry found within this distance (Å) is exact: nothing is averaged."""
LADDER_A = (0.1, 0.075, 0.05, 0.03, 0.02)
"""Wider distances (Å) at which symmetry is looked for; what it moves is held to `Limits`."""


@dataclass(frozen=True)
class Limits:
    """How far a crystal may be from the symmetry that is ascribed to it.

    Parameters
    ----------
    displacement_a, rms_displacement_a
        Largest and root mean square displacement of an atom, in Å.
    strain
        Largest principal strain of the cell.
    """

    displacement_a: float
    rms_displacement_a: float
    strain: float


DISTORTION = Limits(displacement_a=0.02, rms_displacement_a=0.02, strain=0.002)
"""For crystals that keep some symmetry exactly: by so much are coordinates of three digits off in
an edge of 20 Å, and smaller distortions are within the error of any functional."""
NOISE = Limits(displacement_a=0.04, rms_displacement_a=0.018, strain=0.0024)
"""For crystals with no exact symmetry but an inversion, as noise of 0.01 Å in each coordinate
leaves them: a physical distortion nearly always keeps a subgroup."""

STANDS_FOR = {
    78: 76,
    95: 91,
    96: 92,
    145: 144,
    153: 151,
    154: 152,
    170: 169,
    172: 171,
    179: 178,
    181: 180,
    213: 212,
}
"""Of the eleven pairs of enantiomorphic space groups, the number that stands for both."""


def handless(space_group_number: int) -> int:
    """Return the number that stands for a space group and its mirror image."""
    return STANDS_FOR.get(space_group_number, space_group_number)


@dataclass(frozen=True)
class StandardCell:
    """A crystal in its standard primitive cell.

    Parameters
    ----------
    primitive
        As spglib orients it, sites grouped by element.
    rotations
        Of its space group, in fractional coordinates, shape (operations, 3, 3).
    translations
        Beside them, shape (operations, 3).
    conventional
        Vectors of the conventional cell in rows (Å), shape (3, 3).
    space_group_number
        Of two groups that are mirror images the lower one; `primitive` is then mirrored too.
    note
        What was changed to get there, beyond the choice of cell; empty for nothing.
    """

    primitive: Structure
    rotations: NDArray[np.int_]
    translations: NDArray[np.float64]
    conventional: NDArray[np.float64]
    space_group_number: int
    note: str


_Cell = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.int_]"]
"""Lattice vectors in rows (Å), fractional coordinates, atomic numbers."""


def standardise(structure: Structure) -> StandardCell:
    """Return the standard primitive cell of an ordered crystal.

    The highest symmetry is taken that is there within `SYMPREC_A`, or at a wider distance of
    `LADDER_A` if the crystal's atoms and cell, averaged over it, move no further than `DISTORTION`
    or `NOISE` allow.

    Raises
    ------
    RefusedError
        When spglib finds no symmetry at all.
    """
    cell: _Cell = (
        np.array(structure.lattice.matrix),
        np.array(structure.frac_coords),
        np.array([site.specie.Z for site in structure]),
    )
    cell, note = _refined(cell)
    primitive, dataset = _idealised(cell)
    number = int(dataset.number)
    if number in STANDS_FOR:
        lattice, positions, numbers = primitive
        primitive, dataset = _idealised((lattice, -positions, numbers))
        note = "; ".join(filter(None, [note, "mirrored: both hands are one candidate"]))
    return StandardCell(
        primitive=_structure(primitive),
        rotations=np.array(dataset.rotations),
        translations=np.array(dataset.translations),
        conventional=np.array(dataset.std_lattice),
        space_group_number=handless(number),
        note=note,
    )


def conventional_vectors(primitive: Structure) -> NDArray[np.float64]:
    """Return the vectors of the conventional cell of a standard primitive one, in rows (Å)."""
    numbers = np.array([site.specie.Z for site in primitive])
    cell = (np.array(primitive.lattice.matrix), np.array(primitive.frac_coords), numbers)
    return np.array(_idealised(cell)[1].std_lattice)


def _structure(cell: _Cell) -> Structure:
    from pymatgen.core.periodic_table import Element
    from pymatgen.core.structure import Structure

    lattice, positions, numbers = cell
    species = [Element.from_Z(int(number)) for number in numbers]
    return Structure(lattice, species, positions, to_unit_cell=True).get_sorted_structure()


def _idealised(cell: _Cell) -> tuple[_Cell, Any]:
    """Return the standard primitive cell and its dataset: the name is of what is kept."""
    import spglib

    for symprec_a in (SYMPREC_A, 0.3 * SYMPREC_A, EXACT_A):
        primitive = asked(spglib.standardize_cell, cell, to_primitive=True, symprec=symprec_a)
        dataset = symmetry_dataset(primitive, symprec_a) if primitive else None
        if dataset is not None:
            return primitive, dataset
    raise RefusedError(f"spglib finds no symmetry within {SYMPREC_A:g} Å")


def _primitive(cell: _Cell) -> _Cell | None:
    """Return the primitive cell of an averaged one, None where spglib finds none."""
    import spglib

    primitive: _Cell | None = asked(spglib.find_primitive, cell, symprec=EXACT_A)
    return primitive


def _refined(cell: _Cell) -> tuple[_Cell, str]:
    """Return the cell averaged over its symmetry, and a note where that had to be looked for."""
    exact = symmetry_dataset(cell, EXACT_A)
    widest = symmetry_dataset(cell, LADDER_A[0])
    if exact is not None and widest is not None and len(exact.rotations) == len(widest.rotations):
        return cell, ""
    plain = symmetry_dataset(cell, SYMPREC_A)
    n_exact, n_plain = (
        0 if dataset is None else len(dataset.rotations) for dataset in (exact, plain)
    )
    limits = NOISE if n_exact <= 2 else DISTORTION
    wider = [widest, *(symmetry_dataset(cell, symprec_a) for symprec_a in LADDER_A[1:])]
    by_order = {len(dataset.rotations): dataset for dataset in wider if dataset is not None}
    for order in sorted(by_order, reverse=True):
        if order <= n_plain:
            break
        averaged = _averaged_wholly(cell, by_order[order], limits)
        if averaged is not None:
            was = (plain or exact).international if plain or exact else "P1"
            return averaged.cell, (
                f"refined from {was} to {averaged.symbol} within "
                f"{averaged.displacement_a:.3f} Å and {averaged.strain:.2%} strain"
            )
    if plain is not None and n_plain > n_exact:
        averaged = _averaged_wholly(cell, plain, NOISE)
        if averaged is not None:
            return averaged.cell, ""
    return cell, ""


@dataclass(frozen=True)
class _Averaged:
    """A cell with the symmetry that was ascribed to it, and how far it is from what it was."""

    cell: _Cell
    symbol: str
    displacement_a: float
    rms_displacement_a: float
    strain: float

    def within(self, limits: Limits) -> bool:
        return (
            self.displacement_a <= limits.displacement_a
            and self.rms_displacement_a <= limits.rms_displacement_a
            and self.strain <= limits.strain
        )


def _averaged_wholly(cell: _Cell, dataset: Any, limits: Limits) -> _Averaged | None:
    """Average a cell over all symmetry of its crystal; None where that goes beyond limits.

    A cell that is not primitive has some of it only: twice a cube is no cube.  The rest is that of
    the averaged cell's primitive one.
    """
    averaged = _averaged(cell, dataset)
    if averaged is None or not averaged.within(limits):
        return None
    primitive = _primitive(averaged.cell)
    if primitive is None or len(primitive[2]) == len(cell[2]):
        return averaged
    wider = [symmetry_dataset(primitive, symprec_a) for symprec_a in (*LADDER_A, SYMPREC_A)]
    rest = {len(dataset.rotations): dataset for dataset in wider if dataset is not None}
    for order in sorted(rest, reverse=True):
        again = _averaged(primitive, rest[order])
        # The steps add up at worst.
        total = again and replace(
            again,
            displacement_a=averaged.displacement_a + again.displacement_a,
            rms_displacement_a=averaged.rms_displacement_a + again.rms_displacement_a,
            strain=averaged.strain + again.strain,
        )
        if total is not None and total.within(limits):
            return total
    return averaged


def _averaged(cell: _Cell, dataset: Any) -> _Averaged | None:
    """Average a cell over operations; None where they do not carry its atoms into each other."""
    lattice, positions, numbers = cell
    rotations, translations = np.array(dataset.rotations), np.array(dataset.translations)
    metric = lattice @ lattice.T
    mean_metric = (rotations.transpose(0, 2, 1) @ metric @ rotations).mean(axis=0)
    inverse = np.linalg.inv(lattice)
    squared, axes = np.linalg.eigh(inverse @ mean_metric @ inverse.T)
    stretches = np.sqrt(squared)
    mean_lattice = lattice @ (axes * stretches) @ axes.T

    moved = np.zeros_like(positions)
    for rotation, translation in zip(rotations, translations, strict=True):
        images = positions @ rotation.T + translation
        for number in np.unique(numbers):
            of_kind = np.flatnonzero(numbers == number)
            steps = images[of_kind, None] - positions[None, of_kind]
            steps -= np.round(steps)
            nearest = np.square(steps @ mean_lattice).sum(axis=2).argmin(axis=1)
            if len(np.unique(nearest)) < len(of_kind):
                return None
            moved[of_kind[nearest]] += steps[np.arange(len(of_kind)), nearest]
    moved /= len(rotations)
    moved -= moved.mean(axis=0)
    lengths_a = np.linalg.norm(moved @ mean_lattice, axis=1)
    return _Averaged(
        cell=(mean_lattice, positions + moved, numbers),
        symbol=str(dataset.international),
        displacement_a=float(lengths_a.max()),
        rms_displacement_a=float(np.sqrt(np.square(lengths_a).mean())),
        strain=float(np.abs(stretches - 1).max()),
    )
