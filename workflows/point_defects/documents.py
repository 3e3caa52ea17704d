"""What the flows of point defects leave."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from workflows.document_parts import Document
from workflows.documents import CrystalDocument


class DefectCell(Document):
    """A defect in one supercell."""

    atoms: int
    """Of the supercell without the defect."""
    image_distance_a: float
    """Between the defect and its nearest periodic image."""
    energy_ev: float | None
    """Formation energy in this supercell; null where the relaxation lost it."""
    largest_displacement_a: float | None
    """Of an atom, from its site in the perfect crystal: a large one says that the crystal has
    rearranged around the defect."""
    lost: str = ""
    """How it flew apart or collapsed; empty for one that relaxed."""


class ElementReference(Document):
    """What the chemical potential of an element is counted from."""

    element: str
    kind: Literal["the crystal itself", "elemental crystal", "molecule in a box"]
    energy_ev_per_atom: float
    """By the same engine, relaxed."""
    space_group_number: int | None
    chemical_potential_ev: float
    """Relative to that energy, as the recipe states it."""
    limits: str
    """What this reference does not say."""


class VacancySite(Document):
    """A symmetry-distinct site, and the neutral vacancy on it."""

    element: str
    site: int
    """Index in the document's `structure`, from 0."""
    multiplicity: int
    """Sites of that cell which symmetry makes the same."""
    formation_energy_ev: float | None
    """In the larger supercell."""
    formation_energy_error_ev: float | None
    """Difference of the two supercells; null where there is only one."""
    cells: list[DefectCell]
    """Larger supercell first."""


class ExchangedPair(Document):
    """Two atoms that have exchanged their places."""

    elements: tuple[str, str]
    sites: tuple[int, int]
    """Indices in the document's `structure` of sites of their kinds, from 0."""
    distance_a: float
    """Of the two in the perfect crystal."""
    formation_energy_ev: float | None
    """In the larger supercell; of a bound pair, which is less than that of two atoms far apart."""
    formation_energy_error_ev: float | None
    """Difference of the two supercells; null where there is only one that holds the pair."""
    cells: list[DefectCell]
    """Larger supercell first."""


class PointDefectDocument(CrystalDocument):
    """What documents of vacancies and of exchange pairs have in common."""

    structure: Structure
    """Relaxed crystal, its conventional cell."""
    supercell_atoms: list[int] = Field(default_factory=list)
    """Of the perfect supercells, larger first."""
    image_distance_a: float | None = None
    """In the larger supercell."""
    no_error_reason: str = ""
    """Why there is no error bar; empty where there is one."""
    lost_defects: str = ""
    """Defects that relaxation lost, and how; the value is the lowest of the others."""
    volume_a3_per_atom: float


class VacancyDocument(PointDefectDocument):
    """Neutral vacancies of one crystal.

    `vacancy_formation_energy_ev` is the value to rank by: the lowest over all symmetry-distinct
    sites of E(without the atom) − E(perfect) + μ, μ the energy of the atom in its element's
    reference plus what the recipe adds.  Positions are relaxed, the cell is the perfect crystal's.
    """

    vacancy_formation_energy_ev: float | None = None
    """Lowest formation energy of a neutral vacancy, over all sites."""
    vacancy_formation_energy_error_ev: float | None = None
    """Its difference between the two supercells; not the engine's own error."""
    vacancy_element: str | None = None
    """Element that is missing there."""
    vacancies: list[VacancySite] = Field(default_factory=list)
    """All symmetry-distinct sites, in the order of `structure`."""
    references: list[ElementReference] = Field(default_factory=list)
    """One for each element."""


class ExchangePairDocument(PointDefectDocument):
    """Antisite pairs of one crystal: two atoms of different elements have exchanged their places.

    `exchange_pair_energy_ev` is the value to rank by: the lowest energy of such a pair above the
    perfect crystal.  The composition stays, so that no chemical potential is needed.
    """

    exchange_pair_energy_ev: float | None = None
    """Lowest energy of a pair that exchanged its places."""
    exchange_pair_energy_error_ev: float | None = None
    """Its difference between the two supercells; not the engine's own error."""
    exchanged_elements: str | None = None
    """The two of that pair, as ``Li-Fe``."""
    exchange_distance_a: float | None = None
    """Between the two."""
    pairs: list[ExchangedPair] = Field(default_factory=list)
