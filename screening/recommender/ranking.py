"""Unknown compositions in the order of their chance to exist, each with the reason."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from screening.messages.errors import ScreenError
from screening.recommender.compositions import (
    ANIONS,
    N_NUMBERS,
    Compositions,
    Keys,
    atomic_numbers,
    unpacked,
)
from screening.recommender.features import Knowledge
from screening.recommender.known import KnownList
from screening.recommender.past import (
    Ranker,
    described,
    sampled,
    simple_parts,
    simple_scores,
    taught,
)
from screening.recommender.space import BALANCES, Domain, Space, enumerated
from screening.recommender.states import LEFT_OUT, cation_states, check_anion

N_DESCRIBED = 400_000
"""Compositions, the best by the simple scores, that the learner looks at."""
N_RELATIVES = 3
RARE_EARTHS = (
    *("Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Eu"),
    *("Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"),
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for.

    Attributes
    ----------
    elements : tuple of str
        Cations of which each composition holds at least one; any if there are none.
    anions : tuple of str
        Anions; any if there are none.
    kinds : tuple of int
        Numbers of elements.
    top : int
        How many of the best.
    family : int or None
        How many of a family, compositions alike but for one rare earth, are kept.
    years : int
        Within which the chance is to be reported.
    seed : int
        Of everything that is drawn.
    """

    elements: tuple[str, ...] = ()
    anions: tuple[str, ...] = ()
    kinds: tuple[int, ...] = (3,)
    top: int = 100
    family: int | None = None
    years: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Ranked:
    """The best compositions of one kind.

    Attributes
    ----------
    compositions : Compositions
        Best first.
    scores, chances : ndarray, shape (n,)
        Chances are NaN where the list has too few years to calibrate them.
    balances : list of str
        Of `BALANCES`.
    n_space : int
        Compositions that were ranked.
    knowledge : Knowledge
        That they were ranked by.
    """

    compositions: Compositions
    scores: NDArray[np.float64]
    chances: NDArray[np.float64]
    balances: list[str]
    n_space: int
    knowledge: Knowledge


@dataclass(frozen=True)
class Recommendation:
    """One composition that is not in the known list.

    Attributes
    ----------
    rank : int
        From 1.
    formula : str
        Reduced, elements in alphabetical order.
    score : float
        Larger is better; see `Ranker.together`.
    chance : float
        To be reported within some years; None where the list has too few years to tell.
    balance : str
        How its charges are balanced.
    relatives : tuple of str
        Formulas of the nearest known relatives.
    mp_e_hull : float or None
        Energy above the hull, in eV an atom, if MP has computed it.
    """

    rank: int
    formula: str
    score: float
    chance: float | None
    balance: str
    relatives: tuple[str, ...] = field(default=())
    mp_e_hull: float | None = None


def domain_of(elements: Collection[str] = (), anions: Sequence[str] = ()) -> Domain:
    """Return which elements take part; elements that are named do, whatever they are.

    Raises
    ------
    ScreenError
        When an element has no states as a cation, or as an anion.
    """
    by_symbol, states = atomic_numbers(), cation_states()
    for element in elements:
        if element not in by_symbol:
            raise ScreenError(f"element '{element}': is no element; write symbols, as Li,Na")
        if by_symbol[element] not in states.of:
            raise ScreenError(
                f"element '{element}': is met in no positive oxidation state often enough to "
                "balance charges with; leave it out"
            )
    for anion in anions:
        check_anion(anion)
    left_out = LEFT_OUT - set(elements)
    cations = np.zeros(N_NUMBERS, dtype=bool)
    for symbol, number in by_symbol.items():
        if number < N_NUMBERS and number in states.of and symbol not in left_out:
            cations[number] = True
    return Domain(cations, tuple(by_symbol[anion] for anion in anions or ANIONS), states)


def ranked(known: KnownList, kind: int, question: Question) -> Ranked:
    """Rank the unknown compositions of one kind.

    Raises
    ------
    ScreenError
        When nothing fits the question.
    """
    if not len(known.of_kind(kind)[0]):
        raise ScreenError(
            f"{known.name}: holds no composition of {kind} elements with an anion to learn from"
        )
    everything = domain_of(question.elements)
    asked = domain_of(question.elements, question.anions)
    space = enumerated(known, kind, everything)
    rows = _asked(space, asked, question)
    if not len(rows):
        named = [*question.elements, *question.anions]
        raise ScreenError(
            f"no balanced composition of {kind} elements with {', '.join(named) or 'these'} is "
            "left that is not known; name other elements, anions or kinds"
        )
    year, seed = known.last_year, question.seed
    lesson = taught(known, kind, everything, year, seed=seed)
    knowledge = Knowledge(known, kind, year, everything.states, seed=seed)
    simple = simple_parts(simple_scores(knowledge, space))
    # A score is a place among all compositions, whatever is asked for.
    none = np.zeros(len(space), dtype=bool)
    ranker = Ranker.of(lesson, sampled(knowledge, space, simple, none, seed=seed))
    space, simple = space.part(rows), simple[rows]
    # Ties are in the order of the keys, the same on every run.
    best = np.argsort(simple, kind="stable")
    looked_at, rest = np.sort(best[:N_DESCRIBED]), best[N_DESCRIBED:]
    scores = np.empty(len(space))
    if lesson.learners:
        for part, features in described(knowledge, space, looked_at):
            scores[part] = ranker.together(simple[part], lesson.past(features))
        lowest = scores[looked_at].min()
        # Behind all that the learner has looked at.
        scores[rest] = np.minimum(-np.log10(np.maximum(simple[rest], 1e-12)), lowest) - 1e-6
    else:
        scores = -np.log10(np.maximum(simple, 1e-12))
    order = np.lexsort((space.keys, simple, -scores))
    if question.family is not None:
        order = _thinned(order, space.keys, space.kind, question.family)
    order = order[: question.top]
    chances = (
        np.full(len(order), np.nan)
        if lesson.chances is None
        else lesson.chances.within(scores[order], question.years)
    )
    return Ranked(
        space.compositions(order),
        scores[order],
        chances,
        [BALANCES[rule] for rule in space.balances[order].tolist()],
        len(space),
        knowledge,
    )


def _asked(space: Space, domain: Domain, question: Question) -> NDArray[np.intp]:
    """Return which rows of a space are asked for."""
    compositions = space.compositions()
    inside = np.isin(compositions.numbers[:, -1], domain.anions)
    if question.elements:
        wanted = [atomic_numbers()[element] for element in question.elements]
        inside &= np.isin(compositions.numbers[:, :-1], wanted).any(axis=1)
    return np.flatnonzero(inside)


def recommended(known: KnownList, question: Question) -> list[Recommendation]:
    """Return the best compositions of all kinds asked for, best first.

    Parameters
    ----------
    known
        Reported compositions.
    question
        What is asked for.

    Raises
    ------
    ScreenError
        When nothing fits the question.
    """
    rows: list[tuple[float | None, float, str, str, tuple[str, ...]]] = []
    for kind in sorted(set(question.kinds)):
        part = ranked(known, kind, question)
        relatives = nearest_relatives(part.knowledge, part.compositions)
        rows += zip(
            [None if np.isnan(each) else each for each in part.chances.tolist()],
            part.scores.tolist(),
            part.compositions.formulas(),
            part.balances,
            relatives,
            strict=True,
        )
    # Scores of different kinds are parts of different spaces: chances compare.
    rows.sort(key=lambda row: (-(row[0] or 0.0), -row[1], row[2]))
    return [
        Recommendation(rank, formula, score, chance, balance, near)
        for rank, (chance, score, formula, balance, near) in enumerate(rows[: question.top], 1)
    ]


def nearest_relatives(
    knowledge: Knowledge, compositions: Compositions, n: int = N_RELATIVES
) -> list[tuple[str, ...]]:
    """Return the known compounds of equal coefficients that are most alike, nearest first."""
    found: list[tuple[str, ...]] = [()] * len(compositions)
    likeness = knowledge.likeness
    for rows, numbers, _ in knowledge.same_shape(compositions):
        for row in rows.tolist():
            mine = compositions.numbers[row]
            alike = likeness.anions[mine[-1], numbers[:, -1]].copy()
            for place in range(knowledge.kind - 1):
                alike *= likeness.cations[mine[place], numbers[:, place]]
            best = np.argsort(-alike, kind="stable")[: 4 * n]
            counts = np.tile(compositions.counts[row], (len(best), 1))
            names = dict.fromkeys(Compositions(numbers[best], counts).formulas())
            found[row] = tuple(list(names)[:n])
    return found


def _thinned(order: NDArray[np.intp], keys: Keys, kind: int, most: int) -> NDArray[np.intp]:
    """Keep at most so many of each family, compositions alike but for one rare earth."""
    rare = np.zeros(N_NUMBERS, dtype=bool)
    rare[[atomic_numbers()[symbol] for symbol in RARE_EARTHS]] = True
    kept = []
    seen: dict[tuple[int, ...], int] = {}
    compositions = unpacked(keys[order], kind)
    numbers = np.where(rare[compositions.numbers], 0, compositions.numbers)
    # Equal coefficients may stand in another order once elements are alike.
    slots = (compositions.counts.astype(np.int32) << 7) | numbers
    slots[:, :-1].sort(axis=1)
    for place, family in enumerate(map(tuple, slots.tolist())):
        n_seen = seen.get(family, 0)
        if 0 in {slot & 127 for slot in family} and n_seen >= most:
            continue
        seen[family] = n_seen + 1
        kept.append(place)
    return order[kept]
