"""κ from mirrored random displacements against κ from finite displacements.

For compounds of three structure types, with one engine, on one relaxed cell, with the same
harmonic force constants and on one q-mesh, so that only the third-order force constants differ.

    python benchmarks/third_order_routes.py [--engine NAME] [--workers N] [--cache FOLDER]

Forces are kept in the cache folder: a second run only fits.  With SevenNet-0 it
takes about half an hour of one core, most of it for the finite displacements.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

COMPOUNDS = (
    ("NaCl", 225),
    ("MgO", 225),
    ("GaAs", 216),
    ("AlAs", 216),
    ("ZnS", 186),
    ("AgI", 186),
)
SEEDS = (0, 1)
OVERDETERMINATION = (1.5, 2.5)
MESH_LENGTH_A = 24.0


def compare(formula: str, space_group: int, engine_name: str, cache: Path) -> list[dict[str, Any]]:
    """Return one row a setting of the random route."""
    import numpy as np

    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics import harmonic, third_order, transport
    from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
    from workflows.recipes import PhononRecipe, RelaxationRecipe, ThirdOrderRecipe

    engine = build_engine(engine_config(engine_name))
    structure = engine.relax(phonondb_structure(formula, space_group), RelaxationRecipe()).structure
    cell, centring = conventional_cell(structure)
    harmonic_recipe, shipped = PhononRecipe(), ThirdOrderRecipe()
    phonon = harmonic.harmonic_model(
        cell,
        centring,
        supercell_matrix(cell, harmonic_recipe.min_length_a, harmonic_recipe.max_atoms),
        harmonic_recipe.distance_a,
    )
    matrix = supercell_matrix(cell, shipped.min_length_a, shipped.max_atoms)
    harmonic.set_harmonic_forces(phonon, engine.forces(harmonic.harmonic_supercells(phonon)))
    mesh = harmonic.symmetric_mesh(phonon, MESH_LENGTH_A, parity="odd")

    def kappa(settings: ThirdOrderRecipe) -> tuple[float, int, float]:
        plan = third_order.plan_third_order(cell, centring, matrix, settings)
        supercells = third_order.third_order_supercells(plan)
        name = f"{formula}-{space_group}-{engine_name}-{settings.route}"
        file = cache / f"{name}-{len(supercells)}-{settings.seed}.npy"
        started = time.process_time()
        if not file.exists():
            np.save(file, np.array(engine.forces(supercells)))
        forces_s = time.process_time() - started
        third_order.set_third_order_forces(plan, list(np.load(file)))
        model = transport.transport_model(
            cell, centring, phonon, plan, third_order.fit_third_order(plan)
        )
        result = transport.conductivity(model, mesh, [300.0])
        return result.isotropic_w_per_m_k(300.0), len(supercells), forces_s

    reference, reference_calls, _ = kappa(ThirdOrderRecipe(route="finite-displacements"))
    rows = []
    for ratio in OVERDETERMINATION:
        for seed in SEEDS:
            value, calls, forces_s = kappa(ThirdOrderRecipe(overdetermination=ratio, seed=seed))
            rows.append(
                {
                    "formula": formula,
                    "space_group_number": space_group,
                    "engine": engine_name,
                    "supercell_atoms": len(cell) * round(float(np.linalg.det(matrix))),
                    "mesh": mesh,
                    "equations_per_unknown": ratio,
                    "seed": seed,
                    "finite_displacement_calls": reference_calls,
                    "random_pair_calls": calls,
                    "kappa_finite_displacements_w_per_m_k": reference,
                    "kappa_random_pairs_w_per_m_k": value,
                    "relative_difference": value / reference - 1,
                    "random_pair_forces_cpu_s": forces_s,
                }
            )
    return rows


def phonondb_structure(formula: str, space_group: int) -> Any:
    """Return the primitive cell of a compound of the bundled PhononDB set."""
    from screening.sources import open_source

    for record in open_source("phonondb-103").records():
        facts = record.properties
        if facts["formula"] == formula and facts["space_group_number"] == space_group:
            assert record.content is not None
            return record.content.get_primitive_structure()
    raise ValueError(f"{formula} with space group {space_group} is not in phonondb-103")


def main() -> None:
    """Run the comparison, print the table, keep it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-0")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/cache"))
    parser.add_argument("--only", nargs="*", help="formulas")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    compounds = [each for each in COMPOUNDS if not options.only or each[0] in options.only]
    with ProcessPoolExecutor(options.workers) as executor:
        futures = [
            executor.submit(compare, *each, options.engine, options.cache) for each in compounds
        ]
        rows = [row for future in futures for row in future.result()]
    print(
        "| compound | equations / unknown | seed | calls FD | calls random | κ FD | κ random | Δ |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['formula']} ({row['space_group_number']}) | {row['equations_per_unknown']} "
            f"| {row['seed']} | {row['finite_displacement_calls']} | {row['random_pair_calls']} "
            f"| {row['kappa_finite_displacements_w_per_m_k']:.3f} W/m/K "
            f"| {row['kappa_random_pairs_w_per_m_k']:.3f} W/m/K "
            f"| {100 * row['relative_difference']:+.1f} % |"
        )
    out = Path(__file__).parent / "results" / f"third_order_routes-{options.engine}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=1))
    worst = max(abs(row["relative_difference"]) for row in rows)
    print(f"\nworst |Δ| {100 * worst:.1f} %; rows in {out}")


if __name__ == "__main__":
    main()
