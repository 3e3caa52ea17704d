"""κ(300 K) by the route few-shot with real first principles, beside PhononDB and the potential.

    python benchmarks/few_shot_first_principles.py RbBr NaCl [--engine gpaw-fast]

Runs the same flow as a campaign, from the check of convergence to κ.  A crystal whose row is in the
file of rows already is not computed again; the potential's κ is read from the rows of
`kappa_against_phonondb.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def compute(formula: str, engine_name: str, most_snapshots: int | None) -> dict[str, Any]:
    """Run the flow of one crystal; return its row."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.campaigns.config import load_campaign_config
    from screening.targets.engines import build_engine, engine_config
    from workflows.conductivity import ThermalConductivityMaker
    from workflows.recipes import ThermalConductivityRecipe

    record = the_crystal(formula)
    recipe = ThermalConductivityRecipe.model_validate(load_campaign_config("low-kappa", {}).recipe)
    if most_snapshots is not None:
        cells = recipe.third_order.model_copy(update={"max_snapshots": most_snapshots})
        recipe = recipe.model_copy(update={"third_order": cells})
    maker = ThermalConductivityMaker(build_engine(engine_config(engine_name)), recipe=recipe)
    flow = maker.make(record.content.get_primitive_structure())
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    row: dict[str, Any] = {
        "formula": record.properties["formula"],
        "material_id": record.material_id,
        "engine": engine_name,
        "max_snapshots": recipe.third_order.max_snapshots,
        "reference_w_per_m_k": record.properties["kappa_300k_with_nac_w_per_m_k"],
        "potential_w_per_m_k": of_potential(record.material_id),
    }
    started, cpu_started = time.perf_counter(), cpu_s()
    run_locally(flow, store=store, ensure_success=False, log=False)
    row |= {"wall_s": time.perf_counter() - started, "cpu_s": cpu_s() - cpu_started}
    found = list(store.query({"uuid": flow.output.uuid}, load=False))
    if not found:
        return {**row, "outcome": "refused", "jobs": refusals(store)}
    result = max(found, key=lambda each: each["index"])["output"]
    plain = {key: value for key, value in result.items() if isinstance(value, str | int | float)}
    plain["steps_wall_s"] = plain.pop("wall_s", None)
    for name in ("costs", "few_shot", "force_convergence"):
        plain[name] = result.get(name)
    return {**plain, **row, "versions": result["provenance"]["versions"]}


def the_crystal(name: str) -> Any:
    """Return the record of a formula, or of a material id where the formula has two crystals."""
    from screening.sources import open_source

    records = list(open_source("phonondb-103").records())
    found = [each for each in records if name in (each.properties["formula"], each.material_id)]
    if len(found) != 1:
        ids = ", ".join(each.material_id for each in found)
        raise SystemExit(
            f"{name}: two crystals, {ids}; name one of these" if found else f"no crystal '{name}'"
        )
    return found[0]


def refusals(store: Any) -> list[Any]:
    """Return what jobs left that had no κ: the check of convergence says why."""
    return [
        {key: each["output"].get(key) for key in ("reason", "relative_residual", "raised")}
        for each in store.query({}, load=False)
        if isinstance(each["output"], dict)
    ]


def cpu_s() -> float:
    """Return the CPU time of this process and of the programs that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def of_potential(material_id: str) -> float | None:
    """Return the κ of the potential that is the prior, of unstable crystals the estimate."""
    path = RESULTS / "kappa_against_phonondb-sevennet-l3i5-every-1.json"
    for row in json.loads(path.read_text()) if path.exists() else []:
        if row["material_id"] == material_id:
            kappa = row["kappa_300k_w_per_m_k"] or row.get("kappa_300k_real_modes_w_per_m_k")
            return None if kappa is None else float(kappa)
    return None


def main() -> None:
    """Compute, print, and keep the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("formulas", nargs="+", help="compounds of phonondb-103")
    parser.add_argument("--engine", default="gpaw-fast")
    parser.add_argument("--max-snapshots", type=int, help="instead of the recipe's")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    out = RESULTS / f"few_shot_first_principles-{options.engine}.json"
    rows: list[dict[str, Any]] = json.loads(out.read_text()) if out.exists() else []
    for formula in options.formulas:
        if any(formula in (row["formula"], row["material_id"]) for row in rows):
            continue
        row = compute(formula, options.engine, options.max_snapshots)
        # Others may have written in the meantime.
        rows = json.loads(out.read_text()) if out.exists() else []
        rows.append(row)
        out.write_text(json.dumps(rows, indent=1))
    print("| compound | PhononDB | potential | few-shot | supercells | CPU min |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        kappa = row.get("kappa_300k_w_per_m_k")
        value = row["outcome"] if kappa is None else f"{kappa:.3g}"
        if kappa is not None:
            value += f" ± {row['kappa_300k_error_w_per_m_k']:.2g}"
        potential = row["potential_w_per_m_k"]
        print(
            f"| {row['formula']} | {row['reference_w_per_m_k']:.3g} "
            f"| {'–' if potential is None else f'{potential:.3g}'} | {value} W/m/K "
            f"| {row.get('third_order_supercells', '–')} | {row['cpu_s'] / 60:.0f} |"
        )


if __name__ == "__main__":
    main()
