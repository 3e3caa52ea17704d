"""A candidate: one crystal, standardised, with every place it was found in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, model_validator

from screening.candidates.crystal_fingerprint import (
    LatticeShape,
    distances,
    finer_digits,
    fingerprint,
    lattice_shape,
)
from screening.candidates.crystal_sanity import Refusal as Refusal
from screening.candidates.crystal_sanity import refuse_unusable
from screening.candidates.crystal_sanity import unusable as unusable
from screening.candidates.crystal_standard import conventional_vectors, handless, standardise

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure


class Origin(BaseModel):
    """Where a candidate was found, and what that place says about it.

    Attributes
    ----------
    source : str
        As the campaign names it.
    material_id : str
        Within the source.
    properties : dict
        Facts about it.
    inputs : dict
        What the source states that a flow can use, by the field of a Maker's `inputs_model`: Born
        charges (``dielectric``), the charged crystal of an electrode (``charged``), its
        ``working_ion``, the ``remaining_fraction`` of it.
    inputs_hash : str
        Fingerprint of `inputs`, empty without any: results computed with other inputs are others.
    note : str
        What reading it did or found not to fit, and what was done to its structure beyond choosing
        a cell, as symmetry that was looked for within noise; empty for nothing.
    """

    source: str
    material_id: str
    properties: dict[str, str | int | float | bool | None] = {}
    inputs: dict[str, Any] = {}
    inputs_hash: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _fingerprint_inputs(self) -> Self:
        if self.inputs and not self.inputs_hash:
            # Where in a file they stand is no part of what they say.
            said = {
                name: {k: v for k, v in value.items() if k != "source"}
                if isinstance(value, dict)
                else value
                for name, value in self.inputs.items()
            }
            content = json.dumps(said, sort_keys=True)
            self.inputs_hash = hashlib.sha256(content.encode()).hexdigest()[:12]
        return self


class Candidate(BaseModel):
    """One crystal of the pool.

    Attributes
    ----------
    candidate_id : str
        ``formula-space group-fingerprint``, the formula without parentheses; the same for every
        cell, origin and scale of the crystal (see `candidate_from_structure`).
    formula : str
        Reduced formula.
    space_group_number : int
        1 to 230.
    n_sites : int
        Atoms in the primitive cell.
    elements : list of str
        Symbols, sorted.
    structure : dict
        pymatgen ``Structure.as_dict`` of the standardised primitive cell.
    origins : list of Origin
        Every place the crystal was found in, first one first.
    features : list of float, optional
        Numbers the surrogate sees, as computed by version `features_version` of
        `screening.candidates.crystal_features`.
    """

    candidate_id: str
    formula: str
    space_group_number: int
    n_sites: int
    elements: list[str]
    structure: dict[str, Any]
    origins: list[Origin]
    features: list[float] | None = None
    features_version: int | None = None

    def inputs(self, inputs_hash: str) -> dict[str, Any]:
        """Return the inputs of flows that have this fingerprint."""
        return next((each.inputs for each in self.origins if each.inputs_hash == inputs_hash), {})

    def pymatgen_structure(self) -> Structure:
        """Build the standardised primitive cell."""
        return bare_structure(self.structure)


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


def candidate_from_structure(structure: Structure, origin: Origin) -> Candidate:
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
    Candidate
        With one origin, which notes what was done to the structure, and no features. The cell is
        spglib's standard primitive one, as phonopy expects it. The fingerprint in its id is free
        of scale and hand, and in wide bins where symmetry leaves more than the scale free, so that
        the same structure type relaxed with two functionals mostly has one id; `same_crystal`
        joins the rest.

    Raises
    ------
    Refusal
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
    return Candidate(
        candidate_id=f"{plain}-{standard.space_group_number}-{fingerprint(standard)}",
        formula=composition.reduced_formula,
        space_group_number=standard.space_group_number,
        n_sites=len(standard.primitive),
        elements=sorted(str(element) for element in composition.elements),
        structure=standard.primitive.as_dict(verbosity=0),
        origins=[origin.model_copy(update={"note": note})],
    )


SAME_DISTANCES = 0.01
"""Two crystals are one without further question if no distance differs by more than this part of
the cube root of the volume per atom."""
MATCHER: dict[str, Any] = {"ltol": 0.1, "stol": 0.15, "angle_tol": 3.0}
"""Differences that one crystal may show in two sources, of a lattice vector's length (fraction) and
angle (degrees), and, in units of the cube root of the volume per atom, of the positions' root mean
square.  The matcher's defaults are wider and join polymorphs of one space group."""


def same_crystal(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates are one crystal up to scale, hand and small relaxations.

    Equal ids are no proof. Candidates with different formulas or space groups never are the same,
    which also keeps the comparison cheap: look only among those that share both.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    if (a.formula, handless(a.space_group_number), a.n_sites) != (
        b.formula,
        handless(b.space_group_number),
        b.n_sites,
    ):
        return False
    first, second = a.pymatgen_structure(), b.pymatgen_structure()
    if a.candidate_id == b.candidate_id:
        difference = distances(first) - distances(second)
        if float(abs(difference).max()) < SAME_DISTANCES:
            return True
    # Both cells are primitive; the matcher's own reduction would undo small distortions that
    # double a cell.
    matcher = StructureMatcher(**MATCHER, primitive_cell=False, scale=True)
    if not matcher.fit(first, second):
        return False
    # The matcher looks at three vectors, which c/a may change by little where it is large.
    shapes = [_lattice_shape(candidate, cell) for candidate, cell in ((a, first), (b, second))]
    return shapes[0].is_near(shapes[1])


def _lattice_shape(candidate: Candidate, primitive: Structure) -> LatticeShape:
    return lattice_shape(conventional_vectors(primitive), candidate.space_group_number)


def twin(candidate: Candidate, others: Iterable[Candidate]) -> Candidate | None:
    """Return the first of other candidates that is the same crystal."""
    return next((other for other in others if same_crystal(other, candidate)), None)


def with_free_id(candidate: Candidate, taken: Container[str]) -> Candidate:
    """Return a candidate whose id no other crystal has.

    Where the fingerprint does not tell two crystals apart, the one that comes later has four more
    digits in its id, made from all its distances.
    """
    name = candidate.candidate_id
    if name not in taken:
        return candidate
    digits = finer_digits(candidate.pymatgen_structure())
    lengths = range(4, len(digits) + 1, 4)
    longer = (f"{name}-{digits[:length]}" for length in lengths)
    return candidate.model_copy(
        update={"candidate_id": next(each for each in longer if each not in taken)}
    )


def merge(existing: Candidate, incoming: Candidate) -> Candidate:
    """Join the origins of two candidates that are the same crystal.

    Everything else stays as in `existing`. An origin known already is updated with the incoming
    properties, so importing a source twice changes nothing; one that states other inputs than
    before is a further origin.
    """

    def key_of(origin: Origin) -> tuple[str, str, str]:
        return origin.source, origin.material_id, origin.inputs_hash

    origins = {key_of(origin): origin for origin in existing.origins}
    for origin in incoming.origins:
        key = key_of(origin)
        known = origins[key].properties if key in origins else {}
        origins[key] = origin.model_copy(update={"properties": {**known, **origin.properties}})
    return existing.model_copy(update={"origins": list(origins.values())})


SHOWN_FACTS = ("energy_above_hull_ev_per_atom", "band_gap_ev", "theoretical", "year")
"""Properties of an entry that a ranking of a library shows, where the source states them."""
