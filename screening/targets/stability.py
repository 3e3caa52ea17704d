"""Where crystals stand on the convex hull of one engine's own energies.

The verdict on a crystal depends on the energies of the others, so it is derived whenever results
are read.  Only energies of one engine and one recipe meet here: those of other origins, as the
Materials Project's, are never among them.  What the Materials Project calls stable serves as a list
of names alone: of competitors that are known and have no energy here.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.recommender.known import computed_by_mp, parsed_formula
from screening.targets.energy_basis import check_one_cutoff

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PhaseDiagram
    from pymatgen.core import Composition

UNSTABLE = "unstable"
NOTHING_FOUND = "no decomposition found"
UNKNOWN = "unknown"
EQUAL_EV_PER_ATOM = 1e-4
"""Energies that differ by less are the same: what a relaxation leaves is below it."""
POLYMORPHS_EV_PER_ATOM = 0.010
"""Crystals of one composition within this of the lowest share its verdict: neither a potential nor
a lack of temperature lets one choose between them."""
STABLE_AT_MP_EV_PER_ATOM = 0.0005
NOT_COMPUTED, FAILED = "not computed", "failed"
LOST, IN_NO_SOURCE = "lost in relaxation", "in no source"
FATES = (NOT_COMPUTED, FAILED, LOST, IN_NO_SOURCE)
"""Why a known composition has no energy, the most hopeful first."""
MOST_NAMED = 12
"""Missing competitors that are named; all are counted."""
_ABSENT_EV_PER_ATOM = 1e3
"""Energy of an element that has none, in place of it: nothing decomposes into it that can decompose
into anything else."""

Key = tuple[tuple[str, int], ...]
"""A composition: elements in alphabetical order with whole, reduced coefficients."""


@dataclass(frozen=True)
class Place:
    """Where the lowest crystal of a composition stands among the others of its elements.

    Attributes
    ----------
    above_ev_per_atom : float or None
        Above the hull of all other compositions, negative below it; None where they do not make up
        the composition.
    into : tuple of (Key, float)
        What they would make it of: compositions and the fractions of its atoms.
    """

    above_ev_per_atom: float | None
    into: tuple[tuple[Key, float], ...]


@dataclass(frozen=True)
class _Computed:
    candidate_id: str
    formula: str
    energy_ev_per_atom: float


def stability(
    results: Mapping[str, Mapping[str, Any]], pool: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return where each computed crystal of a pool stands on the hull of all results.

    Parameters
    ----------
    results
        Documents of one engine and recipe by candidate id, also of candidates outside the pool,
        with ``outcome``, ``formula``, ``energy_ev_per_atom`` and ``energy_cutoff_ev``.
    pool
        Rows by candidate id, with ``label``, ``competitor`` and ``failed``.  Where some are
        competitors, those among them without an energy are missing; else all rows without one are.

    Returns
    -------
    dict
        The derived fields of `workflows.documents.EnergyDocument`, by candidate id.

    Raises
    ------
    ScreenError
        When the energies have several cut-offs.
    """
    check_one_cutoff(results)
    computed = _by_composition(results)
    crystals = {
        crystal.candidate_id: (key, crystal)
        for key, members in computed.items()
        for crystal in members
        if crystal.candidate_id in pool
    }
    systems = _Systems(computed, results, pool) if crystals else None
    found = {}
    for candidate_id, (key, crystal) in crystals.items():
        assert systems is not None
        found[candidate_id] = systems.fields_of(key, crystal)
    return found


def _by_composition(results: Mapping[str, Mapping[str, Any]]) -> dict[Key, list[_Computed]]:
    """Return the computed crystals of each composition, the lowest first."""
    computed: dict[Key, list[_Computed]] = defaultdict(list)
    for candidate_id, result in results.items():
        energy = result.get("energy_ev_per_atom")
        if result.get("outcome") == "computed" and energy is not None and math.isfinite(energy):
            crystal = _Computed(candidate_id, str(result["formula"]), float(energy))
            computed[composition_key(crystal.formula)].append(crystal)
    for members in computed.values():
        members.sort(key=lambda crystal: (crystal.energy_ev_per_atom, crystal.candidate_id))
    return computed


class _Systems:
    """The chemical systems of a campaign: energies, and what is known and has none.

    Parameters
    ----------
    computed
        Crystals of each composition, the lowest first.
    results, pool
        As in `stability`.
    """

    def __init__(
        self,
        computed: Mapping[Key, list[_Computed]],
        results: Mapping[str, Mapping[str, Any]],
        pool: Mapping[str, Any],
    ) -> None:
        self._computed = computed
        self._compositions: dict[frozenset[str], list[Key]] = defaultdict(list)
        for key in sorted(computed):
            self._compositions[_elements(key)].append(key)
        listed = {key: row for key, row in pool.items() if row.competitor} or pool
        self._known: dict[frozenset[str], dict[Key, str]] = defaultdict(dict)
        for candidate_id, row in listed.items():
            key = composition_key(row.label)
            known = self._known[_elements(key)]
            fates = (_fate(row, results.get(candidate_id)), known.get(key, LOST))
            # Of the crystals of a composition the one counts that may still get an energy.
            known[key] = min(fates, key=FATES.index)

    def fields_of(self, key: Key, crystal: _Computed) -> dict[str, Any]:
        """Return the derived fields of a crystal."""
        elements = _elements(key)
        lowest = tuple(
            (other, self._computed[other][0].energy_ev_per_atom)
            for subset in _subsets(elements)
            for other in self._compositions.get(subset, [])
        )
        place = _places(tuple(sorted(elements)), lowest)[key]
        references = {other[0][0]: energy for other, energy in lowest if len(other) == 1}
        members = self._computed[key]
        above_lowest = crystal.energy_ev_per_atom - members[0].energy_ev_per_atom
        distance = place.above_ev_per_atom
        if distance is not None:
            # Above the hull it is part of: that of its lowest polymorph, or of the others.
            is_lowest = crystal.candidate_id == members[0].candidate_id
            distance = distance if is_lowest else max(distance, 0.0) + above_lowest
        missing = self._missing(elements)
        return {
            "hull_distance_ev_per_atom": distance,
            "formation_energy_ev_per_atom": _formation(key, crystal.energy_ev_per_atom, references),
            **self._verdict(key, place, above_lowest),
            "missing_competitors": _named(missing),
            "missing_competitors_count": len(missing),
            "polymorphs": _polymorphs(members, crystal),
            "hull_diagram": self._diagram(lowest, references, elements),
        }

    def _verdict(self, key: Key, place: Place, above_lowest: float) -> dict[str, str]:
        lowest = self._computed[key][0]
        above, into = place.above_ev_per_atom, self._told(place)
        if above is not None and above > EQUAL_EV_PER_ATOM:
            return {"stability_verdict": UNSTABLE, "decomposes_into": into}
        if above_lowest > POLYMORPHS_EV_PER_ATOM:
            lower = f"{1e3 * above_lowest:.1f} meV/atom lower"
            into = f"{lowest.formula}, as {lowest.candidate_id}, {lower}"
            return {"stability_verdict": UNSTABLE, "decomposes_into": into}
        if above is None:
            return {"stability_verdict": UNKNOWN, "decomposes_into": ""}
        return {
            "stability_verdict": NOTHING_FOUND,
            "decomposes_into": f"not; first {into}" if into else "",
        }

    def _told(self, place: Place) -> str:
        parts = sorted(place.into, key=lambda part: (-part[1], part[0]))
        return " + ".join(
            f"{fraction:.3g} {self._computed[key][0].formula}" for key, fraction in parts
        )

    def _missing(self, elements: frozenset[str]) -> dict[Key, str]:
        """Return known compositions of some elements without an energy, elements first, and why."""
        known: dict[Key, str] = {((element, 1),): IN_NO_SOURCE for element in elements}
        for subset in _subsets(elements):
            known |= dict.fromkeys(_stable_at_mp().get(subset, ()), IN_NO_SOURCE)
            known |= self._known.get(subset, {})
        missing = sorted(known.keys() - self._computed.keys(), key=lambda key: (len(key), key))
        return {key: known[key] for key in missing}

    def _diagram(
        self,
        lowest: Iterable[tuple[Key, float]],
        references: Mapping[str, float],
        elements: frozenset[str],
    ) -> list[dict[str, Any]] | None:
        """Return what a hull diagram shows, None where an element has no energy."""
        if len(elements) < 2 or len(references) < len(elements):
            return None
        lowest = tuple(lowest)
        places = _places(tuple(sorted(elements)), lowest)
        entries = []
        for key, _ in lowest:
            for crystal in self._computed[key]:
                above = places[key].above_ev_per_atom
                is_lowest = crystal is self._computed[key][0]
                entries.append(
                    {
                        "candidate_id": crystal.candidate_id,
                        "formula": crystal.formula,
                        "formation_energy_ev_per_atom": _formation(
                            key, crystal.energy_ev_per_atom, references
                        ),
                        "on_hull": is_lowest and (above is None or above <= EQUAL_EV_PER_ATOM),
                    }
                )
        return entries


@functools.lru_cache(maxsize=2048)
def _places(elements: tuple[str, ...], lowest: tuple[tuple[Key, float], ...]) -> dict[Key, Place]:
    """Return where the lowest crystal of each composition of some elements stands.

    Kept, because a campaign asks again for each of its crystals and whenever results are read.
    """
    from pymatgen.core import Composition

    energies = dict(lowest)
    if len(elements) == 1:
        return dict.fromkeys(energies, Place(0.0, ()))
    whole = _diagram_of(elements, energies)
    stable = {_key_of(entry.composition) for entry in whole.stable_entries}
    places = {}
    for key, energy in energies.items():
        # Without itself, a composition off the hull has the same hull below it.
        others = {other: value for other, value in energies.items() if other != key}
        diagram = _diagram_of(elements, others) if key in stable else whole
        into = {
            _key_of(entry.composition): float(fraction)
            for entry, fraction in diagram.get_decomposition(Composition(dict(key))).items()
            if fraction > 1e-8
        }
        if into.keys() <= others.keys():
            hull = sum(fraction * energies[other] for other, fraction in into.items())
            places[key] = Place(energy - hull, tuple(into.items()))
        else:
            places[key] = Place(0.0 if len(key) == 1 else None, ())
    return places


def _diagram_of(elements: tuple[str, ...], energies: Mapping[Key, float]) -> PhaseDiagram:
    """Return pymatgen's phase diagram; an element without an energy stands far above all else."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    absent: dict[Key, float] = {
        ((element, 1),): _ABSENT_EV_PER_ATOM
        for element in elements
        if ((element, 1),) not in energies
    }
    return PhaseDiagram(
        [
            PDEntry(Composition(dict(key)), energy * sum(count for _, count in key))
            for key, energy in {**energies, **absent}.items()
        ]
    )


def _formation(key: Key, energy: float, references: Mapping[str, float]) -> float | None:
    """Return the formation energy in eV an atom, None where an element has no energy."""
    if any(element not in references for element, _ in key):
        return None
    atoms = sum(count for _, count in key)
    return energy - sum(count * references[element] for element, count in key) / atoms


def _polymorphs(members: list[_Computed], crystal: _Computed) -> str:
    """Say where a crystal stands among those of its composition; empty for a single one."""
    if len(members) == 1:
        return ""
    lowest = members[0]
    near = [
        other
        for other in members
        if other.energy_ev_per_atom - lowest.energy_ev_per_atom <= POLYMORPHS_EV_PER_ATOM
    ]
    above_mev = 1e3 * (crystal.energy_ev_per_atom - lowest.energy_ev_per_atom)
    place = "lowest" if crystal is lowest else f"{above_mev:.1f} meV/atom above the lowest"
    return f"{place} of {len(members)}, {len(near)} within 10 meV/atom"


def _fate(row: Any, result: Mapping[str, Any] | None) -> str:
    """Return why a crystal of the pool has no energy, if it has none."""
    if result is not None:
        return LOST
    return FAILED if row.failed else NOT_COMPUTED


def _named(missing: Mapping[Key, str]) -> str:
    """Name what is missing, by the reason: each of them has another remedy."""
    from pymatgen.core import Composition

    by_fate: dict[str, list[str]] = {fate: [] for fate in FATES}
    for key, fate in itertools.islice(missing.items(), MOST_NAMED):
        by_fate[fate].append(Composition(dict(key)).reduced_formula)
    told = "; ".join(f"{fate}: {', '.join(names)}" for fate, names in by_fate.items() if names)
    more = len(missing) - MOST_NAMED
    return told + (f"; and {more} more" if more > 0 else "")


# ----------------------------------------------------------------------------- compositions


@functools.lru_cache(maxsize=100_000)
def composition_key(formula: str) -> Key:
    """Return the composition of a formula, as Li3Fe2(PO4)3; that of O2 is O."""
    from pymatgen.core import Composition

    return _key_of(Composition(formula))


def _key_of(composition: Composition) -> Key:
    counts = {element.symbol: round(count) for element, count in composition.items()}
    divisor = math.gcd(*counts.values())
    return tuple(sorted((element, count // divisor) for element, count in counts.items()))


def _elements(key: Key) -> frozenset[str]:
    return frozenset(element for element, _ in key)


def _subsets(elements: frozenset[str]) -> Iterable[frozenset[str]]:
    """Yield the chemical systems within one, the elements first."""
    for size in range(1, len(elements) + 1):
        yield from map(frozenset, itertools.combinations(sorted(elements), size))


@functools.cache
def _stable_at_mp() -> dict[frozenset[str], list[Key]]:
    """Return the compositions on the Materials Project's hull, by chemical system."""
    found: dict[frozenset[str], list[Key]] = defaultdict(list)
    for formula, energy in computed_by_mp().items():
        if energy <= STABLE_AT_MP_EV_PER_ATOM:
            parsed = parsed_formula(formula)
            if parsed is not None:
                found[frozenset(parsed)].append(tuple(parsed.items()))
    return dict(found)
