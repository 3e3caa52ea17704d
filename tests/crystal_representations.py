"""Crystals of all Bravais lattices, and the ways in which files give one and the same crystal."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.operations import SymmOp
from pymatgen.core.structure import Structure

Random = np.random.Generator
CRYSTALS = Path(__file__).parent / "data" / "crystals.jsonl"


@functools.cache
def crystals() -> dict[str, tuple[Structure, int]]:
    """Structure and space group number of each crystal, by name."""
    found = {}
    for line in CRYSTALS.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        structure = Structure(entry["lattice_a"], entry["species"], entry["fractional_coordinates"])
        found[f"{entry['formula']}-{entry['material_id']}"] = structure, entry["space_group_number"]
    return found


def with_basis(structure: Structure, matrix: list[list[int]]) -> Structure:
    made = structure.copy()
    made.make_supercell(matrix)
    return made


def conventional(structure: Structure, random: Random) -> Structure:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    return SpacegroupAnalyzer(structure, 0.01).get_conventional_standard_structure()


def other_basis(structure: Structure, random: Random) -> Structure:
    return with_basis(structure, [[1, 1, 0], [0, 1, 1], [0, 0, 1]])


def doubled_slantwise(structure: Structure, random: Random) -> Structure:
    return with_basis(structure, [[1, 1, 0], [-1, 1, 0], [0, 0, 1]])


def tripled(structure: Structure, random: Random) -> Structure:
    return with_basis(structure, [[1, 0, 0], [0, 3, 0], [0, 0, 1]])


def rotated(structure: Structure, random: Random) -> Structure:
    made = structure.copy()
    axis, angle = random.normal(size=3), random.uniform(0, 360)
    made.apply_operation(SymmOp.from_axis_angle_and_translation(axis, angle))
    return made


def shifted(structure: Structure, random: Random) -> Structure:
    made = structure.copy()
    made.translate_sites(range(len(made)), random.uniform(size=3))
    return made


def permuted(structure: Structure, random: Random) -> Structure:
    return Structure.from_sites([structure[int(i)] for i in random.permutation(len(structure))])


def mirrored(structure: Structure, random: Random) -> Structure:
    lattice = Lattice(structure.lattice.matrix * [-1, 1, 1])
    return Structure(lattice, structure.species, structure.frac_coords)


def everything(structure: Structure, random: Random) -> Structure:
    for change in (doubled_slantwise, other_basis, mirrored, shifted, rotated, permuted):
        structure = change(structure, random)
    return structure


def noisy(length_a: float) -> Callable[[Structure, Random], Structure]:
    """Every atom moved by as much, in directions of its own."""

    def change(structure: Structure, random: Random) -> Structure:
        steps = random.normal(size=(len(structure), 3))
        steps *= length_a / np.linalg.norm(steps, axis=1)[:, None]
        cartesian = structure.cart_coords + steps
        return Structure(structure.lattice, structure.species, cartesian, coords_are_cartesian=True)

    return change


def rattled(structure: Structure, random: Random) -> Structure:
    """Every coordinate with normal noise of 0.008 Å."""
    cartesian = structure.cart_coords + random.normal(scale=0.008, size=(len(structure), 3))
    return Structure(structure.lattice, structure.species, cartesian, coords_are_cartesian=True)


def of_three_digits(structure: Structure, random: Random) -> Structure:
    lattice = Lattice.from_parameters(
        *np.round(structure.lattice.abc, 3), *np.round(structure.lattice.angles, 2)
    )
    return Structure(lattice, structure.species, np.round(structure.frac_coords, 3))


def strained(structure: Structure, random: Random) -> Structure:
    """0.1 %, of any kind."""
    strain = random.uniform(-1, 1, size=(3, 3)) * 1e-3
    matrix = structure.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    return Structure(matrix, structure.species, structure.frac_coords)


def stretched(structure: Structure, random: Random) -> Structure:
    made = structure.copy()
    made.apply_strain([0.0, 0.001, 0.0])
    return made


EXACT: dict[str, Callable[[Structure, Random], Structure]] = {
    change.__name__: change
    for change in (
        *(conventional, other_basis, doubled_slantwise, tripled, rotated, shifted, permuted),
        *(mirrored, everything),
    )
}
BLURRED: dict[str, Callable[[Structure, Random], Structure]] = {
    "noise of 0.001 Å": noisy(0.001),
    "noise of 0.003 Å": noisy(0.003),
    "noise of 0.008 Å": noisy(0.008),
    **{change.__name__: change for change in (rattled, of_three_digits, strained, stretched)},
}
