"""Replaying the optimiser on a table of candidates whose values are known.

Nothing is computed: a sampler picks from the table as it would in a campaign and is told the value
of what it picked.  How many evaluations it needs to the best candidate, beside random choice and a
model that always takes what it expects to be best, tells which settings to use.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from screening.choosing.config import SamplerConfig, build_sampler
from screening.choosing.observations import Observations
from screening.machine.process_pool import processes
from screening.studies.known_values import KnownValues

LIMIT = 300
"""Evaluations after which a replay that has not found the best candidate goes on at random: a model
that is still wrong by then has failed, and would take hours to fail on."""
FEW = 200
"""Crystals times replays up to which other processes would take longer to start."""
MIN_REPLAYS = 5
"""Replays from which on the mean gets an interval."""


@dataclass(frozen=True)
class Run:
    """Evaluations that one replay took to the best candidate, and to one of the best fraction."""

    to_best: int
    to_top: int


def replay(
    table: KnownValues,
    config: SamplerConfig,
    *,
    seed: int,
    batch_size: int = 1,
    top_fraction: float = 0.01,
) -> Run:
    """Pick from a table until its best crystal is found.

    The first `config.initial` picks are drawn at random, so that all samplers start from the same
    ones; with a prior there are none.

    Parameters
    ----------
    table, config
    seed : int
        Of the random picks and of the sampler.
    batch_size : int
        Picks made at once, before their values are told.
    top_fraction : float
        Of the table, one of which is to be found as well.
    """
    n_candidates = len(table.values)
    best = table.values.min()
    generator = np.random.default_rng([seed, 0])
    at_random = generator.permutation(n_candidates)
    # Ties go by id: the order of the table must not tell which crystal is good.
    ids = [f"{i:06d}" for i in generator.permutation(n_candidates)]
    index = {candidate_id: i for i, candidate_id in enumerate(ids)}
    picked: list[int] = []
    prior = None
    if table.prior is not None and config.kind != "random":
        estimates = zip(ids, table.prior.tolist(), strict=True)
        prior = {key: value for key, value in estimates if math.isfinite(value)}
    else:
        picked = at_random[: config.initial].tolist()
    limit = 0 if config.kind == "random" else LIMIT
    sampler = build_sampler(config)
    while (
        len(picked) < min(limit, n_candidates) and table.values[picked].min(initial=np.inf) > best
    ):
        seen = Observations(
            ids=[ids[i] for i in picked],
            features=table.features[picked],
            values=table.values[picked],
            prior=prior,
        )
        proposals = sampler.propose(seen, ids, table.features, batch_size, seed)
        if not proposals:  # it has found what it looks for
            break
        picked += [index[proposal.candidate_id] for proposal in proposals]
    taken = set(picked)
    in_order = table.values[[*picked, *(i for i in at_random if i not in taken)]]
    goal = table.goal(top_fraction)
    return Run(int(np.argmax(in_order <= best)) + 1, int(np.argmax(in_order <= goal)) + 1)


def replays(
    table: KnownValues,
    config: SamplerConfig,
    *,
    seeds: int,
    batch_size: int,
    top_fraction: float,
    workers: int = 1,
    on_run: Callable[[], None] = lambda: None,
) -> list[Run]:
    """Replay with seeds 0, 1, 2, …"""
    replay_seed = functools.partial(
        _replay_seed, table, config, batch_size=batch_size, top_fraction=top_fraction
    )
    runs = []
    with contextlib.ExitStack() as stack:
        apply: Callable[..., Iterable[Run]] = map
        large = len(table.values) * seeds > FEW
        if workers > 1 and large and config.kind != "random":
            apply = stack.enter_context(processes(workers)).map
        for run in apply(replay_seed, range(seeds)):
            on_run()
            runs.append(run)
    return runs


def _replay_seed(table: KnownValues, config: SamplerConfig, seed: int, **options: Any) -> Run:
    return replay(table, config, seed=seed, **options)


@dataclass(frozen=True)
class Summary:
    """What several replays took.

    Attributes
    ----------
    mean : float
        Of the evaluations.
    interval : tuple of float, or None
        95 % interval of that mean, by bootstrap over the seeds; None for fewer than
        `MIN_REPLAYS`, which say nothing about it.
    """

    evaluations: list[int]
    mean: float
    interval: tuple[float, float] | None

    @property
    def range(self) -> tuple[int, int]:
        """The fewest and the most."""
        return min(self.evaluations), max(self.evaluations)

    @classmethod
    def of(cls, evaluations: list[int]) -> Summary:
        """Sum up, the bootstrap with a fixed seed."""
        values = np.array(evaluations, dtype=float)
        if len(values) < MIN_REPLAYS:
            return cls(evaluations, float(values.mean()), None)
        drawn = np.random.default_rng(0).choice(values, size=(2000, len(values)))
        low, high = np.percentile(drawn.mean(1), [2.5, 97.5])
        return cls(evaluations, float(values.mean()), (float(low), float(high)))


def expected_at_random(table: KnownValues, goal: float) -> float:
    """Return the mean evaluations that random choice needs to one of the candidates at the goal.

    Of n candidates k of which count, drawn without replacement, the first comes as the
    (n + 1)/(k + 1)-th on average.
    """
    return (len(table.values) + 1) / (int((table.values <= goal).sum()) + 1)


def _yardstick(kind: str, config: SamplerConfig) -> SamplerConfig:
    """Return another sampler with what all samplers are told."""
    shared = config.model_dump(include=set(SamplerConfig.model_fields) - {"kind"})
    return SamplerConfig.model_validate({**shared, "kind": kind})


def _summaries(runs: list[Run]) -> tuple[Summary, Summary]:
    return Summary.of([run.to_best for run in runs]), Summary.of([run.to_top for run in runs])


def report(
    table: KnownValues,
    config: SamplerConfig,
    *,
    seeds: int,
    batch_size: int,
    top_fraction: float,
    workers: int,
    on_run: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Replay a sampler, a greedy model and random choice; return what they took."""
    options: dict[str, Any] = {
        "seeds": seeds,
        "batch_size": batch_size,
        "top_fraction": top_fraction,
        "workers": workers,
        "on_run": on_run,
    }
    runs = {config.kind: replays(table, config, **options)}
    for kind in ("greedy", "random"):
        if kind not in runs:
            runs[kind] = replays(table, _yardstick(kind, config), **options)
    goal = table.goal(top_fraction)
    best, top = _summaries(runs[config.kind])
    greedy, greedy_top = _summaries(runs["greedy"])
    chance, chance_top = _summaries(runs["random"])
    exact = expected_at_random(table, float(table.values.min()))
    return {
        "sampler": config.kind,
        "settings": config.model_dump(mode="json"),
        "seeds": seeds,
        "batch_size": batch_size,
        "candidates": len(table.values),
        "left_out": {group.reason: group.count for group in table.left_out},
        "best": table.best,
        "with_prior": table.prior is not None,
        "evaluations_to_best": best.evaluations,
        "mean_evaluations_to_best": best.mean,
        "interval_95_of_mean_evaluations_to_best": best.interval,
        "range_of_evaluations_to_best": best.range,
        "top_fraction": top_fraction,
        "top_candidates": int((table.values <= goal).sum()),
        "evaluations_to_top_fraction": top.evaluations,
        "mean_evaluations_to_top_fraction": top.mean,
        "interval_95_of_mean_evaluations_to_top_fraction": top.interval,
        "range_of_evaluations_to_top_fraction": top.range,
        "greedy_evaluations_to_best": greedy.evaluations,
        "greedy_mean_evaluations_to_best": greedy.mean,
        "greedy_interval_95_of_mean_evaluations_to_best": greedy.interval,
        "greedy_range_of_evaluations_to_best": greedy.range,
        "greedy_mean_evaluations_to_top_fraction": greedy_top.mean,
        "greedy_interval_95_of_mean_evaluations_to_top_fraction": greedy_top.interval,
        "greedy_range_of_evaluations_to_top_fraction": greedy_top.range,
        "random_mean_evaluations_to_best": exact,
        "random_simulated_mean_evaluations_to_best": chance.mean,
        "random_interval_95_of_mean_evaluations_to_best": chance.interval,
        "random_mean_evaluations_to_top_fraction": expected_at_random(table, goal),
        "random_interval_95_of_mean_evaluations_to_top_fraction": chance_top.interval,
        "times_fewer_than_random": exact / best.mean,
    }
