"""A candidate: one crystal, standardised, with every place it was found in."""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, model_validator

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

#: Two atoms overlap when closer than this (Å), or than this fraction of their covalent radii.
MIN_DISTANCE = 0.5
MIN_BOND_FRACTION = 0.5


class Refusal(Exception):  # noqa: N818 - an answer about a structure, not a failure
    """A structure cannot become a candidate; the message is the reason."""


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
        What the source states that a flow can use, by the name of the Maker's argument: Born
        charges (``dielectric``), the charged crystal of an electrode (``charged``), its
        ``working_ion``, the ``remaining_fraction`` of it.
    inputs_hash : str
        Fingerprint of `inputs`, empty without any: results computed with other inputs are others.
    """

    source: str
    material_id: str
    properties: dict[str, str | int | float | bool | None] = {}
    inputs: dict[str, Any] = {}
    inputs_hash: str = ""

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
        `screening.features`.
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


def candidate_from_structure(
    structure: Structure, origin: Origin, *, symprec: float = 1e-2
) -> Candidate:
    """Standardise a structure to its primitive cell and name it.

    Parameters
    ----------
    structure : Structure
        Any cell of an ordered crystal. Oxidation states, magnetic moments and isotope labels are
        dropped: the candidate is the crystal of its elements.
    origin : Origin
        Where it was found.
    symprec : float
        Distance (Å) within which atoms count as symmetric.

    Returns
    -------
    Candidate
        With one origin and no features. The cell is spglib's standard primitive one, as phonopy
        expects it. The fingerprint in its id is free of scale, so that the same structure type
        relaxed with two functionals has one id as long as its symmetry fixes all positions;
        `same_crystal` joins the rest.

    Raises
    ------
    Refusal
        Disorder, overlapping atoms, no three-dimensional lattice, and the like.
    """
    _refuse_unusable(structure)
    primitive, space_group_number = _standard_primitive(structure, symprec)
    formula = primitive.composition.reduced_formula
    # Without the parentheses of polyanions, which a shell would not let through unquoted.
    plain = "".join(
        f"{symbol}{amount:g}" if amount != 1 else symbol
        for symbol, amount in primitive.composition.as_reduced_dict().items()
    )
    return Candidate(
        candidate_id=f"{plain}-{space_group_number}-{_fingerprint(primitive)}",
        formula=formula,
        space_group_number=space_group_number,
        n_sites=len(primitive),
        elements=sorted(str(element) for element in primitive.composition.elements),
        structure=primitive.as_dict(verbosity=0),
        origins=[origin],
    )


def same_crystal(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates are one crystal up to scale and small relaxations.

    Candidates with different formulas or space groups never are, which also keeps the comparison
    cheap: look only among those that share both.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    if (a.formula, a.space_group_number) != (b.formula, b.space_group_number):
        return False
    if a.candidate_id == b.candidate_id:
        return True
    # Tighter than the matcher's defaults, which join polymorphs of one space group. Both cells are
    # primitive; the matcher's own reduction would undo small distortions that double a cell.
    matcher = StructureMatcher(ltol=0.1, stol=0.15, angle_tol=3, primitive_cell=False, scale=True)
    return bool(matcher.fit(a.pymatgen_structure(), b.pymatgen_structure()))


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


def unusable(structure: Structure) -> str | None:
    """Return why no calculation can start from a structure, or None."""
    try:
        _refuse_unusable(structure)
    except Refusal as refusal:
        return str(refusal)
    return None


def _refuse_unusable(structure: Structure) -> None:
    """Raise `Refusal` for what no phonon calculation can start from."""
    from pymatgen.core.periodic_table import Element

    if len(structure) == 0:
        raise Refusal("it has no atoms")
    if not all(structure.lattice.pbc):
        raise Refusal("it is not periodic in three dimensions")
    if not np.isfinite(structure.lattice.matrix).all() or structure.volume < 1e-3:
        raise Refusal("its lattice vectors do not span a cell")
    if not np.isfinite(structure.frac_coords).all():
        raise Refusal("it has coordinates that are not finite numbers")
    if not structure.is_ordered:
        partial = next(site for site in structure if not site.is_ordered)
        raise Refusal(f"it is disordered: a site holds {partial.species_string}")
    symbols = {specie.symbol for specie in structure.composition.elements}
    if unknown := sorted(symbol for symbol in symbols if not Element.is_valid_symbol(symbol)):
        raise Refusal(f"{', '.join(unknown)} is not a chemical element")
    _refuse_overlap(structure)


def _refuse_overlap(structure: Structure) -> None:
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    first, second, _, distances = structure.get_neighbor_list(3.0)
    radii = np.array([CovalentRadius.radius.get(site.specie.symbol, 1.5) for site in structure])
    limits = np.maximum(MIN_DISTANCE, MIN_BOND_FRACTION * (radii[first] + radii[second]))
    overlapping = np.flatnonzero(distances < limits)
    if len(overlapping):
        k = overlapping[np.argmin(distances[overlapping])]
        pair = "-".join(structure[int(i)].specie.symbol for i in (first[k], second[k]))
        raise Refusal(f"its atoms overlap: {pair} at {distances[k]:.2f} Å")


def _standard_primitive(structure: Structure, symprec: float) -> tuple[Structure, int]:
    """Find the standard primitive cell, sites grouped by element, and its space group number."""
    import spglib
    from pymatgen.core.periodic_table import Element
    from pymatgen.core.structure import Structure

    numbers = [site.specie.Z for site in structure]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
    with warnings.catch_warnings():
        # spglib announces its coming change of error handling; both ways are handled here.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            standard = spglib.standardize_cell(cell, to_primitive=True, symprec=symprec)
            # Of the idealised cell, so that the name belongs to the structure that is kept.
            dataset = standard and spglib.get_symmetry_dataset(standard, symprec=symprec)
        except spglib.SpglibError as error:
            raise Refusal(f"spglib finds no symmetry: {error}") from error
    if not standard or not dataset:
        raise Refusal(f"spglib finds no symmetry within {symprec} Å")
    lattice, positions, types = standard
    species = [Element.from_Z(int(number)) for number in types]
    primitive = Structure(lattice, species, positions, to_unit_cell=True)
    return primitive.get_sorted_structure(), int(dataset.number)


def _fingerprint(primitive: Structure) -> str:
    """Eight hexadecimal digits that depend on the crystal only, not on its cell or its scale.

    For each pair of elements, two damped cosine sums over the interatomic distances (the partial
    structure factors at two wave numbers), in units of the cube root of the volume per atom. They
    reach about ten ångström, since stackings and site orderings may differ only there; rounding to
    0.1 hides numerical noise.
    """
    unit = (primitive.volume / len(primitive)) ** (1 / 3)
    first, second, _, distances = primitive.get_neighbor_list(9.0 * unit)
    reduced = distances / unit
    damping = np.exp(-((reduced / 3.5) ** 2))
    elements, kinds = np.unique([site.specie.Z for site in primitive], return_inverse=True)
    n_kinds = len(elements)
    pairs = np.maximum(kinds[first], kinds[second]) * n_kinds
    pairs += np.minimum(kinds[first], kinds[second])
    parts = [f"n {len(primitive)}"]
    for wave_number in (3.0, 4.5):
        terms = damping * np.cos(wave_number * reduced) / len(primitive)
        totals = np.bincount(pairs, weights=terms, minlength=n_kinds**2)
        for i, z in enumerate(elements.tolist()):
            for j, other in enumerate(elements[: i + 1].tolist()):
                total = totals[i * n_kinds + j]
                parts.append(f"{z} {other} {wave_number} {round(total / 0.1)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
