"""From nothing but elements to κ of compounds nobody has made: recommend, relax, judge, compute.

    python benchmarks/recommend_end_to_end.py --folder FOLDER --competitors SOURCE
        [--target benchmarks/alkali-chalcogenides.yaml]
        [--query 'kinds=3&top=20&prototypes=5&per_family=1'] [--engine sevennet-0] [--kappa 3]

Runs the commands that a user would type, in FOLDER, which holds the database:

1. ``matscreen submit --target TARGET --source recommend:… --competitors …``, and ``work``:
   all crystals of the recommended compositions, and all known competitors, relaxed by one engine;
2. verdicts, with what is missing by name;
3. a campaign of κ, by the recipe of ``low-kappa-coarse``, whose constraint lets in what is at most
   50 meV an atom above the hull; of these it computes the lowest composition by composition.

Each step finds what earlier runs have done: interrupted, it is to be started again.  The list of
proposals with verdicts and reasons, and what all of it cost, goes into `results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from commands import is_there, screen

RESULTS = Path(__file__).parent / "results"
HULL, KAPPA = "hull", "kappa"
MAX_DISTANCE_EV_PER_ATOM = 0.05
SHOWN = (
    *("hull_distance_ev_per_atom", "formation_energy_ev_per_atom", "stability_verdict"),
    *("decomposes_into", "missing_competitors", "missing_competitors_count", "polymorphs"),
)
REASONS = (
    *("recommend_rank", "recommend_chance", "relatives", "balance", "computed_by_mp"),
    *("mp_energy_above_hull_ev_per_atom", "prototype_parent", "prototype_space_group"),
    "prototype_confidence",
)


def proposals() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a row for each crystal, and what each campaign cost."""
    from screening.campaigns.campaign import SUBMITTED, Campaign
    from screening.campaigns.competitors import competitors_of
    from screening.campaigns.progress import progress_of
    from screening.campaigns.throughput import throughput_of
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    with open_database(Settings(), must_exist=True) as database:
        hull = Campaign.open(database, HULL)
        stored = list(database.candidates.find({"campaigns": HULL}, {"features": 0}))
        found = hull.whole_results(stored)
        conductivities: dict[str, dict[str, Any]] = {}
        campaigns = [competitors_of(hull), hull]
        if database.campaigns.find_one({"_id": KAPPA, **SUBMITTED}):
            kappa = Campaign.open(database, KAPPA)
            conductivities = kappa.whole_results(stored)
            campaigns.append(kappa)
        failed = {
            pick["candidate_id"]: pick.get("error", "")
            for pick in hull.picks()
            if pick["state"] == "failed"
        }
        rows = []
        for candidate in stored:
            key = candidate["_id"]
            result, kappa_of = found.get(key, {}), conductivities.get(key, {})
            # A crystal that is among the competitors as well has their origin, too.
            stated = next(
                origin["properties"]
                for origin in candidate["origins"]
                if "recommend_rank" in origin["properties"]
            )
            rows.append(
                {
                    "candidate_id": key,
                    "formula": candidate["formula"],
                    "space_group_number": candidate["space_group_number"],
                    **{field: stated.get(field) for field in REASONS},
                    "outcome": result.get("outcome", "failed" if key in failed else None),
                    "reason": result.get("reason") or failed.get(key, ""),
                    **{field: result.get(field) for field in SHOWN},
                    "kappa_outcome": kappa_of.get("outcome"),
                    "kappa_reason": kappa_of.get("reason"),
                    "kappa_300k_w_per_m_k": kappa_of.get("kappa_300k_w_per_m_k"),
                    "kappa_300k_error_w_per_m_k": kappa_of.get("kappa_300k_error_w_per_m_k"),
                }
            )
        costs = []
        for campaign in campaigns:
            if campaign is not None:
                snapshot = campaign.snapshot(rows=False, features=False)
                spent = throughput_of(snapshot, progress_of(snapshot))
                walls = [pick["wall_s"] for pick in snapshot.picks if pick.get("wall_s")]
                costs.append(
                    {
                        "campaign": campaign.name,
                        "candidates": len(snapshot.picks),
                        "failed": sum(pick["state"] == "failed" for pick in snapshot.picks),
                        "cost": spent.cost,
                        "cost_unit": spent.cost_unit,
                        "wall_s": sum(walls),
                    }
                )
    rows.sort(key=lambda row: (row["recommend_rank"] or 0, row["candidate_id"]))
    return rows, costs


def is_lowest(row: dict[str, Any]) -> bool:
    """Return whether a crystal is the lowest computed one of its composition."""
    return row["polymorphs"] is not None and (
        not row["polymorphs"] or row["polymorphs"].startswith("lowest")
    )


def lowest_of_each(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lowest crystal of each composition within the bound, the lowest first."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        distance = row["hull_distance_ev_per_atom"]
        if is_lowest(row) and distance is not None and distance <= MAX_DISTANCE_EV_PER_ATOM:
            found[row["formula"]].append(row)
    best = [min(each, key=lambda row: row["hull_distance_ev_per_atom"]) for each in found.values()]
    return sorted(best, key=lambda row: row["hull_distance_ev_per_atom"])


def submit_kappa(chosen: list[dict[str, Any]], engine: str) -> None:
    """Submit a campaign of κ of the crystals chosen, with the bound as its constraint."""
    from screening.candidates.kinds import from_document
    from screening.machine import shipped_configs as shipped
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    folder = Path("chosen")
    folder.mkdir(exist_ok=True)
    with open_database(Settings(), must_exist=True) as database:
        for row in chosen:
            stored = database.candidates.find_one({"_id": row["candidate_id"]})
            structure = from_document(stored or {}).content()
            structure.to(str(folder / f"{row['candidate_id']}.json"))
    coarse = shipped.read("targets", "low-kappa-coarse")
    content = {
        **{key: coarse[key] for key in ("objective", "direction", "recipe")},
        "target": "kappa-of-the-recommended",
        "engine": engine,
        "sources": [str(folder)],
        "constraints": {"hull_distance_ev_per_atom": {"max": MAX_DISTANCE_EV_PER_ATOM}},
        "sampler": {"kind": "random"},
        "budget": len(chosen),
        "batch_size": len(chosen),
    }
    # JSON is YAML.
    Path("kappa.yaml").write_text(json.dumps(content, indent=1), encoding="utf-8")
    screen("submit", "--target", "kappa.yaml", "--name", KAPPA)


def table(rows: list[dict[str, Any]], costs: list[dict[str, Any]]) -> str:
    """Return the lowest crystal of each composition as a table, and what all of it cost."""
    lines = [
        "| composition | chance | crystals | above hull / (meV/atom) | verdict | decomposes into | "
        "missing | κ(300 K) / (W/m/K) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    by_formula: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_formula[row["formula"]].append(row)
    for formula, crystals in by_formula.items():
        known = [row for row in crystals if row["stability_verdict"]]
        row = next(filter(is_lowest, known), crystals[0])
        distance, chance = row["hull_distance_ev_per_atom"], row["recommend_chance"]
        kappa = next((each for each in crystals if each["kappa_outcome"]), None)
        lines.append(
            "| "
            + " | ".join(
                [
                    formula,
                    "" if chance is None else f"{100 * chance:.0f} %",
                    f"{len(known)} of {len(crystals)}",
                    "" if distance is None else f"{1e3 * distance:.0f}",
                    row["stability_verdict"] or row["outcome"] or "not computed",
                    row["decomposes_into"] or "",
                    str(row["missing_competitors"] or ""),
                    _conductivity(kappa),
                ]
            )
            + " |"
        )
    lines += [
        f"{cost['campaign']}: {cost['candidates']} crystals, {cost['failed']} failed, "
        f"{cost['cost']:g} {cost['cost_unit']}, {cost['wall_s']:.0f} s"
        for cost in costs
    ]
    return "\n".join(lines)


def _conductivity(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    value, error = row["kappa_300k_w_per_m_k"], row["kappa_300k_error_w_per_m_k"]
    if value is None:
        return str(row["kappa_reason"] or row["kappa_outcome"])
    return f"{value:.3g}" + ("" if error is None else f" ± {error:.2g}")


def _in_any_folder(spec: str) -> str:
    """Return a path from the root, and anything else as it is."""
    return str(Path(spec).resolve()) if Path(spec).exists() else spec


def main() -> None:
    """Run what is left to run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--competitors", action="append", required=True)
    parser.add_argument("--target", default="stable-compound", help="or a YAML, as of filters")
    parser.add_argument("--query", default="kinds=3&top=20&prototypes=5&per_family=1")
    parser.add_argument("--engine", default="sevennet-0")
    parser.add_argument("--kappa", type=int, default=3, help="compositions whose κ is computed")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()

    competitors = [_in_any_folder(spec) for spec in arguments.competitors]
    target = _in_any_folder(arguments.target)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.folder)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    started = time.perf_counter()
    source = f"recommend:{arguments.query}"
    if not is_there(HULL):
        named = [word for spec in competitors for word in ("--competitors", spec)]
        submit = ("submit", "--target", target, "--engine", arguments.engine)
        screen(*submit, "--name", HULL, "--source", source, "--budget", 10_000, *named)
    screen("work", HULL, "--workers", arguments.workers)
    rows, costs = proposals()
    chosen = lowest_of_each(rows)[: arguments.kappa]
    if chosen and not is_there(KAPPA):
        submit_kappa(chosen, arguments.engine)
    if chosen:
        screen("work", KAPPA, "--workers", arguments.workers)
        rows, costs = proposals()
    print(table(rows, costs))
    content = {
        "target": Path(target).name,
        "query": arguments.query,
        "engine": arguments.engine,
        "competitors": [Path(spec).name for spec in competitors],
        "seconds_of_this_run": round(time.perf_counter() - started),
        "costs": costs,
        "proposals": rows,
    }
    path = RESULTS / f"recommend_end_to_end-{arguments.engine}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}", file=sys.stderr)


if __name__ == "__main__":
    main()
