"""Crystals: standardised to their primitive cells, named and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal_fingerprint import (
    LatticeShape,
    distances,
    finer_digits,
    fingerprint,
    lattice_shape,
)
from screening.candidates.crystal_sanity import refuse_unusable
from screening.candidates.crystal_standard import conventional_vectors, handless, standardise
from screening.messages.stderr import counted

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

SPACE_GROUP = "space_group_number_of_file"
"""Property of a structure: the space group that it was read with, whose symmetry it has."""
SAME_DISTANCES = 0.01
"""Two crystals are one without further question if no distance differs by more than this part of
the cube root of the volume per atom."""
APPROXIMANT = ("disordered_from", "approximant", "occupation_error")
"""Facts of an origin whose entry is disordered, and fields of its candidate."""
MATCHER: dict[str, Any] = {"ltol": 0.1, "stol": 0.15, "angle_tol": 3.0}
"""Differences that one crystal may show in two sources, of a lattice vector's length (fraction) and
angle (degrees), and, in units of the cube root of the volume per atom, of the positions' root mean
square.  The matcher's defaults are wider and join polymorphs of one space group."""


class Crystal(Candidate):
    """One crystal of the pool.

    Attributes
    ----------
    candidate_id : str
        ``formula-space group-fingerprint``, the formula without parentheses; the same for every
        cell, origin and scale of the crystal (see `crystal_from_structure`).
    formula : str
        Reduced formula.
    space_group_number : int
        1 to 230.
    n_sites : int
        Atoms in the primitive cell.
    structure : dict
        pymatgen ``Structure.as_dict`` of the standardised primitive cell.
    disordered_from : str, optional
        The disordered crystal that it is an ordered approximant of, as its first origin has it.
    approximant : int, optional
        Which of the approximants, the best is 1.
    occupation_error : float, optional
        Largest difference of a fraction on a site from that of the disordered crystal.
    """

    GROUPED_BY = ("formula", "space_group_number")

    kind: Literal["crystal"] = "crystal"
    elements: list[str]
    formula: str
    space_group_number: int
    n_sites: int
    structure: dict[str, Any]
    disordered_from: str | None = None
    approximant: int | None = None
    occupation_error: float | None = None

    @property
    def label(self) -> str:
        """Reduced formula."""
        return self.formula

    @property
    def summary(self) -> str:
        """Formula, space group and size."""
        atoms = counted(self.n_sites, "atom")
        return f"{self.formula}, space group {self.space_group_number}, {atoms}"

    def details(self) -> list[tuple[str, str]]:
        """Return which disordered crystals it is an approximant of, where it is one."""
        return [
            (
                "approximant of",
                f"{stated['disordered_from']} ({origin.material_id}), number "
                f"{stated['approximant']}, fractions off by at most "
                f"{float(stated['occupation_error'] or 0):.3f}",
            )
            for origin in self.origins
            if (stated := origin.properties).get("disordered_from") is not None
        ]

    def content(self) -> Structure:
        """Build the standardised primitive cell."""
        return bare_structure(self.structure)

    @classmethod
    def group_of(cls, stored: Mapping[str, Any]) -> tuple[str, int]:
        """Return formula and space group, one number for a group and its mirror image."""
        return stored["formula"], handless(stored["space_group_number"])

    def is_same(self, other: Self) -> bool:
        """Whether two candidates are one crystal up to scale, hand and small relaxations.

        Equal ids are no proof. Candidates with different formulas or space groups never are the
        same, which also keeps the comparison cheap: look only among those that share both.
        """
        from pymatgen.analysis.structure_matcher import StructureMatcher

        if self.group() != other.group() or self.n_sites != other.n_sites:
            return False
        own, others = self.content(), other.content()
        if self.candidate_id == other.candidate_id:
            difference = distances(own) - distances(others)
            if float(abs(difference).max()) < SAME_DISTANCES:
                return True
        # Both cells are primitive; the matcher's own reduction would undo small distortions that
        # double a cell.
        matcher = StructureMatcher(**MATCHER, primitive_cell=False, scale=True)
        if not matcher.fit(own, others):
            return False
        # The matcher looks at three vectors, which c/a may change by little where it is large.
        return self._lattice_shape(own).is_near(other._lattice_shape(others))

    def _lattice_shape(self, primitive: Structure) -> LatticeShape:
        return lattice_shape(conventional_vectors(primitive), self.space_group_number)

    def finer_digits(self) -> str:
        """Return digits made from all distances between atoms."""
        return finer_digits(self.content())


def bare_structure(description: dict[str, Any]) -> Structure:
    """Build a structure from pymatgen's dictionary of it, properties left out.

    Those of sites pymatgen decodes, and would import and call what they name.
    """
    from pymatgen.core.structure import Structure

    kept: dict[str, Any]
    kept = {key: description[key] for key in ("lattice", "charge") if key in description}
    sites = [
        {key: value for key, value in site.items() if key != "properties"}
        for site in description["sites"]
    ]
    return Structure.from_dict({**kept, "sites": sites})


def crystal_from_structure(structure: Structure, origin: Origin) -> Crystal:
    """Standardise a structure to its primitive cell and name it.

    Parameters
    ----------
    structure : Structure
        Any cell of an ordered crystal. Oxidation states, magnetic moments and isotope labels are
        dropped: the candidate is the crystal of its elements.
    origin : Origin
        Where it was found, with what reading it noted.

    Returns
    -------
    Crystal
        With one origin, which notes what was done to the structure, and no features. The cell is
        spglib's standard primitive one, as phonopy expects it. The fingerprint in its id is free
        of scale and hand, and in wide bins where symmetry leaves more than the scale free, so that
        the same structure type relaxed with two functionals mostly has one id; `Crystal.is_same`
        joins the rest.

    Raises
    ------
    RefusedError
        Disorder, overlapping atoms, vacuum, no three-dimensional lattice, and the like.
    """
    refuse_unusable(structure)
    standard = standardise(structure)
    note = "; ".join(filter(None, [origin.note, standard.note]))
    composition = standard.primitive.composition
    # Without the parentheses of polyanions, which a shell would not let through unquoted.
    plain = "".join(
        f"{symbol}{amount:g}" if amount != 1 else symbol
        for symbol, amount in composition.as_reduced_dict().items()
    )
    return Crystal(
        candidate_id=f"{plain}-{standard.space_group_number}-{fingerprint(standard)}",
        formula=composition.reduced_formula,
        space_group_number=standard.space_group_number,
        n_sites=len(standard.primitive),
        elements=sorted(str(element) for element in composition.elements),
        structure=standard.primitive.as_dict(verbosity=0),
        **{name: origin.properties.get(name) for name in APPROXIMANT},
        origins=[origin.model_copy(update={"note": note})],
    )
