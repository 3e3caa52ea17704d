"""Monte Carlo with the cluster expansion of a campaign, kept in the database by composition."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from screening.alloys.ordered_supercell import counts_of, degeneracy, multiples_for, occupation_of
from screening.alloys.supercell import energy_terms
from screening.alloys.thermodynamics import Thermodynamics, thermodynamics
from screening.campaigns.cluster_expansion import (
    ON_HULL_EV,
    ClusterExpansion,
    cluster_expansion,
)
from screening.messages.errors import ScreenError
from screening.store.cache import Cache
from screening.targets.mixing import amounts, concentrations

if TYPE_CHECKING:
    from screening.alloys.lattice import AlloyLattice
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.snapshot import Snapshot

VERSION = 3
"""Raise it whenever Monte Carlo says something else of the same expansion: it is then run again."""


def shares_of(lattice: AlloyLattice, formula: str) -> dict[str, float]:
    """Return the fractions of the species that share sites in a formula, as ``Cu3Au``.

    The species that have sites of their own may be in it, or not.

    Raises
    ------
    ScreenError
        When it is no formula, holds fewer than two of those that share sites, or anything that is
        not on the lattice, or not as often.
    """
    mixed = lattice.mixed
    try:
        counts = amounts(formula)
    except ValueError as error:
        raise ScreenError(f"composition {error}") from None
    own = Counter(allowed[0] for allowed in lattice.species if len(allowed) == 1)
    strange = [symbol for symbol in counts if symbol not in own and symbol not in mixed]
    if strange:
        raise ScreenError(
            f"composition '{formula}': {', '.join(strange)} is not on lattice {lattice.name}, "
            f"which holds {', '.join([*mixed, *own])}"
        )
    shared = sum(counts.get(symbol, 0.0) for symbol in mixed)
    if sum(counts.get(symbol, 0.0) > 0 for symbol in mixed) < 2:
        raise ScreenError(
            f"composition '{formula}': give a formula of at least two of {', '.join(mixed)}"
        )
    for symbol, sites in own.items():
        right = shared * sites / (len(lattice.species) - own.total())
        if symbol in counts and abs(counts[symbol] - right) > 1e-6 * shared:
            raise ScreenError(
                f"composition '{formula}': the lattice has {right:g} {symbol} beside "
                f"{shared:g} of {', '.join(mixed)}, not {counts[symbol]:g}"
            )
    return dict(zip(mixed, concentrations(formula, lattice.system), strict=True))


def computed_thermodynamics(
    campaign: Campaign, formula: str, *, sites: int, sweeps: int, seeds: int
) -> Thermodynamics:
    """Run Monte Carlo at a composition, and keep what it finds; see `thermodynamics`.

    Raises
    ------
    ScreenError
        When the campaign has no cluster expansion, or no supercell holds the composition.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    snapshot = campaign.snapshot()
    expansion = cluster_expansion(campaign, snapshot)
    shares = shares_of(expansion.lattice, formula)
    key = _ground_state(snapshot, expansion, shares)
    ordered = None
    if key:
        ordered = AseAtomsAdaptor.get_atoms(campaign.candidate(key).content())
    try:
        multiples = multiples_for(expansion.lattice, shares, sites, ordered)
        terms = energy_terms(expansion.lattice, expansion.interactions_at(shares), multiples)
    except ValueError as error:
        raise ScreenError(f"composition '{formula}': {error}") from None
    occupation = None if ordered is None else occupation_of(terms, ordered)
    first = campaign.config.seed
    found = thermodynamics(
        terms,
        counts_of(terms, shares),
        occupation,
        1 if occupation is None else degeneracy(terms, occupation),
        sweeps,
        range(first, first + seeds),
        key,
    )
    name = f"{campaign.name}/{_name(shares)}"
    fields = {"campaign": campaign.name}
    Cache(campaign.database.thermodynamics).write(
        {name: found.model_dump_json()}, fingerprint(expansion), **fields
    )
    return found


def kept_thermodynamics(campaign: Campaign, expansion: ClusterExpansion) -> list[Thermodynamics]:
    """Return what Monte Carlo found with this cluster expansion, by composition."""
    cache, wanted = Cache(campaign.database.thermodynamics), fingerprint(expansion)
    names = [
        str(stored["_id"])
        for stored in campaign.database.thermodynamics.find({"campaign": campaign.name}, {"_id": 1})
    ]
    texts = [cache.read(name, wanted) for name in sorted(names)]
    return [Thermodynamics.model_validate_json(text) for text in texts if text is not None]


def fingerprint(expansion: ClusterExpansion) -> str:
    """Return what tells one cluster expansion, and what is made of it, from another.

    Rounding does not.
    """
    content = [
        VERSION,
        expansion.lattice.key,
        [round(x, 9) for x in expansion.interactions_ev.tolist()],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _ground_state(
    snapshot: Snapshot, expansion: ClusterExpansion, shares: Mapping[str, float]
) -> str:
    """Return the id of the ordered phase of a composition, empty where the hull has none.

    Where the hull of what is computed has a corner, the structure of that composition that is
    lowest by the cluster expansion: Monte Carlo knows no other energies, and near the bottom of a
    composition the two may order structures differently.
    """
    system = expansion.lattice.system
    here, on_hull = [], False
    for key, row in sorted(snapshot.pool.items()):
        found = concentrations(str((row.facts or {})["formula"]), system)
        if any(abs(a - b) > 1e-9 for a, b in zip(found, shares.values(), strict=True)):
            continue
        result = snapshot.explored.get(key, {})
        if result.get("outcome") == "unstable":
            continue
        here.append((expansion.predicted_ev[key], key))
        usable = snapshot.objective.is_usable(result)
        on_hull |= usable and float(result[snapshot.objective.value_field]) < ON_HULL_EV
    return min(here)[1] if on_hull else ""


def _name(shares: Mapping[str, float]) -> str:
    return "-".join(f"{symbol}{share:.6f}" for symbol, share in shares.items())
