"""What a sampler is told, in one order and on one scale."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.choosing.feature_scaling import nearest
from screening.choosing.observations import Floats, Observations
from screening.choosing.prior import model_rows

NEIGHBOURS = 3
"""Evaluated candidates that a pick names as its nearest."""


@dataclass(frozen=True)
class Pool:
    """Arguments of `Sampler.propose` in one order and on one scale.

    Available candidates are sorted by id and distinct, so that neither the order in which a
    database lists them nor a candidate claimed meanwhile can change what a seed means.

    Attributes
    ----------
    ids : list of str, length m
        Available candidates.
    valued_ids : list of str, length n
        Candidates with a value.
    values, value_std : ndarray, shape (n,)
    evaluated, pending, available : ndarray, shape (n + k, d), (p, d) and (m, d)
        What a surrogate is told of candidates, see `model_rows`; of the evaluated first those with
        a value, then the infeasible.
    has_prior : bool
    """

    ids: list[str]
    valued_ids: list[str]
    values: Floats
    value_std: Floats | None
    evaluated: Floats
    pending: Floats
    available: Floats
    has_prior: bool

    @classmethod
    def of(cls, seen: Observations, ids: list[str], features: Floats, *, raw: bool = False) -> Pool:
        """Sort the arguments of `Sampler.propose`, and scale them unless the features stay raw."""
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
        told = model_rows(seen.prior, list(itertools.chain(*names)), np.vstack(parts), raw=raw)
        valued, infeasible, pending, available = np.split(
            told, np.cumsum([len(part) for part in parts])[:-1]
        )
        return cls(
            ids=free,
            valued_ids=names[0],
            values=np.asarray(seen.values, dtype=float)[order],
            value_std=None if seen.value_std is None else np.asarray(seen.value_std)[order],
            evaluated=np.vstack([valued, infeasible]),
            pending=pending,
            available=available,
            has_prior=bool(seen.prior),
        )

    def places(self, rows: Floats) -> Floats:
        """Return the scaled features of candidates: between these, distances mean something."""
        return rows[:, :-2] if self.has_prior else rows

    @property
    def n_valued(self) -> int:
        """Candidates with a value."""
        return len(self.values)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which of the evaluated have a value, shape (n + k,)."""
        return np.arange(len(self.evaluated)) < self.n_valued

    @property
    def seen(self) -> Floats:
        """Places of all that were picked before, shape (n + k + p, d)."""
        return self.places(np.vstack([self.evaluated, self.pending]))

    def neighbours(self, candidates: list[int]) -> list[tuple[str, ...]]:
        """Return the ids of the candidates with values that are nearest to available ones."""
        known = self.places(self.evaluated[: self.n_valued])
        rows, _ = nearest(self.places(self.available[candidates]), known, NEIGHBOURS)
        return [tuple(self.valued_ids[i] for i in row) for row in rows]

    def generator(self, seed: int) -> np.random.Generator:
        """Give a stream of its own to each pick, or equal seeds would draw equal positions."""
        return np.random.default_rng([seed, len(self.seen)])
