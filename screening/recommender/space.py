"""The compositions there are to choose from: balanced by charges, and not in the known list.

Two ways lead to them. The first combines elements freely, each in one whole oxidation state, with
the coefficients of known compounds. The second replaces one element of a known compound, and
also allows what such a compound may have: a mean valence between two states, anions bonded to
each other, and electrons left with the metals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from screening.recommender.compositions import (
    ANIONS,
    KINDS,
    N_NUMBERS,
    Compositions,
    Keys,
    Rows,
    atomic_numbers,
    ordered,
    symbols,
    unpacked,
)
from screening.recommender.known import KnownList
from screening.recommender.states import FULL_CHARGE, States, bonded_charge, cation_states

BALANCES = ("whole states", "mixed valence", "bonded anions", "metal-rich")
"""How charges are balanced, the stricter rule first."""
MIN_SHAPES = {2: 1, 3: 3, 4: 12, 5: 12}
"""How many known compounds must share coefficients that are combined freely, by kind."""
COMMON_SHARE = 0.1
"""Part of an element's entries that a state of it needs where four elements or more combine."""
_MAX_CHARGE = 63
"""Largest charge of the anions of a formula: bits of an integer."""
_CHUNK = 500_000


@dataclass(frozen=True)
class Domain:
    """Which elements take part.

    Attributes
    ----------
    cations : ndarray of bool, shape (128,)
        By atomic number.
    anions : tuple of int
        Atomic numbers.
    states : States
        Of the cations.
    """

    cations: NDArray[np.bool_]
    anions: tuple[int, ...]
    states: States

    def holds(self, compositions: Compositions) -> NDArray[np.bool_]:
        """Return which compositions have only elements that take part."""
        inside = self.cations[compositions.numbers[:, :-1]].all(axis=1)
        both: NDArray[np.bool_] = inside & np.isin(compositions.numbers[:, -1], self.anions)
        return both


@dataclass(frozen=True)
class Space:
    """Compositions of one kind that are not known.

    Attributes
    ----------
    keys : ndarray of int64, shape (n,)
        Ascending.
    balances : ndarray of uint8, shape (n,)
        Index of `BALANCES`.
    kind : int
        Number of elements.
    """

    keys: Keys
    balances: NDArray[np.uint8]
    kind: int

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, rows: NDArray[np.intp]) -> Space:
        """Return the space of some rows, ascending."""
        return Space(self.keys[rows], self.balances[rows], self.kind)

    def compositions(self, rows: Rows = slice(None)) -> Compositions:
        """Return the compositions of some rows."""
        return unpacked(self.keys[rows], self.kind)


def enumerated(known: KnownList, kind: int, domain: Domain) -> Space:
    """Return every composition of the space that is not known.

    Parameters
    ----------
    known
        Reported compositions of all kinds.
    kind
        Number of elements.
    domain
        Elements that take part.
    """
    mine, _ = known.of_kind(kind)
    if not len(mine):
        return Space(np.empty(0, np.int64), np.empty(0, np.uint8), kind)
    larger = [known.of_kind(other)[0] for other in KINDS if other >= kind - 1]
    subsystems = subsystems_of(larger, max(1, kind - 2))
    free = _distinct(combined(mine, subsystems, domain))
    near = _distinct(substituted(mine, domain))
    known_keys = mine.keys
    free = free[~np.isin(free, known_keys)]
    near = near[~np.isin(near, known_keys) & ~np.isin(near, free, assume_unique=True)]
    rules = np.concatenate(
        [
            balances(unpacked(near[i : i + _CHUNK], kind), domain.states)
            for i in range(0, len(near), _CHUNK)
        ]
        or [np.empty(0, np.uint8)]
    )
    balanced = rules < len(BALANCES)
    keys = np.concatenate([free, near[balanced]])
    rules = np.concatenate([np.zeros(len(free), np.uint8), rules[balanced]])
    order = np.argsort(keys)
    return Space(keys[order], rules[order], kind)


def _distinct(parts: Iterator[Keys]) -> Keys:
    found = list(parts)
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


# ------------------------------------------------------------------------------ the two ways


def substituted(known: Compositions, domain: Domain) -> Iterator[Keys]:
    """Yield keys of known compounds with one element replaced by another one that takes part."""
    cations = np.flatnonzero(domain.cations).astype(np.uint8)
    last = known.kind - 1
    for position in range(known.kind):
        new = np.array(domain.anions, np.uint8) if position == last else cations
        # One of all that share what stands beside is enough.
        _, first = np.unique(known.contexts(position), return_index=True)
        parents = known[first]
        others = np.delete(np.arange(known.kind), position)
        fits = np.ones(len(parents), dtype=bool)
        allowed = parents.numbers[:, others]
        for column, place in enumerate(others):
            inside = (
                np.isin(allowed[:, column], domain.anions)
                if place == last
                else domain.cations[allowed[:, column]]
            )
            fits &= inside
        parents = parents[fits]
        step = max(1, _CHUNK // len(new))
        for start in range(0, len(parents), step):
            part = parents[start : start + step]
            numbers = np.repeat(part.numbers, len(new), axis=0)
            numbers[:, position] = np.tile(new, len(part))
            made = ordered(numbers, np.repeat(part.counts, len(new), axis=0))
            yield np.unique(made[_of_distinct(made)].keys)


def combined(known: Compositions, subsystems: NDArray[np.uint8], domain: Domain) -> Iterator[Keys]:
    """Yield keys of free combinations that whole states balance.

    Parameters
    ----------
    subsystems
        Atomic numbers of `kind - 2` cations, ascending, and an anion of known compounds of any
        kind, each row once. From four elements on only systems all of whose subsystems are
        known are combined.
    """
    shapes, n_known = np.unique(known.counts, axis=0, return_counts=True)
    shapes = shapes[n_known >= MIN_SHAPES[known.kind]]
    reached = _Reached(domain.states if known.kind < 4 else cation_states(min_share=COMMON_SHARE))
    for anion in domain.anions:
        systems = _systems(known.kind, subsystems[subsystems[:, -1] == anion][:, :-1], domain)
        systems = systems[~np.isin(systems, _before(anion)).any(axis=1)]
        if not len(systems):
            continue
        charge = -FULL_CHARGE[_symbol(anion)]
        found = []
        for shape in shapes.tolist():
            total = charge * shape[-1]
            if total > _MAX_CHARGE:
                continue
            for counts in sorted(set(itertools.permutations(shape[:-1]))):
                rows = np.flatnonzero(reached.balance(systems, counts, total))
                numbers = np.empty((len(rows), known.kind), np.uint8)
                numbers[:, :-1], numbers[:, -1] = systems[rows], anion
                written = np.tile(np.array([*counts, shape[-1]], np.uint8), (len(rows), 1))
                found.append(ordered(numbers, written).keys)
        yield np.concatenate(found) if found else np.empty(0, np.int64)


# ------------------------------------------------------------------------------- the charges


class _Reached:
    """Sums of charges that elements reach, as bits of an integer.

    Parameters
    ----------
    states
        Of the cations.
    """

    def __init__(self, states: States) -> None:
        self._of = states.of
        self._has = np.zeros((N_NUMBERS, 9), dtype=bool)
        for number, whole in states.of.items():
            self._has[number, list(whole)] = True
        self._ones: dict[int, NDArray[np.uint64]] = {}
        self._pairs: dict[tuple[int, int], NDArray[np.uint64]] = {}

    def balance(
        self, systems: NDArray[np.uint8], counts: tuple[int, ...], total: int
    ) -> NDArray[np.bool_]:
        """Return which systems reach a total charge with one whole state for each element."""
        last, count = systems[:, -1], counts[-1]
        if len(counts) == 1:
            reached = np.ones(len(systems), dtype=np.uint64)
        elif len(counts) == 2:
            reached = self._one(counts[0])[systems[:, 0]]
        else:
            reached = self._pair(counts[0], counts[1])[systems[:, 0], systems[:, 1]]
            for column in range(2, len(counts) - 1):
                reached = self._added(reached, systems[:, column], counts[column])
        balanced = np.zeros(len(systems), dtype=bool)
        for state in range(1, 9):
            rest = total - count * state
            if rest < 0:
                break
            bit = (reached >> np.uint64(rest)) & np.uint64(1)
            balanced |= self._has[last, state] & bit.astype(bool)
        return balanced

    def _one(self, count: int) -> NDArray[np.uint64]:
        if count not in self._ones:
            none = np.ones(N_NUMBERS, dtype=np.uint64)
            self._ones[count] = self._added(none, np.arange(N_NUMBERS), count)
        return self._ones[count]

    def _pair(self, first: int, second: int) -> NDArray[np.uint64]:
        if (first, second) not in self._pairs:
            start = np.repeat(self._one(first)[:, None], N_NUMBERS, axis=1)
            other = np.tile(np.arange(N_NUMBERS), (N_NUMBERS, 1))
            self._pairs[first, second] = self._added(start, other, second)
        return self._pairs[first, second]

    def _added(
        self, reached: NDArray[np.uint64], numbers: NDArray[np.integer], count: int
    ) -> NDArray[np.uint64]:
        """Return the sums with `count` atoms more of the elements."""
        found = np.zeros_like(reached)
        for state in range(1, 9):
            if count * state > _MAX_CHARGE:
                break
            shifted = reached << np.uint64(count * state)
            found |= np.where(self._has[numbers, state], shifted, np.uint64(0))
        return found


def balances(compositions: Compositions, states: States) -> NDArray[np.uint8]:
    """Return the strictest rule that balances each composition; ``len(BALANCES)`` for none.

    A mean valence lies between the lowest and the highest state of its element. Anions bonded to
    each other take fewer electrons than single ones. In a metal-rich compound even the lowest
    states of the metals give more electrons than the anions take.
    """
    reached = _Reached(states)
    counts = compositions.counts.astype(np.float32)
    full, bonded = anion_charges()
    low = (counts[:, :-1] * states.lowest[compositions.numbers[:, :-1]]).sum(axis=1)
    high = (counts[:, :-1] * states.highest[compositions.numbers[:, :-1]]).sum(axis=1)
    most = -full[compositions.numbers[:, -1]] * counts[:, -1]
    least = -bonded[compositions.numbers[:, -1]] * counts[:, -1]
    found = np.full(len(compositions), len(BALANCES), dtype=np.uint8)
    found[low > most] = 3
    found[(low <= most) & (high >= least)] = 2
    found[(low <= most) & (high >= most)] = 1
    maybe = np.flatnonzero(found == 1)
    shapes, which = np.unique(compositions.counts[maybe], axis=0, return_inverse=True)
    by_shape = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[by_shape], np.arange(len(shapes) + 1))
    for index, shape in enumerate(shapes.tolist()):
        rows = maybe[by_shape[ends[index] : ends[index + 1]]]
        numbers = compositions.numbers[rows]
        for anion in np.unique(numbers[:, -1]).tolist():
            total = int(-full[anion]) * shape[-1]
            mine = rows[numbers[:, -1] == anion]
            if total <= _MAX_CHARGE:
                systems = compositions.numbers[mine, :-1]
                found[mine[reached.balance(systems, tuple(shape[:-1]), total)]] = 0
    return found


@cache
def anion_charges() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the charges of single anions and of bonded ones, by atomic number."""
    full = np.full(N_NUMBERS, np.nan, dtype=np.float32)
    bonded = full.copy()
    for anion in ANIONS:
        number = atomic_numbers()[anion]
        full[number], bonded[number] = FULL_CHARGE[anion], bonded_charge(anion)
    return full, bonded


# ------------------------------------------------------------------------------- the systems


def _systems(kind: int, subsystems: NDArray[np.uint8], domain: Domain) -> NDArray[np.uint8]:
    """Return the cations, ascending, of the systems that are combined with one anion."""
    cations = np.flatnonzero(domain.cations)
    if kind == 2:
        return cations.astype(np.uint8)[:, None]
    if kind == 3:
        return np.array(list(itertools.combinations(cations.tolist(), 2)), np.uint8).reshape(-1, 2)
    inside = subsystems[domain.cations[subsystems].all(axis=1)]
    seen = np.zeros((N_NUMBERS,) * (kind - 2), dtype=bool)
    seen[tuple(inside.T)] = True
    found = []
    for subsystem in np.unique(inside, axis=0).tolist():
        # Elements after the last one, with which every part of the system is known.
        more = np.ones(N_NUMBERS, dtype=bool)
        more[: subsystem[-1] + 1] = False
        for left_out in range(len(subsystem)):
            rest = [number for place, number in enumerate(subsystem) if place != left_out]
            more &= seen[tuple(rest)]
        extra = np.flatnonzero(more)
        rows = np.empty((len(extra), kind - 1), np.uint8)
        rows[:, :-1], rows[:, -1] = subsystem, extra
        found.append(rows)
    return np.concatenate(found) if found else np.empty((0, kind - 1), np.uint8)


def subsystems_of(known: list[Compositions], n_cations: int) -> NDArray[np.uint8]:
    """Return what `n_cations` cations and an anion are known together, each once.

    Parameters
    ----------
    known
        Compositions of any kinds.
    """
    found = []
    for compositions in known:
        cations = np.sort(compositions.numbers[:, :-1], axis=1)
        for places in itertools.combinations(range(cations.shape[1]), n_cations):
            found.append(np.column_stack([cations[:, list(places)], compositions.numbers[:, -1]]))
    if not found:
        return np.empty((0, n_cations + 1), np.uint8)
    return np.unique(np.concatenate(found), axis=0)


def _of_distinct(compositions: Compositions) -> NDArray[np.bool_]:
    """Return which compositions have distinct elements, none of them an anion before the anion."""
    numbers = compositions.numbers
    distinct = np.ones(len(numbers), dtype=bool)
    for one, other in itertools.combinations(range(compositions.kind), 2):
        distinct &= numbers[:, one] != numbers[:, other]
    rank = np.full(N_NUMBERS, len(ANIONS), dtype=np.int8)
    for place, anion in enumerate(ANIONS):
        rank[atomic_numbers()[anion]] = place
    return distinct & (rank[numbers[:, :-1]] > rank[numbers[:, -1:]]).all(axis=1)


def _before(anion: int) -> list[int]:
    """Return the anion and those that would be the anion beside it."""
    place = ANIONS.index(_symbol(anion))
    return [atomic_numbers()[symbol] for symbol in ANIONS[: place + 1]]


def _symbol(number: int) -> str:
    return symbols()[number]
