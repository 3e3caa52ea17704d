"""Was the search of an olivine campaign better than chance?  And its figure.

    cd search && screen submit --target …/benchmarks/olivine.yaml --name olivine --wait
    cd chance && screen submit --target …/benchmarks/olivine-random.yaml --name olivine --wait
    python benchmarks/olivine_replay.py search/olivine chance/olivine [--figure docs/olivine.svg]

Each in a folder, and so with a database, of its own: campaigns of one database learn from each
other's results.  What both have computed is taken for the whole pool, and searched again from many
seeds by expected improvement and by random choice: after how many evaluations was the best
feasible candidate found?  The figure shows the volume change of all of them against their voltage.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

PARENT = Path(__file__).parent / "results" / "electrode_volume_change-chgnet-discharged.json"


def evaluations_to_best(
    pool: dict[str, tuple[list[float], float | None]], kind: str, seed: int, initial: int
) -> int:
    """Return after how many evaluations the best feasible candidate was computed.

    Parameters
    ----------
    pool
        Features and value of each candidate; None where it is infeasible.
    """
    import numpy as np

    from screening.choosing.config import SamplerConfig, build_sampler
    from screening.choosing.observations import Observations

    options = {"kind": kind, "initial": initial}
    if kind == "expected-improvement":
        options["xi"] = 0.0005
    sampler = build_sampler(SamplerConfig.model_validate(options))
    best = min((value, key) for key, (_, value) in pool.items() if value is not None)[1]
    seen: list[str] = []
    while best not in seen:
        good = sorted(key for key in seen if pool[key][1] is not None)
        bad = sorted(set(seen) - set(good))

        def rows(keys: list[str]) -> Any:
            width = len(next(iter(pool.values()))[0])
            return np.array([pool[key][0] for key in keys], dtype=float).reshape(len(keys), width)

        observations = Observations(
            ids=good,
            features=rows(good),
            values=np.array([pool[key][1] for key in good], dtype=float),
            infeasible_ids=bad,
            infeasible_features=rows(bad),
        )
        left = sorted(pool.keys() - set(seen))
        (choice,) = sampler.propose(observations, left, rows(left), 1, 1000 * seed + len(seen))
        seen.append(choice.candidate_id)
    return len(seen)


def figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw volume change against voltage, with the Pareto front of the feasible ones."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    from screening.targets.second_objective import front

    plt.rcParams.update({"font.size": 10, "svg.hashsalt": "matscreen"})
    picture, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    groups = (
        ("infeasible", "x", "#999999", "breaks a constraint"),
        ("computed", "o", "#0072B2", "feasible"),
    )
    for outcome, marker, colour, label in groups:
        mine = [row for row in rows if row["outcome"] == outcome]
        axes.scatter(
            [row["average_voltage_v"] for row in mine],
            [100 * row["delta_volume_fraction"] for row in mine],
            marker=marker,
            color=colour,
            label=label,
            s=28,
        )
    feasible = {row["candidate_id"]: row for row in rows if row["outcome"] == "computed"}
    best = front(
        {
            key: (row["delta_volume_fraction"], -row["average_voltage_v"])
            for key, row in feasible.items()
        }
    )
    line = sorted((feasible[key] for key in best), key=lambda row: row["average_voltage_v"])
    axes.plot(
        [row["average_voltage_v"] for row in line],
        [100 * row["delta_volume_fraction"] for row in line],
        color="#D55E00",
        label="Pareto front",
    )
    for number, row in enumerate(line):
        axes.annotate(
            row["formula"],
            (row["average_voltage_v"], 100 * row["delta_volume_fraction"]),
            xytext=(-6, 2 + 8 * (number % 2)),
            textcoords="offset points",
            ha="right",
            fontsize=7,
        )
    parent = json.loads(PARENT.read_text())["LiFePO4"]
    axes.axhline(100 * parent["delta_volume_fraction"], color="black", lw=0.8, ls="--")
    axes.text(
        0.01,
        100 * parent["delta_volume_fraction"],
        " LiFePO4",
        transform=axes.get_yaxis_transform(),
        va="bottom",
        fontsize=8,
    )
    axes.set_xlabel("average voltage against lithium / V")
    axes.set_ylabel("volume change max(V)/min(V) − 1 / %")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    picture.savefig(path, metadata={"Date": None})


def main() -> None:
    """Collect, replay, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("campaigns", nargs="+", help="FOLDER/NAME")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--initial", type=int, default=5)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    import numpy as np

    from screening.campaigns.campaign import Campaign
    from screening.machine.settings import Settings
    from screening.ranking.build import ranking
    from screening.ranking.columns import as_records
    from screening.store.database import open_database

    by_id: dict[str, dict[str, Any]] = {}
    order: dict[str, list[str]] = {}
    for where in map(Path, arguments.campaigns):
        settings = Settings(directory=where.parent / ".screen")
        with open_database(settings, must_exist=True) as database:
            campaign = Campaign.open(database, where.name)
            features = campaign.pool_features()
            objective = campaign.objective
            for row in as_records(ranking(campaign), objective):
                if row["outcome"] in ("computed", "infeasible"):
                    by_id[row["candidate_id"]] = row
            order[str(where)] = [pick["candidate_id"] for pick in campaign.picks()]
    print("| campaign | evaluations | feasible | best after 5, 10, 14, 20, 30, all |")
    print("|---|---|---|---|")
    for name, ids in order.items():
        values = [
            by_id[key][objective.value_field] if by_id[key]["outcome"] == "computed" else np.inf
            for key in ids
            if key in by_id
        ]
        best = [
            f"{min(values[:n]):.4f}" for n in (5, 10, 14, 20, 30, len(values)) if n <= len(values)
        ]
        print(f"| {name} | {len(values)} | {np.isfinite(values).sum()} | {', '.join(best)} |")
    pool = {
        key: (
            features[key],
            row[objective.value_field] if row["outcome"] == "computed" else None,
        )
        for key, row in by_id.items()
    }
    print(f"\nreplay on these {len(pool)}, {arguments.seeds} seeds: evaluations to the best")
    for kind in ("expected-improvement", "random"):
        found = [
            evaluations_to_best(pool, kind, seed, arguments.initial)
            for seed in range(arguments.seeds)
        ]
        error = 1.96 * np.std(found, ddof=1) / np.sqrt(len(found))
        print(
            f"{kind}: mean {np.mean(found):.1f} ± {error:.1f} (95 %), median {np.median(found):g}"
        )
    if arguments.figure is not None:
        figure(list(by_id.values()), arguments.figure)


if __name__ == "__main__":
    main()
