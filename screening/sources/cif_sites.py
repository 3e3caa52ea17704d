"""The cell and the sites of a CIF, and all atoms that symmetry operations make of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from screening.candidates.stated_facts import HYDROGENS
from screening.messages.refusal import Refusal
from screening.sources.cif_elements import element_of, site_name
from screening.sources.cif_grammar import Tags
from screening.sources.cif_symmetry import Operations
from screening.sources.record import EntryError

Floats = NDArray[np.float64]

CELL = (
    *("_cell_length_a", "_cell_length_b", "_cell_length_c"),
    *("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"),
)
_POSITION = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_LABEL, _KIND = "_atom_site_label", "_atom_site_type_symbol"

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\((\d*)\)?)?")
_FRACTION = re.compile(r"([+-]?\d+)/(\d+)")
#: Labels of water and the like, where neither a formula nor a hydrogen among the sites says no.
_MOLECULE_LABEL = re.compile(r"(?:H2O|H3O|O[HhWw][23]?|NH[34])(?![A-Za-z])")
#: A total occupancy farther from 1 is disorder.
_OCCUPANCY_TOLERANCE = 1e-8
#: Occupancies of several elements are rounded one by one.
_OVERFULL = 2e-3
#: Fractional coordinates closer than this are one place.
_SITE_TOLERANCE = 1e-4
METRIC_TOLERANCE = 0.004
"""By how much lengths (relative) and cosines of angles of a cell may differ from those that its
symmetry demands; 0.2 % of a length, 0.2 degrees."""
ROUNDING_A = 0.002
"""Ångström that numbers of many digits may be off, of coordinates and cell together."""
LARGEST_REACH_A = 0.3
"""Ångström; no two atoms are so close, whatever the digits."""
TOO_CLOSE_A = 0.5
"""Ångström; closer than this, two atoms are neither one atom nor two."""


Content = str | dict[str, float]
"""What is on a site: an element, or shares of several."""


class OtherCellError(EntryError):
    """The cell is not one of the group's setting."""


@dataclass(frozen=True)
class Sites:
    """The list of atoms.

    Attributes
    ----------
    labels : list of str
    contents : list of str or dict
        The element on each site, or the shares of several, less than 1 in all where it is partly
        empty.
    positions : array of float, shape (n, 3)
        Fractional.
    last_places : array of float, shape (n, 3)
        Unit in the last place of each, 0 for fractions such as 0.25 that are exact.
    multiplicities : list of int or None
        As stated, which some programs take for the order of the site's symmetry.
    """

    labels: list[str]
    contents: list[Content]
    positions: Floats
    last_places: Floats
    multiplicities: list[int | None]


@dataclass
class Atoms:
    """All atoms of the cell.

    Attributes
    ----------
    matrix : array of float, shape (3, 3)
        Lattice vectors in Å, as exact as the symmetry demands.
    contents : list of str or dict
        As in `Sites`.
    positions : array of float, shape (n, 3)
        Fractional.
    notes : list of str
        What was done.
    doubts : list of Refusal
        Statements about the numbers of atoms that do not fit.
    """

    matrix: Floats
    contents: list[Content]
    positions: Floats
    notes: list[str] = field(default_factory=list)
    doubts: list[Refusal] = field(default_factory=list)


def number_of(text: str) -> float | None:
    """Read ``293(2)`` as 293, and what is no number, as ``?``, as None."""
    match = _NUMBER.fullmatch(text.strip())
    number = float(match[1]) if match else math.nan
    return number if math.isfinite(number) else None


def is_unknown(text: str) -> bool:
    """Whether a value says nothing."""
    return text.strip() in {"", "?", "."}


def cell_of(tags: Tags) -> Floats:
    """Return the metric tensor, shape (3, 3), in Å².

    Raises
    ------
    EntryError
        When the six numbers span no cell.
    """
    numbers = []
    for tag in CELL:
        number = number_of(tags[tag][0])
        if number is None:
            raise EntryError(f"its {tag} cannot be parsed: '{{text}}'", text=tags[tag][0])
        numbers.append(number)
    lengths, cosines = np.array(numbers[:3]), np.cos(np.radians(numbers[3:]))
    # Right angles are exact.
    cosines[np.array(numbers[3:]) == 90] = 0.0
    alpha, beta, gamma = cosines
    angles = np.array([[1, gamma, beta], [gamma, 1, alpha], [beta, alpha, 1]])
    if (lengths <= 0).any() or np.linalg.det(angles) <= 1e-9:
        raise EntryError("its cell parameters span no cell")
    metric: Floats = angles * np.outer(lengths, lengths)
    return metric


# ------------------------------------------------------------------------------------------ list


def sites_of(tags: Tags, formula_symbols: frozenset[str]) -> Sites:
    """Read the list of atoms.

    Parameters
    ----------
    tags : dict
    formula_symbols : frozenset of str
        Elements of the stated formula, which tell what a label as ``CA1`` means.

    Raises
    ------
    EntryError
        For a site without a position, shared, or partly empty.
    """
    labels = tags.get(_LABEL) or tags[_KIND]
    kinds = tags.get(_KIND) or labels
    columns = [tags[tag] for tag in _POSITION]
    n_rows = len(labels)
    occupancies = tags.get("_atom_site_occupancy", ["1"] * n_rows)
    attached = tags.get("_atom_site_attached_hydrogens", ["0"] * n_rows)
    flags = tags.get("_atom_site_calc_flag", ["."] * n_rows)
    multiplicities = tags.get(
        "_atom_site_symmetry_multiplicity",
        tags.get("_atom_site_site_symmetry_multiplicity", ["."] * n_rows),
    )
    every = (kinds, occupancies, attached, flags, multiplicities, *columns)
    if any(len(column) != n_rows for column in every):
        raise EntryError("the columns of its list of atoms differ in length; is it truncated?")
    rows = [k for k in range(n_rows) if flags[k].lower() != "dum"]
    typed = _KIND in tags
    elements = [
        element_of(labels[k], formula_symbols, False)
        if is_unknown(kinds[k])
        else element_of(kinds[k], formula_symbols, typed)
        for k in range(n_rows)
    ]
    _refuse_molecules(labels, elements, formula_symbols)
    positions = list(zip(*columns, strict=True))
    for k in rows:
        if any(is_unknown(text) for text in positions[k]):
            if elements[k] in HYDROGENS:
                raise EntryError(
                    "hydrogen positions are missing: site {site} has none",
                    site=site_name(labels[k]),
                )
            raise EntryError("its site {site} has no position", site=site_name(labels[k]))
    for k in rows:
        if number := number_of(attached[k]):
            raise EntryError(
                "hydrogen positions are missing: site {site} carries {number:g} without one",
                site=site_name(labels[k]),
                number=number,
            )
    read = {k: [_coordinate(text, labels[k]) for text in positions[k]] for k in rows}
    shares = {k: _occupancy(occupancies[k]) for k in rows}
    _refuse_alternatives(tags, rows, labels)
    contents = _contents(rows, labels, elements, read, shares)
    kept = list(contents)
    numbers = {k: number_of(multiplicities[k]) for k in kept}
    return Sites(
        [labels[k] for k in kept],
        [contents[k] for k in kept],
        np.array([[value for value, _ in read[k]] for k in kept]).reshape(-1, 3),
        np.array([[unit for _, unit in read[k]] for k in kept]).reshape(-1, 3),
        [None if (n := numbers[k]) is None else round(n) for k in kept],
    )


def _refuse_molecules(
    labels: list[str], elements: list[str], formula_symbols: frozenset[str]
) -> None:
    """Raise `EntryError` where a label says that a site is water or the like."""
    if formula_symbols or HYDROGENS & {
        element
        for label, element in zip(labels, elements, strict=True)
        if not label.startswith(("H2O", "H3O"))
    }:
        return
    # 'OW1' may be the oxygen at a tungsten.
    known = [label for label in labels if "W" not in elements or label[:2].upper() != "OW"]
    if molecule := next((label for label in known if _MOLECULE_LABEL.match(label)), None):
        raise EntryError(
            "hydrogen positions are missing: site {site} is a molecule by its label; state "
            "_chemical_formula_sum if it is none",
            site=site_name(molecule),
        )


def _refuse_alternatives(tags: Tags, rows: list[int], labels: list[str]) -> None:
    """Raise `EntryError` where groups of sites exclude each other, whatever their occupancies."""
    groups = tags.get("_atom_site_disorder_group", [])
    assemblies = tags.get("_atom_site_disorder_assembly", ["."] * len(groups))
    if not len(groups) == len(assemblies) == len(labels):
        return
    first: dict[str, int] = {}
    for k in rows:
        if is_unknown(groups[k]) or groups[k].strip() == "0":
            continue
        other = first.setdefault(assemblies[k], k)
        if groups[other] != groups[k]:
            raise EntryError(
                "its sites {site} and {other_site} exclude each other: they are of two "
                "disorder groups",
                site=site_name(labels[other]),
                other_site=site_name(labels[k]),
            )


def _coordinate(text: str, label: str) -> tuple[float, float]:
    """Return a coordinate, and the unit in its last place."""
    text = text.strip()
    if match := _FRACTION.fullmatch(text):
        if int(match[2]):
            return int(match[1]) / int(match[2]), 0.0
    elif (match := _NUMBER.fullmatch(text)) and math.isfinite(float(match[1])):
        value = float(match[1])
        twenty_fourths = value * 24
        if abs(twenty_fourths - round(twenty_fourths)) < 1e-9:
            return value, 0.0
        if "e" in match[1].lower():
            return value, 1e-6
        decimals = match[1].partition(".")[2]
        unit = 10.0 ** -len(decimals.rstrip("0"))
        esd = int(match[2]) if match[2] else 0
        return value, unit + esd * 10.0 ** -len(decimals)
    raise EntryError(
        "its site {site} cannot be parsed: '{text}' is no coordinate",
        site=site_name(label),
        text=text,
    )


def _occupancy(text: str) -> float:
    if text.strip() == ".":
        return 0.0
    number = number_of(text)
    return 1.0 if number is None else number


def _contents(
    rows: list[int],
    labels: list[str],
    elements: list[str],
    read: dict[int, list[tuple[float, float]]],
    shares: dict[int, float],
) -> dict[int, Content]:
    """Return what is on each place, by its first row, shares of all valences of an element."""
    places: dict[tuple[int, ...], list[int]] = {}
    for k in rows:
        place = tuple(round(value / _SITE_TOLERANCE) % 10_000 for value, _ in read[k])
        places.setdefault(place, []).append(k)
    found: dict[int, Content] = {}
    for indices in places.values():
        alone = len({elements[i] for i in indices}) == 1
        if alone and all(shares[i] == 1 for i in indices):
            # The same atom again, as at both ends of a cell; what else is stated is checked.
            found[indices[0]] = elements[indices[0]]
            continue
        content: dict[str, float] = {}
        for i in indices:
            content[elements[i]] = content.get(elements[i], 0.0) + shares[i]
        content = {element: share for element, share in content.items() if share > 0}
        total = sum(content.values())
        if not content or total > 1 + _OVERFULL:
            what = "occupied more than once" if content else "occupied partly"
            raise EntryError(
                f"its site {{site}} is {what}, by {{total:g}}",
                site=site_name(labels[indices[0]]),
                total=total,
            )
        if abs(total - 1) <= _OCCUPANCY_TOLERANCE and len(content) == 1:
            found[indices[0]] = next(iter(content))
            continue
        scale = max(total, 1.0)
        found[indices[0]] = {element: share / scale for element, share in content.items()}
    return found


# ----------------------------------------------------------------------------------------- atoms


def all_atoms(sites: Sites, metric: Floats, operations: Operations) -> Atoms:
    """Make all atoms of the cell.

    A site that lies off a special position by no more than its digits explain is put onto it.
    A site that the operations make of an earlier one is that one.

    Parameters
    ----------
    sites : Sites
    metric : array of float, shape (3, 3)
        Metric tensor in Å².
    operations : Operations

    Raises
    ------
    EntryError
        When cell or sites contradict the operations.
    """
    metric = _symmetric_metric(metric, operations)
    matrix = np.asarray(np.linalg.cholesky(metric), dtype=np.float64)
    lengths = np.sqrt(np.diag(metric))
    reaches = np.minimum(2 * sites.last_places @ lengths + ROUNDING_A, LARGEST_REACH_A)
    atoms = Atoms(matrix, [], np.zeros((0, 3)))
    moved: dict[str, float] = {}
    orbits = []
    for k, label in enumerate(sites.labels):
        orbit, shift = _orbit(sites.positions[k], operations, matrix, reaches[k], label)
        if shift > ROUNDING_A:
            moved[label] = shift
        order = len(operations.rotations) // len(orbit)
        stated = sites.multiplicities[k]
        contradicts = stated is not None and stated not in (len(orbit), order)
        if contradicts and len(operations.rotations) > 1 and not atoms.doubts:
            atoms.doubts.append(
                Refusal.of(
                    "its site {site} is to be {stated} atoms of the cell, and its operations make "
                    "{made}",
                    site=site_name(label),
                    stated=stated,
                    made=len(orbit),
                )
            )
        orbits.append(orbit)
    kept = _distinct(sites, orbits, reaches, matrix)
    if moved:
        atoms.notes.append(
            f"{len(moved)} of {len(sites.labels)} sites were put onto special positions, by at "
            f"most {max(moved.values()):.3f} Å"
        )
    if len(kept) < len(orbits):
        atoms.notes.append(
            f"{len(orbits) - len(kept)} of {len(orbits)} sites are others once more, by its "
            "symmetry operations"
        )
    atoms.contents = [sites.contents[k] for k in kept for _ in orbits[k]]
    if kept:
        atoms.positions = np.concatenate([orbits[k] for k in kept])
    return atoms


def _symmetric_metric(metric: Floats, operations: Operations) -> Floats:
    """Return the metric that all rotations keep."""
    rotations = operations.rotations
    mean: Floats = np.einsum("nji,jk,nkl->il", rotations, metric, rotations) / len(rotations)
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    if np.abs(mean - metric).max(initial=0.0, where=np.abs(mean - metric) > 0) == 0:
        return metric
    if (np.abs(mean - metric) / scale).max() > METRIC_TOLERANCE:
        raise OtherCellError(
            "its cell lengths and angles contradict its space group {name}", name=operations.name
        )
    return mean


def _orbit(
    position: Floats, operations: Operations, matrix: Floats, reach: float, label: str
) -> tuple[Floats, float]:
    """Return the distinct images of a position, and by how far (Å) it was moved for that."""
    n_operations = len(operations.rotations)
    if n_operations == 1:
        return (position % 1.0)[None], 0.0
    start = position
    for _ in range(5):
        images = operations.rotations @ position + operations.translations
        steps = images - position
        steps -= np.rint(steps)
        distances = np.sqrt((np.square(steps @ matrix)).sum(axis=1))
        near = distances <= reach
        if distances[near].max() < 1e-9:
            break
        position = position + steps[near].mean(axis=0)
    close = distances[(distances > 1e-6) & (distances < TOO_CLOSE_A)]
    if len(close):
        raise EntryError(
            "its site {site} lies {distance_a:.2f} Å from its own image under its symmetry "
            "operations, which is neither one atom nor two; more digits, or another setting?",
            site=site_name(label),
            distance_a=close.min(),
        )
    images %= 1.0
    n_distinct = n_operations // int(near.sum())
    distinct = _unique(images)
    if len(distinct) != n_distinct:
        raise EntryError("its site {site} has images that make no orbit", site=site_name(label))
    return distinct, float(np.linalg.norm((position - start) @ matrix))


def _unique(images: Floats) -> Floats:
    """Return distinct positions of a few that are equal, or far from each other."""
    rounded = np.rint(images * 1e5).astype(np.int64) % 100_000
    _, first = np.unique(rounded, axis=0, return_index=True)
    distinct: Floats = images[np.sort(first)]
    # Equal ones may have been rounded to two sides.
    steps = distinct[:, None] - distinct[None]
    steps -= np.rint(steps)
    same = np.abs(steps).max(axis=2) < 3e-5
    kept: Floats = distinct[~np.tril(same, -1).any(axis=1)]
    return kept


def _distinct(sites: Sites, orbits: list[Floats], reaches: Floats, matrix: Floats) -> list[int]:
    """Return the sites that are no image of an earlier one."""
    if not orbits:
        return []
    places = np.concatenate(orbits)
    owner = np.repeat(np.arange(len(orbits)), [len(orbit) for orbit in orbits])
    dropped: set[int] = set()
    for k, orbit in enumerate(orbits):
        steps = places - orbit[0]
        steps -= np.rint(steps)
        distances = np.sqrt((np.square(steps @ matrix)).sum(axis=1))
        earlier = (owner < k) & (distances < TOO_CLOSE_A)
        for index in np.flatnonzero(earlier):
            other = int(owner[index])
            if other in dropped:
                continue
            if (
                sites.contents[other] != sites.contents[k]
                or distances[index] > reaches[k] + reaches[other]
                or len(orbits[other]) != len(orbit)
            ):
                names = f"{site_name(sites.labels[other])} and {site_name(sites.labels[k])}"
                raise EntryError(
                    "its sites {names} lie {distance_a:.2f} Å apart by its symmetry "
                    "operations; are these of another setting, or does it list all atoms?",
                    names=names,
                    distance_a=distances[index],
                )
            dropped.add(k)
            break
    return [k for k in range(len(orbits)) if k not in dropped]
