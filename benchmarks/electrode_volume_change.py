"""Volume change and voltage of insertion electrodes from an engine, beside DFT.

    python benchmarks/electrode_volume_change.py [--engine NAME] [--start discharged] [--pairs …]

The 30 pairs of the source `electrode-pairs` (Materials Project, PBE+U), or a file of the same kind.
`both`: both crystals of a pair are relaxed.  `discharged`: the charged crystal is made from the
discharged one by taking the working ion out; pairs whose charged crystal keeps some are left out.
Two further rows, LiFePO4 and LiMnPO4, start from triphylite's experimental crystal.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
OLIVINES = {"LiFePO4": 0.065, "LiMnPO4": 0.0645}
"""Materials Project: 0.064 to 0.066 and 0.063 to 0.066."""


def tasks(pairs: str, start: str) -> dict[str, dict[str, Any]]:
    """Return what to compute by name: arguments of the flow and reference values."""
    from pymatgen.core import Structure

    from screening.sources import open_source

    found = {}
    for record in open_source(pairs).records():
        if record.structure is None:
            print(f"{record.location}: {record.error}")
            continue
        facts = record.properties
        ion = record.inputs["working_ion"]
        charged = Structure.from_dict(record.inputs["charged"])
        if start == "discharged" and ion in charged.composition:
            continue
        volume = facts.get("reference_delta_volume_fraction", facts.get("max_delta_volume"))
        voltage = facts.get("reference_average_voltage_v", facts.get("average_voltage"))
        found[f"{record.material_id} {record.location}"] = {
            "structure": record.structure,
            "charged": charged if start == "both" else None,
            "working_ion": ion,
            "dft_delta_volume_fraction": float(volume),
            "dft_average_voltage_v": float(voltage),
        }
    if start == "discharged" and pairs == "electrode-pairs":
        triphylite = Structure.from_file(Path(__file__).parents[1] / "configs/data/LiFePO4.cif")
        for formula, volume in OLIVINES.items():
            structure = triphylite.copy()
            structure.replace_species({"Fe": formula[2:4]})
            found[formula] = {
                "structure": structure,
                "charged": None,
                "working_ion": "Li",
                "dft_delta_volume_fraction": volume,
                "dft_average_voltage_v": None,
            }
    return found


def compute(name: str, engine_name: str, task: dict[str, Any]) -> dict[str, Any]:
    """Return one row."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.engine_catalog import build_engine, engine_config
    from workflows.insertion import InsertionMaker

    started = time.perf_counter()
    row = {
        "name": name,
        "discharged": task["structure"].reduced_formula,
        "working_ion": task["working_ion"],
        "dft_delta_volume_fraction": task["dft_delta_volume_fraction"],
        "dft_average_voltage_v": task["dft_average_voltage_v"],
    }
    flow = InsertionMaker(build_engine(engine_config(engine_name))).make(
        task["structure"], task["charged"], task["working_ion"]
    )
    try:
        store = JobStore(MemoryStore())
        run_locally(flow, store=store, ensure_success=False, log=False, raise_immediately=True)
        result = store.get_output(flow.output.uuid, which="last")
    except Exception as error:  # a failed flow is a row of the table, with its reason
        return {**row, "error": str(error), "wall_s": time.perf_counter() - started}
    kept = (
        *("charged_formula", "delta_volume_fraction", "signed_delta_volume_fraction"),
        *("average_voltage_v", "gravimetric_capacity_mah_per_g", "topotactic"),
        *("host_dimensionality", "force_calls"),
    )
    return {
        **row,
        **{key: result[key] for key in kept},
        "versions": result["provenance"]["versions"],
        "wall_s": time.perf_counter() - started,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table and what it says in sum."""
    import numpy as np
    from scipy.stats import spearmanr

    lines = [
        "| electrode | ΔV/V DFT | ΔV/V | difference | voltage DFT | voltage | host |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row["dft_delta_volume_fraction"]):
        label = f"{row.get('charged_formula', '')} → {row['discharged']}"
        reference, volts = row["dft_delta_volume_fraction"], row["dft_average_voltage_v"]
        said = "" if volts is None else f"{volts:.2f} V"
        if "error" in row:
            lines.append(
                f"| {label} | {reference:.4f} | failed | | {said} | | {row['error'][:90]} |"
            )
            continue
        notes = [] if row["topotactic"] else ["framework lost"]
        if row["host_dimensionality"] < 3:
            notes.append(f"{row['host_dimensionality']}D")
        value = row["delta_volume_fraction"]
        lines.append(
            f"| {label} | {reference:.4f} | {value:.4f} | {value - reference:+.4f} | {said} "
            f"| {row['average_voltage_v']:.2f} V | {', '.join(notes)} |"
        )
    good = [row for row in rows if "error" not in row]
    found = np.array([row["delta_volume_fraction"] for row in good])
    reference = np.array([row["dft_delta_volume_fraction"] for row in good])
    errors = np.abs(found - reference)
    volts = [row for row in good if row["dft_average_voltage_v"] is not None]
    voltage = np.array([row["average_voltage_v"] - row["dft_average_voltage_v"] for row in volts])
    lines.append(
        f"\n{len(good)} of {len(rows)}: median |difference| {np.median(errors):.4f}, mean "
        f"{errors.mean():.4f}, worst {errors.max():.4f} "
        f"({good[int(errors.argmax())]['discharged']}); "
        f"Spearman {spearmanr(found, reference).statistic:.2f}; voltage: median |difference| "
        f"{np.median(np.abs(voltage)):.2f} V, mean {voltage.mean():+.2f} V; "
        f"{sum(row['wall_s'] for row in rows):.0f} core s"
    )
    return "\n".join(lines)


def main() -> None:
    """Compute what is not there, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--start", choices=("both", "discharged"), default="both")
    parser.add_argument("--pairs", default="electrode-pairs", help="source, or a file like it")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    stem = Path(arguments.engine).stem
    suffix = "" if arguments.pairs == "electrode-pairs" else f"-{Path(arguments.pairs).stem}"
    path = RESULTS / f"electrode_volume_change-{stem}-{arguments.start}{suffix}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    wanted = tasks(arguments.pairs, arguments.start)
    with ProcessPoolExecutor(arguments.workers) as executor:
        futures = [
            executor.submit(compute, name, arguments.engine, task)
            for name, task in sorted(wanted.items(), key=lambda each: len(each[1]["structure"]))
            if name not in kept
        ]
        for future in as_completed(futures):
            row = future.result()
            kept[row["name"]] = row
            path.write_text(json.dumps(kept, indent=1) + "\n")
    print(table([kept[name] for name in wanted]))


if __name__ == "__main__":
    main()
