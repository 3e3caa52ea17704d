"""Slack's κ(300 K) from an engine's elastic constants, against first-principles κ of PhononDB.

    python benchmarks/slack_against_phonondb.py [--engine NAME] [--workers N] [--pool FILE.jsonl.gz]

Runs the flow of the target `low-kappa-slack` for all crystals of `phonondb-103` that are not in the
results yet, and prints the table, Spearman's rank correlation, the median |log10 ratio| and where
the crystal of lowest κ stands.  With `--pool` it also writes the crystals with both values:

    screen replay --pool FILE.jsonl.gz --log --value-key kappa_300k_with_nac_w_per_m_k \
        --prior-key slack_kappa_300k_w_per_m_k
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
REFERENCE = "kappa_300k_with_nac_w_per_m_k"
ESTIMATE = "slack_kappa_300k_w_per_m_k"
KEPT = (
    *("outcome", "reason", ESTIMATE, "bulk_modulus_gpa", "shear_modulus_gpa", "poisson_ratio"),
    *("debye_temperature_k", "gruneisen_parameter", "min_eigenvalue_gpa", "elastic_tensor_gpa"),
    *("primitive_atoms", "volume_a3_per_atom", "strained_cells", "wall_s"),
)


def crystals() -> dict[str, Any]:
    """Return the records of `phonondb-103` by material id."""
    from screening.sources import open_source

    return {record.material_id: record for record in open_source("phonondb-103").records()}


def compute(record: Any, engine_name: str) -> dict[str, Any]:
    """Run the flow of one crystal and return its row."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.elasticity import ElasticityMaker

    row = {
        "material_id": record.material_id,
        "formula": record.properties["formula"],
        "space_group_number": record.properties["space_group_number"],
        REFERENCE: record.properties[REFERENCE],
        "engine": engine_name,
    }
    maker = ElasticityMaker(build_engine(engine_config(engine_name)))
    flow = maker.make(record.content.get_primitive_structure())
    store = JobStore(MemoryStore())
    try:
        run_locally(flow, store=store, log=False, raise_immediately=True)
    except Exception as error:  # a failed flow is a row of the table, with its reason
        return {**row, "outcome": "failed", "reason": str(error)}
    result = store.get_output(flow.output.uuid, which="last")
    return {
        **row,
        **{key: result[key] for key in KEPT},
        "force_calls": result["cost"],
        "versions": result["provenance"]["versions"],
    }


def log_ratio(row: dict[str, Any]) -> float:
    """Return log10 of Slack's κ over the reference."""
    return math.log10(row[ESTIMATE] / row[REFERENCE])


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table and what it says in sum."""
    import numpy as np
    from scipy.stats import spearmanr

    lines = [
        "| crystal | space group | κ DFT | Slack's κ | log10 ratio | K | G | θ_D | γ |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row[REFERENCE]):
        start = f"| {row['formula']} | {row['space_group_number']} | {row[REFERENCE]:.3g} W/m/K |"
        if row["outcome"] != "computed":
            lines.append(f"{start} {row['outcome']}: {row['reason'][:90]} | | | | | |")
            continue
        lines.append(
            f"{start} {row[ESTIMATE]:.3g} W/m/K | {log_ratio(row):+.2f} "
            f"| {row['bulk_modulus_gpa']:.1f} GPa | {row['shear_modulus_gpa']:.1f} GPa "
            f"| {row['debye_temperature_k']:.0f} K | {row['gruneisen_parameter']:.2f} |"
        )
    good = sorted(
        (row for row in rows if row["outcome"] == "computed"), key=lambda row: row[ESTIMATE]
    )
    best = min(rows, key=lambda row: row[REFERENCE])["formula"]
    places = [place for place, row in enumerate(good, start=1) if row["formula"] == best]
    ratios = np.array([log_ratio(row) for row in good])
    rank = spearmanr([row[ESTIMATE] for row in good], [row[REFERENCE] for row in good]).statistic
    lines.append(
        f"\n{len(good)} of {len(rows)} computed; Spearman {rank:.3f}; median |log10 ratio| "
        f"{np.median(np.abs(ratios)):.3f}, mean log10 ratio {ratios.mean():+.3f}; {best}, of "
        f"lowest κ, is number {', '.join(map(str, places)) or '–'} by Slack's; "
        f"{sum(row['force_calls'] for row in good)} force calls, "
        f"{sum(row['wall_s'] for row in good):.0f} core s"
    )
    return "\n".join(lines)


def write_pool(path: Path, records: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write the crystals with the reference and the estimate, null where there is none."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for row in rows:
            entry = {
                "material_id": row["material_id"],
                "structure": records[row["material_id"]].content.as_dict(),
                REFERENCE: row[REFERENCE],
                ESTIMATE: row.get(ESTIMATE),
            }
            file.write(json.dumps(entry) + "\n")


def main() -> None:
    """Compute what is not there, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--pool", type=Path, help="write a pool for `screen replay` here")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    path = RESULTS / f"slack_against_phonondb-{Path(options.engine).stem}.json"
    kept = (
        {row["material_id"]: row for row in json.loads(path.read_text())} if path.exists() else {}
    )
    records = crystals()
    with ProcessPoolExecutor(options.workers) as executor:
        futures = [
            executor.submit(compute, record, options.engine)
            for name, record in records.items()
            if name not in kept
        ]
        for future in as_completed(futures):
            row = future.result()
            kept[row["material_id"]] = row
            path.write_text(json.dumps(list(kept.values()), indent=1) + "\n")
    rows = [kept[name] for name in records]
    path.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    if options.pool is not None:
        write_pool(options.pool, records, rows)


if __name__ == "__main__":
    main()
