"""The crystal that a CIF means: the one among its possible meanings that fits all it states.

A CIF states its crystal several times over: operations, symbols and number of its space group,
formula, formula units, volume and density.  Where these leave more than one meaning open, as the
origin of a group that has two, each is built and compared with the rest.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from screening.candidates.crystal import SPACE_GROUP
from screening.candidates.stated_facts import Stated, compared, parsed_formula
from screening.candidates.symmetry_search import found_number
from screening.sources.cif_grammar import Tags
from screening.sources.cif_sites import (
    Atoms,
    OtherCellError,
    all_atoms,
    cell_of,
    is_unknown,
    number_of,
    sites_of,
)
from screening.sources.cif_symmetry import Meaning, Symmetry, stated_symmetry
from screening.sources.record import NOTE, EntryError

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_FORMULAS = (
    "_chemical_formula_sum",
    "_chemical_formula_iupac",
    "_chemical_formula_structural",
    "_chemical_formula_moiety",
)
"""The first that can be understood counts."""
_WITH_CHARGES = re.compile(r"[^A-Za-z0-9.() ]|\([IV]+\)")
_MODULATED = (
    "_space_group_ssg_",
    "_space_group_symop_ssg_",
    "_cell_wave_vector_",
    "_cell_subsystem",
)
WHOLE_CELL_SYMPREC_A = (0.01, 0.05)
"""Ångström within which a list of all atoms has to have the symmetry that is named beside it."""


@dataclass(frozen=True)
class _Reading:
    """One meaning, built."""

    meaning: Meaning
    structure: Structure
    notes: list[str]
    n_doubts: int
    """Statements that do not fit it, though others do."""


def crystal_of(tags: Tags) -> Structure:
    """Build the crystal of a block that has a cell and a list of atoms.

    Raises
    ------
    EntryError
        When no meaning fits what the block states, or different ones do.
    """
    _refuse_modulated(tags)
    stated = stated_of(tags)
    formula = parsed_formula(stated.formula)
    symbols = frozenset() if formula is None else frozenset(e.symbol for e in formula.elements)
    sites, metric = sites_of(tags, symbols), cell_of(tags)
    if formula is None:
        # Names of elements, or the keys of shares.
        named = ([c] if isinstance(c, str) else list(c) for c in sites.contents)
        _refuse_missing_kinds(tags, set(itertools.chain(*named)))
    symmetry = stated_symmetry(tags)
    alone = len(symmetry.meanings) == 1
    readings, failures = [], []
    for meaning in symmetry.meanings:
        try:
            atoms = all_atoms(sites, metric, meaning.operations)
            readings.append(_checked(atoms, stated, meaning, symmetry, alone))
        except EntryError as failure:
            failures.append(failure)
    if not readings:
        raise _first_reason(failures, symmetry)
    chosen = _chosen(readings, symmetry)
    notes = list(chosen.notes)
    if symmetry.contradiction:
        notes.insert(0, f"{symmetry.contradiction}; read by {chosen.meaning.said_by}")
    if notes:
        chosen.structure.properties[NOTE] = "; ".join(notes)
    chosen.structure.properties[SPACE_GROUP] = chosen.meaning.operations.number
    return chosen.structure


def _refuse_modulated(tags: Tags) -> None:
    """Raise `EntryError` for a crystal whose atoms are those of an average only."""
    dimension = number_of(_text(tags, "_cell_modulation_dimension"))
    waves = (tag for tag in tags if tag.startswith(_MODULATED) and _text(tags, tag))
    if dimension or (dimension is None and next(waves, None)):
        raise EntryError("it is modulated: its list of atoms is an average over many cells")


def _refuse_missing_kinds(tags: Tags, elements: set[str]) -> None:
    """Raise `EntryError` where a list of kinds of atom, and no formula, names one without sites."""
    from pymatgen.core.periodic_table import Element

    for text in tags.get("_atom_type_symbol", []):
        kind = re.match(r"[A-Z][a-z]?(?![a-z])", text)
        if kind and kind[0] not in elements and Element.is_valid_symbol(kind[0]):
            raise EntryError(
                "its CIF lists the kind of atom {kind}, and no site of it; are atoms missing?",
                kind=kind[0],
            )


def stated_of(tags: Tags) -> Stated:
    """Return what a block states beside its atoms and its symmetry."""
    known = (
        tag
        for tag in _FORMULAS
        if parsed_formula(text := _text(tags, tag))
        and (tag == _FORMULAS[0] or not _WITH_CHARGES.search(text))
    )
    formula_key = next(known, _FORMULAS[0])
    formula = _text(tags, formula_key)
    density = _text(tags, "_exptl_crystal_density_diffrn")
    decimals = density.partition("(")[0].partition(".")[2]
    return Stated(
        formula=formula,
        formula_units=number_of(_text(tags, "_cell_formula_units_z")),
        volume_a3=number_of(_text(tags, "_cell_volume")),
        density_g_per_cm3=number_of(density),
        density_unit_in_last_place=10.0 ** -len(decimals),
        formula_weight=number_of(_text(tags, "_chemical_formula_weight")),
        formula_key=formula_key,
    )


def _text(tags: Tags, tag: str) -> str:
    values = tags.get(tag, [])
    return "" if len(values) != 1 or is_unknown(values[0]) else " ".join(values[0].split())


def _checked(
    atoms: Atoms, stated: Stated, meaning: Meaning, symmetry: Symmetry, alone: bool
) -> _Reading:
    """Build a meaning, and compare it with what is stated.

    Raises
    ------
    EntryError
        When it does not fit.
    """
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    from screening.candidates.crystal_sanity import unusable

    structure = Structure(Lattice(atoms.matrix), atoms.contents, atoms.positions)
    types = {m.operations.number for m in symmetry.meanings if not m.whole_cell}
    # Between two types of group the multiplicities of sites belong to one of them, and prove none.
    doubts = tuple(atoms.doubts) if len(types) == 1 else ()
    verdict = compared(structure, stated, doubts)
    if verdict.refusals and stated.formula_units and meaning.operations.name.endswith(":R"):
        # Those of the hexagonal cell are often left beside the rhombohedral one.
        said = str(verdict.refusals[0])
        verdict = compared(
            structure, replace(stated, formula_units=stated.formula_units / 3), doubts
        )
        verdict.notes.append(said)
    if verdict.refusals:
        raise EntryError(verdict.refusals[0])
    if not symmetry.is_stated and not verdict.confirmed:
        raise EntryError(
            "its CIF states no symmetry, and nothing confirms that it lists all atoms; add "
            "_space_group_name_H-M_alt 'P 1' if it does"
        )
    # What is disordered has no symmetry of its own to be looked for, nor bonds.
    if not alone and structure.is_ordered:
        if reason := unusable(structure):
            raise EntryError(reason.preceded("with {said_by}, ", said_by=meaning.said_by))
        if meaning.whole_cell:
            _refuse_less_symmetry(structure, symmetry)
    notes = atoms.notes + verdict.notes
    return _Reading(meaning, structure, notes, len(verdict.notes))


def _refuse_less_symmetry(structure: Structure, symmetry: Symmetry) -> None:
    """Raise `EntryError` where the atoms listed have not the symmetry that is named."""
    numbers = {m.operations.number for m in symmetry.meanings if not m.whole_cell}
    if any(found_number(structure, symprec_a) in numbers for symprec_a in WHOLE_CELL_SYMPREC_A):
        return
    raise EntryError(
        "it lists no operation but the identity, and its atoms have not the symmetry that it names"
    )


def _first_reason(failures: list[EntryError], symmetry: Symmetry) -> EntryError:
    # Of axes that are not the cell's, what is said next to nothing tells.
    reason = min(failures, key=lambda failure: isinstance(failure, OtherCellError))
    if symmetry.contradiction:
        words = "{contradiction}, and neither fits: "
        return EntryError(reason.refusal.preceded(words, contradiction=symmetry.contradiction))
    return reason


def _chosen(readings: list[_Reading], symmetry: Symmetry) -> _Reading:
    """Return the reading that fits best, first by what is stated and then by convention.

    Raises
    ------
    EntryError
        When different crystals fit equally.
    """

    def order(reading: _Reading) -> tuple[int, int]:
        return reading.n_doubts, reading.meaning.rank

    best = min(map(order, readings))
    first, *others = [reading for reading in readings if order(reading) == best]
    for other in others:
        if not _same(first.structure, other.structure):
            said = " and ".join(_saying(reading) for reading in (first, other))
            if symmetry.contradiction:
                raise EntryError(
                    "{contradiction}: {said} make different crystals; correct the one that is "
                    "wrong",
                    contradiction=symmetry.contradiction,
                    said=said,
                )
            raise EntryError(
                "its CIF leaves the setting of its space group open: {said} make different "
                "crystals; list its operations, or state the setting",
                said=said,
            )
    return first


def _saying(reading: _Reading) -> str:
    name, said_by = reading.meaning.operations.name, reading.meaning.said_by
    return said_by if name in said_by or reading.meaning.whole_cell else f"{name} of {said_by}"


def _same(first: Structure, second: Structure) -> bool:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    # Far tighter than relaxations: two meanings of one file are equal, or they are not.
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.2, scale=False)
    return bool(matcher.fit(first, second))
