"""Samplers that ask a surrogate: every available candidate is predicted, scored and ranked."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from screening.choosing.acquisitions import Posterior, expected_improvement, expected_value
from screening.choosing.config import SamplerConfig
from screening.choosing.feasibility import probability_feasible
from screening.choosing.observations import Floats, Observations, Proposal
from screening.choosing.pool import Pool
from screening.choosing.prediction import predict_results, surrogate_for
from screening.choosing.prior import takes_raw
from screening.choosing.surrogates import Model

#: Candidates scored again for the second and later picks of a batch: the best of the first scoring.
SHORTLIST = 500

STARTS = {
    "space-filling": "the first picks are spread over the pool",
    "prior": "it was expected to be best by what is known beforehand",
}


class ModelSampler(abc.ABC):
    """Spread out first, then let a surrogate rank every available candidate.

    In a batch, and with candidates still running, each of these is taken to turn out exactly as
    predicted (kriging believer), so that the next pick looks elsewhere.  With a prior there is no
    need to spread: the model starts from it, and learns where it is wrong.
    """

    name: ClassVar[str]

    def __init__(self, options: SamplerConfig) -> None:
        self.options = options

    @abc.abstractmethod
    def score(self, posterior: Posterior) -> Floats:
        """Return what candidates are worth: the higher the better."""

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Pick `initial` candidates by distance and the others by the model.

        While fewer than two candidates have a value, there is nothing to model and the spreading
        goes on, or the prior decides.
        """
        raw = takes_raw(self.options.surrogate)
        pool = Pool.of(observations, available_ids, available_features, raw=raw)
        n = min(n, len(pool.ids))
        if pool.has_prior and pool.n_valued < 2:
            return _best_of_prior(pool, n)
        n_spread = 0 if pool.has_prior else min(n, max(0, self.options.initial - len(pool.seen)))
        if pool.n_valued < 2:
            n_spread = n
        spread = _space_filling(pool, n_spread, seed)
        proposals = [Proposal(pool.ids[i], "space-filling") for i in spread]
        if n_spread < n:
            model = _Believer(surrogate_for(self.options.surrogate, observations, seed), pool)
            proposals += self._by_model(pool, model, spread, n - n_spread)
        return proposals

    def _by_model(self, pool: Pool, model: _Believer, spread: list[int], n: int) -> list[Proposal]:
        """Pick `n` by their score, with the pending and the indices `spread` taken as believed."""
        model.believe(pool.pending)
        model.believe(pool.available[spread])
        feasible = probability_feasible(
            pool.places(pool.evaluated), pool.feasible, pool.places(pool.available)
        )

        def scored(candidates: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
            mean, std = model.predict(pool.available[candidates])
            return mean, std, self.score(Posterior(mean, std, feasible[candidates], model.values))

        everyone = np.setdiff1d(np.arange(len(pool.ids)), spread)
        mean, std, scores = scored(everyone)
        # Ties, as when every improvement is nil, go to the lower prediction, then to the id.
        order = np.lexsort((everyone, mean, -scores))
        shortlist = everyone[order[: SHORTLIST + n]]
        first_scoring = {int(everyone[k]): (rank, int(k)) for rank, k in enumerate(order, start=1)}
        picks = [int(shortlist[0])]
        while len(picks) < n:
            model.believe(pool.available[picks[-1:]])
            shortlist = shortlist[shortlist != picks[-1]]
            new_mean, _, new_scores = scored(shortlist)
            picks.append(int(shortlist[np.lexsort((shortlist, new_mean, -new_scores))[0]]))
        return [
            Proposal(
                candidate_id=pool.ids[pick],
                reason=self.name,
                predicted_mean=float(mean[k]),
                predicted_std=float(std[k]),
                acquisition=float(scores[k]),
                probability_feasible=float(feasible[pick]),
                rank=rank,
                fitted_on=pool.n_valued,
                neighbours=neighbours,
            )
            for pick, neighbours in zip(picks, pool.neighbours(picks), strict=True)
            for rank, k in [first_scoring[pick]]
        ]


class ImprovementConfig(SamplerConfig):
    """Options of expected improvement.

    Attributes
    ----------
    xi : float
        Least improvement, in the objective's model space, worth an evaluation.
    """

    xi: float = Field(default=0.01, ge=0)


class ExpectedImprovement(ModelSampler):
    """Weighs how much better a candidate may be with how likely that is."""

    name: ClassVar = "expected-improvement"
    help: ClassVar = "Takes what promises the largest improvement on the best value so far."
    Options: ClassVar[type[SamplerConfig]] = ImprovementConfig
    reasons: ClassVar[Mapping[str, str]] = {
        **STARTS,
        name: "it promised the largest expected improvement on the best value",
    }

    def __init__(self, options: ImprovementConfig) -> None:
        super().__init__(options)
        self._xi = options.xi

    def score(self, posterior: Posterior) -> Floats:
        """Return how much better than the best result each is expected to be."""
        return expected_improvement(posterior, self._xi)


class Greedy(ModelSampler):
    """Trusts the model, and looks nowhere else."""

    name: ClassVar = "greedy"
    help: ClassVar = "Takes what is predicted to be the best."
    Options: ClassVar[type[SamplerConfig]] = SamplerConfig
    reasons: ClassVar[Mapping[str, str]] = {**STARTS, name: "its prediction was best"}

    def score(self, posterior: Posterior) -> Floats:
        """Return the expected value, its sign turned."""
        return expected_value(posterior)


def _best_of_prior(pool: Pool, n: int) -> list[Proposal]:
    expected = pool.available[:, -2]
    best_first = np.argsort(expected, kind="stable")[:n]
    return [
        Proposal(pool.ids[i], "prior", predicted_mean=float(expected[i]), rank=rank)
        for rank, i in enumerate(best_first, start=1)
    ]


class _Believer:
    """A surrogate that takes its own predictions for results."""

    def __init__(self, surrogate: Model, pool: Pool) -> None:
        self._surrogate = surrogate
        self._rows = pool.evaluated[: pool.n_valued]
        self._value_std = pool.value_std
        self.values = pool.values
        surrogate.fit(self._rows, self.values, self._value_std)

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Predict mean and standard deviation of candidates' results."""
        return predict_results(self._surrogate, rows)

    def believe(self, rows: Floats) -> None:
        """Take the predictions of candidates for results."""
        if not len(rows):
            return
        mean, _ = self._surrogate.predict(rows)
        self._rows = np.vstack([self._rows, rows])
        self.values = np.concatenate([self.values, mean])
        if self._value_std is not None:
            self._value_std = np.concatenate([self._value_std, np.zeros(len(rows))])
        self._surrogate.update(self._rows, self.values, self._value_std)


def _space_filling(pool: Pool, n: int, seed: int) -> list[int]:
    """Draw candidates that are far from all seen ones and from each other.

    The chance grows with the squared distance (the seeding of k-means++): taking the very farthest
    would collect the oddities of the pool.
    """
    if n == 0:
        return []
    generator = pool.generator(seed)
    places = pool.places(pool.available)
    nearest = np.full(len(pool.ids), np.inf)
    for seen in pool.seen:
        nearest = np.minimum(nearest, ((places - seen) ** 2).sum(1))
    chosen: list[int] = []
    while len(chosen) < n:
        free = np.ones(len(pool.ids))
        free[chosen] = 0.0
        weights = free * np.where(np.isfinite(nearest), nearest, 1.0)
        if weights.sum() <= 0:
            weights = free
        chosen.append(int(generator.choice(len(pool.ids), p=weights / weights.sum())))
        distance = ((places - places[chosen[-1]]) ** 2).sum(1)
        nearest = np.minimum(nearest, distance)
    return chosen
