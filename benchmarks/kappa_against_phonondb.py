"""κ(300 K) of an engine, with the shipped recipe, against first-principles values of PhononDB.

    python benchmarks/kappa_against_phonondb.py [--engine NAME] [--workers N] [--formulas A B …]
    python benchmarks/kappa_against_phonondb.py --target low-kappa-coarse --every 1

Runs the same flow as a campaign (relaxation to κ) for compounds of all three structure types and
prints the table, the median |log10 ratio|, the rank correlation and the worst case.  What is in the
file of rows already is not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

# Every structure type, from the lowest κ of the set to high ones: each eighth compound of a type in
# order of the reference value, a choice made before anything was computed.
EVERY = 8


def selection(formulas: list[str] | None, every: int) -> list[dict[str, Any]]:
    """Return the compounds to compute, as material id, formula, space group and reference."""
    from screening.sources import open_source

    rows = []
    for record in open_source("phonondb-103").records():
        facts = record.properties
        rows.append(
            {
                "material_id": record.material_id,
                "formula": facts["formula"],
                "space_group_number": facts["space_group_number"],
                # Without the non-analytical correction: the engines have no Born charges.
                "reference_w_per_m_k": facts["kappa_300k_without_nac_w_per_m_k"],
            }
        )
    if formulas:
        return [row for row in rows if row["formula"] in formulas]
    chosen = []
    for number in (225, 216, 186):
        of_type = sorted(
            (row for row in rows if row["space_group_number"] == number),
            key=lambda row: row["reference_w_per_m_k"],
        )
        chosen += of_type[::every]
    return chosen


def compute(row: dict[str, Any], engine_name: str, target: str) -> dict[str, Any]:
    """Run the flow of one compound with the recipe of a target; return its row of the table."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.machine import shipped_configs as shipped
    from screening.sources import open_source
    from screening.targets.engines import build_engine, engine_config
    from workflows.conductivity import ThermalConductivityMaker
    from workflows.recipes import ThermalConductivityRecipe

    structure = next(
        record.content
        for record in open_source("phonondb-103").records()
        if record.material_id == row["material_id"]
    )
    assert structure is not None
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    recipe = shipped.read("targets", target).get("recipe", {})
    maker = ThermalConductivityMaker(
        build_engine(engine_config(engine_name)),
        recipe=ThermalConductivityRecipe.model_validate(recipe),
    )
    flow = maker.make(structure.get_primitive_structure())
    run_locally(flow, store=store, ensure_success=True, log=False)
    result = store.get_output(flow.output.uuid, which="last", load=False)
    # All plain numbers: what an error of the engine might be told by is not known beforehand.
    numbers = {key: value for key, value in result.items() if isinstance(value, str | int | float)}
    numbers["force_calls"] = numbers.pop("cost")
    return {
        **row,
        "engine": engine_name,
        **numbers,
        "kappa_300k_w_per_m_k": result["kappa_300k_w_per_m_k"],
        "versions": result["provenance"]["versions"],
    }


def main() -> None:
    """Compute, print, and keep the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--formulas", nargs="*")
    parser.add_argument("--every", type=int, default=EVERY, help="which of each structure type")
    parser.add_argument("--target", default="low-kappa", help="whose recipe is used")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    rows = selection(options.formulas, options.every)
    name = options.engine if options.every == EVERY else f"{options.engine}-every-{options.every}"
    if options.target != "low-kappa":
        name = f"{options.target}-{name}"
    out = Path(__file__).parent / "results" / f"kappa_against_phonondb-{name}.json"
    out.parent.mkdir(exist_ok=True)
    done: list[dict[str, Any]] = json.loads(out.read_text()) if out.exists() else []
    known = {row["material_id"] for row in done}
    print("| compound | space group | κ DFT (PhononDB) | κ | log10 ratio | force calls | wall |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(options.workers) as executor:
        futures = [
            executor.submit(compute, row, options.engine, options.target)
            for row in rows
            if row["material_id"] not in known
        ]
        for future in futures:
            try:
                row = future.result()
            except RuntimeError as error:
                print(f"a flow failed: {error}", flush=True)
                continue
            done.append(row)
            print(table_row(row), flush=True)
            # Hours of computing must not hang on the last compound.
            out.write_text(json.dumps(done, indent=1))
    asked = {row["material_id"] for row in rows}
    done = [row for row in done if row["material_id"] in asked]
    ratios = [
        (abs(log_ratio(row)), row["formula"], row["space_group_number"])
        for row in done
        if row["outcome"] == "computed"
    ]
    if not ratios:
        print("\nnone was computed")
        return
    worst = max(ratios)
    pairs = [
        (row["kappa_300k_w_per_m_k"], row["reference_w_per_m_k"])
        for row in done
        if row["outcome"] == "computed"
    ]
    print(
        f"\n{len(ratios)} of {len(rows)} computed; median |log10 ratio| "
        f"{statistics.median(each[0] for each in ratios):.3f}, Spearman "
        f"{spearmanr(*zip(*pairs, strict=True)).statistic:.2f}, worst {worst[0]:.2f} "
        f"({worst[1]}, {worst[2]}); rows in {out}"
    )


def log_ratio(row: dict[str, Any]) -> float:
    """Return log10 of κ over its reference."""
    return math.log10(row["kappa_300k_w_per_m_k"] / row["reference_w_per_m_k"])


def table_row(row: dict[str, Any]) -> str:
    """Return one line of the Markdown table."""
    if row["outcome"] == "computed":
        error = row["kappa_300k_error_w_per_m_k"]
        value = f"{row['kappa_300k_w_per_m_k']:.3g} ± {error:.2g} W/m/K | {log_ratio(row):+.2f}"
    else:
        value = f"{row['outcome']} ({row['min_frequency_thz']:.2f} THz) | –"
    return (
        f"| {row['formula']} | {row['space_group_number']} "
        f"| {row['reference_w_per_m_k']:.3g} W/m/K | {value} "
        f"| {row['force_calls']} | {row['wall_s']:.0f} s |"
    )


if __name__ == "__main__":
    main()
