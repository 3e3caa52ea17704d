"""Whether the search for ground states finds the hull of Cu–Au, and where Cu3Au disorders.

    python benchmarks/ordering.py [--sweeps N] [--seeds N] [--sites N] [--no-monte-carlo]

Engine `emt` (effective-medium theory).  All structures of fcc cells with up to 8 atoms are relaxed
once, which takes minutes, and kept in `results/ordering-emt.json`.  The search of the target
`ordering` is then replayed on these energies: it is told only what it picks.  Its final cluster
expansion predicts all structures with up to 9 atoms; what it puts on the hull and nobody has
computed is relaxed, too.  Monte Carlo with it gives the temperature of ordering in two ways.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.io.ase import AseAtomsAdaptor

from screening.alloys.cluster_features import N_CONCENTRATIONS, features, interactions
from screening.alloys.enumeration import enumerated
from screening.alloys.lattice import AlloyLattice
from screening.alloys.ordered_supercell import (
    counts_of,
    degeneracy,
    multiples_for,
    occupation_of,
)
from screening.alloys.supercell import energy_terms
from screening.candidates.symmetry_search import found_number
from screening.choosing.bayesian_linear import BayesianLinear
from screening.choosing.config import SamplerConfig, build_sampler
from screening.choosing.convex_hull import hull_energies
from screening.choosing.hull_sampler import left_out_rms
from screening.choosing.observations import Observations
from screening.choosing.pool import Pool
from screening.machine import shipped_configs as shipped
from screening.sources.lattice_orderings import open_orderings
from screening.targets.engines import build_engine, engine_config
from workflows.ordering import departure
from workflows.recipes import OrderingRecipe

RESULTS = Path(__file__).parent / "results" / "ordering-emt.json"
SEARCHED, PREDICTED = 8, 9
"""Most atoms of the structures that are searched, and of those that are predicted at the end."""
ON_HULL_EV = 1e-7


def main() -> None:
    """Relax, replay, predict, and run Monte Carlo; print each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sweeps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--sites", type=int, default=400)
    parser.add_argument("--no-monte-carlo", action="store_true")
    options = parser.parse_args()
    source = open_orderings("cu-au")
    lattice = source.lattice
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    everything = list(enumerated(lattice, PREDICTED, {}))
    structures = [atoms for atoms in everything if len(atoms) <= SEARCHED]
    started = time.process_time()
    for atoms in structures[len(rows) :]:
        rows.append(relaxed(atoms))
        RESULTS.write_text(json.dumps(rows))
    print(f"{len(rows)} structures of up to {SEARCHED} atoms by brute force", end="")
    print(f" ({time.process_time() - started:.0f} s of processor time in this run)")
    formulas = [atoms.get_chemical_formula() for atoms in structures]
    if [row["formula"] for row in rows] != formulas:
        raise SystemExit(f"{RESULTS} is of another enumeration; delete it")
    on_lattice = np.array([row["reason"] == "" for row in rows])
    share = np.array([lattice.concentrations(a.get_chemical_symbols())["Cu"] for a in everything])
    described = np.array([features(lattice, atoms) for atoms in everything])
    ends = {x: rows[int(np.flatnonzero(share[: len(rows)] == x)[0])] for x in (0.0, 1.0)}

    def mixing(row: dict[str, Any], x: float) -> float:
        reference = (1 - x) * ends[0.0]["energy_ev_per_atom"] + x * ends[1.0]["energy_ev_per_atom"]
        return float(row["energy_ev_per_atom"]) - reference

    energies = np.array([mixing(row, x) for row, x in zip(rows, share, strict=False)])
    places = share[: len(rows), None]
    hull = hull_energies(places[on_lattice], energies[on_lattice], places)
    names = [atoms.get_chemical_formula("metal") for atoms in everything]
    print(f"{(~on_lattice).sum()} of them left the lattice; hull by brute force:")
    for k in np.flatnonzero(on_lattice & (energies - hull < ON_HULL_EV)):
        print(f"    {names[k]}: {1e3 * energies[k]:.2f} meV/atom")

    done, reasons = replayed(described[: len(rows)], energies, on_lattice, share)
    kept = [k for k in done if on_lattice[k]]
    found = hull_energies(places[kept], energies[kept], places)
    missing = float(np.abs(found - hull)[on_lattice].max())
    counts = ", ".join(f"{reasons.count(each)} {each}" for each in dict.fromkeys(reasons))
    print(
        f"search: {len(done)} relaxations ({counts}); hull off by at most {1e3 * missing:.4f} meV"
    )

    model, rms = fitted(described[kept], energies[kept], share[kept])
    predicted, _ = model.predict(described)
    errors = predicted[: len(rows)] - energies
    unseen = [k for k in range(len(rows)) if on_lattice[k] and k not in set(done)]
    pure = share[: len(rows)] % 1 == 0
    low = [k for k in unseen if energies[k] - hull[k] < 0.03]
    print(
        f"cluster expansion: {1e3 * rms:.2f} meV/atom of {len(kept)} structures left out one by "
        f"one; {1e3 * np.sqrt((errors[unseen] ** 2).mean()):.2f} on the {len(unseen)} others, "
        f"{1e3 * np.sqrt((errors[low] ** 2).mean()):.2f} on the {len(low)} of them within 30 meV "
        f"of the hull; end members off by {1e6 * np.abs(errors[pure]).max():.2g} µeV"
    )
    false_ones(everything, predicted, on_lattice, share, energies, hull, names, mixing)
    if not options.no_monte_carlo:
        monte_carlo(lattice, model, structures, share, energies, on_lattice, predicted, options)


def relaxed(atoms: Any) -> dict[str, Any]:
    """Relax a structure as the target does; a reason says why it is none of the lattice."""
    engine = build_engine(engine_config("emt"))
    recipe = OrderingRecipe()
    ideal = AseAtomsAdaptor.get_structure(atoms)
    document = engine.relax(ideal, recipe.relaxation)
    reason = document.lost
    strain, displacement = (0.0, 0.0) if reason else departure(ideal, document.structure)
    if strain > recipe.most_strain or displacement > recipe.most_displacement:
        reason = "left the lattice"
    return {
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "energy_ev_per_atom": document.energy_ev_per_atom,
        "lattice_strain": strain,
        "lattice_displacement": displacement,
        "steps": document.steps,
        "reason": reason,
    }


def replayed(
    described: Any, energies: Any, on_lattice: Any, share: Any
) -> tuple[list[int], list[str]]:
    """Return the structures that the search of the target computes, in order, and why."""
    target = shipped.read("targets", "ordering")
    sampler = build_sampler(SamplerConfig.model_validate(target["sampler"]))
    ids = [f"s{k:05d}" for k in range(len(energies))]
    done: list[int] = []
    reasons: list[str] = []
    while len(done) < target["budget"]:
        kept = [k for k in done if on_lattice[k]]
        gone = [k for k in done if not on_lattice[k]]
        pure = np.isin(share[kept], (0.0, 1.0))
        if len(set(share[kept][pure].tolist())) < 2:
            kept, pure = [], pure[:0]
        seen = Observations(
            [ids[k] for k in kept],
            described[kept],
            energies[kept],
            np.where(pure, 0.0, np.nan),
            infeasible_ids=[ids[k] for k in gone],
            infeasible_features=described[gone],
        )
        free = [k for k in range(len(ids)) if k not in set(done)]
        picks = sampler.propose(
            seen, [ids[k] for k in free], described[free], target["batch_size"], len(done)
        )
        if not picks:
            break
        done += [int(pick.candidate_id[1:]) for pick in picks]
        reasons += [pick.reason for pick in picks]
    return done, reasons


def fitted(described: Any, energies: Any, share: Any) -> tuple[BayesianLinear, float]:
    """Return the cluster expansion of computed structures, and its error on those left out."""
    std = np.where(np.isin(share, (0.0, 1.0)), 0.0, np.nan)
    seen = Observations([f"s{k:05d}" for k in range(len(energies))], described, energies, std)
    told = Pool.of(seen, [], np.empty((0, described.shape[1])), raw=True)
    model = BayesianLinear(BayesianLinear.Options(kind=BayesianLinear.name), 0)
    model.fit(told.evaluated, told.values, told.value_std)
    return model, left_out_rms(model, told)


def false_ones(
    everything: Any,
    predicted: Any,
    on_lattice: Any,
    share: Any,
    energies: Any,
    hull: Any,
    names: list[str],
    mixing: Any,
) -> None:
    """Print what the expansion puts on the hull that is not there, computing what nobody has."""
    known = len(energies)
    usable = np.ones(len(everything), dtype=bool)
    usable[:known] = on_lattice
    own = hull_energies(share[usable, None], predicted[usable], share[:, None])
    expected = np.flatnonzero(usable & (predicted - own < ON_HULL_EV))
    false = 0
    for k in expected:
        if k < known:
            above = energies[k] - hull[k]
        else:
            row = relaxed(everything[k])
            lowest = hull_energies(
                share[:known][on_lattice, None], energies[on_lattice], share[[k], None]
            )
            above = mixing(row, share[k]) - float(lowest[0])
            said = row["reason"] or "on the lattice"
            print(f"    computed {names[k]}: {1e3 * above:.2f} meV/atom above the hull, {said}")
        false += above >= ON_HULL_EV
    true = set(np.flatnonzero(on_lattice & (energies - hull < ON_HULL_EV)).tolist())
    missed = ", ".join(names[k] for k in sorted(true - set(expected.tolist()))) or "none"
    print(
        f"of {len(everything)} structures of up to {PREDICTED} atoms the expansion puts "
        f"{len(expected)} on the hull; {false} of these are false ground states; missed: {missed}"
    )


def monte_carlo(
    lattice: AlloyLattice,
    model: BayesianLinear,
    structures: Any,
    share: Any,
    energies: Any,
    on_lattice: Any,
    predicted: Any,
    options: argparse.Namespace,
) -> None:
    """Print what Monte Carlo says of Cu3Au."""
    from screening.alloys.thermodynamics import thermodynamics

    # The ordered phase is that of the expansion, whose energies are the only ones here.
    of_composition = np.flatnonzero(on_lattice & (share[: len(energies)] == 0.75))
    of_composition = of_composition[np.argsort(predicted[of_composition])]
    for k in of_composition[:3]:
        group = found_number(AseAtomsAdaptor.get_structure(structures[k]), 1e-3)
        print(
            f"    Cu3Au, space group {group}: {1e3 * energies[k]:.2f} meV/atom by the engine, "
            f"{1e3 * predicted[k]:.2f} by the expansion"
        )
    ordered = structures[int(of_composition[0])]
    shares = {"Au": 0.25, "Cu": 0.75}
    constant, coefficients = model.coefficients()
    found = interactions(lattice, coefficients[N_CONCENTRATIONS:])
    found[0] += constant + coefficients[0] * shares["Cu"]
    multiples = multiples_for(lattice, shares, options.sites, ordered)
    terms = energy_terms(lattice, found, multiples)
    occupation = occupation_of(terms, ordered)
    started = time.process_time()
    seen = thermodynamics(
        terms,
        counts_of(terms, shares),
        occupation,
        degeneracy(terms, occupation),
        options.sweeps,
        range(options.seeds),
        "Cu3Au",
    )
    print(
        f"Cu3Au, {seen.sites} sites, {seen.seeds} runs of {seen.sweeps} sweeps a temperature, "
        f"{time.process_time() - started:.0f} s of processor time"
    )
    print("| T / K | mixing energy | free energy of mixing | heat capacity / k | SRO 1 | SRO 2 |")
    print("|---|---|---|---|---|---|")
    for k, temperature in enumerate(seen.temperatures_k):
        print(
            f"| {temperature:.0f} | {1e3 * seen.mixing_energy_ev_per_atom[k]:.2f} ± "
            f"{1e3 * seen.mixing_energy_error_ev_per_atom[k]:.2f} | "
            f"{1e3 * seen.mixing_free_energy_ev_per_atom[k]:.2f} ± "
            f"{1e3 * seen.mixing_free_energy_error_ev_per_atom[k]:.2f} | "
            f"{seen.heat_capacity_k_per_atom[k]:.2f} ± "
            f"{seen.heat_capacity_error_k_per_atom[k]:.2f} | "
            + " | ".join(
                f"{seen.short_range_order[s][k]:.3f} ± {seen.short_range_order_error[s][k]:.3f}"
                for s in range(2)
            )
            + " |"
        )
    print(
        f"orders at {seen.order_temperature_heat_capacity_k} ± "
        f"{seen.order_temperature_heat_capacity_error_k} K (heat capacity), "
        f"{seen.order_temperature_free_energy_k} ± {seen.order_temperature_free_energy_error_k} K "
        f"(free energies), hysteresis {seen.hysteresis_k} K"
    )


if __name__ == "__main__":
    main()
