"""Which candidates to evaluate next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
from pydantic import BaseModel, Field, model_validator

from screening.choosing.acquisitions import ACQUISITIONS, Posterior
from screening.choosing.observations import Observations, Proposal
from screening.choosing.prior import with_prior
from screening.choosing.surrogates import (
    FeatureScaling,
    SurrogateConfig,
    build_surrogate,
    probability_feasible,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Candidates scored again for the second and later picks of a batch: the best of the first scoring.
SHORTLIST = 500
COSTED = 20
"""Candidates whose cost is asked for when a batch is chosen: working one out takes a second."""
NEIGHBOURS = 3
"""Evaluated candidates that a pick names as its nearest."""


class SamplerConfig(BaseModel, extra="forbid"):
    """How candidates are picked.

    Attributes
    ----------
    kind : str
        A key of `SAMPLERS`.
    initial : int
        Picks that spread over the pool before a model is asked.
    xi : float
        Least improvement, in the objective's model space, worth an evaluation.
    kappa : float
        Standard deviations that the lower confidence bound lies below the mean.
    cost_exponent : float
        Scores of improvement are divided by the estimated force calls to this power: 0 ignores the
        cost, 1 asks for improvement a force call.
    surrogate : SurrogateConfig
    """

    kind: Literal[
        "expected-improvement",
        "probability-of-improvement",
        "lower-confidence-bound",
        "thompson",
        "greedy",
        "random",
    ] = "expected-improvement"
    initial: int = Field(default=5, ge=1)
    xi: float = Field(default=0.01, ge=0)
    kappa: float = Field(default=1.96, ge=0)
    cost_exponent: float = Field(default=0.0, ge=0, le=2)
    surrogate: SurrogateConfig = SurrogateConfig()

    @model_validator(mode="after")
    def _cost_divides_an_improvement(self) -> Self:
        if self.cost_exponent and not self.kind.endswith("improvement"):
            raise ValueError(f"cost_exponent needs a kind of improvement, not '{self.kind}'")
        return self


#: Estimated force calls of candidates, by id.
Cost = Callable[[list[str]], "Floats"]


class Sampler(Protocol):
    """Picks from a finite list of candidates."""

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
        cost: Cost | None = None,
    ) -> list[Proposal]:
        """Pick up to `n` distinct candidates, best first.

        Parameters
        ----------
        observations : Observations
        available_ids : list of str, length m
            Any that are evaluated, infeasible or pending are passed over.
        available_features : ndarray, shape (m, d)
            Raw; NaN is allowed.
        n : int
        seed : int
            The same arguments give the same picks, in whatever order the ids come.
        cost : callable, optional
            Only asked for the best few, because it takes a while.
        """
        ...


class RandomSampler:
    """Every candidate is as likely as any other: the yardstick for the rest."""

    def __init__(self, config: SamplerConfig) -> None:
        pass

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
        cost: Cost | None = None,
    ) -> list[Proposal]:
        """Draw without replacement."""
        pool = _Pool.of(observations, available_ids, available_features)
        drawn = pool.generator(seed).permutation(len(pool.ids))[:n]
        return [Proposal(pool.ids[i], "random") for i in drawn]


class ModelSampler:
    """Spread out first, then let a surrogate rank every available candidate.

    In a batch, and with candidates still running, each of these is taken to turn out exactly as
    predicted (kriging believer), so that the next pick looks elsewhere.  With a prior there is no
    need to spread: the model starts from it, and learns where it is wrong.
    """

    def __init__(self, config: SamplerConfig) -> None:
        self._config = config
        self._acquisition = ACQUISITIONS[config.kind]

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
        cost: Cost | None = None,
    ) -> list[Proposal]:
        """Pick `initial` candidates by distance and the others by the model.

        While fewer than two candidates have a value, there is nothing to model and the spreading
        goes on, or the prior decides.
        """
        pool = _Pool.of(observations, available_ids, available_features)
        n = min(n, len(pool.ids))
        if pool.prior is not None and len(pool.values) < 2:
            order = np.argsort(pool.prior.available, kind="stable")[:n]
            return [
                Proposal(
                    pool.ids[i], "prior", predicted_mean=float(pool.prior.available[i]), rank=k
                )
                for k, i in enumerate(order, start=1)
            ]
        n_spread = 0 if pool.prior else min(n, max(0, self._config.initial - len(pool.seen)))
        if len(pool.values) < 2:
            n_spread = n
        spread = _space_filling(pool, n_spread, seed)
        choices = [Proposal(pool.ids[i], "space-filling") for i in spread]
        if n_spread < n:
            choices += self._by_model(pool, spread, n - n_spread, seed, cost)
        return choices

    def _by_model(
        self, pool: _Pool, spread: list[int], n: int, seed: int, cost: Cost | None
    ) -> list[Proposal]:
        """Pick `n` by acquisition, with the pending and the indices `spread` taken as believed."""
        model = _Believer(self._config.surrogate, pool, seed)
        model.believe_pending()
        model.believe(spread)
        feasible = probability_feasible(pool.evaluated, pool.feasible, pool.available)
        generator = pool.generator(seed)
        exponent = self._config.cost_exponent

        def score(candidates: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
            mean, std = model.predict(candidates)
            drawn = mean
            if self._config.kind == "thompson":
                # A function drawn on the whole pool would need its whole covariance.
                few = np.argsort(mean - 3 * std, kind="stable")[:SHORTLIST]
                drawn = mean + 10 * (1 + std)
                drawn[few] = model.draw(candidates[few], generator)
            posterior = Posterior(mean, std, feasible[candidates], drawn, model.values)
            return mean, std, self._acquisition(posterior, self._config.xi, self._config.kappa)

        everyone = np.setdiff1d(np.arange(len(pool.ids)), spread)
        mean, std, acquisition = score(everyone)
        price = np.ones(len(pool.ids))
        if cost is not None and exponent:
            price = _prices(cost, pool.ids, everyone[np.argsort(-acquisition, kind="stable")])
            price **= exponent
        acquisition = acquisition / price[everyone]
        # Ties, as when every improvement is nil, go to the lower prediction, then to the id.
        order = np.lexsort((everyone, mean, -acquisition))
        shortlist = everyone[order[: SHORTLIST + n]]
        first_scoring = {int(everyone[k]): (rank, int(k)) for rank, k in enumerate(order, start=1)}
        picks = [int(shortlist[0])]
        while len(picks) < n:
            model.believe(picks[-1:])
            shortlist = shortlist[shortlist != picks[-1]]
            again, _, rescored = score(shortlist)
            rescored = rescored / price[shortlist]
            picks.append(int(shortlist[np.lexsort((shortlist, again, -rescored))[0]]))
        return [
            Proposal(
                candidate_id=pool.ids[pick],
                reason=self._config.kind,
                predicted_mean=float(mean[k]),
                predicted_std=float(std[k]),
                acquisition=float(acquisition[k]),
                probability_feasible=float(feasible[pick]),
                rank=rank,
                fitted_on=len(pool.values),
                neighbours=pool.nearest(pick),
            )
            for pick in picks
            for rank, k in [first_scoring[pick]]
        ]


def _prices(cost: Cost, ids: list[str], best_first: NDArray[np.intp]) -> Floats:
    """Return force calls relative to the median, those of the best few; the rest count as dear."""
    asked = best_first[:COSTED]
    calls = np.maximum(cost([ids[i] for i in asked]), 1.0)
    relative = calls / np.median(calls)
    price = np.full(len(ids), relative.max())
    price[asked] = relative
    return price


SAMPLERS: dict[str, Callable[[SamplerConfig], Sampler]] = {
    **dict.fromkeys(ACQUISITIONS, ModelSampler),
    "random": RandomSampler,
}


def build_sampler(config: SamplerConfig) -> Sampler:
    """Make the sampler that a campaign asks for."""
    return SAMPLERS[config.kind](config)


@dataclass(frozen=True)
class _Prior:
    """What was expected of each candidate beforehand, in the orders of `_Pool`."""

    observed: Floats
    pending: Floats
    available: Floats
    available_std: Floats


@dataclass(frozen=True)
class _Pool:
    """Arguments of `propose` in one order and on one scale.

    Available candidates are sorted by id and distinct, so that neither the order in which a
    database lists them nor a candidate claimed meanwhile can change what a seed means.
    """

    ids: list[str]
    available: Floats
    evaluated: Floats  # values first, then the infeasible
    values: Floats
    value_std: Floats | None
    pending: Floats
    prior: _Prior | None
    valued_ids: list[str]

    @classmethod
    def of(cls, seen: Observations, ids: list[str], features: Floats) -> _Pool:
        taken = {*seen.ids, *seen.infeasible_ids, *seen.pending_ids}
        index = {candidate_id: i for i, candidate_id in enumerate(ids) if candidate_id not in taken}
        free = sorted(index)
        columns = np.asarray(features).shape[1] if len(ids) else np.asarray(seen.features).shape[1]

        def rows(candidate_ids: list[str], values: Floats | None) -> Floats:
            filled = np.empty((0, columns)) if values is None else np.asarray(values, dtype=float)
            return filled.reshape(len(candidate_ids), columns)

        order = np.argsort(np.array(seen.ids, dtype=str))
        parts = [
            rows(seen.ids, seen.features)[order],
            rows(seen.infeasible_ids, seen.infeasible_features),
            rows(seen.pending_ids, seen.pending_features),
            rows(ids, features)[[index[candidate_id] for candidate_id in free]],
        ]
        names = [[seen.ids[i] for i in order], seen.infeasible_ids, seen.pending_ids, free]
        prior = None
        if seen.prior:
            stops = np.cumsum([len(each) for each in names])[:-1]
            everyone = with_prior(seen.prior, list(itertools.chain(*names)), np.vstack(parts))
            parts, expected, spread = (np.split(each, stops) for each in everyone)
            prior = _Prior(expected[0], expected[2], expected[3], spread[3])
        scaled = FeatureScaling.of(np.vstack(parts))
        parts = [scaled(each) for each in parts]
        observed, infeasible, pending, available = parts
        return cls(
            ids=free,
            available=available,
            evaluated=np.vstack([observed, infeasible]),
            values=np.asarray(seen.values, dtype=float)[order],
            value_std=None if seen.value_std is None else np.asarray(seen.value_std)[order],
            pending=pending,
            prior=prior,
            valued_ids=names[0],
        )

    def nearest(self, candidate: int) -> tuple[str, ...]:
        """Return the ids of the candidates with values that are nearest to an available one."""
        away = self.evaluated[self.feasible] - self.available[candidate]
        order = np.argsort((away**2).sum(1), kind="stable")[:NEIGHBOURS]
        return tuple(self.valued_ids[i] for i in order)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which of the evaluated have a value, shape (n + k,)."""
        return np.arange(len(self.evaluated)) < len(self.values)

    @property
    def seen(self) -> Floats:
        """Features of all that were picked before, shape (n + k + p, d)."""
        return np.vstack([self.evaluated, self.pending])

    def generator(self, seed: int) -> np.random.Generator:
        """Give a stream of its own to each pick, or equal seeds would draw equal positions."""
        return np.random.default_rng([seed, len(self.seen)])


class _Believer:
    """A surrogate that takes its own predictions for results.

    Where there is a prior, it learns by how much results differ from it.
    """

    def __init__(self, config: SurrogateConfig, pool: _Pool, seed: int) -> None:
        self._pool = pool
        self._features = pool.evaluated[pool.feasible]
        self._std = pool.value_std
        self.values = pool.values
        nothing = np.zeros(len(pool.values))
        self._expected = nothing if pool.prior is None else pool.prior.observed
        self._surrogate = build_surrogate(config, seed)
        beyond = self.values - self._expected
        self._surrogate.fit(self._features, beyond, self._std, self.values)

    def predict(self, candidates: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Predict available candidates, by their indices."""
        mean, std = self._surrogate.predict(self._pool.available[candidates])
        if self._pool.prior is not None:
            std = np.hypot(std, self._pool.prior.available_std[candidates])
        return mean + self._prior(candidates), std

    def draw(self, candidates: NDArray[np.intp], generator: np.random.Generator) -> Floats:
        """Draw one function of those that fit, at available candidates."""
        drawn = self._surrogate.draw(self._pool.available[candidates], generator)
        return drawn + self._prior(candidates)

    def _prior(self, candidates: NDArray[np.intp]) -> Floats:
        prior = self._pool.prior
        return np.zeros(len(candidates)) if prior is None else prior.available[candidates]

    def believe(self, candidates: Sequence[int]) -> None:
        """Take the predictions of available candidates for results."""
        indices = np.array(candidates, dtype=np.intp)
        self._believe(self._pool.available[indices], self._prior(indices))

    def believe_pending(self) -> None:
        """Take the predictions of what is queued or running for results."""
        prior = self._pool.prior
        expected = np.zeros(len(self._pool.pending)) if prior is None else prior.pending
        self._believe(self._pool.pending, expected)

    def _believe(self, features: Floats, expected: Floats) -> None:
        if not len(features):
            return
        difference, _ = self._surrogate.predict(features)
        self._features = np.vstack([self._features, features])
        self.values = np.concatenate([self.values, expected + difference])
        self._expected = np.concatenate([self._expected, expected])
        if self._std is not None:
            self._std = np.concatenate([self._std, np.zeros(len(features))])
        beyond = self.values - self._expected
        self._surrogate.update(self._features, beyond, self._std, self.values)


def _space_filling(pool: _Pool, n: int, seed: int) -> list[int]:
    """Draw candidates that are far from all seen ones and from each other.

    The chance grows with the squared distance (the seeding of k-means++): taking the very farthest
    would collect the oddities of the pool.
    """
    if n == 0:
        return []
    generator = pool.generator(seed)
    nearest = np.full(len(pool.ids), np.inf)
    for other in pool.seen:
        nearest = np.minimum(nearest, ((pool.available - other) ** 2).sum(1))
    chosen: list[int] = []
    while len(chosen) < n:
        free = np.ones(len(pool.ids))
        free[chosen] = 0.0
        weights = free * np.where(np.isfinite(nearest), nearest, 1.0)
        if weights.sum() <= 0:
            weights = free
        chosen.append(int(generator.choice(len(pool.ids), p=weights / weights.sum())))
        distance = ((pool.available - pool.available[chosen[-1]]) ** 2).sum(1)
        nearest = np.minimum(nearest, distance)
    return chosen
