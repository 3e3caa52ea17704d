"""What a DFT preset costs, and what the next better one would change.

    python benchmarks/dft_presets.py [--kind gpaw] [--crystals Si NaCl]

For each preset: the relaxed lattice constant, the forces on a conventional cell whose eight atoms
are displaced by 0.03 Å in random directions, and the core seconds of both.  The cell is the same
for all presets (PhononDB's, or 5.43 Å for silicon); meshes have the density of supercells.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PRESETS = ("fast", "standard", "tight")


def measure(formula: str, engine_name: str) -> dict[str, Any]:
    """Return one row."""
    import numpy as np
    from first_principles_kappa import crystal
    from third_order_routes import phonondb_structure

    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics.cells import conventional_cell
    from workflows.recipes import RelaxationRecipe

    engine = build_engine(engine_config(engine_name))
    start = crystal(formula) or phonondb_structure(formula, 225)
    cell, _ = conventional_cell(start)
    displaced = cell.copy()
    random = np.random.default_rng(0)
    for index in range(len(cell)):
        direction = random.normal(size=3)
        shift = 0.03 * direction / np.linalg.norm(direction)
        displaced.translate_sites([index], shift, frac_coords=False)
    started = time.perf_counter()
    (forces,) = engine.forces([displaced])
    forces_s = time.perf_counter() - started
    started = time.perf_counter()
    relaxed = engine.relax(start, RelaxationRecipe())
    return {
        "crystal": formula,
        "engine": engine_name,
        "versions": engine.provenance().versions,
        "settings": engine.provenance().arguments,
        "forces_ev_per_a": forces.tolist(),
        "forces_core_s": forces_s,
        "lattice_constant_a": float(conventional_cell(relaxed.structure)[0].lattice.a),
        "relaxation_core_s": time.perf_counter() - started,
        "relaxation_force_calls": relaxed.cost.cost,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table: the last preset of a crystal is what the others are compared with."""
    import numpy as np

    lines = [
        "| crystal | engine | forces on 8 atoms | forces against tight (rms) | relaxation | a |",
        "|---|---|---|---|---|---|",
    ]
    best = {row["crystal"]: np.array(row["forces_ev_per_a"]) for row in rows}
    for row in rows:
        reference = best[row["crystal"]]
        error = np.linalg.norm(np.array(row["forces_ev_per_a"]) - reference)
        lines.append(
            f"| {row['crystal']} | `{row['engine']}` | {row['forces_core_s']:.0f} core s "
            f"| {100 * error / np.linalg.norm(reference):.1f} % "
            f"| {row['relaxation_core_s']:.0f} core s | {row['lattice_constant_a']:.3f} Å |"
        )
    return "\n".join(lines)


def main() -> None:
    """Compute what is not there, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", default="gpaw")
    parser.add_argument("--crystals", nargs="*", default=["Si", "NaCl"])
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    path = RESULTS / f"dft_presets-{arguments.kind}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for formula in arguments.crystals:
        for preset in PRESETS:
            name = f"{arguments.kind}-{preset}"
            if f"{formula} {name}" not in kept:
                kept[f"{formula} {name}"] = measure(formula, name)
                path.write_text(json.dumps(kept, indent=1) + "\n")
    names = [
        f"{each} {arguments.kind}-{preset}" for each in arguments.crystals for preset in PRESETS
    ]
    print(table([kept[name] for name in names]))


if __name__ == "__main__":
    main()
