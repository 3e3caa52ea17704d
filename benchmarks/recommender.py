"""How good recommendations would have been: time splits of a known list, method by method.

    python benchmarks/recommender.py --kinds 3,4 --since 2005 --seeds 3 [--known FILE]

Everything is learnt from what the list knew at the end of the year; hits are compositions that
it has first reports of later. One JSON object a line for each split goes to
`results/recommender.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

from screening.recommender.known import read_known, shipped_list
from screening.recommender.validation import CALIBRATED_TOP, time_split

RESULTS = Path(__file__).parent / "results" / "recommender.jsonl"


def main() -> None:
    """Print the tables and keep the rows."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kinds", default="3")
    arguments.add_argument("--since", type=int, default=2005)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--known")
    asked = arguments.parse_args()
    known = shipped_list() if asked.known is None else read_known(asked.known)
    for kind in map(int, asked.kinds.split(",")):
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            start = time.process_time()
            split = time_split(known, kind, asked.since, seed=seed)
            seconds = time.process_time() - start
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(
                f"\n{kind} elements, known <= {asked.since}, later until {split.until}, "
                f"seed {seed}: {split.n_space:,} compositions, "
                f"{split.n_later_inside} of {split.n_later} later "
                f"ones inside; {seconds:.0f} CPU s, {memory:.2f} GiB"
            )
            for method in split.methods:
                hits = " / ".join(f"{hits:4d}" for hits in method.hits.values())
                print(
                    f"  {method.method:42s} {hits}  x {method.times_random[CALIBRATED_TOP]:4.0f}  "
                    f"AUC {method.roc_auc:.3f}  AP {method.average_precision:.4f}"
                )
            print(f"  by balance: {split.by_balance}")
            if split.chance_sum is not None:
                print(f"  sum of chances of the first {CALIBRATED_TOP}: {split.chance_sum:.0f}")
                for part in split.reliability:
                    print(
                        f"    {part['first']}-{part['last']}: mean chance "
                        f"{part['mean_chance']:.3f}, reported {part['reported']:.3f}"
                    )
            row = {**split.plain(), "cpu_seconds": seconds, "peak_memory_gib": memory}
            with RESULTS.open("a") as out:
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
