"""Which candidates to evaluate next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field

from screening.surrogate import (
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


@dataclass(frozen=True)
class Observations:
    """What the campaign knows about the candidates it has picked so far.

    Attributes
    ----------
    ids : list of str
        The evaluated candidates.
    features : ndarray, shape (n, d)
        Raw; NaN is allowed.
    values : ndarray, shape (n,)
        Objective in its model space, where lower is better.
    value_std : ndarray, shape (n,), optional
        Standard errors of the values.
    infeasible_ids, infeasible_features : list of str and ndarray, shape (k, d)
        Unstable and failed candidates.
    pending_ids, pending_features : list of str and ndarray, shape (p, d)
        Queued or running.
    """

    ids: list[str]
    features: Floats
    values: Floats
    value_std: Floats | None = None
    infeasible_ids: list[str] = field(default_factory=list)
    infeasible_features: Floats | None = None
    pending_ids: list[str] = field(default_factory=list)
    pending_features: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse a value no model can learn from."""
        if not np.isfinite(self.values).all():
            raise ValueError("an observed value is not finite; count the candidate as infeasible")


@dataclass(frozen=True)
class Choice:
    """One pick, and why it was made.

    Attributes
    ----------
    reason : str
        "space-filling", "expected-improvement", "greedy" or "random".
    predicted_mean, predicted_std : float or None
        In the objective's model space, as seen before the first pick of the batch.
    acquisition : float or None
        The score that ranked it; higher is better.
    probability_feasible : float or None
    rank : int or None
        1 for the best available candidate by acquisition; later picks of a batch may rank lower,
        because the batch spreads out.
    fitted_on : int
        Number of evaluated candidates the model saw; 0 without a model.
    """

    candidate_id: str
    reason: str
    predicted_mean: float | None = None
    predicted_std: float | None = None
    acquisition: float | None = None
    probability_feasible: float | None = None
    rank: int | None = None
    fitted_on: int = 0


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
    surrogate : SurrogateConfig
    """

    kind: Literal["expected-improvement", "greedy", "random"] = "expected-improvement"
    initial: int = Field(default=5, ge=1)
    xi: float = Field(default=0.01, ge=0)
    surrogate: SurrogateConfig = SurrogateConfig()


class Sampler(Protocol):
    """Picks from a finite list of candidates."""

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Choice]:
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
    ) -> list[Choice]:
        """Draw without replacement."""
        pool = _Pool.of(observations, available_ids, available_features)
        drawn = pool.generator(seed).permutation(len(pool.ids))[:n]
        return [Choice(pool.ids[i], "random") for i in drawn]


class ModelSampler:
    """Spread out first, then let a surrogate rank every available candidate.

    In a batch, and with candidates still running, each of these is taken to turn out exactly as
    predicted (kriging believer), so that the next pick looks elsewhere.
    """

    def __init__(self, config: SamplerConfig, acquisition: Acquisition) -> None:
        self._config = config
        self._acquisition = acquisition

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Choice]:
        """Pick `initial` candidates by distance and the others by the model.

        While fewer than two candidates have a value, there is nothing to model and the spreading
        goes on.
        """
        pool = _Pool.of(observations, available_ids, available_features)
        n = min(n, len(pool.ids))
        n_spread = min(n, max(0, self._config.initial - len(pool.seen)))
        if len(pool.values) < 2:
            n_spread = n
        spread = _space_filling(pool, n_spread, seed)
        choices = [Choice(pool.ids[i], "space-filling") for i in spread]
        if n_spread < n:
            choices += self._by_model(pool, spread, n - n_spread, seed)
        return choices

    def _by_model(self, pool: _Pool, spread: list[int], n: int, seed: int) -> list[Choice]:
        """Pick `n` by acquisition, with the pending and the indices `spread` taken as believed."""
        model = _Believer(self._config.surrogate, pool, seed)
        model.believe(np.vstack([pool.pending, pool.available[spread]]))
        feasible = probability_feasible(pool.evaluated, pool.feasible, pool.available)

        def score(candidates: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
            mean, std = model.predict(pool.available[candidates])
            posterior = _Posterior(mean, std)
            xi = self._config.xi
            return mean, std, self._acquisition(posterior, feasible[candidates], model.values, xi)

        everyone = np.setdiff1d(np.arange(len(pool.ids)), spread)
        mean, std, acquisition = score(everyone)
        # Ties, as when every improvement is nil, go to the lower prediction, then to the id.
        order = np.lexsort((everyone, mean, -acquisition))
        first_scoring = {int(everyone[k]): (rank, int(k)) for rank, k in enumerate(order, start=1)}
        shortlist = everyone[order[: SHORTLIST + n]]
        picks = [int(shortlist[0])]
        while len(picks) < n:
            model.believe(pool.available[picks[-1:]])
            shortlist = shortlist[shortlist != picks[-1]]
            again, _, rescored = score(shortlist)
            picks.append(int(shortlist[np.lexsort((shortlist, again, -rescored))[0]]))
        return [
            Choice(
                candidate_id=pool.ids[pick],
                reason=self._config.kind,
                predicted_mean=float(mean[k]),
                predicted_std=float(std[k]),
                acquisition=float(acquisition[k]),
                probability_feasible=float(feasible[pick]),
                rank=rank,
                fitted_on=len(pool.values),
            )
            for pick in picks
            for rank, k in [first_scoring[pick]]
        ]


@dataclass(frozen=True)
class _Posterior:
    """A prediction made already, in the form scikit-optimize's acquisition functions ask for."""

    mean: Floats
    std: Floats

    def predict(self, features: Floats, return_std: bool = True) -> tuple[Floats, Floats]:
        return self.mean, self.std


#: Scores (higher is better) from posterior, probability of a value, values so far, and xi.
Acquisition = Callable[["_Posterior", "Floats", "Floats", float], "Floats"]


def _expected_improvement(
    posterior: _Posterior, feasible: Floats, values: Floats, xi: float
) -> Floats:
    from skopt.acquisition import gaussian_ei

    unused = np.empty((len(posterior.mean), 1))
    improvement: Floats = gaussian_ei(unused, posterior, y_opt=values.min(), xi=xi)
    return feasible * improvement


def _greedy(posterior: _Posterior, feasible: Floats, values: Floats, xi: float) -> Floats:
    """Rank by expected value, an infeasible candidate counting as the worst value so far."""
    expected: Floats = feasible * posterior.mean + (1 - feasible) * values.max()
    return -expected


SAMPLERS: dict[str, Callable[[SamplerConfig], Sampler]] = {
    "expected-improvement": partial(ModelSampler, acquisition=_expected_improvement),
    "greedy": partial(ModelSampler, acquisition=_greedy),
    "random": RandomSampler,
}


def build_sampler(config: SamplerConfig) -> Sampler:
    """Make the sampler that a campaign asks for."""
    return SAMPLERS[config.kind](config)


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
        observed = rows(seen.ids, seen.features)[order]
        available = rows(ids, features)[[index[candidate_id] for candidate_id in free]]
        infeasible = rows(seen.infeasible_ids, seen.infeasible_features)
        pending = rows(seen.pending_ids, seen.pending_features)
        scaled = FeatureScaling.of(np.vstack([observed, infeasible, pending, available]))
        return cls(
            ids=free,
            available=scaled(available),
            evaluated=scaled(np.vstack([observed, infeasible])),
            values=np.asarray(seen.values, dtype=float)[order],
            value_std=None if seen.value_std is None else np.asarray(seen.value_std)[order],
            pending=scaled(pending),
        )

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
    """A surrogate that takes its own predictions for results."""

    def __init__(self, config: SurrogateConfig, pool: _Pool, seed: int) -> None:
        self._features = pool.evaluated[pool.feasible]
        self._std = pool.value_std
        self.values = pool.values
        self._surrogate = build_surrogate(config, seed)
        self._surrogate.fit(self._features, self.values, self._std)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        return self._surrogate.predict(features)

    def believe(self, features: Floats) -> None:
        """Add predictions to the results, and learn from them."""
        if not len(features):
            return
        mean, _ = self.predict(features)
        self._features = np.vstack([self._features, features])
        self.values = np.concatenate([self.values, mean])
        if self._std is not None:
            self._std = np.concatenate([self._std, np.zeros(len(features))])
        self._surrogate.update(self._features, self.values, self._std)


def _space_filling(pool: _Pool, n: int, seed: int) -> list[int]:
    """Draw candidates that are far from all seen ones and from each other.

    The chance grows with the squared distance (the seeding of k-means++): taking the very farthest
    would collect the oddities of the pool.
    """
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
