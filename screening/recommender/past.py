"""A learner that is taught by the past: what was known at a year, and what came after it.

For each of two windows of years the compositions that were not known at its beginning are
described by what was known then, and the label says whether they were reported within the window.
Negatives are all of the compositions that simpler scores rank highest, where the difficult ones
are, and a sample of the rest, weighted for what it stands for.

The earlier window teaches a learner that is tried on the later one: the chances come from there.
Both windows teach the learner that is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.recommender.chance import Chances, fitted_chances
from screening.recommender.features import Knowledge
from screening.recommender.known import KnownList
from screening.recommender.space import Domain, Space, enumerated

WINDOW_YEARS = 5
N_HARD, N_SAMPLED = 40_000, 20_000
MIN_REPORTED = 40
"""Compositions reported within a window, fewer of which teach nothing."""
SIMPLE = ("likeness", "rank_8", "pair")
"""Scores that need no labels: likeness of elements, and two factorisations."""
CHUNK = 200_000
_TREES = {
    "max_iter": 130,
    "learning_rate": 0.08,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
    "max_features": 0.5,
    "early_stopping": False,
}
N_SEEDS = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """Scores of a whole space, by which a score becomes the part of the space above it.

    Attributes
    ----------
    descending : ndarray, shape (n,)
        Negated scores, ascending.
    above : ndarray, shape (n,)
        Part of the space that scores at least as much, from 0 to 1.
    """

    descending: Floats
    above: Floats

    @classmethod
    def of(cls, scores: Floats, weights: Floats) -> Reference:
        """Return the reference of a weighted sample; equal scores share their mean rank."""
        values, group = np.unique(-scores, return_inverse=True)
        counts = np.bincount(group, weights=weights)
        above = (np.cumsum(counts) - counts / 2) / counts.sum()
        return cls(values, above)

    def part_above(self, scores: NDArray[Any]) -> Floats:
        """Return which part of the space lies above each score."""
        found: Floats = np.interp(-scores.astype(np.float64), self.descending, self.above)
        return found


@dataclass(frozen=True)
class Sample:
    """Described compositions of a space: the best by the simple scores, and some of the rest.

    Attributes
    ----------
    simple : ndarray, shape (n,)
        Which part of the space the simple scores together put above each.
    features : ndarray of float32, shape (n, n_features)
        By which the learner learns.
    weights : ndarray, shape (n,)
        How many compositions of the space each stands for.
    reported : ndarray of bool, shape (n,)
        Whether each was reported within the window; none where there is no window yet.
    """

    simple: Floats
    features: NDArray[np.float32]
    weights: Floats
    reported: NDArray[np.bool_]


@dataclass(frozen=True)
class Taught:
    """What the past taught.

    Attributes
    ----------
    learners : list
        Fitted classifiers; empty where the list has too few years to learn from.
    chances : Chances or None
        What a place in the order means; None with less than two windows.
    """

    learners: list[Any]
    chances: Chances | None

    def past(self, features: NDArray[np.float32]) -> Floats:
        """Return the learner's chances, uncalibrated."""
        return _predicted(self.learners, features)


@dataclass(frozen=True)
class Ranker:
    """What orders the compositions of one space.

    Attributes
    ----------
    taught : Taught
        By the past.
    reference : Reference or None
        Of the learner's chances in this space; None without a learner.
    """

    taught: Taught
    reference: Reference | None

    @classmethod
    def of(cls, taught: Taught, sample: Sample) -> Ranker:
        """Return the ranker of the space of a sample."""
        if not taught.learners:
            return cls(taught, None)
        return cls(taught, Reference.of(taught.past(sample.features), sample.weights))

    def together(self, simple: Floats, past: Floats) -> Floats:
        """Return the score of the ensemble, the larger the better.

        Its power of ten is the mean part of the space that the simple scores and the learner put
        above: 3 is among the best thousandth.
        """
        assert self.reference is not None
        return _together(simple, self.reference.part_above(past))


def taught(known: KnownList, kind: int, domain: Domain, year: int, *, seed: int = 0) -> Taught:
    """Return what the past teaches.

    Parameters
    ----------
    known
        Compositions known at the end of `year`.
    kind
        Number of elements.
    domain
        Elements that take part.
    seed
        Of everything that is drawn.
    """
    windows = []
    for last in (year - WINDOW_YEARS, year):
        part = window(known, kind, domain, last - WINDOW_YEARS, last, seed=seed)
        if part is not None:
            windows.append(part)
    if not windows:
        return Taught([], None)
    chances = None
    if len(windows) == 2:
        earlier, later = windows
        tried = _predicted(_fitted([earlier], seed), later.features)
        above = Reference.of(tried, later.weights).part_above(tried)
        score = _together(later.simple, above)
        chances = fitted_chances(score, later.reported, later.weights, WINDOW_YEARS)
    return Taught(_fitted(windows, seed), chances)


def window(
    known: KnownList, kind: int, domain: Domain, first: int, last: int, *, seed: int
) -> Sample | None:
    """Return a sample of what was unknown at the end of a year, and what came of it.

    None where too few were reported until the end of `last`.
    """
    compositions, years = known.of_kind(kind)
    within = compositions[np.flatnonzero((years > first) & (years <= last))]
    if len(within) < MIN_REPORTED:
        return None
    before = known.until(first)
    space = enumerated(before, kind, domain)
    knowledge = Knowledge(before, kind, first, domain.states, seed=seed)
    reported = np.isin(space.keys, within.keys)
    if reported.sum() < MIN_REPORTED:
        return None
    simple = simple_parts(simple_scores(knowledge, space))
    return sampled(knowledge, space, simple, reported, seed=seed)


def sampled(
    knowledge: Knowledge,
    space: Space,
    simple: Floats,
    reported: NDArray[np.bool_],
    *,
    seed: int,
) -> Sample:
    """Describe what was reported, the best of a space by the simple scores, and some of the rest.

    Parameters
    ----------
    knowledge
        That describes.
    space
        To sample.
    simple : ndarray, shape (n,)
        See `simple_parts`.
    reported : ndarray of bool, shape (n,)
        What is taken in any case.
    seed
        Of what is drawn.
    """
    taken = reported.copy()
    taken[np.argsort(simple, kind="stable")[:N_HARD]] = True
    rest = np.flatnonzero(~taken)
    generator = np.random.default_rng(seed)
    drawn = np.sort(generator.choice(rest, min(N_SAMPLED, len(rest)), replace=False))
    rows = np.concatenate([np.flatnonzero(taken), drawn])
    weights = np.ones(len(rows))
    if len(drawn):
        weights[taken.sum() :] = len(rest) / len(drawn)
    features = np.concatenate([values for _, values in described(knowledge, space, rows)])
    return Sample(simple[rows], features, weights, reported[rows])


def simple_parts(scores: NDArray[np.float32]) -> Floats:
    """Return which part of a space all simple scores together put above each composition.

    Parameters
    ----------
    scores : ndarray, shape (n, 3)
        See `simple_scores`.
    """
    from scipy.stats import rankdata

    total = np.zeros(len(scores))
    for column in range(scores.shape[1]):
        total += rankdata(-scores[:, column])
    found: Floats = (rankdata(total) - 0.5) / len(scores)
    return found


def simple_scores(knowledge: Knowledge, space: Space) -> NDArray[np.float32]:
    """Return the scores named by `SIMPLE` of a whole space, shape (n, 3)."""
    found = np.empty((len(space), len(SIMPLE)), dtype=np.float32)
    for start in range(0, len(space), CHUNK):
        part = slice(start, start + CHUNK)
        compositions = space.compositions(part)
        relatives = knowledge.relatives(compositions, SIMPLE[:-1])
        for column, name in enumerate(SIMPLE[:-1]):
            found[part, column] = relatives[name].sum(axis=1)
        found[part, -1] = knowledge.pair_scores(compositions).sum(axis=1)
    return found


def described(
    knowledge: Knowledge, space: Space, rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield some rows of a space after others, with their features."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield part, knowledge.features(space.compositions(part), space.balances[part])[1]


def _fitted(windows: list[Sample], seed: int) -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([part.features for part in windows])
    reported = np.concatenate([part.reported for part in windows])
    weights = np.concatenate([part.weights for part in windows])
    return [
        HistGradientBoostingClassifier(random_state=N_SEEDS * seed + number, **_TREES).fit(
            features, reported, sample_weight=weights
        )
        for number in range(N_SEEDS)
    ]


def _predicted(learners: list[Any], features: NDArray[np.float32]) -> Floats:
    if not len(features):
        return np.empty(0)
    found: Floats = np.mean([learner.predict_proba(features)[:, 1] for learner in learners], axis=0)
    return found


def _together(simple: Floats, past: Floats) -> Floats:
    found: Floats = -np.log10(np.maximum((simple + past) / 2, 1e-12))
    return found
