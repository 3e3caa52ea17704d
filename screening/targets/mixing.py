"""Energies of mixing and distances to their convex hull, from all energies of one lattice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from screening.choosing.convex_hull import hull_energies
from screening.targets.energy_basis import check_one_cutoff

_ELEMENT = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
ENERGY = "energy_ev_per_atom"
MIXING = "mixing_energy_ev_per_atom"
MIXING_ERROR = "mixing_energy_error_ev_per_atom"
ABOVE_HULL = "energy_above_hull_ev_per_atom"


def hull_fields(
    results: Mapping[str, Mapping[str, Any]], pool: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Return energies of mixing and above the hull by candidate id; a `derive` of objectives.

    The energy of mixing is relative to the end members, the structures with one species on all
    sites that are shared: E − Σ x_i E_i.  It is zero for them by definition, with an error bar of
    zero; those of others have none, as the engine's own error is not known.  The hull is that of
    what is computed: a predicted structure may be below it.

    Parameters
    ----------
    results
        With ``energy_ev_per_atom``, or, where they are predictions, ``mixing_energy_ev_per_atom``.
    pool
        Rows whose facts are ``formula``, ``system`` (species that share sites) and ``lattice``.

    Raises
    ------
    ScreenError
        When the energies have several cut-offs.
    """
    check_one_cutoff({key: result for key, result in results.items() if key in pool})
    lattices: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, result in results.items():
        if key in pool and result["outcome"] in ("computed", "predicted"):
            facts = pool[key].facts
            lattices[str(facts["lattice"]), str(facts["system"])].append(key)
    fields: dict[str, dict[str, float]] = {}
    for (_, system), keys in lattices.items():
        shares = {key: concentrations(str(pool[key].facts["formula"]), system) for key in keys}
        fields |= _of_one_lattice({key: results[key] for key in keys}, shares)
    return fields


def _of_one_lattice(
    results: Mapping[str, Mapping[str, Any]], shares: Mapping[str, tuple[float, ...]]
) -> dict[str, dict[str, float]]:
    computed = {
        key: float(result[ENERGY])
        for key, result in results.items()
        if result["outcome"] == "computed" and result.get(ENERGY) is not None
    }
    ends: dict[int, float] = {}
    for key, energy in computed.items():
        if max(shares[key]) == 1.0:
            species = shares[key].index(1.0)
            ends[species] = min(energy, ends.get(species, energy))
    if len(ends) < len(next(iter(shares.values()))):
        return {}
    reference = np.array([ends[species] for species in sorted(ends)])
    mixing = {key: energy - float(reference @ shares[key]) for key, energy in computed.items()}
    guessed = {
        key: float(result[MIXING])
        for key, result in results.items()
        if result["outcome"] == "predicted" and result.get(MIXING) is not None
    }
    known = np.array([shares[key][1:] for key in mixing])
    asked = [*mixing, *guessed]
    hull = hull_energies(
        known, np.array(list(mixing.values())), np.array([shares[key][1:] for key in asked])
    )
    fields: dict[str, dict[str, float]] = {}
    for key, lowest in zip(asked, hull.tolist(), strict=True):
        energy = mixing.get(key, guessed.get(key, 0.0))
        above = energy - lowest
        # A structure on the hull is not above it by a rounding.
        fields[key] = {MIXING: energy, ABOVE_HULL: 0.0 if 0 < above < 1e-9 else above}
        if key in mixing and max(shares[key]) == 1.0:
            fields[key][MIXING_ERROR] = 0.0
    return {key: found for key, found in fields.items() if not np.isnan(found[ABOVE_HULL])}


def amounts(formula: str) -> dict[str, float]:
    """Return the atoms of each element in a formula without parentheses, as ``Cu3Au``.

    Raises
    ------
    ValueError
        When it is none.
    """
    counts: dict[str, float] = defaultdict(float)
    if not re.fullmatch(f"(?:{_ELEMENT.pattern})+", formula):
        raise ValueError(f"'{formula}' is no formula; write it as Cu3Au, without brackets")
    for symbol, number in _ELEMENT.findall(formula):
        counts[symbol] += float(number or 1)
    return dict(counts)


def concentrations(formula: str, system: str) -> tuple[float, ...]:
    """Return the fractions of the species that share sites, in their order.

    Parameters
    ----------
    formula
        Without parentheses, as ``Cu3Au``.
    system
        Those species, as ``Au-Cu``.
    """
    counts = amounts(formula)
    shared = [counts.get(symbol, 0.0) for symbol in system.split("-")]
    total = sum(shared)
    return tuple(count / total for count in shared)
