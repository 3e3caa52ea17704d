"""How good a ranking would have been: what was known at a year, and what was reported later."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from screening.messages.errors import ScreenError
from screening.recommender.features import Knowledge
from screening.recommender.known import KnownList
from screening.recommender.past import (
    SIMPLE,
    Ranker,
    described,
    sampled,
    simple_parts,
    simple_scores,
    taught,
)
from screening.recommender.ranking import N_DESCRIBED, domain_of
from screening.recommender.space import BALANCES, Space, enumerated

TOPS = (10, 100, 1_000, 3_000, 10_000)
CALIBRATED_TOP = 1_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MethodScore:
    """How one order of the space fares.

    Attributes
    ----------
    method : str
        Its name.
    hits : dict
        Compositions reported later among the first 10, 100, …
    times_random : dict
        That, divided by what a random order would find.
    roc_auc, average_precision : float
        Over the whole space.
    """

    method: str
    hits: dict[int, int]
    times_random: dict[int, float]
    roc_auc: float
    average_precision: float


@dataclass(frozen=True)
class TimeSplit:
    """A ranking of what was unknown at a year, judged by what was reported later.

    Attributes
    ----------
    kind : int
        Number of elements.
    seed : int
        Of everything that was drawn.
    since, until : int
        The list was cut at the end of `since`; later reports are known until `until`.
    n_space : int
        Compositions that were ranked.
    n_later : int
        Compositions with an anion and this number of elements that were reported later.
    n_later_inside : int
        Of these, in the space.
    by_balance : dict
        Compositions in the space and of these reported later, by how charges are balanced.
    methods : list of MethodScore
        The ensemble first.
    chance_sum : float or None
        Sum of the chances of the first 1,000, for the years between; None without years to
        calibrate by.
    reliability : list of dict
        Mean chance and part reported later in parts of the first 10,000.
    """

    kind: int
    seed: int
    since: int
    until: int
    n_space: int
    n_later: int
    n_later_inside: int
    by_balance: dict[str, dict[str, int]]
    methods: list[MethodScore]
    chance_sum: float | None
    reliability: list[dict[str, float]]

    def plain(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return asdict(self)


def time_split(known: KnownList, kind: int, since: int, *, seed: int = 0) -> TimeSplit:
    """Rank what was unknown at the end of a year, and look up what was reported later.

    Raises
    ------
    ScreenError
        When the list has no later composition of this kind.
    """
    compositions, years = known.of_kind(kind)
    later = compositions[np.flatnonzero(years > since)]
    if not len(later):
        raise ScreenError(
            f"--since {since}: {known.name} holds no composition of {kind} elements that was "
            f"first reported later; its last year is {known.last_year or 'not stated'}"
        )
    old = known.until(since)
    domain = domain_of()
    lesson = taught(old, kind, domain, since, seed=seed)
    space = enumerated(old, kind, domain)
    reported = np.isin(space.keys, later.keys)
    knowledge = Knowledge(old, kind, since, domain.states, seed=seed)
    simple_values = simple_scores(knowledge, space)
    simple = simple_parts(simple_values)
    none = np.zeros(len(space), dtype=bool)
    ranker = Ranker.of(lesson, sampled(knowledge, space, simple, none, seed=seed))
    orders: dict[str, Floats] = {}
    best = np.argsort(simple, kind="stable")[:N_DESCRIBED]
    if lesson.learners:
        # What the learner does not look at follows, in the order of the simple scores.
        past = -1.0 - simple
        together = -10.0 - simple
        for rows, features in described(knowledge, space, np.sort(best)):
            past[rows] = lesson.past(features)
            together[rows] = ranker.together(simple[rows], past[rows])
        orders |= {"ensemble": together, "learnt from the past": past}
        # What the wider rules of balance cost: the space of the strictest one comes first.
        orders["ensemble, whole states alone"] = together - 100.0 * (space.balances > 0)
    orders["mean of likeness and factors"] = -simple
    for column, name in enumerate(SIMPLE):
        orders[_NAMES[name]] = simple_values[:, column].astype(np.float64)
    orders["popularity"] = popularity(knowledge, space)
    generator = np.random.default_rng(seed)
    orders["balanced charges alone"] = -space.balances + generator.random(len(space)) * 0.5
    chance_sum, reliability = None, []
    if lesson.chances is not None:
        first = np.argsort(-orders["ensemble"], kind="stable")[: TOPS[-1]]
        horizon = max(1, known.last_year - since)
        chances = lesson.chances.within(orders["ensemble"][first], horizon)
        chance_sum = float(chances[:CALIBRATED_TOP].sum())
        reliability = _reliability(chances, reported[first])
    return TimeSplit(
        kind,
        seed,
        since,
        known.last_year,
        len(space),
        len(later),
        int(reported.sum()),
        {
            name: {
                "space": int((space.balances == rule).sum()),
                "later": int(reported[space.balances == rule].sum()),
            }
            for rule, name in enumerate(BALANCES)
        },
        [judged(name, scores, reported) for name, scores in orders.items()],
        chance_sum,
        reliability,
    )


_NAMES = {
    "likeness": "likeness of elements",
    "rank_8": "factorisation, element × context",
    "pair": "factorisation, cation and anion × context",
}


def judged(method: str, scores: Floats, reported: NDArray[np.bool_]) -> MethodScore:
    """Return how an order fares; equal scores keep the order of the space, by key."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = np.cumsum(reported[np.argsort(-scores, kind="stable")])
    tops = [top for top in TOPS if top <= len(found)]
    base = max(reported.mean(), 1e-12)
    both = 0 < reported.sum() < len(reported)
    return MethodScore(
        method,
        {top: int(found[top - 1]) for top in tops},
        {top: float(found[top - 1] / top / base) for top in tops},
        float(roc_auc_score(reported, scores)) if both else float("nan"),
        float(average_precision_score(reported, scores)) if both else float("nan"),
    )


def popularity(knowledge: Knowledge, space: Space) -> Floats:
    """Return how often the elements, and the coefficients with the anion, are known.

    The sum of logarithms of the counts, as if all were independent.
    """
    compositions = space.compositions()
    known = knowledge.compositions
    cations = np.bincount(known.numbers[:, :-1].ravel(), minlength=256)
    found = np.log1p(cations[compositions.numbers[:, :-1]]).sum(axis=1)
    shapes = (compositions.shapes << 7) | compositions.numbers[:, -1]
    keys, counts = np.unique((known.shapes << 7) | known.numbers[:, -1], return_counts=True)
    places = np.searchsorted(keys, shapes)
    places[places == len(keys)] = 0
    met = np.where(keys[places] == shapes, counts[places], 0)
    total: Floats = found + np.log1p(met)
    return total


def _reliability(chances: Floats, reported: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return mean chance and part reported of a few parts of a list, the best first."""
    edges = [0, 100, 300, 1_000, 3_000, 10_000]
    return [
        {
            "first": first + 1,
            "last": min(last, len(chances)),
            "mean_chance": float(chances[first:last].mean()),
            "reported": float(reported[first:last].mean()),
        }
        for first, last in itertools.pairwise(edges)
        if first < len(chances)
    ]
