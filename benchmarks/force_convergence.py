"""How far an engine's forces are converged, crystal by crystal, and what it costs to know.

    python benchmarks/force_convergence.py [RbBr BaTe …] [--engine gpaw-fast] [--raises 2]

Crystals are those of PhononDB, as they are there; supercells are 2×2×2 conventional cells.  What is
in the results already is not computed again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
FORMULAS = ("RbBr", "BaTe", "NaCl", "Si", "AgBr", "PbTe")
MULTIPLES = (2, 2, 2)


def structure_of(formula: str) -> Any:
    """Return a crystal of PhononDB, or silicon."""
    from first_principles_kappa import crystal
    from third_order_routes import phonondb_structure

    return crystal(formula) or phonondb_structure(formula, 225)


def measure(formula: str, engine_name: str, raises: int) -> dict[str, Any]:
    """Return one document, with the core time of the program's runs."""
    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics.cells import conventional_cell
    from workflows.recipes import ForceConvergenceRecipe

    engine: Any = build_engine(engine_config(engine_name))
    cell, _ = conventional_cell(structure_of(formula))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    document = engine.force_convergence(cell, MULTIPLES, ForceConvergenceRecipe(most_raises=raises))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found: dict[str, Any] = document.model_dump(mode="json")
    found["provenance"].pop("hostname")
    core_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"crystal": formula, "core_s": core_s, **found}


def table(rows: list[dict[str, Any]]) -> str:
    """Return a line a comparison."""
    lines = [
        "| crystal | cut-off | k-mesh of the supercell | slope | rms difference | rms force "
        "| verdict | core time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = f"converged, {100 * row['relative_residual']:.1f} % left"
        if row["raised"]:
            raised = ", ".join(f"{name} {value:.3g}" for name, value in row["raised"].items())
            verdict += f", with {raised}"
        if not row["converged"]:
            verdict = row["reason"]
        for each in row["comparisons"]:
            cutoffs = " → ".join(f"{cutoff:.0f}" for cutoff in dict.fromkeys(each["cutoff_ev"]))
            meshes = dict.fromkeys("×".join(map(str, mesh)) for mesh in each["supercell_k_mesh"])
            end = f"{verdict} | {row['core_s']:.0f} s" if each is row["comparisons"][-1] else " |"
            lines.append(
                f"| {row['crystal']} | {cutoffs} eV | {' → '.join(meshes)} | {each['slope']:.3f} "
                f"| {100 * each['relative_rms_difference']:.1f} % "
                f"| {each['rms_force_ev_per_a']:.3f} eV/Å "
                f"| {end} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Compute what is not there, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("formulas", nargs="*", default=FORMULAS, metavar="FORMULA")
    parser.add_argument("--engine", default="gpaw-fast")
    parser.add_argument("--raises", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    path = RESULTS / f"force_convergence-{arguments.engine}.json"
    for formula in arguments.formulas:
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        if formula not in kept:
            found = measure(formula, arguments.engine, arguments.raises)
            kept = {**(json.loads(path.read_text()) if path.exists() else {}), formula: found}
            path.write_text(json.dumps(kept, indent=1) + "\n")
    kept = json.loads(path.read_text())
    print(table([kept[formula] for formula in arguments.formulas]))


if __name__ == "__main__":
    main()
