"""How soon the crystal of lowest κ is found when a cheaper estimate of all crystals is known.

    python benchmarks/prior_replay.py [--draws N]

Replays on `phonondb-103` that start from a prior: Slack's κ from elastic constants
(`slack_against_phonondb.py`), or κ of a potential by the coarse recipe
(`kappa_against_phonondb.py --target low-kappa-coarse --every 1`).  A replay with a prior draws
nothing at random; the interval is over random halves of the other crystals, and other crystals are
searched for as well: the best after the best ones were taken away.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from screening.candidates.crystal_kind import CRYSTAL
from screening.choosing.config import SamplerConfig
from screening.sources import open_source
from screening.studies.known_values import KnownValues, read_table
from screening.studies.replay import Summary, replay
from screening.targets.scale import Scale

RESULTS = Path(__file__).parent / "results"
VALUE = "kappa_300k_with_nac_w_per_m_k"
PRIORS = {
    "Slack's κ, sevennet-l3i5": (
        "slack_against_phonondb-sevennet-l3i5.json",
        "slack_kappa_300k_w_per_m_k",
    ),
    "κ by the coarse recipe, sevennet-l3i5": (
        "kappa_against_phonondb-low-kappa-coarse-sevennet-l3i5-every-1.json",
        "kappa_300k_w_per_m_k",
    ),
}
TAKEN_AWAY = 6
"""How many of the best crystals are taken away, one after the other, to search for the next."""


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args()
    table, names = known_table()
    rank = np.argsort(table.values, kind="stable")
    best = [table.labels[i].split(" ")[0] for i in rank[: TAKEN_AWAY + 1]]
    print("| prior | sampler | " + " | ".join(f"to {name}" for name in best) + " | halves |")
    print("|" + "---|" * (len(best) + 3))
    for prior, (file, _) in PRIORS.items():
        if not (RESULTS / file).exists():
            print(f"{prior}: missing {RESULTS / file}; run the benchmark that makes it")
            continue
        guesses = estimates(prior, names)
        known = replace(table, prior=guesses)
        for kind in ("expected-improvement", "greedy"):
            config = SamplerConfig.model_validate({"kind": kind})
            found = [
                replay(_part(known, rank[first:]), config, seed=0).to_best
                for first in range(TAKEN_AWAY + 1)
            ]
            halves = [
                replay(_part(known, rows_), config, seed=0).to_best
                for rows_ in _halves(rank, options.draws)
            ]
            mean = Summary.of(halves)
            print(
                f"| {prior} | {kind} | "
                + " | ".join(map(str, found))
                + f" | {mean.mean:.1f} ({mean.interval[0]:.1f}–{mean.interval[1]:.1f}) |",
                flush=True,
            )
        computed = np.isfinite(guesses)
        place = int((guesses < guesses[rank[0]]).sum()) + 1
        print(f"{prior}: {computed.sum()} of {len(names)} have one; {best[0]} is number {place}\n")


def known_table() -> tuple[KnownValues, list[str]]:
    """Return the crystals with their first-principles κ, and their names in PhononDB."""
    records = list(open_source("phonondb-103").records())
    table = read_table(records, VALUE, kind=CRYSTAL, scale=Scale(logarithmic=True))
    return table, [record.material_id for record in records]


def estimates(prior: str, names: list[str]) -> np.ndarray:
    """Return log₁₀ of a prior's κ, NaN where there is none."""
    file, key = PRIORS[prior]
    rows = {row["material_id"]: row for row in json.loads((RESULTS / file).read_text())}
    return np.array([_log(rows.get(name, {}).get(key)) for name in names])


def _log(value: float | None) -> float:
    return math.log10(value) if value else math.nan


def _part(table: KnownValues, rows: np.ndarray) -> KnownValues:
    """Return some of the crystals, in the table's own order."""
    rows = np.sort(rows)
    assert table.prior is not None
    return KnownValues(
        [table.labels[i] for i in rows],
        table.features[rows],
        table.values[rows],
        table.prior[rows],
    )


def _halves(rank: np.ndarray, draws: int) -> Iterator[np.ndarray]:
    """Yield the best crystal and a random half of the others."""
    generator = np.random.default_rng(0)
    for _ in range(draws):
        others = generator.permutation(rank[1:])[: len(rank) // 2]
        yield np.concatenate([rank[:1], others])


if __name__ == "__main__":
    main()
