"""Replaying the optimiser on a table of crystals whose values are known.

Nothing is computed: a sampler picks from the table as it would in a campaign and is told the value
of what it picked.  How many evaluations it needs to the best crystal, beside random choice and a
model that always takes what it expects to be best, tells which settings to use.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.candidates.refusal import Refusal
from screening.choosing.observations import Observations
from screening.choosing.samplers import SamplerConfig, build_sampler
from screening.intake.refusals import LeftOut, summed_up
from screening.machine.process_pool import processes
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.sources import SourceRecord

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Crystals with known values.

    Attributes
    ----------
    labels : list of str, length n
        Formula and name in the source.
    features : ndarray, shape (n, d)
    values : ndarray, shape (n,)
        On the model's scale: logarithms where asked for, lower is better.
    prior : ndarray, shape (n,), or None
        On the same scale; NaN where there is none.
    left_out : list of LeftOut
        Entries that were left out.
    """

    labels: list[str]
    features: Floats
    values: Floats
    prior: Floats | None = None
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def best(self) -> str:
        """Label of the best crystal."""
        return self.labels[int(self.values.argmin())]

    def goal(self, top_fraction: float) -> float:
        """Return the worst value among the best fraction, at least one crystal."""
        n_top = max(1, math.floor(top_fraction * len(self.values) + 1e-9))
        return float(np.sort(self.values)[n_top - 1])


LIMIT = 300
"""Evaluations after which a replay that has not found the best crystal goes on at random: a model
that is still wrong by then has failed, and would take hours to fail on."""


FEW = 200
"""Crystals times replays up to which other processes would take longer to start."""
MIN_REPLAYS = 5
"""Replays from which on the mean gets an interval."""


@dataclass(frozen=True)
class Run:
    """How many evaluations one replay took to the best crystal, and to one of the best fraction."""

    to_best: int
    to_top: int


def read_table(
    records: Iterable[SourceRecord],
    value_key: str,
    *,
    maximize: bool,
    log: bool,
    prior_key: str | None = None,
    workers: int = 1,
    on_entry: Callable[[], None] = lambda: None,
) -> Table:
    """Read crystals and their values, and compute features.

    Every entry counts as a crystal of its own, also one that is there twice.

    Raises
    ------
    ScreenError
        When no entry, or only one, has a structure and a value.
    """
    scale = functools.partial(on_model_scale, maximize=maximize, log=log)
    refused: list[tuple[str, Refusal | str]] = []
    taken: list[tuple[str, Any, float, float]] = []
    places: list[str] = []
    keys: set[str] = set()

    for record in records:
        on_entry()
        keys.update(record.properties)
        if record.content is None:
            refused.append((record.location, record.refusal or "it holds no structure"))
            continue
        value = scale(record.properties.get(value_key))
        if value is None:
            positive = " above 0, as --log needs," if log else ""
            refused.append((record.location, f"it has no number{positive} as '{value_key}'"))
            continue
        guess = None if prior_key is None else scale(record.properties.get(prior_key))
        label = f"{record.content.reduced_formula} ({record.material_id})"
        taken.append((label, record.content, value, math.nan if guess is None else guess))
        places.append(record.location)
    if keys:
        for key in filter(None, (value_key, prior_key)):
            if key not in keys:
                numbers = ", ".join(sorted(keys)) or "none"
                raise ScreenError(f"no entry has a field '{key}'; fields found: {numbers}")
    structures = [structure for _, structure, _, _ in taken]
    rows = _features(structures, workers)
    kept = []
    for entry, place, row in zip(taken, places, rows, strict=True):
        if isinstance(row, Refusal):
            refused.append((place, row))
        else:
            kept.append((entry, row))
    left_out = summed_up(refused)
    if len(kept) < 2:
        said = "; ".join(f"{each.count} × {each.reason}" for each in left_out)
        raise ScreenError(
            f"at least two crystals with values are needed, found {len(kept)}"
            + (f"; left out: {said}" if said else "; the source is empty")
        )
    prior = np.array([guess for (_, _, _, guess), _ in kept])
    if prior_key is not None and not np.isfinite(prior).any():
        raise ScreenError(f"no crystal has a number as '{prior_key}' that could be a prior")
    return Table(
        labels=[label for (label, _, _, _), _ in kept],
        features=np.array([row for _, row in kept], dtype=float),
        values=np.array([value for (_, _, value, _), _ in kept]),
        prior=None if prior_key is None else prior,
        left_out=left_out,
    )


def on_model_scale(value: Any, *, maximize: bool, log: bool) -> float | None:
    """Return a value on the scale where lower is better, None for what has no place on it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if log and value <= 0:
        return None
    scaled = math.log10(value) if log else float(value)
    return -scaled if maximize else scaled


def _features(structures: list[Any], workers: int) -> list[list[float] | Refusal]:
    if workers == 1 or len(structures) < 50:
        return [_features_of(each) for each in structures]
    try:
        with processes(workers) as executor:
            return list(executor.map(_features_of, structures, chunksize=20))
    except BrokenProcessPool:
        raise ScreenError(
            "a process that computed features was killed, perhaps for its memory; try --workers 1"
        ) from None


def _features_of(structure: Any) -> list[float] | Refusal:
    """Return the features of a crystal's standard cell, or why it has none."""
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_features import features
    from screening.candidates.refusal import RefusedError

    try:
        candidate = crystal_from_structure(structure, Origin(source="", material_id=""))
    except RefusedError as error:
        return error.refusal
    return features(candidate.content())


def replay(
    table: Table,
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
    n_crystals = len(table.values)
    best = table.values.min()
    generator = np.random.default_rng([seed, 0])
    at_random = generator.permutation(n_crystals)
    # Ties go by id: the order of the table must not tell which crystal is good.
    ids = [f"{i:06d}" for i in generator.permutation(n_crystals)]
    index = {candidate_id: i for i, candidate_id in enumerate(ids)}
    picked: list[int] = []
    prior = None
    if table.prior is not None and config.kind != "random":
        prior = {ids[i]: each for i, each in enumerate(table.prior.tolist()) if math.isfinite(each)}
    else:
        picked = at_random[: config.initial].tolist()
    limit = 0 if config.kind == "random" else LIMIT
    sampler = build_sampler(config)
    while len(picked) < min(limit, n_crystals) and table.values[picked].min(initial=np.inf) > best:
        seen = Observations(
            ids=[ids[i] for i in picked],
            features=table.features[picked],
            values=table.values[picked],
            prior=prior,
        )
        choices = sampler.propose(seen, ids, table.features, batch_size, seed)
        picked += [index[choice.candidate_id] for choice in choices]
    taken = set(picked)
    found = table.values[[*picked, *(i for i in at_random if i not in taken)]]
    goal = table.goal(top_fraction)
    return Run(int(np.argmax(found <= best)) + 1, int(np.argmax(found <= goal)) + 1)


def replays(
    table: Table,
    config: SamplerConfig,
    *,
    seeds: int,
    batch_size: int,
    top_fraction: float,
    workers: int = 1,
    on_run: Callable[[], None] = lambda: None,
) -> list[Run]:
    """Replay with seeds 0, 1, 2, …"""
    one = functools.partial(
        _replay_seed, table, config, batch_size=batch_size, top_fraction=top_fraction
    )
    found = []
    with contextlib.ExitStack() as stack:
        apply: Callable[..., Iterable[Run]] = map
        large = len(table.values) * seeds > FEW
        if workers > 1 and large and config.kind != "random":
            apply = stack.enter_context(processes(workers)).map
        for run in apply(one, range(seeds)):
            on_run()
            found.append(run)
    return found


def _replay_seed(table: Table, config: SamplerConfig, seed: int, **options: Any) -> Run:
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


def expected_at_random(table: Table, goal: float) -> float:
    """Return the mean evaluations that random choice needs to one of the crystals at the goal.

    Of n crystals k of which count, drawn without replacement, the first comes as the
    (n + 1)/(k + 1)-th on average.
    """
    return (len(table.values) + 1) / (int((table.values <= goal).sum()) + 1)


def report(
    table: Table,
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
    found = {
        kind: replays(table, config.model_copy(update={"kind": kind}), **options)
        for kind in dict.fromkeys((config.kind, "greedy", "random"))
    }
    goal = table.goal(top_fraction)
    runs = found[config.kind]
    best = Summary.of([run.to_best for run in runs])
    top = Summary.of([run.to_top for run in runs])
    greedy = Summary.of([run.to_best for run in found["greedy"]])
    greedy_top = Summary.of([run.to_top for run in found["greedy"]])
    chance = Summary.of([run.to_best for run in found["random"]])
    chance_top = Summary.of([run.to_top for run in found["random"]])
    exact = expected_at_random(table, float(table.values.min()))
    return {
        "sampler": config.kind,
        "settings": config.model_dump(mode="json"),
        "seeds": seeds,
        "batch_size": batch_size,
        "crystals": len(table.values),
        "left_out": {each.reason: each.count for each in table.left_out},
        "best": table.best,
        "with_prior": table.prior is not None,
        "evaluations_to_best": best.evaluations,
        "mean_evaluations_to_best": best.mean,
        "interval_95_of_mean_evaluations_to_best": best.interval,
        "range_of_evaluations_to_best": best.range,
        "top_fraction": top_fraction,
        "top_crystals": int((table.values <= goal).sum()),
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
