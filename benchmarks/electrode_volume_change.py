"""Volume change and voltage of insertion electrodes from an engine, beside DFT.

    python benchmarks/electrode_volume_change.py [--engine NAME] [--start discharged] [--pairs …]
        [--only TEXT …] [--before JSON]

The 30 pairs of the source `electrode-pairs` (Materials Project, PBE+U), or a file of the same kind.
`both`: both crystals of a pair are relaxed.  `discharged`: the charged crystal is made from the
discharged one by taking the working ion out; pairs whose charged crystal keeps some are left out.
Two further rows, LiFePO4 and LiMnPO4, start from triphylite's experimental crystal.

Pairs that cannot be computed are listed with the reason: refused, unstable or failed.  Rows of an
older version, without an error bar, are computed again.  `--before` names such an older file; the
cost and the values of the same pairs are then compared.
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
        if record.content is None:
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
            "structure": record.content,
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

    from screening.targets.engines import build_engine, engine_config
    from workflows.insertion import InsertionInputs, InsertionMaker

    started = time.perf_counter()
    row = {
        "name": name,
        "discharged": task["structure"].reduced_formula,
        "working_ion": task["working_ion"],
        "dft_delta_volume_fraction": task["dft_delta_volume_fraction"],
        "dft_average_voltage_v": task["dft_average_voltage_v"],
    }
    # Whatever one pair does is a row of the table, with its reason; the others go on.
    try:
        maker = InsertionMaker(build_engine(engine_config(engine_name)))
        elements = {
            element.symbol
            for crystal in (task["structure"], task["charged"])
            if crystal is not None
            for element in crystal.composition.elements
        }
        inputs = InsertionInputs(charged=task["charged"], working_ion=task["working_ion"])
        arguments = (task["structure"], inputs)
        known = maker.engine.supported_elements()
        reason = maker.refusal(*arguments)
        if known is not None and (unknown := sorted(elements - known)):
            reason = f"engine '{engine_name}' does not take {', '.join(unknown)}"
        if reason is not None:
            return {**row, "outcome": "refused", "error": reason, "wall_s": 0.0}
        flow = maker.make(*arguments)
        store = JobStore(MemoryStore())
        run_locally(flow, store=store, ensure_success=False, log=False, raise_immediately=True)
        result = store.get_output(flow.output.uuid, which="last")
    except Exception as error:
        wall_s = time.perf_counter() - started
        return {**row, "outcome": "failed", "error": str(error), "wall_s": wall_s}
    row |= {
        "versions": result["provenance"]["versions"],
        "charged_formula": result["charged_formula"],
        "force_calls": result["cost"],
        "wall_s": time.perf_counter() - started,
    }
    if result["outcome"] != "computed":
        return {**row, "outcome": result["outcome"], "error": result["reason"]}
    kept = (
        *("delta_volume_fraction", "delta_volume_error_fraction"),
        *("signed_delta_volume_fraction", "average_voltage_v"),
        *("gravimetric_capacity_mah_per_g", "topotactic", "host_dimensionality"),
    )
    return {**row, "outcome": "computed", **{key: result[key] for key in kept}}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table and what it says in sum."""
    import numpy as np
    from scipy.stats import spearmanr

    lines = [
        "| electrode | ΔV/V DFT | ΔV/V | difference | voltage DFT | voltage | host | force calls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row["dft_delta_volume_fraction"]):
        label = f"{row.get('charged_formula', '')} → {row['discharged']}"
        reference, volts = row["dft_delta_volume_fraction"], row["dft_average_voltage_v"]
        said = "" if volts is None else f"{volts:.2f} V"
        if row["outcome"] != "computed":
            lines.append(
                f"| {label} | {reference:.4f} | {row['outcome']} | | {said} | "
                f"| {row['error'][:120]} | {row.get('force_calls', '')} |"
            )
            continue
        notes = [] if row["topotactic"] else ["framework lost"]
        if row["host_dimensionality"] is None:
            notes.append("no bonds found")
        elif row["host_dimensionality"] < 3:
            notes.append(f"{row['host_dimensionality']}D")
        value, error = row["delta_volume_fraction"], row["delta_volume_error_fraction"]
        lines.append(
            f"| {label} | {reference:.4f} | {value:.4f} ± {error:.4f} | {value - reference:+.4f} "
            f"| {said} | {row['average_voltage_v']:.2f} V | {', '.join(notes)} "
            f"| {row['force_calls']} |"
        )
    good = [row for row in rows if row["outcome"] == "computed"]
    calls = sum(row.get("force_calls", 0) for row in rows)
    cost = f"{calls} force calls, {sum(row['wall_s'] for row in rows):.0f} core s"
    if len(good) < 2:
        return "\n".join([*lines, f"\n{len(good)} of {len(rows)}; {cost}"])
    found = np.array([row["delta_volume_fraction"] for row in good])
    reference = np.array([row["dft_delta_volume_fraction"] for row in good])
    bars = np.array([row["delta_volume_error_fraction"] for row in good])
    errors = np.abs(found - reference)
    volts = [row for row in good if row["dft_average_voltage_v"] is not None]
    voltage = np.array([row["average_voltage_v"] - row["dft_average_voltage_v"] for row in volts])
    lines.append(
        f"\n{len(good)} of {len(rows)}: median |difference| {np.median(errors):.4f}, mean "
        f"{errors.mean():.4f}, worst {errors.max():.4f} "
        f"({good[int(errors.argmax())]['discharged']}); "
        f"Spearman {spearmanr(found, reference).statistic:.2f}; voltage: median |difference| "
        f"{np.median(np.abs(voltage)):.2f} V, mean {voltage.mean():+.2f} V; error bar: median "
        f"{np.median(bars):.4f}, largest {bars.max():.4f}; {cost}"
    )
    return "\n".join(lines)


def compared(rows: list[dict[str, Any]], before: dict[str, Any]) -> str:
    """Return what the same pairs cost before, and how far their values have moved."""
    import numpy as np

    pairs = [(before[row["name"]], row) for row in rows if row["name"] in before]
    pairs = [
        (old, new)
        for old, new in pairs
        if "delta_volume_fraction" in old and new["outcome"] == "computed"
    ]
    if not pairs:
        return "No pair was computed before."
    old_calls, new_calls = (sum(pair[side]["force_calls"] for pair in pairs) for side in (0, 1))
    old_s, new_s = (sum(pair[side]["wall_s"] for pair in pairs) for side in (0, 1))
    moved = [abs(new["delta_volume_fraction"] - old["delta_volume_fraction"]) for old, new in pairs]
    farthest = pairs[int(np.argmax(moved))][1]["discharged"]
    return (
        f"{len(pairs)} pairs before and now: {old_calls} and {new_calls} force calls, {old_s:.0f} "
        f"and {new_s:.0f} core s; ΔV/V moved by {np.median(moved):.4f} (median), at most "
        f"{max(moved):.4f} ({farthest})"
    )


def main() -> None:
    """Compute what is not there, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--start", choices=("both", "discharged"), default="both")
    parser.add_argument("--pairs", default="electrode-pairs", help="source, or a file like it")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="formulas of discharged crystals")
    parser.add_argument("--before", type=Path, help="results of an older version, to compare")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    stem = Path(arguments.engine).stem
    suffix = "" if arguments.pairs == "electrode-pairs" else f"-{Path(arguments.pairs).stem}"
    path = RESULTS / f"electrode_volume_change-{stem}-{arguments.start}{suffix}.json"
    before = json.loads(arguments.before.read_text()) if arguments.before else {}
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: row for name, row in kept.items() if "outcome" in row}
    wanted = {
        name: task
        for name, task in tasks(arguments.pairs, arguments.start).items()
        if not arguments.only or task["structure"].reduced_formula in arguments.only
    }
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
    rows = [kept[name] for name in wanted]
    print(table(rows))
    if before:
        print(compared(rows, before))


if __name__ == "__main__":
    main()
