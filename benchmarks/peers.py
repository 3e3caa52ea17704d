"""The optimiser beside others, and how right its error bars are, on public tables.

    python benchmarks/peers.py calibration [--data FOLDER]
    python benchmarks/peers.py optimisers [--data FOLDER] [--peers-python VENV/bin/python]
    python benchmarks/peers.py prior

`calibration`: fitted to ten results drawn at random, how many of the other values lie within one
and two of the predicted standard deviations?

`optimisers`: from the same five random candidates, how many evaluations does each need to the best
candidate of a table, and how many of its ten best does it have after 10, 20 and 30?  Ours, and with
an interpreter that has `physbo`, `optuna` with `torch`, and `scikit-optimize`, these as well
(`peers_picks.py`); all see the same features.

`prior`: how many of the ten best crystals of `phonondb-103` do ours have after 10, 20 and 30
evaluations when a cheap estimate of all is known (that of `prior_replay.py`)?  Means over random
four fifths of the table; beside them those of the estimate's own order.

The tables are described in `peers_tables.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import peers_tables

RESULTS = Path(__file__).parent / "results"
BESTS = 10
CHECKED_AFTER = (10, 20, 30)
INITIAL = 5
AT_MOST = 40
"""Evaluations after which a replay that has not found the best ends, and counts as these."""
PEERS = ("physbo", "optuna", "scikit-optimize")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("calibration", "optimisers", "prior"))
    parser.add_argument("--tables", default="kappa,glass")
    parser.add_argument("--data", type=Path, help="folder of the tables that are not shipped")
    parser.add_argument("--cache", type=Path, default=Path("peers-cache"))
    parser.add_argument("--results", default="5,10,20,40", help="known results, of calibration")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--samplers", default="expected-improvement,greedy")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--peers-python", help="interpreter that has the peers installed")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.what == "prior":
        with_prior(options.samplers.split(","), options.draws)
        return
    for name in options.tables.split(","):
        table = peers_tables.read(name, options.data, options.cache)
        if options.what == "calibration":
            calibration(table, [int(n) for n in options.results.split(",")], options.draws)
        else:
            optimisers(table, options)


def calibration(table: peers_tables.Table, counts: list[int], draws: int) -> None:
    """Print how many of the values that a model was not told lie within its error bars."""
    from screening.choosing.config import SurrogateConfig
    from screening.choosing.observations import Observations
    from screening.choosing.prediction import fit_predict

    values, spread = table.values, table.values.std()
    ids = [f"{i:05d}" for i in range(len(values))]
    for count in counts:
        found = []
        for draw in range(draws):
            order = np.random.default_rng([draw, count]).permutation(len(values))
            known, others = order[:count], order[count : count + 300]
            seen = Observations([ids[i] for i in known], table.features[known], values[known])
            mean, std = fit_predict(
                SurrogateConfig(), seen, [ids[i] for i in others], table.features[others], draw
            )
            off = np.abs(mean - values[others])
            within = [(off <= std).mean(), (off <= 2 * std).mean()]
            found.append([*within, np.sqrt((off**2).mean()) / spread])
        within_one, within_two, rms = np.mean(found, axis=0)
        low, high = _interval([row[0] for row in found])
        print(
            f"| {table.name} | {len(values)} | {count} | {within_one:.3f} ({low:.3f}–{high:.3f}) "
            f"| {within_two:.3f} | {rms:.2f} |",
            flush=True,
        )


def optimisers(table: peers_tables.Table, options: argparse.Namespace) -> None:
    """Print what each optimiser needed, and keep its picks' figures."""
    starts = [_start(len(table.values), seed) for seed in range(options.seeds)]
    for name in filter(None, options.samplers.split(",")):
        _report(table, name, [_our_picks(table, name, *pair) for pair in enumerate(starts)])
    for name in filter(None, options.peers.split(",")) if options.peers_python else ():
        _report(table, name, list(_their_picks(table, name, starts, options)))


def with_prior(samplers: list[str], draws: int) -> None:
    """Print how many of the ten best are found with a cheap estimate known, by sampler."""
    from prior_replay import PRIORS, estimates, known_table

    table, names = known_table()
    for prior in PRIORS:
        guesses = estimates(prior, names)
        found: dict[str, list[list[int]]] = {}
        for draw in range(draws):
            order = np.random.default_rng(draw).permutation(len(names))
            part = np.sort(order[: round(0.8 * len(names))])
            tried = peers_tables.Table("part", table.features[part], table.values[part])
            in_order = np.argsort(guesses[part], kind="stable").tolist()  # nan come last
            found.setdefault("its own order", []).append(_recall(tried, in_order))
            for kind in samplers:
                picks = _our_picks(tried, kind, draw, [], guesses[part])
                found.setdefault(kind, []).append(_recall(tried, picks))
        for kind, recalls in found.items():
            cells = [_cell(column) for column in np.array(recalls, dtype=float).T]
            print(f"| {prior} | {kind} | " + " | ".join(cells) + " |", flush=True)


def _start(n: int, seed: int) -> list[int]:
    """Return the first picks; those of `matscreen replay`."""
    first: list[int] = np.random.default_rng([seed, 0]).permutation(n)[:INITIAL].tolist()
    return first


def _our_picks(
    table: peers_tables.Table,
    kind: str,
    seed: int,
    start: list[int],
    prior: np.ndarray | None = None,
) -> list[int]:
    from screening.choosing.config import SamplerConfig, build_sampler
    from screening.choosing.observations import Observations

    sampler = build_sampler(SamplerConfig.model_validate({"kind": kind, "initial": INITIAL}))
    # Ties go by id: the order of the table must not tell which candidate is good.
    shuffled = np.random.default_rng([seed, 1]).permutation(len(table.values))
    ids = [f"{i:05d}" for i in shuffled]
    index = {candidate_id: i for i, candidate_id in enumerate(ids)}
    expected = None
    if prior is not None:
        pairs = zip(ids, prior.tolist(), strict=True)
        expected = {key: value for key, value in pairs if np.isfinite(value)}
    picked = list(start)
    while len(picked) < (max(CHECKED_AFTER) if _found(table, picked) else AT_MOST):
        known = [ids[i] for i in picked]
        rows = np.array(picked, dtype=int)
        seen = Observations(known, table.features[rows], table.values[rows], prior=expected)
        (proposal,) = sampler.propose(seen, ids, table.features, 1, seed)
        picked.append(index[proposal.candidate_id])
    return picked


def _found(table: peers_tables.Table, picked: list[int]) -> bool:
    return table.values.min() in table.values[np.array(picked, dtype=int)]


def _their_picks(
    table: peers_tables.Table, peer: str, starts: list[list[int]], options: argparse.Namespace
) -> Iterator[list[int]]:
    filled = np.where(np.isfinite(table.features), table.features, np.nan)
    filled = np.where(np.isnan(filled), np.nanmedian(filled, axis=0), filled)
    asked = {"starts": starts, "at_least": max(CHECKED_AFTER), "at_most": AT_MOST}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.npz"
        np.savez(file, features=filled[:, filled.std(0) > 1e-9], values=table.values)
        answered = subprocess.run(
            [options.peers_python, Path(__file__).with_name("peers_picks.py"), peer, file],
            input=json.dumps(asked),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    # Beside its picks a peer may print what it likes.
    for line in answered.stdout.splitlines():
        if line.startswith("["):
            yield json.loads(line)


def _report(table: peers_tables.Table, optimiser: str, picks: list[list[int]]) -> None:
    rows = []
    for picked in picks:
        reached = table.values[picked] <= table.values.min()
        to_best = int(np.argmax(reached)) + 1 if reached.any() else AT_MOST
        rows.append([to_best, *_recall(table, picked)])
    cells = [_cell(column) for column in np.array(rows, dtype=float).T]
    missed = sum(not _found(table, picked) for picked in picks)
    print(f"| {table.name} | {optimiser} | " + " | ".join(cells) + f" | {missed} |", flush=True)
    file = RESULTS / "peers-optimisers.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept.setdefault(table.name, {})[optimiser] = rows
    file.write_text(json.dumps(kept, sort_keys=True) + "\n")


def _recall(table: peers_tables.Table, picked: list[int]) -> list[int]:
    """Return how many of the ten best were picked after some numbers of evaluations."""
    best = np.argsort(table.values, kind="stable")[:BESTS]
    return [int(np.isin(best, picked[:n]).sum()) for n in CHECKED_AFTER]


def _cell(column: np.ndarray) -> str:
    low, high = _interval(column.tolist())
    return f"{column.mean():.1f} ({low:.1f}–{high:.1f})"


def _interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by bootstrap with a fixed seed."""
    drawn = np.random.default_rng(0).choice(values, size=(2000, len(values))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
